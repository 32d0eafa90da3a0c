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
    CoNLL-U (10 columns)             NorNE and others: `name=B-PER` or `Tag=B-PER` among the features of a column
    sentence,token,pos,tag           GMB of Kaggle: CSV with a header; the first column says where sentences begin

Columns are found in the first 2,000 rows and may always be named instead. A guess is checked against what it predicts:
tokens are not numbers, not one value in row after row, and as long as offsets beside them say.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import pairwise
from typing import Any, NamedTuple, cast

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.encodings import BYTE_ORDER_MARK
from ner_lstm_crf.files.text import EmptyFileError, quoted
from ner_lstm_crf.formats.columns import (
    DOCUMENT_START,
    INDEXED_CHARACTER,
    LONGEST_ROW,
    MOST_LINES,
    NUMBER,
    SENTENCE_END,
    SEPARATOR_MARK,
    ColumnLayout,
    SentenceColumn,
    Separator,
    features_of,
    has_suffix,
    is_bracketed,
    is_tight,
    labels_of_brackets,
    mark_of,
    marks_of,
    split_at_spaces,
    stripped,
    without_mark,
)
from ner_lstm_crf.formats.inline import hold_marks
from ner_lstm_crf.formats.options import ReadOptions
from ner_lstm_crf.tags.notation import (
    BETWEEN_TAGS,
    STANDARD,
    UNKNOWN,
    has_prefix,
    is_label,
    is_outside,
    is_tag,
    notation_of_sample,
    tags_within,
)
from ner_lstm_crf.tags.scheme import OUTSIDE, get_scheme, split_tag
from ner_lstm_crf.text.scripts import has_han

SAMPLE_ROWS = 2000
"""The number of rows that are looked at."""

GLOBAL_COLUMNS = "# global.columns ="
"""The beginning of the comment that names the columns, in CoNLL-U Plus."""

_FEW = 3  # columns that are named in a message
_SAMPLE_SIZE = 10_000_000  # characters of these

_DOCUMENT_COLUMNS = 3  # document, part and number, before CoNLL-2012's tokens
_SHARE_OF_NUMBERS = 0.99  # of rows with document columns, and of characters with an index
_SHARE_OF_BRACKETS = 0.9  # constituents and clauses, which lie within each other, close several at once more often
_SHARE_OF_SHAPES = 0.95  # of cells that differ in their numbers alone
_SHARE_OF_CSV = 0.8  # of rows with the same number of commas or semicolons
_ROWS_OF_EVIDENCE = 50  # of fewer, the number of different cells says little
_SHARE_OF_TAGS = 0.8  # a few broken rows must not hide the tag column: reading names their lines

# The contents of columns that tags are read from, the best first; predicted tags are not written over chunks.
_CONTENTS = ("entities", "brackets", "no labels", "outside", "chunks", "prefixless")
_CONTENTS_TO_REPLACE = tuple(content for content in _CONTENTS if content != "chunks")
_TAGS = frozenset(_CONTENTS) - {"prefixless"}

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[-_][A-Za-z-]+)?:")
_CHUNKS = frozenset(("NP", "VP", "PP", "ADVP", "ADJP", "SBAR", "PRT", "CONJP", "INTJ", "LST", "UCP", "NC", "VC", "PC"))
_UNIVERSAL = "ADJ ADP ADV AUX CCONJ CONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X"
_PENN = """CC CD DT EX FW IN JJ JJR JJS LS MD NN NNS NNP NNPS PDT POS PRP PRP$ RB RBR RBS RP TO UH VB VBD VBG VBN VBP
    VBZ WDT WP WP$ WRB HYPH NFP ADD AFX"""
_PARTS_OF_SPEECH = frozenset((*_UNIVERSAL.split(), *_PENN.split()))
_DIGITS = re.compile(r"[-+]?[0-9]+(?:[.,][0-9]+)*(?:[eE][-+]?[0-9]+)?")
_RANGE = re.compile(r"[\[(]?([0-9]{1,9})[-:,][ ]?([0-9]{1,9})[\])]?")
_SPACE_AFTER = re.compile(r"\bSpaces?After=|\bNoSpaceAfter\b")
_WHOLE_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_OBJECTS = re.compile(r'"?\[\{"')
_WEBANNO = re.compile(r"#\s*FORMAT=(WebAnno TSV[^\r\n]*)")

# The names that people give to columns, in lower case and without all but letters and digits.
_TOKEN_NAMES = ("token", "tokens", "word", "words", "form", "wordform", "char", "character", "term", "wort", "mot")
_NAMES_OF_TAGS = "ner nertag nertags ne netag tag tags label labels entity entities iob iobtag bio biotag iob2 nerlabel"
_OTHER_NAMES = """id idx index number pos postag upos upostag xpos xpostag lemma lemmas chunk feats head deprel deps
    misc start end begin offset offsets doc docid document confidence score"""
_TAG_NAMES = frozenset(_NAMES_OF_TAGS.split())
_NAMES = _TAG_NAMES | {*_TOKEN_NAMES, *_OTHER_NAMES.split()}
_CONLLU = 10  # columns
_SENTENCE_NAME = "sent"
_SENTENCE_NAMES = ("sentence", "sentenceid", "sentid")  # surely those of sentences
_NAME = re.compile(r"[A-Za-z_][\w #./:-]*")
_SAID: Mapping[str, Separator] = {",": "comma", ";": "semicolon", "\t": "tab"}
_KNOWN_KEYS = ("name", "NER", "ner", "NE", "ne", "Entity", "entity", "Tag", "tag")


