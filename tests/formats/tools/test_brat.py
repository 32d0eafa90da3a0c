"""brat's standoff annotations: pairs of files, folders, entities in pieces, line ends, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats.options import ReadOptions, ReadReport
from ner_lstm_crf.formats.registry import convert, detect_format, read_sentences
from ner_lstm_crf.formats.tools.brat import Brat
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.text.annotation import Entity

TEXT = "😀 Ada Green of the Blue\nLamp met Bo, of Oslo and Rome city.\r\nThe end.\n"
NOTES = (
    "T1\tPER 2 11\tAda Green\n"
    "T2\tORG 19 23;24 28\tBlue Lamp\n"  # over the end of a line
    "T3\tLOC 40 44;54 58\tOslo city\n"  # in two pieces
    "T4\tLOC 49 58\tRome city\n"
    "T5\tLOC 49 53\tRome\n"
    "R1\tWorks Arg1:T1 Arg2:T2\t\n"
    "E1\tMeet:T6 Agent:T1\n"
    "A1\tNegated E1\n"
    "#1\tAnnotatorNotes T1\ta note\n"
    "*\tEquiv T4 T5\n"
)


def pair(folder: Path, notes: str = NOTES, text: str = TEXT, name: str = "x") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.txt").write_bytes(text.encode())
    (folder / f"{name}.ann").write_bytes(notes.encode())
    return folder


@pytest.mark.parametrize("name", ["x.ann", "x.txt", "."])
def test_entities_are_read_by_the_name_of_either_file_or_of_the_folder(name: str, tmp_path: Path) -> None:
    path, report = pair(tmp_path) / name, ReadReport()
    assert detect_format(path).name == "brat"
    (text,) = Brat().read_texts(path, report=report)
    assert text.text == TEXT
    assert text.entities == (
        Entity(2, 11, "PER", "Ada Green"),
        Entity(19, 28, "ORG", "Blue\nLamp"),
        Entity(49, 58, "LOC", "Rome city"),
    )
    assert (report.split, len(report.dropped)) == ([3], 1)
    assert report.labels == {"PER": 1, "ORG": 1, "LOC": 1}


def test_a_folder_is_read_with_the_folders_within_and_its_texts_are_documents(tmp_path: Path) -> None:
    pair(tmp_path / "b", "", "Nothing here.\n", "empty")
    pair(tmp_path / "a", "T1\tPER 0 3\tAda\n", "Ada sings.", "one")
    pair(tmp_path / "c", "", "", "no text")
    (tmp_path / "a" / "other.txt").write_text("nobody annotated this")
    sentences = read_sentences(tmp_path)
    assert [(one.words[0], len(one.spans), one.document) for one in sentences] == [("Ada", 1, 0), ("Nothing", 0, 1)]


def test_a_folder_is_written_again_with_the_names_of_its_texts(tmp_path: Path) -> None:
    source = pair(pair(tmp_path / "old", "T1\tPER 0 3\tAda\n", "Ada sings.", "news"))
    convert(source, tmp_path / "new", options=ReadOptions(labels=LabelMap.parse("PER,ORG", ["PER=PERSON", "LOC=O"])))
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        *("annotation.conf", "news.ann", "news.txt", "x.ann", "x.txt")
    ]
    assert (tmp_path / "new" / "x.txt").read_bytes() == TEXT.encode()
    assert (tmp_path / "new" / "x.ann").read_text() == "T1\tORG 19 23;24 28\tBlue Lamp\n"


def test_the_labels_are_in_the_configuration_and_an_old_folder_is_not_touched(tmp_path: Path) -> None:
    convert(pair(tmp_path / "old"), tmp_path / "new", output_format="brat")
    assert (tmp_path / "new" / "annotation.conf").read_text() == (
        "[entities]\nLOC\nORG\nPER\n[relations]\n[events]\n[attributes]\n"
    )
    with pytest.raises(InputError, match=r"new: expected a new folder .*, found one that is there"):
        convert(tmp_path / "old", tmp_path / "new", output_format="brat")


def test_texts_become_lines_of_one_pair_of_files(tmp_path: Path) -> None:
    (tmp_path / "x.conll").write_text("Ada\tB-PER\nsings\tO\n\nRome\tB-LOC\n")
    convert(tmp_path / "x.conll", tmp_path / "y.ann")
    assert (tmp_path / "y.txt").read_text() == "Ada sings\nRome\n"
    assert (tmp_path / "y.ann").read_text() == "T1\tPER 0 3\tAda\nT2\tLOC 10 14\tRome\n"


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        ("T1\tPER 0 3\tAda\nAda\tB-PER\n", r"x\.ann:2: expected an annotation such as T1<tab>PER 0 4<tab>Rome, found"),
        ("T1\tPER 2 5\tBo\n", r"x\.ann:1: the entity PER at 2-5 covers 'Ada', but its text is 'Bo'"),
        ("\nT1\tPER 900 903\tBo\n", r"x\.ann:2: the entity PER at 900-903 lies outside its text of 70 characters"),
    ],
)
def test_mistakes_are_told_with_file_and_line(notes: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        read_sentences(pair(tmp_path, notes))


def test_a_file_of_annotations_without_its_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.ann").write_text(NOTES)
    with pytest.raises(InputError, match=r"x\.txt: no such file, which holds the text of the annotations"):
        read_sentences(tmp_path / "x.ann")


def test_offsets_in_units_of_java_script_are_seen_by_the_texts(tmp_path: Path) -> None:
    (text,) = Brat().read_texts(pair(tmp_path, "T1\tPER 3 12\tAda Green\n") / "x.ann")
    assert text.entities == (Entity(2, 11, "PER", "Ada Green"),)


@pytest.mark.parametrize("target", ["-", "x.ann.gz"])
def test_what_cannot_be_two_files_is_refused(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"brat has two files for a text: name a folder, or a file that ends in \.ann"):
        convert(pair(tmp_path), target, output_format="brat")


def test_a_label_with_white_space_is_refused_and_the_hint_gives_it_another(tmp_path: Path) -> None:
    source = tmp_path / "x.jsonl"
    source.write_text('{"text": "Ada", "entities": [[0, 3, "a b"]]}\n')
    with pytest.raises(InputError, match=r"the label 'a b' has white space.*--rename 'a b=NAME'"):
        convert(source, tmp_path / "y.ann")
    convert(source, tmp_path / "y.ann", options=ReadOptions(labels=LabelMap.parse(None, ["a b=PER"])))
    assert (tmp_path / "y.ann").read_text() == "T1\tPER 0 3\tAda\n"
