r"""Sentences with their entities marked in the text, the form that people write by hand.

    # one sentence a line; lines that begin with # are comments
    ## news
    [Angela Merkel](PER) visited [Rome](LOC) .
    [王小明](PER)在[北京大学](ORG)读书。

The first sentence has the unit `word`: white space stands between tokens and around entities. The second has the unit
`character`: every character is a token, and white space, if any, is none. A comment of the form `## name` begins a
document. A backslash takes the meaning from `[`, `]`, `\`, a white space (it then belongs to its token) and from the
`#` that begins a line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from ner_lstm_crf.config import TokenUnit
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.text import TextFile, writing
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.text.annotation import Sentence, Span, Token

__all__ = ["format_inline", "inline_lines", "parse_inline", "read_inline", "rewrite_inline"]

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
_ESCAPABLE = re.compile(r"[\[\]\\\s#]")


def parse_inline(line: str, token_unit: TokenUnit = "word") -> Sentence:
    r"""The sentence that a line stands for; its tokens count the characters of the line without its markup.

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
    word: str = ""  # what has been read of the next token
    position: int = 0  # where the next token begins in the plain text
    spaced: bool = False  # white space has been read since the last token
    opened: int | None = None  # the first token of the open entity
    sealed: bool = False  # an entity has just ended: white space must come next

    def add(self, piece: re.Match[str]) -> None:
        match piece.lastgroup:
            case "text":
                self._write(piece["text"])
            case "space":
                self._end_word()
                self.spaced, self.sealed = bool(self.tokens), False
            case "opening":
                self._open()
            case "closing":
                self._close(piece["label"])
            case _:
                if not _ESCAPABLE.fullmatch(piece["escaped"]):
                    raise InputError(rf"expected \[ \] \# \\ or a space after a backslash, found {piece[0]!r}")
                self._write(piece["escaped"])

    def _write(self, text: str) -> None:
        if self.sealed:
            raise InputError(f"expected a space after an entity, found {text!r}: {_OF_CHARACTERS}")
        if self.spaced:
            self.position, self.spaced = self.position + 1, False
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
        if self.word or self.sealed:
            reason = (
                rf"expected a space before an entity, found none: write \[ for the character itself; {_OF_CHARACTERS}"
            )
            raise InputError(reason)
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
        self.opened, self.sealed = None, self.token_unit == "word"

    def finished(self) -> Sentence:
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
            raise ValueError(f"expected a label without white space and brackets, found {label!r}")
        pieces[start] = f"[{pieces[start]}"
        pieces[end - 1] += f"]({label})"
    line, end = "", 0
    for token, piece in zip(sentence.tokens, pieces, strict=True):
        line += f" {piece}" if line and (token_unit == "word" or token.start > end) else piece
        end = token.end
    return f"\\{line}" if line.startswith("#") else line


def _escaped(text: str, token_unit: TokenUnit) -> str:
    if not text or "\n" in text or "\r" in text:
        raise ValueError(f"expected tokens that fit on one line, found {text!r}")
    if token_unit == "character" and len(text) > 1:
        raise ValueError(f"expected tokens of one character, found {text!r}")
    return _TO_ESCAPE.sub(r"\\\g<0>", text)


def read_inline(
    path: str | os.PathLike[str], *, token_unit: TokenUnit = "word", encoding: str = "utf-8"
) -> Iterator[Sentence]:
    """The sentences of a file, each with its line and its document (a comment `## name` begins the next one).

    Raises:
        InputError: If the file cannot be read as text, or a line is malformed (the message names the line).
    """
    return (
        sentence for _, sentence in inline_lines(path, token_unit=token_unit, encoding=encoding) if sentence is not None
    )


def inline_lines(
    path: str | os.PathLike[str], *, token_unit: TokenUnit = "word", encoding: str = "utf-8"
) -> Iterator[tuple[str, Sentence | None]]:
    """Every line of a file as it stands, with the sentence that it holds; None for comments and empty lines.

    Raises:
        InputError: As `read_inline` does.
    """
    document, begun = 0, False
    for number, line in enumerate(TextFile(path, encoding).lines(), 1):
        text = line.strip() if line.lstrip().startswith("#") else line.removesuffix("\n").removesuffix("\r")
        if not text or text.isspace() or text.startswith("#"):
            if text.startswith("## ") and begun:
                document, begun = document + 1, False
            yield line, None
            continue
        try:
            sentence = parse_inline(text, token_unit)
        except InputError as error:
            raise InputError(error.message, path=path, line=number) from None
        begun = True
        yield line, replace(sentence, document=document, line=number)


def rewrite_inline(
    lines: Iterable[tuple[str, Sentence | None]],
    target: str | os.PathLike[str],
    *,
    labels: LabelMap,
    token_unit: TokenUnit = "word",
    encoding: str = "utf-8",
) -> None:
    """Write the lines of a file again under other labels; comments, sections and what does not change stay as they are.

    Raises:
        InputError: If the file cannot be written, or a new label cannot stand in it.
    """
    with writing(target, encoding) as out:
        for line, sentence in lines:
            if sentence is None or (renamed := labels(sentence.spans)) == sentence.spans:
                out.write(line)
                continue
            try:
                body = format_inline(sentence.with_spans(renamed), token_unit)
            except ValueError as error:
                raise InputError(str(error), path=target) from None
            out.write(body + line[len(line.rstrip("\r\n")) :])
