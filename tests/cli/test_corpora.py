from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ner_lstm_crf.corpora.catalogue import get_corpus
from tests.cli.conftest import Run


def test_the_catalogue(run: Run) -> None:
    listed = run("corpora", "list")
    corpora = json.loads(run("corpora", "list", "--json").out)["corpora"]
    assert len(corpora) > 20
    assert [line.split()[0] for line in listed.out.splitlines()[1:]] == [corpus["name"] for corpus in corpora]
    assert {"name", "language", "licence", "labels", "files", "scheme"} <= corpora[0].keys()
    restricted = [corpus["name"] for corpus in corpora if corpus["restricted"]]
    assert restricted
    assert sum("  restricted  " in line for line in listed.out.splitlines()) == len(restricted)


@pytest.mark.real
def test_fetching_from_a_local_copy_says_how_to_train(
    corpora: Path, corpus_file: Callable[[str], Path], tmp_path: Path, run: Run
) -> None:
    originals = [corpus_file(f"wnut17/{file.name}") for file in get_corpus("wnut17").files]
    arguments = ["corpora", "fetch", "wnut17", "--output", tmp_path, "--from", corpora]
    result = run(*arguments)
    assert result.code == 0
    paths = [Path(line) for line in result.out.splitlines()]
    assert [path.read_bytes() for path in paths] == [original.read_bytes() for original in originals]
    assert f"--train {tmp_path / 'wnut17' / 'train.conll'}" in result.err
    assert json.loads(run(*arguments, "--json").out)["files"] == [str(path) for path in paths]


def test_mistakes(tmp_path: Path, run: Run) -> None:
    assert "did you mean wnut17?" in run("corpora", "fetch", "wnut", "--output", tmp_path).complaint
    assert "obtain it from" in run("corpora", "fetch", "conll2003", "--output", tmp_path).complaint
    nowhere = run("corpora", "fetch", "wnut17", "--output", tmp_path, "--from", tmp_path / "nowhere").complaint
    assert "nowhere: expected" in nowhere
