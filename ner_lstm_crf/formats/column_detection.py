"""Detection of a file's columns: which one holds the token and which the tag.

Column files agree on nothing but one token per line. Layouts of published corpora, by column number from 1:

    token tag                        BC5CDR, WNUT-17, WikiGold
    token pos chunk tag              CoNLL-2003; the chunk tags (B-NP) look like entity tags and are passed over
    token start end tag              AnEM
    id token tag tag2 annotator      Universal NER; the second tag layer is nested or older
    id token tag tag2                GermEval 2014: outer, then inner entities
    tag token                        MIT Movies
    document part number token ...   CoNLL-2012 (OntoNotes): entities in brackets, `(ORG*` and `*)`, in column 11 or so
    token tag                        Weibo NER: a token is a character and its index in its word, `科0 技1`
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
from ner_lstm_crf.formats.columns import (
    INDEXED_CHARACTER,
    ColumnLayout,
    Separator,
    is_bracketed,
    is_tag,
    labels_of_brackets,
    split_at_spaces,
)
from ner_lstm_crf.formats.options import ReadOptions
from ner_lstm_crf.tags.scheme import OUTSIDE, PREFIXES, split_tag
from ner_lstm_crf.tags.spelling import STANDARD, has_prefix, is_label, is_outside, sample_spelling, tags_within
from ner_lstm_crf.text.scripts import has_han

SAMPLE_ROWS = 2000
"""The number of rows that are looked at."""

_DOCUMENT_COLUMNS = 3  # document, part and number, before CoNLL-2012's tokens
_SHARE_OF_NUMBERS = 0.99  # of rows with document columns, and of characters with an index
_SHARE_OF_BRACKETS = 0.9  # constituents and clauses, which lie within each other, close several at once more often
_SHARE_OF_TAGS = 0.8  # a few broken rows must not hide the tag column: reading names their lines

# The contents of columns that tags are read from, the best first; predicted tags are not written over chunks.
_CONTENTS = ("entities", "brackets", "no labels", "outside", "chunks", "prefixless")
_CONTENTS_TO_REPLACE = tuple(content for content in _CONTENTS if content != "chunks")

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[-_][A-Za-z-]+)?:")
_CHUNKS = frozenset(("NP", "VP", "PP", "ADVP", "ADJP", "SBAR", "PRT", "CONJP", "INTJ", "LST", "UCP", "NC", "VC", "PC"))
_NUMBER = re.compile(r"\d+(?:[-.]\d+)?")  # a token's number; `1-2` and `1.1` are CoNLL-U's ranges and empty nodes
_KEYED_TAG = re.compile(r"(?:^|\|)(NER|NE|ner|ne|name)=(?:O|[" + "".join(sorted(PREFIXES)) + "]-)")


def find_layout(lines: Iterable[str], options: ReadOptions, path: str) -> ColumnLayout:
    """Find the columns of a file from its first lines.

    Raises:
        InputError: If there are no rows, no tag column (where one is needed), one column only, or the options name a
            column that the file does not have.
    """
    # 1. Cut the first rows into cells.
    sample = _sample(lines, path)
    has_tabs = sum("\t" in body for _, body in sample) * 2 >= len(sample)
    separator: Separator = options.separator or ("tab" if has_tabs else "space")
    rows = [body.split("\t") if separator == "tab" else split_at_spaces(body) for _, body in sample]
    width = Counter(map(len, rows)).most_common(1)[0][0]
    # 2. Columns that number tokens or name documents hold neither tokens nor tags.
    numbered = width > 1 and _counts_tokens([row[0] for row in rows])
    has_document_columns = _begin_with_documents(rows)
    # 3. The column of tags: the one named, else the first of those with the best content, else features.
    token = _column(options.token_column, width, "--token-column", path)
    tag = _column(options.tag_column, width, "--tag-column", path)
    others: list[int] = []
    if tag is None:
        contents = _CONTENTS if options.read_tags else _CONTENTS_TO_REPLACE
        first = _DOCUMENT_COLUMNS + 1 if has_document_columns else 0
        found = _tag_columns(rows, width, contents, numbered=numbered, taken=token, first=first)
        tag, others = next(iter(found), None), found[1:]
    key = None
    if tag in (None, width - 1):
        keys = (_KEYED_TAG.search(row[-1]) for row in rows if len(row) == width)
        key = next((match[1] for match in keys if match), None)
        tag = width - 1 if key else tag
    if tag is None and options.read_tags:
        raise _no_tags(sample, rows, width, path)
    # 4. The column of tokens: the one named, else the first that is free.
    numbered = numbered and tag != 0 and not (width == 2 and tag == 1)
    if token is None:
        first = _DOCUMENT_COLUMNS if has_document_columns else int(numbered)
        token = next((column for column in range(first, width) if column != tag), 0)
    if token == tag:
        raise InputError(f"the token and the tag cannot both be column {token + 1} of {width}", path=path)
    # 5. The form of the cells of these two columns.
    tokens = [row[token] for row in rows if len(row) > token]
    tags = [] if tag is None else [row[tag] for row in rows if len(row) > tag]
    content = content_of(tags, any_brackets=options.tag_column is not None or set(tags) == {"*"})
    layout = ColumnLayout(
        token,
        tag,
        width,
        separator,
        numbered=numbered,
        key=key,
        prefixless=content == "prefixless" or (options.tag_column is not None and _may_be_labels(tags)),
        spelling=sample_spelling(Counter(tags)),
        bracketed=content == "brackets",
        has_document_columns=has_document_columns,
        has_char_index=_have_char_index(tokens),
        language=_language_of(tokens),
        other_tag_columns=tuple(others) if content in ("entities", "brackets", "chunks") else (),
    )
    sample_tags = {f"B-{label}" for label in labels_of_brackets(tags)} if layout.bracketed else map(layout.tag_in, tags)
    return replace(layout, sample_tags=frozenset(sample_tags))


def _sample(lines: Iterable[str], path: str) -> list[tuple[int, str]]:
    """The first rows with their line numbers, without lines that may be comments unless there is nothing else."""
    numbered = ((number, line.rstrip("\r\n")) for number, line in enumerate(lines, 1) if not line.isspace())
    head = list(islice(((number, body) for number, body in numbered if "-DOCSTART-" not in body), 2 * SAMPLE_ROWS))
    rows = [(number, body) for number, body in head if not body.startswith("#")]
    if not head:
        raise InputError("expected rows of a token and a tag, found no rows", path=path)
    return (rows or head)[:SAMPLE_ROWS]


def _column(number: int | None, width: int, option: str, path: str) -> int | None:
    """A column that an option names, counted from 0; None if it names none."""
    if number is None:
        return None
    if number == 0 or abs(number) > width:
        raise InputError(f"{option} {number}: expected a column from 1 to {width}, or from -{width} to -1", path=path)
    return number - 1 if number > 0 else width + number


def _counts_tokens(cells: Sequence[str]) -> bool:
    """True if a column counts 1, 2, 3 and starts anew in each sentence."""
    numbers = [re.split("[-.]", cell)[0] for cell in cells if _NUMBER.fullmatch(cell)]
    if len(numbers) < 0.9 * len(cells) or numbers[0] not in ("0", "1"):
        return False
    steps = sum(int(b) - int(a) in (0, 1) or b in ("0", "1") for a, b in pairwise(numbers))
    return steps >= 0.9 * (len(numbers) - 1)


def _begin_with_documents(rows: Sequence[list[str]]) -> bool:
    """True if document, part and number stand before each token, as in CoNLL-2012."""
    head = [row[:_DOCUMENT_COLUMNS] for row in rows if len(row) > _DOCUMENT_COLUMNS + 1]
    if len(head) < _SHARE_OF_NUMBERS * len(rows) or not all(part.isdecimal() for _, part, _ in head):
        return False
    stays = all(before[:2] == after[:2] or after[2] == "0" for before, after in pairwise(head))
    return stays and _counts_tokens([number for *_, number in head])


def _language_of(cells: Sequence[str]) -> str:
    """The language before all tokens, as `en:`; "" if there is none."""
    language = _LANGUAGE.match(cells[0]) if len(set(cells)) > 1 else None
    return language[0] if language and all(cell.startswith(language[0]) for cell in cells) else ""


def _have_char_index(cells: Sequence[str]) -> bool:
    """True if a column holds Chinese characters, each with its index in its word, which counts 0, 1, 2."""
    found = [match for cell in cells if (match := INDEXED_CHARACTER.fullmatch(cell))]
    if len(found) < _SHARE_OF_NUMBERS * len(cells) or not any(has_han(match[1]) for match in found):
        return False
    indices = [int(match[2]) for match in found]
    steps = sum(after in (0, before + 1) for before, after in pairwise(indices))
    return max(indices) > 0 and steps >= _SHARE_OF_NUMBERS * (len(indices) - 1)


def _tag_columns(
    rows: Sequence[list[str]], width: int, contents: Sequence[str], *, numbered: bool, taken: int | None, first: int
) -> list[int]:
    """The columns with the first of these contents that some column has, the likeliest tag column first.

    Args:
        rows: The cells of each row.
        width: The number of columns of most rows.
        contents: The contents to look for, the best first.
        numbered: True if the first column counts tokens.
        taken: The column of the tokens, if it is known.
        first: The first column behind the tokens, if document columns stand before these; else 0.
    """
    by_content: dict[str, list[int]] = {content: [] for content in _CONTENTS}
    for column in sorted(set(range(width)) - {taken}):
        cells = [row[column] for row in rows if len(row) > column]
        if 2 * len(cells) >= len(rows):
            by_content.setdefault(content_of(cells), []).append(column)
    by_content["chunks"].reverse()  # predicted ones stand behind
    if not numbered:  # as in CoNLL-2003, where entities come last
        by_content["outside"].reverse()
    found = next((columns for content in contents if (columns := by_content[content])), [])
    if not found and first:  # CoNLL-2012 without any entities: the first column of nothing but `*` is theirs
        stars = (at for at in range(first, width) if {row[at] for row in rows if len(row) > at} == {"*"})
        found = list(islice(stars, 1))
    return found


def content_of(cells: Sequence[str], *, any_brackets: bool = False) -> str:
    """The content of a column: one that tags are read from, or `something else`.

    Args:
        cells: The column.
        any_brackets: True to take all brackets for entities, else not those of chunks, clauses, or verbs and arguments.
    """
    counts = Counter(tags_within(cell)[0] for cell in cells)
    if (spelling := sample_spelling(counts)) != STANDARD:
        counts = Counter(spelling.read(cell) or cell for cell in counts.elements())
    # 1. Tags, of entities or of chunks, with or without labels.
    tags = Counter({cell: count for cell, count in counts.items() if is_tag(cell)})
    if tags.total() >= _SHARE_OF_TAGS * len(cells):
        labels = Counter[str]()
        for tag, count in tags.items():
            if tag != OUTSIDE:
                labels[split_tag(tag)[1]] += count
        if not labels:
            rest = counts - tags
            return "prefixless" if _are_labels(rest) and rest.total() >= 2 * len(rest) else "outside"
        chunks = sum(labels[label] for label in _CHUNKS)
        if chunks and chunks >= _SHARE_OF_TAGS * (labels.total() - labels[""]):
            return "chunks"
        if labels.keys() != {""}:
            return "entities"
        return "no labels" if OUTSIDE in tags else "something else"
    # 2. Brackets.
    if sum(map(is_bracketed, cells)) >= _SHARE_OF_BRACKETS * len(cells):
        names = labels_of_brackets(cells)
        if any_brackets or (not names <= _CHUNKS | {"S"} and "V" not in names):
            return "brackets"
    # 3. Labels without prefixes.
    return "prefixless" if counts[OUTSIDE] >= 0.2 * len(cells) and _are_labels(counts) else "something else"


def _are_labels(counts: Counter[str]) -> bool:
    """True if these cells can be labels without prefixes: few, and all of them names."""
    return 0 < len(counts) <= 100 and all(map(is_label, counts))


def _may_be_labels(cells: Sequence[str]) -> bool:
    """True if the cells of a column that is said to hold tags are labels without prefixes, with or without an O."""
    labels = {cell for cell in cells if not is_outside(cell)}
    return bool(labels) and all(map(is_label, labels)) and not any(map(has_prefix, labels))


def _no_tags(sample: Sequence[tuple[int, str]], rows: Sequence[list[str]], width: int, path: str) -> InputError:
    """The error of a file without a column of tags."""
    line, body = next(numbered for numbered, row in zip(sample, rows, strict=True) if len(row) == width)
    if width == 1:
        message = f"expected at least 2 columns (a token and its tag), found 1: {quoted(body)}"
    elif body.startswith("{"):
        message = "expected columns, found JSON: name a file, or - for standard input"
    else:
        message = (
            f"no tag column: none of the {width} columns holds tags such as O and B-PER, the first row is "
            f"{quoted(body)}; if there is one, name it with --tag-column"
        )
    return InputError(message, path=path, line=line)
