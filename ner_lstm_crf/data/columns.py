"""Which column of a file holds the token and which the tag.

Column files agree on nothing but one token per line. What was met in published corpora, by column number from 1:

    token tag                        BC5CDR, WNUT-17, WikiGold
    token pos chunk tag              CoNLL-2003; the chunk tags (B-NP) look like entity tags and are passed over
    token start end tag              AnEM
    id token tag tag2 annotator      Universal NER; the second tag layer is nested or older
    id token tag tag2                GermEval 2014: outer, then inner entities
    tag token                        MIT Movies
    CoNLL-U (10 columns)             NorNE and others: `name=B-PER` or `NER=B-PER` inside the last column

Columns are found in the first 2,000 rows and may always be named instead. Users count them from 1, or from the end
as -1, -2; `Layout` counts from 0.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise
from typing import Literal

from ner_lstm_crf.config import Unit
from ner_lstm_crf.data.labels import LabelMap
from ner_lstm_crf.data.schemes import Policy
from ner_lstm_crf.data.tags import OUTSIDE, PREFIXES, split_tag
from ner_lstm_crf.data.text_files import quoted
from ner_lstm_crf.data.tokenizer import CompoundRule
from ner_lstm_crf.errors import InputError

__all__ = ["ColumnOptions", "Layout", "find_layout", "is_tag"]

Separator = Literal["tab", "space"]

SAMPLE_ROWS = 2000
_SHARE_OF_TAGS = 0.8  # a few broken rows must not hide the tag column: reading names their lines

_KINDS_OF_COLUMNS = ("entities", "no labels", "outside", "chunks", "bare")  # what tags are read from, best first
_KINDS_TO_REPLACE = tuple(kind for kind in _KINDS_OF_COLUMNS if kind != "chunks")  # what others are written over

_TAG = re.compile(rf"O|[{''.join(sorted(PREFIXES))}](?:[-_].+)?", re.DOTALL)
_BARE_LABEL = re.compile(r"[^\W\d][\w.&/-]*")
_CHUNKS = frozenset(("NP", "VP", "PP", "ADVP", "ADJP", "SBAR", "PRT", "CONJP", "INTJ", "LST", "UCP", "NC", "VC", "PC"))
_NUMBER = re.compile(r"\d+(?:[-.]\d+)?")  # a token's number; `1-2` and `1.1` are CoNLL-U's ranges and empty nodes
_KEYED_TAG = re.compile(r"(?:^|\|)(NER|NE|ner|ne|name)=(?:O|[BIESLUMW]-)")
_SPACES = re.compile(r"[ \t]+")


@dataclass(frozen=True, slots=True)
class ColumnOptions:
    """How to read annotated files; what is None is found out.

    Attributes:
        token_column: From 1, or from the end as -1.
        tag_column: From 1, or from the end as -1.
        separator: `tab` (cells may hold spaces or nothing) or `space` (runs of spaces and tabs).
        encoding: Any encoding Python knows.
        scheme: The tag scheme, in any spelling `get_scheme` knows.
        policy: What an ill-formed tag sequence means.
        unit: With `character` every character of a token becomes a token of its own; None is `word`, but `character`
            for files whose entities are marked that way (CLUENER, inline-marked Chinese).
        compounds: Whether words of running text (JSON lines) are split at hyphens, as in `tokenize`.
        labels: Which labels to keep and how to rename them.
        read_tags: Whether the tags matter; if not, a file may lack them, and its sentences have no spans.
    """

    token_column: int | None = None
    tag_column: int | None = None
    separator: Separator | None = None
    encoding: str = "utf-8"
    scheme: str | None = None
    policy: Policy = "conlleval"
    unit: Unit | None = None
    compounds: CompoundRule = "split"
    labels: LabelMap = field(default_factory=LabelMap)
    read_tags: bool = True


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of one file, counted from 0.

    Attributes:
        token: The token's column.
        tag: The tag's column; None if the file has none.
        width: The number of columns of most rows.
        separator: `tab` or `space`.
        numbered: Whether the first column counts the tokens of a sentence.
        key: The name before `=` where the tag is one of several features in its column, else None.
        bare: Whether the tags are labels without prefixes (`PER`).
        seen: The tags of the first rows.
    """

    token: int
    tag: int | None
    width: int
    separator: Separator
    numbered: bool = False
    key: str | None = None
    bare: bool = False
    seen: frozenset[str] = field(default=frozenset(), compare=False)

    def cells(self, body: str) -> list[str]:
        """The columns of a row, given without its line end."""
        return body.split("\t") if self.separator == "tab" else split_at_spaces(body)

    def columns(self, rows: Sequence[str]) -> tuple[list[str], list[str]] | None:
        """The token and the tag column of raw rows; None unless all have the usual width and one space, if any.

        All rows are split at once, with the line ends as cells of their own that prove each row's width: three times
        as fast as row by row.
        """
        text, separator, width = "".join(rows), "\t" if self.separator == "tab" else " ", self.width
        if not text.endswith("\n"):
            text += "\n"
        if "\r" in text or (separator == " " and _has_odd_spaces(text)):
            return None
        cells = text.replace("\n", f"{separator}\n{separator}").split(separator)
        if len(cells) != len(rows) * (width + 1) + 1 or cells[width :: width + 1].count("\n") != len(rows):
            return None
        tags = [] if self.tag is None else cells[self.tag : -1 : width + 1]
        return cells[self.token : -1 : width + 1], tags

    def rewritten(self, row: str, changes: Mapping[int, str]) -> str:
        """A raw row with some cells changed, and all else as it stands: spaces, further columns, the line end."""
        body = row.rstrip("\r\n")
        pieces = re.split("(\t)" if self.separator == "tab" else "([ \t]+)", body)
        first = 2 if self.separator == "space" and pieces[0] == "" else 0  # spaces stand before the first cell
        for column, text in changes.items():
            pieces[first + 2 * column] = text
        return "".join(pieces) + row[len(body) :]

    def extended(self, row: str, cell: str) -> str:
        """A raw row with one more column at its end."""
        body = row.rstrip("\r\n")
        if self.separator == "tab":
            return f"{body}\t{cell}{row[len(body) :]}"
        return f"{body.rstrip(' ')} {cell}{row[len(body) :]}"

    def tag_in(self, cell: str) -> str:
        """The tag that stands in a cell of the tag column."""
        if self.key is None:
            return cell
        features = dict(feature.partition("=")[::2] for feature in cell.split("|"))
        return features.get(self.key, "O")

    def is_tag(self, tag: str) -> bool:
        """Whether a text can be a tag of this file."""
        return bool(tag) if self.bare else is_tag(tag)

    def is_known(self, tag: str) -> bool:
        """Whether a text is the tag of one of the first rows, or can hardly be anything but a tag of this file."""
        return (
            tag == OUTSIDE
            or tag in self.seen
            or self.has_label(tag)
            or (tag in PREFIXES and not PREFIXES.isdisjoint(self.seen))
        )

    def has_label(self, tag: str) -> bool:
        """Whether a text is a prefix with a label."""
        return not self.bare and is_tag(tag) and split_tag(tag)[1] != ""

    def with_tag(self, cell: str, tag: str) -> str:
        """The same cell holding another tag."""
        if self.key is None:
            return tag
        keyed = f"{self.key}={tag}"
        pattern = re.compile(rf"(^|\|){self.key}=[^|]*")
        if pattern.search(cell):
            return pattern.sub(lambda found: found[1] + keyed, cell, count=1)
        if tag == "O":
            return cell
        return keyed if cell in ("_", "") else f"{cell}|{keyed}"


