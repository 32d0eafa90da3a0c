"""Which column of a file holds the token and which the tag.

Column files agree on nothing but one token per line. What was met in published corpora, by column number from 1:

    token tag                        BC5CDR, WNUT-17, WikiGold
    token pos chunk tag              CoNLL-2003; the chunk tags (B-NP) look like entity tags and are passed over
    token start end tag              AnEM
    id token tag tag2 annotator      Universal NER; the second tag layer is nested or older
    id token tag tag2                GermEval 2014: outer, then inner entities
    tag token                        MIT Movies
    document part number token ...   CoNLL-2012 (OntoNotes): entities in brackets, `(ORG*` and `*)`, in column 11 or so
    token tag                        Weibo NER: a token is a character and its place in its word, `科0 技1`
    token tag                        WikiANN: a token stands behind its language, `en:Rome`
    CoNLL-U (10 columns)             NorNE and others: `name=B-PER` or `NER=B-PER` inside the last column

Columns are found in the first 2,000 rows and may always be named instead.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice, pairwise

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.text import quoted
from ner_lstm_crf.formats.brackets import labels_of_brackets, share_of_brackets
from ner_lstm_crf.formats.columns import PLACED_CHARACTER, ColumnLayout, ReadOptions, Separator, is_tag, split_at_spaces
from ner_lstm_crf.tags.scheme import OUTSIDE, split_tag
from ner_lstm_crf.text.scripts import has_han

__all__ = ["find_layout", "what_it_holds"]

SAMPLE_ROWS = 2000
_SHARE_OF_PLACES = 0.99
_BEHIND_LOCATIONS = 3  # the column of CoNLL-2012's tokens
_SHARE_OF_BRACKETS = 0.9  # constituents and clauses, which lie within each other, close several at once more often
_SHARE_OF_TAGS = 0.8  # a few broken rows must not hide the tag column: reading names their lines

_KINDS_OF_COLUMNS = (
    "entities",
    "brackets",
    "no labels",
    "outside",
    "chunks",
    "bare",
)  # what tags are read from, best first
_KINDS_TO_REPLACE = tuple(kind for kind in _KINDS_OF_COLUMNS if kind != "chunks")  # what others are written over

_BARE_LABEL = re.compile(r"[^\W\d][\w.&/-]*")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[-_][A-Za-z-]+)?:")
_CHUNKS = frozenset(("NP", "VP", "PP", "ADVP", "ADJP", "SBAR", "PRT", "CONJP", "INTJ", "LST", "UCP", "NC", "VC", "PC"))
_NUMBER = re.compile(r"\d+(?:[-.]\d+)?")  # a token's number; `1-2` and `1.1` are CoNLL-U's ranges and empty nodes
_KEYED_TAG = re.compile(r"(?:^|\|)(NER|NE|ner|ne|name)=(?:O|[BIESLUMW]-)")


def find_layout(lines: Iterable[str], options: ReadOptions, path: str) -> ColumnLayout:
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
    located = _have_locations(rows)
    token = _asked(options.token_column, width, "--token-column", path)
    tag = _asked(options.tag_column, width, "--tag-column", path)
    found = list[int]()
    if tag is None:
        kinds = _KINDS_OF_COLUMNS if options.read_tags else _KINDS_TO_REPLACE
        found = _tag_columns(rows, width, kinds, numbered=numbered, located=located, taken=token)
        tag = found[0] if found else None
    key = _keyed_tags(rows, width) if tag in (None, width - 1) else None
    tag = width - 1 if key else tag
    if tag is None and options.read_tags:
        raise _no_tags(sample, rows, width, path)
    numbered = numbered and tag != 0 and not (width == 2 and tag == 1)
    cells = [] if tag is None else [row[tag] for row in rows if len(row) > tag]
    kind = _kind_of(cells, asked=options.tag_column is not None)
    if token is None:
        first = _BEHIND_LOCATIONS if located else int(numbered)
        token = next((column for column in range(first, width) if column != tag), 0)
    if token == tag:
        raise InputError(f"the token and the tag cannot both be column {token + 1} of {width}", path=path)
    tokens = [row[token] for row in rows if len(row) > token]
    layout = ColumnLayout(
        token,
        tag,
        width,
        separator,
        numbered=numbered,
        key=key,
        bare=kind == "bare",
        bracketed=kind == "brackets",
        located=located,
        placed=_have_places(tokens),
        language=_language_of(tokens),
    )
    return layout if tag is None else _with_seen(layout, cells, found[1:])


def _with_seen(layout: ColumnLayout, cells: Sequence[str], others: Sequence[int]) -> ColumnLayout:
    """The layout with what is in its column of tags, and the others if that holds entities."""
    if layout.bracketed:
        seen = frozenset(f"B-{label}" for label in labels_of_brackets(cells))
    else:
        seen = frozenset(map(layout.tag_in, cells))
    return replace(layout, seen=seen, others=tuple(others) if any(map(layout.has_label, seen)) else ())


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


def _have_locations(rows: Sequence[list[str]]) -> bool:
    """Whether document, part and number stand before each token, as in CoNLL-2012."""
    head = [row[:_BEHIND_LOCATIONS] for row in rows if len(row) > _BEHIND_LOCATIONS + 1]
    if len(head) < _SHARE_OF_PLACES * len(rows) or not all(part.isdecimal() for _, part, _ in head):
        return False
    stays = all(before[:2] == after[:2] or after[2] == "0" for before, after in pairwise(head))
    return stays and _counts_tokens([number for *_, number in head])


def _empty_brackets(rows: Sequence[list[str]], width: int) -> list[int]:
    """The first column of nothing but `*`, which is that of entities, without any."""
    columns = range(_BEHIND_LOCATIONS + 1, width)
    return [at for at in columns if {row[at] for row in rows if len(row) > at} == {"*"}][:1]


def _have_places(cells: Sequence[str]) -> bool:
    """Whether a column holds Chinese characters, each with its place in its word, which counts 0, 1, 2."""
    found = [match for cell in cells if (match := PLACED_CHARACTER.fullmatch(cell))]
    if len(found) < _SHARE_OF_PLACES * len(cells) or not any(has_han(match[1]) for match in found):
        return False
    places = [int(match[2]) for match in found]
    steps = sum(after in (0, before + 1) for before, after in pairwise(places))
    return max(places) > 0 and steps >= _SHARE_OF_PLACES * (len(places) - 1)


def _language_of(cells: Sequence[str]) -> str:
    """The language that all tokens begin with, such as `en:`; "" if they do not."""
    found = _LANGUAGE.match(cells[0]) if len(set(cells)) > 1 else None
    return found[0] if found and all(cell.startswith(found[0]) for cell in cells) else ""


def _tag_columns(
    rows: Sequence[list[str]], width: int, kinds: Sequence[str], *, numbered: bool, located: bool, taken: int | None
) -> list[int]:
    """The columns of the first of these kinds that there is, the likeliest tag column first."""
    ranked: dict[str, list[int]] = {kind: [] for kind in _KINDS_OF_COLUMNS}
    for column in set(range(width)) - {taken}:
        cells = [row[column] for row in rows if len(row) > column]
        if 2 * len(cells) >= len(rows):
            ranked.setdefault(what_it_holds(cells), []).append(column)
    ranked["chunks"].reverse()  # what was predicted stands behind
    if not numbered:  # as in CoNLL-2003, where entities come last
        ranked["outside"].reverse()
    found = next((columns for kind in kinds if (columns := ranked[kind])), [])
    return found if found or not located else _empty_brackets(rows, width)


def what_it_holds(cells: Sequence[str]) -> str:
    """What a column holds: one of the kinds that tags are read from, or `something else`."""
    counts = Counter(cells)
    tags = Counter({cell: count for cell, count in counts.items() if is_tag(cell)})
    if tags.total() >= _SHARE_OF_TAGS * len(cells):
        labels = Counter[str]()
        for tag, count in tags.items():
            if tag != OUTSIDE:
                labels[split_tag(tag)[1]] += count
        if not labels:
            others = counts - tags
            return "bare" if _are_labels(others) and others.total() >= 2 * len(others) else "outside"
        chunks = sum(labels[label] for label in _CHUNKS)
        if chunks and chunks >= _SHARE_OF_TAGS * (labels.total() - labels[""]):
            return "chunks"
        if labels.keys() != {""}:
            return "entities"
        return "no labels" if OUTSIDE in tags else "something else"
    if share_of_brackets(cells) >= _SHARE_OF_BRACKETS and _are_entities(labels_of_brackets(cells)):
        return "brackets"
    return "bare" if counts[OUTSIDE] >= 0.2 * len(cells) and _are_labels(counts) else "something else"


def _are_labels(counts: Counter[str]) -> bool:
    """Whether these cells can be labels without prefixes: few, and all of them names."""
    return 0 < len(counts) <= 100 and all(map(_BARE_LABEL.fullmatch, counts))


def _kind_of(cells: Sequence[str], *, asked: bool) -> str | None:
    """What the column of tags holds; brackets of any kind if it was `asked` for."""
    if not cells:
        return None
    is_asked = asked and share_of_brackets(cells) >= _SHARE_OF_BRACKETS
    return "brackets" if is_asked or set(cells) == {"*"} else what_it_holds(cells)


def _are_entities(labels: set[str]) -> bool:
    """Whether the labels of brackets can be those of entities: not of chunks, clauses, or a verb and its arguments."""
    return not labels <= _CHUNKS | {"S"} and "V" not in labels


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
    if body.startswith("{"):
        return InputError("expected columns, found JSON: name a file, or - for standard input", path=path, line=line)
    return InputError(
        f"no tag column: none of the {width} columns holds tags such as O and B-PER, the first row is {quoted(body)}; "
        "if there is one, name it with --tag-column",
        path=path,
        line=line,
    )