def find_layout(lines: Iterable[str], options: ReadOptions, path: str) -> ColumnLayout:
    """Find the columns of a file from its first lines.

    Raises:
        InputError: If there are no rows, no tag column (where one is needed), one column only, or the options name a
            column that the file does not have; if several columns or features could be meant.
    """
    # 1. Cut the first rows into cells.
    sample = _sample(lines, options, path)
    numbered = sample.width > 1 and _counts_tokens(sample.columns[0])
    if numbered:
        sample = sample.without_ranges()
    # 2. Find the columns of the tokens and of the tags.
    columns = _find_columns(sample, options, path, numbered=numbered)
    token, tag, key = columns.token, columns.tag, columns.key
    rows, width = sample.rows, sample.width
    # 3. The form of the cells of these two columns.
    words, cells = sample.columns[token], [] if tag is None else sample.columns[tag]
    tags = cells if key is None else [features_of(cell).get(key, OUTSIDE) for cell in cells]
    is_io = options.scheme is not None and get_scheme(options.scheme).bare_labels
    is_named = options.tag_column is not None or options.tag_key is not None or is_io or tag in sample.named_tags
    counts = Counter(tags)
    is_given = is_named or tag is None or key is not None or counts.keys() == {"*"}
    content = content_of(counts, is_named=is_named or counts.keys() == {"*"}) if is_given else sample.contents[tag or 0]
    if content in ("entities", "prefixless"):
        _check_first_tag(sample, tags, tag, path)
    if content == "no labels" and tag is not None and not is_named:
        _check_labels_beside(sample, tag, path)
    tag_is_rest = options.tag_column in (None, -1) and key is None and _holds_spaced_labels(sample, tag)
    layout = ColumnLayout(
        token,
        tag,
        width if tag is None or not tag_is_rest else tag + 1,
        sample.separator,
        numbered=columns.numbered,
        key=key,
        prefixless=content == "prefixless" or (is_named and _may_be_labels(counts)) or (is_io and content == "outside"),
        notation=notation_of_sample(counts.keys() - {UNKNOWN}),
        bracketed=content == "brackets",
        has_document_columns=columns.has_document_columns,
        has_char_index=_have_char_index(words, sample.counts[token]),
        language=_language_of(words),
        quoted=sample.quoted,
        token_from_end=options.token_column is not None and options.token_column < 0,
        tag_from_end=options.tag_column is not None and options.tag_column < 0 and not tag_is_rest,
        tag_is_rest=tag_is_rest,
        sentence=_sentence_column(sample, token, tag, numbered=columns.numbered),
        header=sample.header,
        marks=sample.marks,
        names_outside=any(features_of(cell).get(key) == OUTSIDE for cell in set(cells)) if key else False,
        spaces=next((at for at in range(width) if any(map(_SPACE_AFTER.search, sample.counts[at]))), None),
        texts=(0 if sample.is_running_text else _column_of_texts(sample)) if tag is None else None,
        other_tag_columns=tuple(columns.others) if content in ("entities", "brackets", "chunks") else (),
    )
    if layout.bracketed:
        return replace(layout, sample_tags=frozenset(f"B-{label}" for label in labels_of_brackets(counts)))
    if layout.separator == "space" and tag is not None:  # in a longer row another word may stand in its place
        cells = [row[tag] for row in rows if len(row) == width]
    return replace(layout, sample_tags=frozenset(map(layout.tag_in, set(cells))))


class _Columns(NamedTuple):
    """The columns of a file; see `ColumnLayout`.

    Attributes:
        others: Further columns that tags could be read from.
    """

    token: int
    tag: int | None
    key: str | None
    others: Sequence[int]
    numbered: bool
    has_document_columns: bool


def _find_columns(sample: _Sample, options: ReadOptions, path: str, *, numbered: bool) -> _Columns:
    """The columns of the tokens and of the tags.

    Args:
        sample: The first rows.
        options: The options of reading, which may name columns.
        path: The file.
        numbered: True if the first column counts the tokens of a sentence.

    Raises:
        InputError: As in `find_layout`.
    """
    # 1. Columns that number tokens or name documents hold neither tokens nor tags.
    width, has_document_columns = sample.width, _begin_with_documents(sample.rows)
    # 2. The column of tags: the one named, else the first of those with the best content, else features.
    token = _column(options.token_column, width, "--token-column", path)
    tag = _column(options.tag_column, width, "--tag-column", path)
    others: list[int] = []
    if tag is None and options.tag_key is None:
        contents = _CONTENTS if options.read_tags else _CONTENTS_TO_REPLACE
        first = _DOCUMENT_COLUMNS + 1 if has_document_columns else 0
        found = _tag_columns(sample, contents, numbered=numbered, taken=token, first=first)
        tag, others = next(iter(found), None), found[1:]
    tag, key = _tag_key(sample, tag, options, path)
    if tag is None and options.read_tags:
        raise _no_tags(sample, path)
    # 3. The column of tokens: the one named, else the first that is free and holds words.
    numbered = numbered and tag != 0 and not (width == 2 and tag == 1)
    if token is None:
        first = _DOCUMENT_COLUMNS if has_document_columns else int(numbered)
        token = _token_column(sample, [column for column in range(first, width) if column != tag], path)
    if token == tag:
        raise InputError(f"the token and the tag cannot both be column {token + 1} of {width}", path=path)
    return _Columns(token, tag, key, others, numbered, has_document_columns)