def is_tag(text: str) -> bool:
    """Whether a text can be a tag of some scheme: `O`, or a known prefix, alone or with a label.

    Example:
        >>> [is_tag(text) for text in ("O", "B", "B-creative-work", "M_PER", "NNP", "I-")]
        [True, True, True, True, False, False]
    """
    return _TAG.fullmatch(text) is not None


def split_at_spaces(body: str) -> list[str]:
    """Split at runs of ASCII spaces and tabs alone: str.split would also cut at U+00A0 and U+3000, which are tokens."""
    body = body.strip(" \t")
    return _SPACES.split(body) if "  " in body or "\t" in body else body.split(" ")


def _has_odd_spaces(text: str) -> bool:
    return "  " in text or "\t" in text or " \n" in text or "\n " in text or text[0] == " "


def find_layout(lines: Iterable[str], options: ColumnOptions, path: str) -> Layout:
    """Find the columns of a file from its first lines.

    Raises:
        InputError: If there are no rows, no tag column (where one is needed), one column only, or a column is asked
            for that the file does not have.
    """
    sample = _sample(lines)
    if not sample:
        raise InputError("expected rows of a token and a tag, found no rows", path=path)
    separator = options.separator or _separator_of([body for _, body in sample])
    rows = [body.split("\t") if separator == "tab" else split_at_spaces(body) for _, body in sample]
    width = Counter(map(len, rows)).most_common(1)[0][0]
    numbered = width > 1 and _counts_tokens([row[0] for row in rows])
    tag = _asked(options.tag_column, width, "--tag-column", path)
    token = _asked(options.token_column, width, "--token-column", path)
    key = None
    if tag is None:
        kinds = _KINDS_OF_COLUMNS if options.read_tags else _KINDS_TO_REPLACE
        tag = _find_tag_column(rows, width, kinds, numbered=numbered, taken=token)
    if tag is None or tag == width - 1:
        key = _keyed_tags(rows, width)
        tag = width - 1 if key else tag
    if tag is None and options.read_tags:
        raise _no_tags(sample, rows, width, path)
    numbered = numbered and tag != 0 and not (width == 2 and tag == 1)
    if token is None:
        token = next((column for column in range(numbered, width) if column != tag), 0)
    if token == tag:
        raise InputError(f"the token and the tag cannot both be column {token + 1} of {width}", path=path)
    layout = Layout(token, tag, width, separator, numbered=numbered, key=key, bare=_are_bare(rows, tag))
    if tag is None:
        return layout
    return replace(layout, seen=frozenset(layout.tag_in(row[tag]) for row in rows if len(row) > tag))


