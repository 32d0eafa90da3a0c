"""Standoff annotations of brat: the text in a .txt file, its entities in an .ann file beside it, for each text.

    T1	PER 0 9	Ada Green
    T2	ORG 18 22;23 27	Blue Lamp
    R1	Works Arg1:T1 Arg2:T2

A file is read by either of its two names, and a folder by its own: each .ann file in it, and in the folders within, is
a text. Only entities (T) are read. An entity of several pieces is one if nothing but white space is between them: so
brat writes one that goes over the end of a line. Others are left out and counted.

A name that ends in .txt or .ann is written as one pair of files, with a line for each text; any other name as a new
folder of pairs, with the file `annotation.conf` that brat needs to show the labels.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from ner_lstm_crf.errors import InputError, missing, path_given
from ner_lstm_crf.files.atomic import make_directory
from ner_lstm_crf.files.encodings import BYTE_ORDER_MARK
from ner_lstm_crf.files.text import COMPRESSORS, STANDARD_STREAM, EmptyFileError, FilePath, TextFile, quoted, writing
from ner_lstm_crf.formats.options import ReadOptions, ReadReport, WriteOptions
from ner_lstm_crf.formats.text_json import AnnotatedText, Found, TextFormat, chosen_entities

_ENTITY = re.compile(r"T\S*\t(?P<label>\S+) (?P<pieces>\d{1,9} \d{1,9}(?:;\d{1,9} \d{1,9})*)(?:\t(?P<text>.*))?")
_OTHER = re.compile(
    r"(?:[REAMN#][0-9]\S*|\*)\t.*", re.DOTALL
)  # relations, events, attributes, references, notes, equivalences
_LINE = re.compile(r"[^\r\n]+")
_CONFIGURATION = "annotation.conf"


class Brat(TextFormat):
    """Standoff annotations of brat."""

    name = "brat"
    suffixes = (".ann",)
    description = "brat's standoff annotations"

    def claims(self, path: FilePath) -> bool:
        """True for an .ann file, for a .txt file beside which there is one, and for a folder with such."""
        place = Path(path_given(path))
        try:
            if place.is_dir():
                return any(True for _ in place.rglob("*.ann"))
            return place.suffix == ".ann" or (place.suffix == ".txt" and place.with_suffix(".ann").is_file())
        except (OSError, ValueError):
            return False

    def texts(self, path: FilePath, options: ReadOptions, report: ReadReport) -> Iterator[AnnotatedText]:
        """The texts, see `TextFormat.texts`; in a folder, their lines are their numbers in the order of their names."""
        place = Path(path_given(path))
        pairs = sorted(place.rglob("*.ann")) if place.is_dir() else [place.with_suffix(".ann")]
        is_empty = True
        for number, pair in enumerate(pairs, 1):
            text = _text_of(pair.with_suffix(".txt"), options.encoding)
            if not text:
                continue
            is_empty = False
            try:
                given = list(_found_in(pair, text, options, report)) if options.read_tags else []
                entities = chosen_entities(text, given, number, options, report)
            except InputError as error:
                raise error.at(os.fspath(pair)) from None
            yield AnnotatedText(text, entities, number, origin=pair.stem)
        if is_empty:
            raise InputError("expected texts, found none", path=path)

    def write_checked(self, path: FilePath, texts: Iterable[AnnotatedText], options: WriteOptions) -> None:
        """Write one pair of files, or a folder of pairs."""
        place = Path(path_given(path))
        if path == STANDARD_STREAM or place.suffix in COMPRESSORS:
            raise InputError("brat has two files for a text: name a folder, or a file that ends in .ann", path=path)
        if place.suffix in (".ann", ".txt"):
            _write_pair(place, texts, options.encoding)
        else:
            _write_folder(place, texts, options.encoding)


def _text_of(path: Path, encoding: str) -> str:
    """The text of a file, with all its characters; "" if it is empty.

    Raises:
        InputError: If it cannot be read.
    """
    if not path.is_file():
        raise missing(path, "no such file, which holds the text of the annotations")
    try:
        file = TextFile(path, encoding)
    except EmptyFileError:
        return ""
    return BYTE_ORDER_MARK * file.byte_order_mark + "".join(file.lines())


def _found_in(path: Path, text: str, options: ReadOptions, report: ReadReport) -> Iterator[Found]:
    """The entities of an .ann file.

    Raises:
        InputError: If a line is no annotation; the path is added by the caller.
    """
    try:
        lines = enumerate(TextFile(path, options.encoding).lines(), 1)
    except EmptyFileError:
        return
    for number, line in lines:
        body = line.rstrip("\r\n")
        match = _ENTITY.fullmatch(body)
        if match is None:
            if body.strip() and not _OTHER.fullmatch(body):
                found = f"found {quoted(body)}"
                raise InputError(f"expected an annotation such as T1<tab>PER 0 4<tab>Rome, {found}", line=number)
            continue
        pieces = [tuple(map(int, piece.split(" "))) for piece in match["pieces"].split(";")]
        if any(text[one[1] : other[0]].strip() or one[1] > other[0] for one, other in pairwise(pieces)):
            if options.labels.renaming(match["label"]) is not None:
                report.split.append(number)
            continue
        yield Found(pieces[0][0], pieces[-1][1], match["label"], match["text"], line=number)


def _write_pair(place: Path, texts: Iterable[AnnotatedText], encoding: str) -> None:
    """Write texts as lines of one text file, and their entities as one file of annotations."""
    start, count = 0, 0
    with writing(place.with_suffix(".txt"), encoding) as out, writing(place.with_suffix(".ann"), encoding) as notes:
        for text in texts:
            body = text.text if text.text.endswith("\n") else text.text + "\n"
            out.write(body)
            for line in _lines_of(text, place, start, count):
                notes.write(line)
            start, count = start + len(body), count + len(text.entities)


def _write_folder(place: Path, texts: Iterable[AnnotatedText], encoding: str) -> None:
    """Write each text as a pair of files of its own, and the labels as the configuration."""
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise InputError(
            "expected a new folder for the texts and their annotations, found one that is there", path=place
        )
    make_directory(place)
    labels = dict[str, None]()
    for number, text in enumerate(texts, 1):
        name = text.origin if isinstance(text.origin, str) else ""
        if not name or (place / f"{name}.ann").exists():
            name = f"{number:06}"
        with writing(place / f"{name}.txt", encoding) as out:
            out.write(text.text)
        with writing(place / f"{name}.ann", encoding) as notes:
            notes.writelines(_lines_of(text, place, 0, 0))
        labels |= dict.fromkeys(one.label for one in text.entities)
    with writing(place / _CONFIGURATION, encoding) as out:
        out.write("[entities]\n" + "".join(f"{label}\n" for label in sorted(labels)))
        out.write("[relations]\n[events]\n[attributes]\n")


def _lines_of(text: AnnotatedText, path: Path, start: int, count: int) -> Iterator[str]:
    """The annotations of a text that begins at an offset of its file, behind so many annotations.

    Raises:
        InputError: If a label has white space, which separates it from the offsets.
    """
    for number, one in enumerate(text.entities, count + 1):
        if re.search(r"\s", one.label):
            hint = f"--rename '{one.label}=NAME' gives it another"
            raise InputError(f"the label {quoted(one.label)} has white space, which brat's have not: {hint}", path=path)
        # Each line of an entity is a piece of its own.
        pieces = [(match.start(), match.end(), match[0]) for match in _LINE.finditer(one.text)]
        offsets = ";".join(f"{start + one.start + first} {start + one.start + end}" for first, end, _ in pieces)
        yield f"T{number}\t{one.label} {offsets}\t{' '.join(piece for _, _, piece in pieces)}\n"