@dataclass(frozen=True)
class _Sample:
    """The first rows of a file.

    Attributes:
        lines: The line of each row.
        rows: The cells of each row.
        width: The number of columns of most rows.
        separator: What stands between them.
        quoted: True if cells may be in double quotes.
        header: The line that names the columns; "" if there is none.
        names: The names of the columns, in lower case and without all but letters and digits.
        marks: The beginnings of lines that are no rows.
    """

    lines: Sequence[_Line]
    rows: Sequence[list[str]]
    width: int
    separator: Separator
    quoted: bool
    header: str = ""
    names: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()

    @cached_property
    def columns(self) -> Sequence[list[str]]:
        """The cells of each column, of the rows that have it."""
        return [[row[column] for row in self.rows if len(row) > column] for column in range(self.width)]

    @cached_property
    def counts(self) -> Sequence[Counter[str]]:
        """The different cells of each column, with their numbers."""
        return list(map(Counter, self.columns))

    @cached_property
    def contents(self) -> Sequence[str]:
        """The content of each column, as `content_of` finds it."""
        return list(map(content_of, self.counts))

    def without_ranges(self) -> _Sample:
        """The sample without ranges and empty nodes of CoNLL-U (`1-2`, `1.1`), unless there are no other rows."""
        if all(row[0].isdecimal() for row in self.rows):
            return self
        kept, begins = list[tuple[_Line, list[str]]](), False
        for line, row in zip(self.lines, self.rows, strict=True):
            begins = begins or line.begins
            if row[0].isdecimal() or not NUMBER.fullmatch(row[0]):
                kept.append((line if line.begins == begins else line._replace(begins=begins), row))
                begins = False
        lines, rows = [line for line, _ in kept], [row for _, row in kept]
        return replace(self, lines=lines, rows=rows) if kept else self

    @property
    def has_blank_lines(self) -> bool:
        """True if blank lines stand between some rows."""
        return any(line.begins for line in self.lines[1:])

    @property
    def is_running_text(self) -> bool:
        """True if spaces divide the rows into any number of cells, as words."""
        usual = sum(len(row) == self.width for row in self.rows)
        return self.separator == "space" and (2 * usual < len(self.rows) or (len(self.rows) == 1 and self.width > 3))

    @property
    def named_tags(self) -> list[int]:
        """The columns whose name is one of tags."""
        return [column for column, name in enumerate(self.names) if name in _TAG_NAMES]


class _Line(NamedTuple):
    """A line that is neither blank nor the start of a document; `begins` if it stands behind such a one."""

    number: int
    body: str
    begins: bool


_make_line = cast(Any, partial(tuple.__new__, _Line))  # _Line(...) in half the time


def _sample(lines: Iterable[str], options: ReadOptions, path: str) -> _Sample:
    """The first rows, without comments and other lines that are no rows.

    Raises:
        InputError: If there are no rows, or the file says that it has another format.
    """
    # 1. Without comments, unless there is nothing else.
    head = _head(lines, path)
    found = [line for line in head if not line.body.startswith("#")]
    is_headed = bool(found)
    found = (found or head)[:SAMPLE_ROWS]
    says = SEPARATOR_MARK.fullmatch(found[0].body) if len(found) > 1 else None
    found = found[1:] if says else found
    # 2. Their cells.
    bodies = [line.body for line in found]
    separator = options.separator or (_SAID[says[1]] if says else _separator(bodies, path))
    layout = ColumnLayout(0, None, 0, separator, quoted=separator in ("comma", "semicolon"))
    rows = layout.table(bodies)
    if options.separator is None and separator == "tab" and _are_quoted(bodies, rows):
        layout = replace(layout, quoted=True)
        rows = layout.table(bodies)
    # 3. The first line may name the columns, or a comment does in CoNLL-U Plus. Others may be marks.
    least = 1 if has_suffix(path, ".csv") or has_suffix(path, ".tsv") else 2
    is_named = is_headed and len(rows[0]) >= least and _names_columns(rows, is_table=layout.quoted)
    header = bodies[0] if is_named else ""
    names = rows[0] if header else []
    for line in head:
        if line.body.startswith(GLOBAL_COLUMNS):
            names = line.body.removeprefix(GLOBAL_COLUMNS).split()
    marks: tuple[str, ...] = ()
    found_marks = marks_of(bodies, rows)
    if found_marks and max(map(len, rows)) > 1:
        tokens = {cells[0] for cells in rows if any(map(is_tag, cells[1:]))}  # `%` may be one
        marks = tuple(sorted(found_marks - tokens))
    if says:
        marks = (*marks, says[0])
    if header or marks or layout.quoted:
        kept, begins = list[tuple[_Line, list[str]]](), False
        for line, cells in zip(found, rows, strict=True):
            is_mark = line.body.startswith(marks or ("\n",)) and mark_of(line.body, cells)
            if line.body == header or is_mark or (layout.quoted and not any(cells)):
                begins = True
            else:
                kept.append((line._replace(begins=True) if begins else line, cells))
                begins = False
        found, rows = [line for line, _ in kept], [cells for _, cells in kept]
    if not rows:
        raise InputError("expected rows of a token and a tag, found names of columns or marks alone", path=path)
    widths = Counter(map(len, rows))
    return _Sample(
        found,
        rows,
        max(widths, key=lambda width: (widths[width], width > 1, -width)),  # of several the least, but one
        separator,
        layout.quoted,
        header,
        tuple(map(_plain, names)),
        marks,
    )


