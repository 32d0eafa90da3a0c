"""The public names: lazy for speed, visible to type checkers, and the same for both."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

import ner_lstm_crf

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", ner_lstm_crf.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(ner_lstm_crf, name) is not None
    assert name in dir(ner_lstm_crf)


def test_type_checkers_see_the_names_where_they_are() -> None:
    tree = ast.parse(Path(ner_lstm_crf.__file__).read_text(encoding="utf-8"))
    (checked,) = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [
        (node.module, alias) for node in checked.body if isinstance(node, ast.ImportFrom) for alias in node.names
    ]
    assert all(alias.asname == alias.name for _, alias in imports)  # else mypy takes it for a private import
    seen = {alias.name: module for module, alias in imports}
    assert seen == ner_lstm_crf._MODULE_OF
    assert sorted(seen) == sorted(ner_lstm_crf.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'Taggger'"):
        _ = ner_lstm_crf.Taggger


def test_completion_offers_the_public_names_alone() -> None:
    assert {name for name in dir(ner_lstm_crf) if not name.startswith("__")} == set(ner_lstm_crf.__all__)


def test_reading_files_does_without_torch() -> None:
    code = "import sys; from ner_lstm_crf import read_sentences, tokenize, Span; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


TAG = """
from ner_lstm_crf import Span, Sentence, Tagger

tagger = Tagger.load("en")
assert len(tagger.tag("Angela Merkel visited Rome.")) == 2
assert len(list(tagger.tag_many(["Angela Merkel visited Rome. " * 300]))[0]) == 600
assert tagger.analyze("Angela Merkel visited Rome.")[0].alternatives(3)
assert tagger.evaluate([Sentence.from_words(["Rome"], [Span(0, 1, "LOC")])]).micro.gold == 1
"""
COMMANDS = {
    "tag": ["tag", "Angela Merkel visited Rome.", "--model", "en"],
    "evaluate": ["evaluate", "en", "gold.conll"],
}


@pytest.mark.parametrize("what", ["from Python", *COMMANDS])
def test_tagging_does_without_torch_and_other_large_packages(what: str, tmp_path: Path) -> None:
    (tmp_path / "gold.conll").write_text("Angela B-PER\nMerkel I-PER\nvisited O\nRome B-LOC\n. O\n")
    command = f"from ner_lstm_crf.cli.main import main\nassert main({COMMANDS.get(what)}) == 0\n"
    heavy = ["torch", "transformers", "scipy", "pandas", "onnx", "matplotlib", "sklearn", "spacy", "huggingface_hub"]
    code = f"{TAG if what == 'from Python' else command}\nimport sys\nassert not {{*{heavy}}} & sys.modules.keys()"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("builder", [SdistBuilder, WheelBuilder])
def test_the_shipped_taggers_are_sent_along(builder: type) -> None:
    included = {file.path for file in builder(str(ROOT)).recurse_included_files()}
    shipped = {str(path) for path in (ROOT / "ner_lstm_crf" / "shipped").rglob("*") if path.is_file()}
    assert str(ROOT / "ner_lstm_crf" / "shipped" / "LICENSE") in shipped
    assert shipped <= included


def test_a_source_distribution_can_set_itself_up() -> None:
    included = {
        Path(file.path).relative_to(ROOT).as_posix() for file in SdistBuilder(str(ROOT)).recurse_included_files()
    }
    assert {"scripts/setup", "scripts/quickstart", "scripts/test", "constraints.txt"} <= included
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff", "LICENSE"} <= included


def test_the_citation_names_this_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {ner_lstm_crf.__version__}\n" in citation
    assert f"\n## {ner_lstm_crf.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
