r"""Sentences with their entities marked in the text, the format that people write by hand.

    # one sentence a line; lines that begin with # are comments
    ## news
    [Angela Merkel](PER) visited [Rome](LOC) .
    [王小明](PER)在[北京大学](ORG)读书。

The first sentence has the unit `word`: white space stands between tokens and around entities. The second has the unit
`character`: every character is a token, and white space, if any, is none. The lines show which unit a file has, or the
comment `# token unit: character` does. A comment of the form `## name` begins a document. A backslash takes the meaning
from `[`, `]`, `\`, a white space (it then belongs to its token) and from the `#` that begins a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from ner_lstm_crf.config import TokenUnit
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.encodings import BYTE_ORDER_MARK
from ner_lstm_crf.files.text import FilePath, TextFile, quoted, writing
from ner_lstm_crf.formats.format import Format, Sample
from ner_lstm_crf.formats.options import ReadOptions, ReadReport, WriteOptions
from ner_lstm_crf.tags.labels import NAME_FOR_O
from ner_lstm_crf.tags.notation import is_tag
from ner_lstm_crf.tags.scheme import OUTSIDE
from ner_lstm_crf.text.annotation import Sentence, Span, Token
from ner_lstm_crf.text.scripts import has_han

_MARKED = re.compile(r"(?<!\\)\[[^\[\]]+\]\([^()\[\]\s]+\)")
_SHARE_MARKED = 0.05  # of inline-marked lines many hold an entity; of columns of tokens hardly one looks like it
_SPACE = re.compile(r"(?<!\\)\s")
_SAMPLE_LINES = 200
_UNIT = re.compile(r"#\s*token unit:\s*(word|character)\s*")

_PIECE = re.compile(
    r"""\\(?P<escaped>.?)
      | (?P<opening>\[)
      | (?P<closing>\](?:\((?P<label>[^()\[\]\\\s]*)\))?)
      | (?P<space>\s+)
      | (?P<text>[^\\\[\]\s]+)
    """,
    re.VERBOSE | re.DOTALL,
)
_OF_CHARACTERS = "where every character is a token, say --token-unit character"
_LABEL = re.compile(r"[^()\[\]\\\s]+")
_TO_ESCAPE = re.compile(r"[\[\]\\\s]")
_ESCAPABLE = re.compile(rf"[\[\]\\\s#{BYTE_ORDER_MARK}]")


class Inline(Format):
    """Sentences with their entities marked in the text."""

    name = "inline"
    suffixes = (".inline",)
    description = "inline marks"

    def detect(self, sample: Sample) -> bool:
        """True if the suffix says so and the lines are no rows; or no suffix says anything and there are many marks."""
        if sample.suffix or sample.content is not None:
            return super().detect(sample) and (any(map(_MARKED.search, sample.lines)) or not _are_rows(sample.lines))
        return hold_marks(sample.lines)

    def read(self, path: FilePath, options: ReadOptions, report: ReadReport) -> Iterator[Sentence]:
        """The sentences of a file. Without a unit they are characters if the file looks so."""
        unit = options.token_unit or _unit_of(TextFile(path, options.encoding).first_lines())
        for _, sentence in _lines(path, unit, options, report):
            if sentence is not None:
                yield sentence.with_spans(options.labels(sentence.spans) if options.read_tags else ())

    def write(self, path: FilePath, sentences: Iterable[Sentence], options: WriteOptions) -> None:
        """Write lines of words; of characters if all tokens are such, unless the options name the unit."""
        held = list(sentences)
        are_characters = all(len(word) == 1 for sentence in held for word in sentence.words)
        unit = options.token_unit or ("character" if are_characters else "word")
        # A comment begins each document but the first.
        lines, document = list[str](), 0
        for sentence in held:
            if sentence.document != document:
                document = sentence.document
                lines += ["\n", f"## {document}\n"]
            try:
                lines.append(format_inline(sentence, unit) + "\n")
            except ValueError as error:
                raise InputError(str(error), path=path) from None
        _write(path, lines, unit, options.encoding)

    def rewrite(
        self, source: FilePath, target: FilePath, options: ReadOptions, output: WriteOptions, report: ReadReport
    ) -> None:
        """Write a file again under other labels; comments, sections and lines that do not change stay as they are."""
        unit = options.token_unit or _unit_of(TextFile(source, options.encoding).first_lines())
        lines = list[str]()
        for line, sentence in _lines(source, unit, options, report):
            if sentence is None or (renamed := options.labels(sentence.spans)) == sentence.spans:
                lines.append(line)
                continue
            try:
                body = format_inline(sentence.with_spans(renamed), unit)
            except ValueError as error:
                raise InputError(str(error), path=target) from None
            lines.append(body + line[len(line.rstrip("\r\n")) :])
        _write(target, lines, unit, output.encoding)


def hold_marks(lines: Sequence[str]) -> bool:
    """True if lines look like sentences with marked entities, whatever the name of their file."""
    marked = sum(_MARKED.search(line) is not None for line in lines)
    return marked > _SHARE_MARKED * len(lines) and not any("\t" in line for line in lines)


def _are_rows(lines: Sequence[str]) -> bool:
    """True if all lines are rows of columns, which would be read as sentences without entities."""
    last = {line.split()[-1] for line in lines}
    are_tags = all(map(is_tag, last)) and any(len(tag) > 1 for tag in last)
    return bool(lines) and (are_tags or all("\t" in line.replace("\\\t", "") for line in lines))  # `\` + tab is text


def _write(path: FilePath, lines: Sequence[str], unit: TokenUnit, encoding: str) -> None:
    """Write lines; if they do not show the unit of their tokens, a comment does."""
    with writing(path, encoding) as out:
        if _unit_of(lines) != unit:
            out.write(f"# token unit: {unit}\n")
        out.writelines(lines)


def _lines(
    path: FilePath, token_unit: TokenUnit, options: ReadOptions, report: ReadReport
) -> Iterator[tuple[str, Sentence | None]]:
    """Every line of a file as it stands, with its sentence under the file's labels; None for comments and empty lines.

    The report counts the sentences, their labels and the comments.
    """
    document, has_sentence = 0, False
    for number, line in enumerate(TextFile(path, options.encoding).lines(), 1):
        text = line.lstrip(BYTE_ORDER_MARK).removesuffix("\n").removesuffix("\r")
        text = text.strip() if text.lstrip().startswith("#") else text
        if not text or text.isspace() or text.startswith("#"):
            if text.startswith("## ") and has_sentence:
                document, has_sentence = document + 1, False
            report.comments += text.startswith("#")
            yield line, None
            continue
        try:
            sentence = replace(parse_inline(text, token_unit), document=document, line=number)
        except InputError as error:
            raise InputError(error.message, path=path, line=number) from None
        has_sentence = True
        if options.read_tags:
            if options.labels.renaming(OUTSIDE) == OUTSIDE and any(span.label == OUTSIDE for span in sentence.spans):
                raise InputError(f"expected a label, found O: {NAME_FOR_O}", path=path, line=number)
            report.labels.update(span.label for span in sentence.spans)
        report.count(sentence)
        yield line, sentence
    if not report.sentences:
        raise InputError("expected sentences, found none", path=path)


def _unit_of(lines: Sequence[str]) -> TokenUnit:
    """The unit of a file by its first lines.

    It is the one that a comment names; else characters, if entities touch the text around them, or if it is Chinese
    without white space; else words.
    """
    bodies = [line.lstrip(BYTE_ORDER_MARK).rstrip("\r\n") for line in lines[:_SAMPLE_LINES]]
    named = next((match[1] for body in bodies if (match := _UNIT.fullmatch(body))), None)
    if named:
        return cast(TokenUnit, named)
    texts = [body for body in bodies if not body.startswith("#")]
    touches = any(not _parses(text, "word") and _parses(text, "character") for text in texts)
    unspaced = not any(_SPACE.search(text.strip()) for text in texts) and any(map(has_han, texts))
    return "character" if touches or unspaced else "word"


def _parses(line: str, token_unit: TokenUnit) -> bool:
    try:
        parse_inline(line, token_unit)
    except InputError:
        return False
    return True


def parse_inline(line: str, token_unit: TokenUnit = "word") -> Sentence:
    r"""The sentence of a line; its tokens count the characters of the line without its markup.

    Raises:
        InputError: If an entity is not closed, empty, without a label or inside another one, if in the unit `word` no
            white space stands before or after it, or if a backslash stands before a character that needs none.

    Example:
        >>> sentence = parse_inline("[Rome](LOC) \\[ Italy \\]")
        >>> sentence.words, sentence.spans
        (['Rome', '[', 'Italy', ']'], (Span(start=0, end=1, label='LOC'),))
    """
    draft = _Draft(token_unit)
    for piece in _PIECE.finditer(line):
        try:
            draft.add(piece)
        except InputError as error:
            raise InputError(f"{error.message} (column {piece.start() + 1})") from None
    return draft.finished()


@dataclass(slots=True)
class _Draft:
    """A sentence while its line is read from left to right."""

    token_unit: TokenUnit
    tokens: list[Token] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    word: str = ""  # the part of the next token that has been read
    position: int = 0  # the offset of the next token in the plain text
    is_spaced: bool = False  # white space has been read since the last token
    opened: int | None = None  # the first token of the open entity
    is_closed: bool = False  # an entity has just ended: white space must come next

    def add(self, piece: re.Match[str]) -> None:
        """Read the next piece of the line."""
        match piece.lastgroup:
            case "text":
                self._write(piece["text"])
            case "space":
                self._end_word()
                self.is_spaced, self.is_closed = bool(self.tokens), False
            case "opening":
                self._open()
            case "closing":
                self._close(piece["label"])
            case _:
                if not _ESCAPABLE.fullmatch(piece["escaped"]):
                    raise InputError(rf"expected \[ \] \# \\ or a space after a backslash, found {piece[0]!r}")
                self._write(piece["escaped"])

    def _write(self, text: str) -> None:
        if self.is_closed:
            raise InputError(f"expected a space after an entity, found {text!r}: {_OF_CHARACTERS}")
        if self.is_spaced:
            self.position, self.is_spaced = self.position + 1, False
        if self.token_unit == "word":
            self.word += text
            return
        self.tokens.extend(Token(text[i], self.position + i, self.position + i + 1) for i in range(len(text)))
        self.position += len(text)

    def _end_word(self) -> None:
        if self.word:
            end = self.position + len(self.word)
            self.tokens.append(Token(self.word, self.position, end))
            self.word, self.position = "", end

    def _open(self) -> None:
        if self.opened is not None:
            raise InputError(r"expected no entity within an entity, found '[': write \[ for the character itself")
        if self.word or self.is_closed:
            raise InputError(
                rf"expected a space before an entity, found none: write \[ for the character itself; {_OF_CHARACTERS}"
            )
        self.opened = len(self.tokens)

    def _close(self, label: str | None) -> None:
        if self.opened is None:
            raise InputError(r"expected '[' before ']', found none: write \] for the character itself")
        self._end_word()
        if not label:
            found = "none" if label is None else "()"
            raise InputError(rf"expected a label, as in ](PER), found {found}: write \] for the character itself")
        if self.opened == len(self.tokens):
            raise InputError("expected text between '[' and ']', found none")
        self.spans.append(Span(self.opened, len(self.tokens), label))
        self.opened, self.is_closed = None, self.token_unit == "word"

    def finished(self) -> Sentence:
        """The sentence, once the line has been read."""
        self._end_word()
        if self.opened is not None:
            raise InputError(r"expected ']' after '[', found the end of the line: write \[ for the character itself")
        return Sentence(tuple(self.tokens), tuple(self.spans))


def format_inline(sentence: Sentence, token_unit: TokenUnit = "word") -> str:
    """The line that `parse_inline` reads as these words and spans (and as these offsets, where gaps are one space).

    Raises:
        ValueError: If a token is empty or holds a line break, if a token of the unit `character` is longer than one,
            or if a label holds white space, a bracket or a backslash.

    Example:
        >>> format_inline(Sentence.from_words(["In", "New", "York"], [Span(1, 3, "LOC")]))
        'In [New York](LOC)'
    """
    pieces = [_escaped(token.text, token_unit) for token in sentence.tokens]
    for start, end, label in sentence.spans:
        if not _LABEL.fullmatch(label):
            raise ValueError(f"expected a label without white space and brackets, found {quoted(label)}")
        pieces[start] = f"[{pieces[start]}"
        pieces[end - 1] += f"]({label})"
    line, end = "", 0
    for token, piece in zip(sentence.tokens, pieces, strict=True):
        line += f" {piece}" if line and (token_unit == "word" or token.start > end) else piece
        end = token.end
    return f"\\{line}" if line.startswith(("#", BYTE_ORDER_MARK)) else line


def _escaped(text: str, token_unit: TokenUnit) -> str:
    if not text or "\n" in text or "\r" in text:
        raise ValueError(f"expected tokens that fit on one line, found {text!r}")
    if token_unit == "character" and len(text) > 1:
        raise ValueError(f"expected tokens of one character, found {text!r}")
    return _TO_ESCAPE.sub(r"\\\g<0>", text)