def _head(lines: Iterable[str], path: str) -> list[_Line]:
    """The first lines that are neither blank nor the start of a document."""
    head, begins, size, rows, blank = list[_Line](), True, 0, 0, 0
    for number, line in enumerate(lines, 1):
        if number == 1 and (webanno := _WEBANNO.match(line)):
            message = f"expected columns with a tag for each token, found {webanno[1].strip()}"
            hint = "export the annotation as CoNLL 2003, or make columns of version 3 with convert"
            raise InputError(f"{message}: {hint}", path=path, line=1)
        if not line or line.isspace():
            begins, blank = True, blank + 1
            continue
        body = line.rstrip("\r\n")
        if len(body) > LONGEST_ROW and not body.startswith("#"):
            message = f"expected a row of at most {LONGEST_ROW:,} characters, found one of {len(body):,}"
            raise InputError(message, path=path, line=number)
        is_blank = False
        if BYTE_ORDER_MARK in body:
            body = without_mark(body, "\t")
            is_blank = not body.strip().strip(BYTE_ORDER_MARK).strip()
        if is_blank or "-DOCSTART-" in body or (body[0] in "-<" and DOCUMENT_START.match(body)):
            begins = True
        else:
            head.append(_make_line((number, body[:LONGEST_ROW], begins)))
            size += len(body)
            if body[0] != "#":
                begins, rows = False, rows + 1
        if (
            rows == SAMPLE_ROWS
            or len(head) == 2 * SAMPLE_ROWS
            or max(size - _SAMPLE_SIZE, number - blank - MOST_LINES) > 0
        ):
            break
    if not head:
        raise EmptyFileError("expected rows of a token and a tag, found no rows", path=path)
    return head


def _separator(bodies: Sequence[str], path: str) -> Separator:
    """The separator of columns: tabs if half of the rows have some, else spaces, or what CSV has.

    Rows of CSV have as many commas or semicolons each, and, unless their file is named so, cut at spaces they have no
    column of tags. Where a file has one column alone, its name tells what a second one is to be separated by.
    """
    is_csv = has_suffix(path, ".csv")
    if sum("\t" in body for body in bodies) * 2 >= len(bodies):
        return "tab"
    has_tags = any(map(_holds_tags, zip(*map(split_at_spaces, bodies), strict=False)))
    if has_tags and not is_csv:
        return "space"
    fitting: dict[Separator, tuple[bool, int]] = {}
    separators: tuple[Separator, ...] = ("comma", "semicolon")
    for separator in separators:
        rows = list(map(ColumnLayout(0, None, 0, separator, quoted=True).cells, bodies))
        width, count = Counter(map(len, rows)).most_common(1)[0]
        if width > 1 and (is_csv or count >= _SHARE_OF_CSV * len(bodies)):
            columns = zip(*(row for row in rows if len(row) == width), strict=True)
            fitting[separator] = any(map(_holds_tags, columns)), count
    usual: Separator = "comma" if is_csv and not has_tags else "space"
    if has_suffix(path, ".tsv") and not any(" " in body for body in bodies):
        usual = "tab"
    return max(fitting, key=lambda separator: fitting[separator], default=usual)


