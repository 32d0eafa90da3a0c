r"""WebAnno TSV 3, the format of WebAnno and INCEpTION: a token a row, with a column for each feature of each layer.

    #FORMAT=WebAnno TSV 3.3
    #T_SP=de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity|identifier|value


    #Text=Ada Green left.
    1-1	0-3	Ada	*[1]	PER[1]
    1-2	4-9	Green	*[1]	PER[1]
    1-3	10-14	left	_	_
    1-4	14-15	.	_	_

Rows with one number in brackets are one entity; several of a token are separated by `|`. Rows such as `1-1.1` are parts
of a token. A backslash takes the meaning from a sign. Offsets count UTF-16 units, an emoji as two, in the whole file;
those of programs that count code points are read, too.

The feature that is read is the value of the layer NamedEntity, or the only one of a layer of one's own; `--tag-key`
names another. Tokens and sentences are those of the file. A file is one document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import NamedTuple

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.text import FilePath, TextFile, quoted, writing
from ner_lstm_crf.formats.columns import WEBANNO
from ner_lstm_crf.formats.format import Sample
from ner_lstm_crf.formats.options import ReadOptions, ReadReport, WriteOptions
from ner_lstm_crf.formats.text_json import (
    AnnotatedText,
    Found,
    TextFormat,
    annotate,
    chosen_entities,
    sentences_of_tokens,
    text_of,
)
from ner_lstm_crf.text.annotation import Entity, Sentence, Token, cut_tokens

_HEADER = "#FORMAT=WebAnno TSV 3.3\n#T_SP=de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity|identifier|value\n\n"
_LAYER = re.compile(r"#T_(SP|CH|RL)=([^|]*)\|(.*)")
_ROW = re.compile(
    r"(?P<sentence>\d{1,9})-\d{1,9}(?P<part>\.\d{1,9})?\t(?P<start>\d{1,9})-(?P<end>\d{1,9})\t(?P<rest>.*)"
)
_PIECE = re.compile(r"(?:[^|\\]|\\.)+", re.DOTALL)
_VALUE = re.compile(r"(?P<value>(?:[^\\\[]|\\.|\[(?!\d+\]$))*)(?:\[(?P<number>\d+)\])?", re.DOTALL)
_ESCAPED = re.compile(r"\\(->|.)", re.DOTALL)
_TO_ESCAPE = re.compile(r"->|[\\\[\]|_;\t\n*]")
_SIGNS = {"n": "\n", "t": "\t", "r": "\r"}
_WIDEST_GAP = 1_000_000  # characters between two tokens: they become spaces
_NAMED_ENTITY = "NamedEntity"
_NOT_ENTITIES = ("POS", "Lemma", "Stem", "MorphologicalFeatures", "SurfaceForm", "SofaChangeAnnotation")


class WebAnno(TextFormat):
    """WebAnno TSV 3."""

    name = "webanno"
    description = "WebAnno TSV 3"

    def detect(self, sample: Sample) -> bool:
        """True if the first line says so."""
        return sample.first.startswith(WEBANNO)

    def texts(self, path: FilePath, options: ReadOptions, report: ReadReport) -> Iterator[AnnotatedText]:
        """The text of the file, which is one document."""
        document = _read(path, options)
        yield AnnotatedText(document.text, document.entities(path, options, report), document.line)

    def read(self, path: FilePath, options: ReadOptions, report: ReadReport) -> Iterator[Sentence]:
        """The sentences of the file, with its own tokens; one that an entity cuts becomes two."""
        document = _read(path, options)
        entities = document.entities(path, options, report)
        parts = document.sentences
        if options.token_unit == "character":
            every = range(len(document.text) + 1)
            parts = [[token for token in cut_tokens(tokens, every) if not token.text.isspace()] for tokens in parts]
        lines = dict(zip((tokens[0].start for tokens in document.sentences), document.lines, strict=True))
        for sentence in sentences_of_tokens(parts, entities, document.line, report):
            line = lines.get(sentence.tokens[0].start, document.line)
            numbered = replace(sentence, line=line)
            report.count(numbered)
            yield numbered

    def write(self, path: FilePath, sentences: Iterable[Sentence], options: WriteOptions) -> None:
        """Write sentences with their tokens."""
        _write(path, ((text_of(sentence).text, sentence) for sentence in sentences), options)

    def rewrite(
        self, source: FilePath, target: FilePath, options: ReadOptions, output: WriteOptions, report: ReadReport
    ) -> None:
        """Write a file again with its tokens and the labels that are read; other layers are left out."""
        self.write(target, self.read(source, options, report), output)

    def write_checked(self, path: FilePath, texts: Iterable[AnnotatedText], options: WriteOptions) -> None:
        """Write texts, cut into tokens as in tagging."""
        unit = options.token_unit or "word"
        cut = ((text.text, sentence) for text in texts for sentence in annotate(text, unit))
        pieces = ((text[one.tokens[0].start : one.tokens[-1].end], one) for text, one in cut if one.tokens)
        _write(path, pieces, options)


@dataclass(slots=True)
class _Document:
    """A file: its tokens by sentences, and its entities, both with offsets in its text.

    Attributes:
        text: The text: the tokens at their places, with spaces between them, and a line end between sentences.
        sentences: The tokens of each sentence.
        lines: The line of the first token of each sentence.
        found: The entities, unchecked.
    """

    text: str = ""
    sentences: list[list[Token]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)

    @property
    def line(self) -> int:
        """The line of the first token."""
        return self.lines[0]

    def entities(self, path: FilePath, options: ReadOptions, report: ReadReport) -> tuple[Entity, ...]:
        """The entities that are chosen."""
        if not options.read_tags:
            return ()
        # The offsets are those of the text already.
        options = replace(options, offsets="code-points")
        try:
            return chosen_entities(self.text, self.found, self.line, options, report)
        except InputError as error:
            raise error.at(path) from None


class _Feature(NamedTuple):
    """A column of a file."""

    kind: str
    layer: str
    name: str

    def __str__(self) -> str:
        return f"{self.layer}|{self.name}"


def _read(path: FilePath, options: ReadOptions) -> _Document:
    """A file.

    Raises:
        InputError: If it cannot be read, a row is malformed, there are none, or it is not clear which feature is read.
    """
    file, draft, number = TextFile(path, options.encoding), _Draft(options), None
    try:
        for number, line in enumerate(file.lines(), 1):
            draft.add(line.rstrip("\r\n"), number)
    except InputError as error:
        raise error.at(file.path, number) from None
    if not draft.sentences:
        raise InputError("expected rows of tokens, found none", path=file.path)
    return _Document("".join(draft.pieces), draft.sentences, draft.lines, list(draft.found.values()))


@dataclass(slots=True)
class _Draft:
    """A file while its lines are read.

    Attributes:
        options: The options of reading.
        features: The features of all layers so far, one for each column.
        column: The column that is read; None before the first row, -1 for none.
        unit: What a character beyond U+FFFF counts in the offsets of the file; None before the first one.
        pieces: The text so far, in pieces.
        sentences: As in `_Document`.
        lines: As in `_Document`.
        found: The entities so far; those of several rows under their label and number.
        number: The number of the last sentence.
        began: The offset of the last token in the file.
        shift: By how much the offsets in the file are larger than those in the text.
    """

    options: ReadOptions
    features: list[_Feature] = field(default_factory=list)
    column: int | None = None
    unit: int | None = None
    pieces: list[str] = field(default_factory=list)
    sentences: list[list[Token]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    found: dict[tuple[str, int], Found] = field(default_factory=dict)
    number: str = ""
    began: int = 0
    shift: int = 0

    def add(self, body: str, line: int) -> None:
        """Read a line.

        Raises:
            InputError: If it is a row that is malformed; without path and line.
        """
        row = _ROW.fullmatch(body)
        if row is None:
            if layer := _LAYER.match(body):
                name = layer[2].rpartition(".")[2]
                self.features += [_Feature(layer[1], name, feature) for feature in layer[3].split("|")]
            elif body.strip() and not body.startswith("#"):
                raise InputError(f"expected a row such as 1-1<tab>0-3<tab>Ada<tab>..., found {quoted(body)}")
            return
        if self.column is None:
            self.column = _chosen(self.features, self.options) if self.options.read_tags else -1
        word, *cells = row["rest"].split("\t")
        first, last = int(row["start"]), int(row["end"])
        if row["part"]:
            start, end = self._part(first, last)
        else:
            is_first = row["sentence"] != self.number
            start, end = self._token(word, first, last, is_first=is_first)
            if is_first:
                self.number = row["sentence"]
                self.sentences.append([])
                self.lines.append(line)
            self.sentences[-1].append(Token(word, start, end))
        if self.column >= len(cells):
            raise InputError(f"expected {len(self.features)} columns of features, found {len(cells)}")
        # What begins and ends between the same two characters covers nothing.
        for label, number in _values(cells[self.column]) if self.column >= 0 and start < end else ():
            key = label, number or -len(self.found) - 1
            before = self.found.get(key)
            if before is None:
                self.found[key] = Found(start, end, label, line=line)
            else:
                self.found[key] = before._replace(end=end)

    def _token(self, word: str, first: int, last: int, *, is_first: bool) -> tuple[int, int]:
        """The offsets in the text of a token that has these in the file; the token is added to the text."""
        wide = sum(character > "\uffff" for character in word)
        if wide and self.unit is None:
            self.unit = 2 if last - first == len(word) + wide else 1
        extra = wide * ((self.unit or 1) - 1)
        end = self.sentences[-1][-1].end if self.sentences else 0
        start = first - self.shift
        if last - first != len(word) + extra or start < end or not word:
            raise InputError(f"expected offsets that fit the token {quoted(word)}, found {first}-{last}")
        if start - end > _WIDEST_GAP:
            raise InputError(f"expected a token near to the one before, found {start - end:,} characters between them")
        gap = " " * (start - end)
        self.pieces += ["\n" + gap[1:] if gap and is_first else gap, word]
        self.began, self.shift = first, self.shift + extra
        return start, start + len(word)

    def _part(self, first: int, last: int) -> tuple[int, int]:
        """The offsets in the text of a part of the last token that has these in the file."""
        token = self.sentences[-1][-1] if self.sentences else Token("", 0, 0)
        widths = ((self.unit or 1) if character > "\uffff" else 1 for character in token.text)
        starts = list(accumulate(widths, initial=0))
        if first > last or not {first - self.began, last - self.began} <= set(starts):
            raise InputError(f"expected a part of the token {quoted(token.text)}, found {first}-{last}")
        return token.start + starts.index(first - self.began), token.start + starts.index(last - self.began)


def _chosen(features: Sequence[_Feature], options: ReadOptions) -> int:
    """The column of the feature with the labels.

    Raises:
        InputError: If there is none, or it is not clear which it is.
    """
    spans = {number: one for number, one in enumerate(features) if one.kind == "SP"}
    known = ", ".join(map(str, spans.values())) or "none"
    if (key := options.tag_key) is not None:
        named = [number for number, one in spans.items() if key in (str(one), one.name, one.layer)]
        if len(named) != 1:
            raise InputError(f"expected a feature named {key} (--tag-key), found {len(named)} among {known}")
        return named[0]
    values = [number for number, one in spans.items() if one.layer == _NAMED_ENTITY and one.name == "value"]
    own = [number for number, one in spans.items() if one.layer not in _NOT_ENTITIES]
    if len(values) == 1:
        return values[0]
    if len(own) != 1:
        raise InputError(f"expected one feature with labels, found {known}: --tag-key LAYER|FEATURE chooses")
    return own[0]


def _values(cell: str) -> Iterator[tuple[str, int]]:
    """The values in a cell with the numbers of their entities, 0 for one of a single row; "" for none."""
    if cell in ("_", ""):
        return
    for piece in _PIECE.findall(cell):
        match = _VALUE.fullmatch(piece)
        value, number = (match["value"], match["number"]) if match else (piece, None)
        plain = "" if value == "*" else _ESCAPED.sub(lambda found: _SIGNS.get(found[1], found[1]), value)
        yield plain, int(number or 0)


def _write(path: FilePath, sentences: Iterable[tuple[str, Sentence]], options: WriteOptions) -> None:
    """Write sentences, each with its text, which begins with its first token."""
    start, entity = 0, 0
    with writing(path, options.encoding) as out:
        out.write(_HEADER)
        for number, (text, sentence) in enumerate(sentences, 1):
            cells = [("_", "_")] * len(sentence.tokens)
            for first, end, label in sentence.spans:
                if not label.strip():
                    reason = "an entity without a label cannot stand in WebAnno TSV 3: its tag is a prefix alone"
                    raise InputError(reason, path=path)
                value, mark = _TO_ESCAPE.sub(_escape, label), ""
                if end > first + 1:
                    entity += 1
                    mark = f"[{entity}]"
                cells[first:end] = [(f"*{mark}", f"{value or '*'}{mark}")] * (end - first)
            lines = re.split(r"\r\n|[\n\r]", text.replace("\t", "\\t"))
            out.write("\n" + "".join(f"#Text={line}\n" for line in lines))
            at, origin = start, sentence.tokens[0].start if sentence.tokens else 0
            end = origin
            for place, (token, (identifier, value)) in enumerate(zip(sentence.tokens, cells, strict=True), 1):
                at += _units(text[end - origin : token.start - origin])
                stop = at + _units(token.text)
                if not token.text or re.search(r"[\t\n\r]", token.text):
                    raise InputError(f"the token {quoted(token.text)} cannot stand in a row", path=path)
                out.write(f"{number}-{place}\t{at}-{stop}\t{token.text}\t{identifier}\t{value}\t\n")
                at, end = stop, token.end
            start = at + 1


def _escape(sign: re.Match[str]) -> str:
    return "\\" + {"\n": "n", "\t": "t"}.get(sign[0], sign[0])


def _units(text: str) -> int:
    """The length of a text in UTF-16 units."""
    return len(text) + sum(character > "\uffff" for character in text)