def _sample(lines: Iterable[str]) -> list[tuple[int, str]]:
    """The first rows with their line numbers, without what may be comments unless there is nothing else."""
    numbered = ((number, line.rstrip("\r\n")) for number, line in enumerate(lines, 1) if not line.isspace())
    head = list(islice(((number, body) for number, body in numbered if "-DOCSTART-" not in body), 2 * SAMPLE_ROWS))
    rows = [(number, body) for number, body in head if not body.startswith("#")]
    return (rows or head)[:SAMPLE_ROWS]


def _separator_of(bodies: Sequence[str]) -> Separator:
    return "tab" if sum("\t" in body for body in bodies) * 2 >= len(bodies) else "space"


def _counts_tokens(cells: Sequence[str]) -> bool:
    """Whether a column counts 1, 2, 3 and starts anew in each sentence."""
    numbers = [re.split("[-.]", cell)[0] for cell in cells if _NUMBER.fullmatch(cell)]
    if len(numbers) < 0.9 * len(cells) or numbers[0] not in ("0", "1"):
        return False
    steps = sum(int(b) - int(a) in (0, 1) or b in ("0", "1") for a, b in pairwise(numbers))
    return steps >= 0.9 * (len(numbers) - 1)


def _find_tag_column(
    rows: Sequence[list[str]], width: int, kinds: Sequence[str], *, numbered: bool, taken: int | None
) -> int | None:
    """The likeliest tag column: the first of the first of these kinds that there is."""
    ranked: dict[str, list[int]] = {kind: [] for kind in _KINDS_OF_COLUMNS}
    for column in set(range(width)) - {taken}:
        cells = [row[column] for row in rows if len(row) > column]
        if 2 * len(cells) >= len(rows):
            ranked.setdefault(_what_it_holds(cells), []).append(column)
    ranked["chunks"].reverse()  # what was predicted stands behind
    if not numbered:  # as in CoNLL-2003, where entities come last
        ranked["outside"].reverse()
    return next((columns[0] for kind in kinds if (columns := ranked[kind])), None)


def _what_it_holds(cells: Sequence[str]) -> str:
    counts = Counter(cells)
    tags = Counter({cell: count for cell, count in counts.items() if is_tag(cell)})
    if tags.total() >= _SHARE_OF_TAGS * len(cells):
        labels = {split_tag(tag)[1] for tag in tags if tag != OUTSIDE}
        if not labels:
            others = counts - tags
            return "bare" if _are_labels(others) and others.total() >= 2 * len(others) else "outside"
        if labels <= _CHUNKS:
            return "chunks"
        if labels != {""}:
            return "entities"
        return "no labels" if OUTSIDE in tags else "something else"
    return "bare" if counts[OUTSIDE] >= 0.2 * len(cells) and _are_labels(counts) else "something else"


def _are_labels(counts: Counter[str]) -> bool:
    """Whether these cells can be labels without prefixes: few, and all of them names."""
    return 0 < len(counts) <= 100 and all(map(_BARE_LABEL.fullmatch, counts))


def _are_bare(rows: Sequence[list[str]], tag: int | None) -> bool:
    """Whether the tags are labels without prefixes (`PER`)."""
    return tag is not None and _what_it_holds([row[tag] for row in rows if len(row) > tag]) == "bare"


def _keyed_tags(rows: Sequence[list[str]], width: int) -> str | None:
    """The feature of the last column that holds tags, as in `SpaceAfter=No|name=B-PER`."""
    found = (_KEYED_TAG.search(row[-1]) for row in rows if len(row) == width)
    return next((match[1] for match in found if match), None)


def _asked(column: int | None, width: int, option: str, path: str) -> int | None:
    if column is None:
        return None
    if column == 0 or abs(column) > width:
        raise InputError(f"{option} {column}: expected a column from 1 to {width}, or from -{width} to -1", path=path)
    return column - 1 if column > 0 else width + column


def _no_tags(sample: Sequence[tuple[int, str]], rows: Sequence[list[str]], width: int, path: str) -> InputError:
    at = next(index for index, row in enumerate(rows) if len(row) == width)
    line, body = sample[at]
    if width == 1:
        return InputError(
            f"expected at least 2 columns (a token and its tag), found 1: {quoted(body)}", path=path, line=line
        )
    return InputError(
        f"no tag column: none of the {width} columns holds tags such as O and B-PER, the first row is {quoted(body)}; "
        "if there is one, name it with --tag-column",
        path=path,
        line=line,
    )
