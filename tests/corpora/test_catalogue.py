"""The catalogue: every entry is complete, says how to read its files, and describes the real ones."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ner_lstm_crf.corpora.catalogue import Corpus, CorpusFile, catalogue, get_corpus
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats.conll import read_conll
from ner_lstm_crf.formats.options import ReadOptions
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.tags.scheme import get_scheme
from tests.real_corpora import FACTS

OPEN = [corpus for corpus in catalogue().values() if not corpus.restricted]
RESTRICTED = [corpus for corpus in catalogue().values() if corpus.restricted]
FILES = {f"{corpus.name}/{file.name}": file for corpus in OPEN for file in corpus.files}


def named(corpus: Corpus) -> str:
    return corpus.name


def test_the_catalogue_holds_what_people_train_on() -> None:
    assert len(OPEN) == 21
    assert {"cluener2020", "conll2003", "msra", "ontonotes5", "resume", "weibo"} == {entry.name for entry in RESTRICTED}
    assert list(catalogue()) == [corpus.name for corpus in [*OPEN, *RESTRICTED]]


@pytest.mark.parametrize("corpus", catalogue().values(), ids=named)
def test_every_entry_is_complete(corpus: Corpus) -> None:
    assert get_corpus(corpus.name) is corpus
    assert corpus.title
    assert corpus.licence
    assert corpus.citation.endswith(".")
    assert corpus.home.startswith("https://")
    assert re.fullmatch("[a-z]{2,3}", corpus.language)
    assert corpus.labels == tuple(sorted(set(corpus.labels)))
    assert set(corpus.rename) <= set(corpus.labels)
    assert corpus.scheme is None or get_scheme(corpus.scheme)


@pytest.mark.parametrize("corpus", OPEN, ids=named)
def test_what_can_be_fetched_is_pinned_and_readable(corpus: Corpus) -> None:
    assert corpus.files
    assert corpus.scheme
    assert corpus.separator
    assert corpus.token_column
    assert corpus.tag_column
    assert len({file.name for file in corpus.files}) == len(corpus.files)
    for file in corpus.files:
        assert re.fullmatch(r"https://raw\.githubusercontent\.com/[\w-]+/[\w-]+/[0-9a-f]{40}/[\w./-]+", file.url)
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert file.split in {"train", "dev", "test", "all"}
        assert file.size > 0
    assert corpus.size == sum(file.size for file in corpus.files)


@pytest.mark.parametrize("corpus", RESTRICTED, ids=named)
def test_what_is_restricted_says_where_to_get_it(corpus: Corpus) -> None:
    assert not corpus.files
    assert "https://" in corpus.obtain


def test_an_unknown_name_is_refused_with_those_near_to_it() -> None:
    with pytest.raises(InputError, match=r"got 'WNUT-17', did you mean wnut17"):
        get_corpus("WNUT-17")
    with pytest.raises(InputError, match=r"one of anem, bc5cdr, .*weibo"):
        get_corpus("???")


@pytest.mark.real
@pytest.mark.parametrize(("name", "file"), FILES.items(), ids=FILES)
def test_sizes_and_checksums_are_those_of_the_real_files(
    name: str, file: CorpusFile, corpus_file: Callable[[str], Path]
) -> None:
    content = corpus_file(name).read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (file.size, file.sha256)


def test_of_each_file_it_is_known_what_it_holds() -> None:
    """Those files are read in the tests of the reader and of the detection of schemes."""
    assert {facts.name for facts in FACTS} == FILES.keys()


@pytest.mark.real
@pytest.mark.parametrize("corpus", OPEN, ids=named)
def test_the_smallest_file_reads_as_described(corpus: Corpus, corpus_file: Callable[[str], Path]) -> None:
    """Under the named columns and scheme there are entities, and only of the named labels, after they were renamed."""
    smallest = min(corpus.files, key=lambda file: file.size)
    options = ReadOptions(
        token_column=corpus.token_column,
        tag_column=corpus.tag_column,
        separator=corpus.separator,
        scheme=corpus.scheme,
        labels=LabelMap(corpus.rename),
    )
    sentences = read_conll(corpus_file(f"{corpus.name}/{smallest.name}"), options)
    found = {span.label for sentence in sentences for span in sentence.spans}
    assert found
    assert found <= {corpus.rename.get(label, label) for label in corpus.labels} - {"O"}