def _are_quoted(bodies: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """True if the cells between tabs are quoted as in CSV: all are, or a quotation mark is four of them, never one."""
    with_quotes = (row for body, row in zip(bodies, rows, strict=True) if '"' in body)
    marked = [cell for row in with_quotes for cell in row if cell.startswith('"')]
    are_all = len(marked) == sum(map(len, rows))
    return ('""""' in marked or are_all) and all(map(_WHOLE_QUOTED.fullmatch, marked))


def _names_columns(rows: Sequence[list[str]], *, is_table: bool) -> bool:
    """True if the first row names the columns: one is of tokens, and the others are known names or occur just here.

    In a table (CSV), whose first row is seldom one of data, it need not be: names are enough that occur just here, one
    of them above tags of entities alone.
    """
    first, others = rows[0], [row for row in rows[1:] if row != rows[0]]
    if not others or any(map(is_tag, first)):
        return False
    names = [_plain(cell) for cell in first]
    if not set(names) & set(_TOKEN_NAMES):
        if not is_table or not all(map(_NAME.fullmatch, first)):
            return False
        columns = [[row[column] for row in others if len(row) > column] for column in range(len(first))]
        are_new = all(cell not in column for cell, column in zip(first, columns, strict=True))
        tags = (column for column in columns if all(is_tag(cell) and " " not in cell for cell in column))
        return are_new and any(set(column) - {OUTSIDE} for column in tags)
    return all(
        name in _NAMES
        or name.startswith(_SENTENCE_NAME)
        or not any(len(row) > column and row[column] == cell for row in others)
        for column, (name, cell) in enumerate(zip(names, first, strict=True))
    )


def _plain(name: str) -> str:
    """The name of a column in lower case, without all but letters and digits."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _column(number: int | None, width: int, option: str, path: str) -> int | None:
    """A column that an option names, counted from 0; None if it names none."""
    if number is None:
        return None
    if number == 0 or abs(number) > width:
        raise InputError(f"{option} {number}: expected a column from 1 to {width}, or from -{width} to -1", path=path)
    return number - 1 if number > 0 else width + number


def _counts_tokens(cells: Sequence[str]) -> bool:
    """True if a column counts 1, 2, 3 and starts anew in each sentence."""
    found = [number for cell in cells if (number := NUMBER.fullmatch(cell))]
    if len(found) < 0.9 * len(cells) or int(found[0][1]) not in (0, 1) or not any(map(str.isdecimal, cells)):
        return False
    numbers = [int(number[1]) for number in found]
    steps = [after - before == 1 or after in (0, 1) for before, after in pairwise(numbers)]
    if not all(map(str.isdecimal, cells)):  # parts of CoNLL-U's `1-2` are steps, too
        parts = (one[1] == other[1] and one[0] != other[0] for one, other in pairwise(found))
        steps = list(map(max, steps, parts))
    return sum(steps) >= 0.9 * len(steps)


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


def _have_char_index(cells: Sequence[str], counts: Counter[str]) -> bool:
    """True if a column holds Chinese characters, each with its index in its word, which counts 0, 1, 2."""
    if sum(map(counts.__getitem__, filter(INDEXED_CHARACTER.fullmatch, counts))) < _SHARE_OF_NUMBERS * len(cells):
        return False
    found = [match for cell in cells if (match := INDEXED_CHARACTER.fullmatch(cell))]
    if not any(has_han(match[1]) for match in found):
        return False
    indices = [int(match[2]) for match in found]
    steps = sum(after in (0, before + 1) for before, after in pairwise(indices))
    return max(indices) > 0 and steps >= _SHARE_OF_NUMBERS * (len(indices) - 1)


# Tags


def _tag_columns(
    sample: _Sample, contents: Sequence[str], *, numbered: bool, taken: int | None, first: int
) -> list[int]:
    """The columns with the first of these contents that some column has, the likeliest tag column first.

    Args:
        sample: The first rows.
        contents: The contents to look for, the best first.
        numbered: True if the first column counts tokens.
        taken: The column of the tokens, if it is known.
        first: The first column behind the tokens, if document columns stand before these; else 0.
    """
    rows, width = sample.rows, sample.width
    by_content: dict[str, list[int]] = {content: [] for content in _CONTENTS}
    for column in sorted(set(range(width)) - {taken}):
        if 2 * len(sample.columns[column]) >= len(rows):
            is_named = column in sample.named_tags
            content = content_of(sample.counts[column], is_named=True) if is_named else sample.contents[column]
            by_content.setdefault(content, []).append(column)
    by_content["chunks"].reverse()  # predicted ones stand behind
    if not numbered:  # as in CoNLL-2003, where entities come last
        by_content["outside"].reverse()
    if taken is None and by_content["outside"] and len(by_content["no labels"] + by_content["outside"]) == width:
        by_content["no labels"].clear()  # words, as `B` and `-`, that are tags by chance: O alone is no text
    if sample.is_running_text:  # some word, as `I` or `O`, is a tag by chance
        contents = [content for content in contents if content not in ("outside", "prefixless", "no labels")]
    found = next((columns for content in contents if (columns := by_content[content])), [])
    if not found and first:  # CoNLL-2012 without any entities: the first column of nothing but `*` is theirs
        found = [at for at in range(first, width) if sample.counts[at].keys() == {"*"}][:1]
    return sorted(found, key=lambda column: column not in sample.named_tags)


def _tag_key(sample: _Sample, tag: int | None, options: ReadOptions, path: str) -> tuple[int | None, str | None]:
    """The column of the tags, and the name of the feature if they are one of several in their cells.

    Raises:
        InputError: If the options name a feature that no cell has, or two features hold different tags.
    """
    # 1. A column of tags alone is better than any feature.
    if options.tag_key is None and tag is not None:
        is_named = options.tag_column is not None
        content = content_of(sample.counts[tag], is_named=True) if is_named else sample.contents[tag]
        if content in ("entities", "brackets", "no labels", "prefixless"):
            return tag, None
    # 2. The values of each feature, by its column and name.
    features = _features(sample, range(sample.width) if options.tag_column is None or tag is None else [tag])
    # 3. The feature named; in a file without tags it may come first with those to be written.
    if options.tag_key is not None:
        named = [column for column, name in features if name == options.tag_key]
        if not named and options.read_tags:
            known = ", ".join(sorted({name[:80] for _, name in features})[:10]) or "none"
            message = f"--tag-key {options.tag_key}: no cell of the first rows has such a feature (found: {known})"
            raise InputError(message, path=path)
        return next(iter(named), sample.width - 1 if tag is None else tag), options.tag_key
    # 4. Those that hold tags: at least one of an entity, or nothing but `O` under a usual name.
    found = [
        (column, name)
        for (column, name), values in features.items()
        if (content := content_of(values.values())) == "entities" or (content == "outside" and name in _KNOWN_KEYS)
    ]
    entities = [feature for feature in found if content_of(features[feature].values()) == "entities"]
    found = entities or found
    if not found:
        return tag, None
    outside = {value: {at: tag for at, tag in features[value].items() if tag != OUTSIDE} for value in found}
    if any(outside[feature] != outside[found[0]] for feature in found[1:]):
        names = " and ".join(dict.fromkeys(name[:80] for _, name in found[:10]))
        raise InputError(f"the features {names} hold different tags: choose one with --tag-key", path=path)
    return found[0]


def _features(sample: _Sample, columns: Iterable[int]) -> dict[tuple[int, str], dict[int, str]]:
    """The values of features by the numbers of their rows, for each column and name."""
    features: dict[tuple[int, str], dict[int, str]] = {}
    for column in columns:
        for number, row in enumerate(sample.rows):
            if len(row) > column and "=" in row[column]:
                for name, value in features_of(row[column]).items():
                    features.setdefault((column, name), {})[number] = value
    return features


def _check_first_tag(sample: _Sample, tags: Sequence[str], tag: int | None, path: str) -> None:
    """Refuse a first row that alone holds no tag: it may name the columns.

    Raises:
        InputError: If it does.
    """
    others = set(map(stripped, set(tags[1:]))) - {UNKNOWN}
    notation = notation_of_sample(others)
    has_entities = not others <= {OUTSIDE}
    is_tag_like = stripped(tags[0]) == UNKNOWN or notation.read(stripped(tags[0])) is not None
    if has_entities and not is_tag_like and all(map(notation.read, others)):
        message = f"column {(tag or 0) + 1}: expected a tag such as O or B-PER, found {quoted(tags[0])}"
        raise InputError(f"{message}: delete the line if it names the columns", path=path, line=sample.lines[0].number)


def _check_labels_beside(sample: _Sample, tag: int, path: str) -> None:
    """Refuse prefixes alone whose labels stand in a column of their own.

    Raises:
        InputError: If they do: it holds names where the tag has a prefix, and one sign where it is `O`.
    """
    for column in set(range(sample.width)) - {tag}:
        pairs = [(row[tag], row[column]) for row in sample.rows if len(row) > max(tag, column)]
        labels = {cell for one, cell in pairs if one != OUTSIDE}
        others = {cell for one, cell in pairs if one == OUTSIDE}
        if len(others) == 1 and all(map(is_outside, others)) and all(map(is_label, labels)) and not labels & others:
            message = f"column {tag + 1} holds prefixes alone, and column {column + 1} their labels: join them as B-PER"
            message += f", or say --tag-column {tag + 1} to leave the labels out"
            raise InputError(message, path=path, line=sample.lines[0].number)


def _holds_spaced_labels(sample: _Sample, tag: int | None) -> bool:
    """True if labels hold spaces, and these separate columns: the rest of every longer row belongs to its tag.

    Most labels have to come again, as names of pages or the like do not, and none may come without the rest, too.
    """
    if sample.separator != "space" or tag is None or not all(len(row) > tag for row in sample.rows):
        return False
    tags = [split_tag(row[tag])[1] if is_tag(row[tag]) else "" for row in sample.rows]
    labels = {label for label, row in zip(tags, sample.rows, strict=True) if len(row) == tag + 1}
    longer = [(label, row[tag + 1 :]) for label, row in zip(tags, sample.rows, strict=True) if len(row) > tag + 1]
    if not all(label and not is_tag(rest[-1]) for label, rest in longer):
        return False
    if not labels.isdisjoint(label for label, _ in longer):
        return False
    return OUTSIDE in sample.counts[tag] and 0 < 2 * len({(label, *rest) for label, rest in longer}) <= len(longer)


# Tokens


def _token_column(sample: _Sample, free: Sequence[int], path: str) -> int:
    """The column of the tokens among those that are free.

    Raises:
        InputError: If no column holds words, or two columns may.
    """
    # 1. The column whose name says so.
    for name in _TOKEN_NAMES:
        if name in sample.names and (column := sample.names.index(name)) in free:
            return column
    # 2. Those that hold words: not numbers, nothing, or one value in row after row; no parts of speech or tags either.
    words = [column for column in free if not _is_no_word_column(sample, column)]
    words = [column for column in words if not _holds_parts_of_speech(sample.counts[column])]
    words = [column for column in words if sample.contents[column] not in _TAGS] or words
    if not words:
        column = next(iter(free), 0)
        counts = sample.counts[column]
        is_empty = not any(map(str.strip, counts)) or counts.keys() == {"_"}
        if is_empty or (_repeats(sample, column) and _is_numeric(counts)):
            last = quoted(sample.columns[column][-1])
            message = f"no column of tokens: column {column + 1} holds {last} in row after row"
            raise InputError(f"{message}; if it is that of the tokens, say --token-column {column + 1}", path=path)
        return column
    # 3. Words are as long as the offsets beside them say.
    by_offsets = _lengths_by_offsets(sample) if len(words) > 1 else []
    words = [column for column in words if _fits_offsets(sample, column, by_offsets)] or words
    # 4. Usually the first: but parts of speech and lemmas may stand before the tokens.
    first = words[0]
    for column in words[1:]:
        if _is_class_of(sample, first, column, path) or _is_lemma_of(sample, first, column):
            first = column
    return first


def _is_class_of(sample: _Sample, column: int, words: int, path: str) -> bool:
    """True if a column holds the parts of speech of the words of another: a few kinds of cells beside many.

    Raises:
        InputError: If it may be, or may hold words itself.
    """
    kinds, types = (sum(map(_has_no_digit, sample.counts[one])) for one in (column, words))
    if types <= kinds:
        return False
    if len(sample.rows) < _ROWS_OF_EVIDENCE or types < 1.5 * kinds:
        return False
    if types < 3 * kinds:
        which = f"name one with --token-column ({column + 1} or {words + 1})"
        raise InputError(f"columns {column + 1} and {words + 1} may both hold the tokens: {which}", path=path)
    return True


def _holds_parts_of_speech(cells: Iterable[str]) -> bool:
    letters = [cell for cell in cells if cell[:1].isalpha()]
    return bool(letters) and _PARTS_OF_SPEECH.issuperset(letters)


def _is_lemma_of(sample: _Sample, column: int, words: int) -> bool:
    """True if a column has small letters where the words of another begin with capital letters."""
    pairs = [(row[column], row[words]) for row in sample.rows if len(row) > max(column, words)]
    same = [(one, other) for one, other in pairs if one.lower() == other.lower()]
    capitals = [one[:1].isupper() - other[:1].isupper() for one, other in same]
    return len(same) >= 0.3 * len(pairs) and sum(capitals) < 0


def _is_no_word_column(sample: _Sample, column: int) -> bool:
    """True if a column holds mostly nothing, numbers (or one text with numbers in it), or one value again and again."""
    counts, total = sample.counts[column], len(sample.columns[column])
    is_empty = 2 * (counts[""] + counts["_"]) > total
    return is_empty or (total > 1 and _is_numeric(counts)) or _repeats(sample, column)


def _is_numeric(counts: Counter[str]) -> bool:
    """True if cells differ in their numbers alone: `0`, `0-3`, `Sentence: 1`, `a.txt-5`."""
    least = _SHARE_OF_SHAPES * (counts.total() - counts[""])
    numbers = Counter({cell: count for cell, count in counts.items() if _DIGITS.search(cell)})
    if not numbers or numbers.total() < least:
        return False
    return max(_counted(lambda cell: _DIGITS.sub("0", cell), numbers).values()) >= least


def _repeats(sample: _Sample, column: int) -> bool:
    """True if a cell is mostly the same as the one before it in its sentence."""
    cells = [row[column] if column < len(row) else None for row in sample.rows]
    neighbours = zip(cells, cells[1:], sample.lines[1:], strict=False)
    same = [one == other for one, other, line in neighbours if not (line.begins or one is None or other is None)]
    return len(same) > 1 and 2 * sum(same) > len(same)


def _holds_tags(cells: Iterable[str]) -> bool:
    return content_of(cells) in _TAGS


def _has_no_digit(cell: str) -> bool:
    return not any(map(str.isdigit, cell))


def _lengths_by_offsets(sample: _Sample) -> list[list[int | None]]:
    """How long the word of each row is, by each column of offsets (`0-3`), or two beside each other, that holds them.

    A row without offsets there has -1, one without these columns None; nearly all rows must have them.
    """
    found = list[list[int | None]]()
    pairs = [(at, at + 1) for at in range(sample.width - 1)] + [(at, at) for at in range(sample.width)]
    for start, end in pairs:
        lengths, missing = list[int | None](), 0
        for row in sample.rows:
            if len(row) <= end:
                lengths.append(None)
            elif offsets := _RANGE.fullmatch(f"{row[start]}-{row[end]}" if start != end else row[start]):
                lengths.append(int(offsets[2]) - int(offsets[1]))
            else:
                lengths.append(-1)
                missing += 1
        if missing <= 0.1 * (len(lengths) - lengths.count(None)):
            found.append(lengths)
    return found


def _fits_offsets(sample: _Sample, column: int, by_offsets: Sequence[Sequence[int | None]]) -> bool:
    """True if the cells of a column are as long as the offsets beside them say."""
    for lengths in by_offsets:
        of_rows = [
            len(row[column]) == length
            for row, length in zip(sample.rows, lengths, strict=True)
            if length is not None and column < len(row)
        ]
        if len(of_rows) > 1 and sum(of_rows) >= 0.9 * len(of_rows):
            return True
    return False


# Sentences


def _sentence_column(sample: _Sample, token: int, tag: int | None, *, numbered: bool) -> SentenceColumn | None:
    """The column that tells where sentences begin; None if blank lines do."""
    free = [column for column in range(sample.width) if column not in (token, tag)]
    # 1. The one whose name says so, if its values stay.
    for column in free:
        name = sample.names[column] if column < len(sample.names) else ""
        repeats = 2 * len(_values(sample.columns[column])) <= len(sample.rows) + 1
        if name in _SENTENCE_NAMES or (name.startswith(_SENTENCE_NAME) and repeats):
            return SentenceColumn(column, "value")
    if sample.has_blank_lines:
        return None
    # 2. Numbers of tokens that begin anew.
    counter, cells = SentenceColumn(0, "count"), sample.columns[0]
    if numbered and len(set(cells)) > 1 and any(counter.begins(*pair) for pair in pairwise(cells)):
        return counter
    # 3. Numbers of sentences: each stands in rows that follow each other; of several columns that with the most.
    runs = {column: _values(sample.columns[column]) for column in free if _is_numeric(sample.counts[column])}
    most = {column: len(sample.columns[column]) // 2 for column in runs}
    stays = [column for column, found in runs.items() if 1 < len(found) == len(set(found)) <= most[column]]
    if stays:
        return SentenceColumn(max(stays, key=lambda column: len(runs[column])), "value")
    # 4. The last token of each sentence is marked.
    marked = (column for column in free if any(map(SENTENCE_END.search, sample.counts[column])))
    return next((SentenceColumn(column, "end") for column in marked), None)


def _values(cells: Sequence[str]) -> list[str]:
    """The values of a column, each once where it stands in rows that follow each other; empty cells repeat it."""
    filled = [cell for cell in cells if cell]
    return [after for before, after in pairwise(["", *filled]) if before != after]


def content_of(cells: Iterable[str], *, is_named: bool = False) -> str:
    """The content of a column: one that tags are read from, or `something else`.

    Args:
        cells: The column.
        is_named: True if it is known to hold tags. Then all brackets are of entities, else not those of chunks,
            clauses, or verbs and arguments; and labels without prefixes are read though there is no `O` among them.
    """
    written = Counter(cells)
    if not is_tight("".join(written)):
        written = _counted(stripped, written)
    known = written.copy()
    known.pop(UNKNOWN, None)
    written = known or written
    total, counts = written.total(), _standard_tags(written)
    # 1. Tags, of entities or of chunks, with or without labels.
    tags = Counter({cell: count for cell, count in counts.items() if is_tag(cell)})
    if tags.total() >= _SHARE_OF_TAGS * total:
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
    bracketed = (cell for cell in written if cell[-1:] in "*)" and is_bracketed(cell))
    if sum(map(written.__getitem__, bracketed)) >= _SHARE_OF_BRACKETS * total:
        names = labels_of_brackets(written)
        if is_named or (not names <= _CHUNKS | {"S"} and "V" not in names):
            return "brackets"
    # 3. Labels without prefixes.
    has_outside = is_named or counts[OUTSIDE] >= 0.2 * total
    return "prefixless" if has_outside and _are_labels(counts) else "something else"


def _standard_tags(written: Counter[str]) -> Counter[str]:
    """The cells of a column, of several tags in one the first, in the standard notation if they fit another.

    A column of words has many different cells, and hardly one of them changes.
    """
    several = filter(BETWEEN_TAGS.search, written)
    if first := {cell: tag for cell in several if (tag := tags_within(cell)[0]) != cell}:
        written = _counted(lambda cell: first.get(cell, cell), written)
    notation = notation_of_sample(written)
    return written if notation == STANDARD else _counted(lambda cell: notation.read(cell) or cell, written)


def _counted(read: Callable[[str], str], counts: Counter[str]) -> Counter[str]:
    """The counts of what is read of each text; a column has few different ones."""
    found = Counter[str]()
    for text, count in counts.items():
        found[read(text)] += count
    return found


def _are_labels(counts: Counter[str]) -> bool:
    """True if these cells can be labels without prefixes: few, and all of them names."""
    return 0 < len(counts) <= 100 and all(map(is_label, counts))


def _may_be_labels(cells: Iterable[str]) -> bool:
    """True if the cells of a column that is known to hold tags are labels without prefixes, with or without an O."""
    labels = {cell for cell in cells if not is_outside(cell) and cell != UNKNOWN}
    return bool(labels) and all(map(is_label, labels)) and not any(map(has_prefix, labels))


def _are_perhaps_labels(cells: Sequence[str], *, is_first: bool) -> bool:
    """True if a column that nobody named may hold labels without prefixes; the first one only if some come again."""
    comes_again = len(set(cells)) < len(cells)
    return _may_be_labels(cells) and not _PARTS_OF_SPEECH.issuperset(cells) and (comes_again or not is_first)


def _column_of_texts(sample: _Sample) -> int | None:
    """The first column in which most cells hold several words, as those of a table with a text a row do."""
    for column, counts in enumerate(sample.counts):
        if 2 * sum(count for cell, count in counts.items() if len(cell.split()) > 1) > counts.total():
            return column
    return None


def _no_tags(sample: _Sample, path: str) -> InputError:
    """The error of a file without a column of tags."""
    width = sample.width
    lines = zip(sample.lines, sample.rows, strict=True)
    is_text = sample.is_running_text
    usual = (line for line, row in lines if is_text or len(row) == width)
    at = next(usual, sample.lines[0])  # none is as wide where ranges of CoNLL-U were left out that were
    line, body = at.number, at.body
    columns = sample.columns
    first = sample.lines[0].body
    if first.startswith(("{", "[{")) or first == "[":
        message = "expected columns, found JSON: name a file, or - for standard input"
    elif hold_marks([line.body for line in sample.lines]):
        message = "expected columns, found inline marks: name the file .inline, or say - for standard input"
    elif is_text:
        message = (
            f"expected one token and its tag a row, found running text: {quoted(body)}; to tag it, say tag --input"
        )
    elif not any(map(_holds_many_tags, columns)) and (column := _column_of_texts(sample)) is not None:
        message = f"expected one token and its tag a row, found texts in column {column + 1}: {quoted(body)}; to tag "
        message += "them, say tag --input"
    elif width == 1:
        message = f"expected at least 2 columns (a token and its tag), found 1: {quoted(body)}"
    elif several := [at for at, cells in enumerate(columns, 1) if _holds_many_tags(cells)]:
        message = f"expected one token and its tag a row, found the tags of whole sentences in column {several[0]}"
        message += ': write JSON lines such as {"tokens": ["Rome", "fell"], "ner_tags": ["B-LOC", "O"]}'
    elif objects := [at for at, cells in enumerate(columns, 1) if any(map(_OBJECTS.match, cells))]:
        message = f"expected one token and its tag a row, found the entities of whole texts in column {objects[0]}"
        message += ": export them as JSON"
    else:
        is_conllu = width == _CONLLU and sample.separator == "tab" and _counts_tokens(sample.columns[0])
        form = "this looks like CoNLL-U, which has words and their syntax: " if is_conllu else ""
        message = (
            f"no tag column: {form}none of the {width} columns holds tags such as O and B-PER, the first row is "
            f"{quoted(body)}; if there is one, name it with --tag-column"
        )
        labels = [str(at) for at, cells in enumerate(columns, 1) if _are_perhaps_labels(cells, is_first=at == 1)]
        if 0 < len(labels) <= _FEW:
            message += f" ({' or '.join(labels)} could hold labels without prefixes)"
        features = {name: [*values.values()] for (_, name), values in _features(sample, range(width)).items()}
        names = [name for name, cells in features.items() if _may_be_labels(cells)]
        if names := sorted(name for name in names if not _SPACE_AFTER.match(f"{name}=")):
            message += f", or the feature with --tag-key ({', '.join(names[:8])})"
    return InputError(message, path=path, line=line)


def _holds_many_tags(cells: Sequence[str]) -> bool:
    """True if the cells of a column hold lists of tags, apart from a first one that names it."""
    lists = [re.findall(r"[^\s,'\"\[\]]+", cell) for cell in cells[1:]]
    return any(len(tags) > 1 for tags in lists) and all(tags and all(map(is_tag, tags)) for tags in lists)
