"""The options of reading annotated files, and the report of what reading found."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from ner_lstm_crf.config import Hyphens, TokenUnit
from ner_lstm_crf.errors import InputError, counted
from ner_lstm_crf.files.text import FilePath
from ner_lstm_crf.formats.columns import ColumnLayout, Separator
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.tags.scheme import Policy
from ner_lstm_crf.text.annotation import Sentence

SeveralTags: TypeAlias = Literal["first", "last", "any"]
"""What several tags in one cell mean: only the first or the last counts, or it is not known which is true."""

_log = logging.getLogger(__name__)

Overlaps: TypeAlias = Literal["longest", "error"]
"""The rules for entities of running text that overlap."""


Offsets: TypeAlias = Literal["code-points", "utf-16"]
"""What the offsets of entities count: a character beyond U+FFFF, as an emoji, is one code point, or two units."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Options of reading annotated files; what is None is detected.

    Attributes:
        format: The name of the format; None goes by the file.
        token_column: The column of the tokens, from 1, or from the end as -1.
        tag_column: The column of the tags, from 1, or from the end as -1.
        tag_key: The name of the tag among the features of a column, as `name` in `SpaceAfter=No|name=B-PER`; in WebAnno
            TSV, the layer or feature with the labels.
        separator: `tab` (cells may hold spaces or nothing), `space` (runs of spaces and tabs), `comma` or `semicolon`
            (CSV: cells may be in double quotes).
        encoding: Any encoding Python knows.
        scheme: The tag scheme, in any spelling `get_scheme` knows.
        ill_formed: The policy for tags that break the scheme.
        several_tags: What several tags in one cell (`B-PER|B-LOC`) mean: only the `first` or the `last` counts, or the
            token has `any` of them, and which is not known. None refuses them.
        token_unit: With `character` every character of a token becomes a token of its own. None is `word`, but
            `character` for files whose entities are marked that way (Chinese in the format of CLUENER, or with inline
            marks).
        hyphens: The rule for hyphens within words of running text (JSON lines), as in `tokenize`.
        labels: The labels to keep, and their new names. Entities of running text with other labels are not checked.
        overlaps: The rule for entities of running text that overlap, after labels are chosen: `longest` keeps the
            longest (of equally long ones the first), `error` refuses the file.
        offsets: What the offsets of entities of running text count. None goes by the entities of each text.
        label_names: The names of tags that are numbers, from 0, in JSON lines of tokens.
        read_tags: False if the tags do not matter: then a file may lack them, and its sentences have no spans.

    Raises:
        InputError: If there is no such unit, separator or rule.
    """

    format: str | None = None
    token_column: int | None = None
    tag_column: int | None = None
    tag_key: str | None = None
    separator: Separator | None = None
    encoding: str = "utf-8"
    scheme: str | None = None
    ill_formed: Policy = "conlleval"
    several_tags: SeveralTags | None = None
    token_unit: TokenUnit | None = None
    hyphens: Hyphens = "split"
    labels: LabelMap = field(default_factory=LabelMap)
    overlaps: Overlaps = "longest"
    offsets: Offsets | None = None
    label_names: Sequence[str] | None = None
    read_tags: bool = True

    def __post_init__(self) -> None:
        kinds = {"token_unit": TokenUnit, "separator": Separator, "overlaps": Overlaps, "several_tags": SeveralTags}
        kinds["offsets"] = Offsets
        for name, kind in kinds.items():
            known = get_args(kind)
            if getattr(self, name) not in (None, *known):
                raise InputError(f"expected as {name} one of {', '.join(known)}, found {getattr(self, name)!r}")
        if not isinstance(self.labels, LabelMap):
            raise TypeError(f"expected a LabelMap as labels, got {type(self.labels).__name__}: see LabelMap.parse")
        if isinstance(self.label_names, str):
            raise TypeError("expected a list of names of tags as label_names, got a string")


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """Options of writing annotated files.

    Attributes:
        scheme: The tag scheme, if the format has tags. None is that of the source if a file is rewritten, else IOB2.
        encoding: Any encoding Python knows.
        token_unit: The unit of the tokens, if it is known; else it is `character` where each of them is one.
        scores: True for a column with the scores of entities, in columns.
        are_predicted: True if a model found the entities: annotation tools tell them from those of an annotator.
        label_names: The names of all tags, for a format that can hold the number of each, from 0, in its place.
    """

    scheme: str | None = None
    encoding: str = "utf-8"
    token_unit: TokenUnit | None = None
    scores: bool = False
    are_predicted: bool = False
    label_names: Sequence[str] | None = None


@dataclass(slots=True)
class ReadReport:
    """The findings of reading a file, beside its sentences; filled while they are read. Lines count from 1.

    Attributes:
        scheme: The tag scheme of the file; None if it has no tags.
        evidence: The reasons for the scheme, for people.
        notation_words: The notation of its tags in words; "" for the standard one.
        layout: The columns of the file; None if it has none.
        sentences: The number of sentences so far.
        tokens: The number of tokens so far, in the unit of the options.
        documents: The number of documents so far.
        comments: The number of comment lines, with CoNLL-U's multiword ranges and empty nodes.
        ill_formed: The lines of tags that break the scheme.
        skipped: The lines that are no rows: the names of the columns, and marks such as `IMGID:1`.
        marked: The lines that begin with a byte order mark, which is left out.
        padded: The lines of tags with white space around them, which is left out.
        empty: The lines of tokens without a character.
        returning: The lines at which a sentence number that was there before comes again, out of order.
        untagged: The lines of tokens without the feature that holds the tags, where those in no entity have it, too.
        ragged: The lines of rows with fewer or more columns than most.
        widths: The number of rows by their number of columns.
        labels: The number of entities of each label, by its name in the file.
        unknown: The lines of tokens whose tag is not known, one for each.
        outside: Tags that are read as O because the options rename them so.
        cut: The lines of entities of running text that begin or end within a word, one for each: the word became two
            tokens.
        trimmed: The lines of entities of running text that begin or end with white space, one for each, which is left
            out.
        dropped: The lines of entities left out because a longer one overlaps them, one for each.
        split: The lines of entities left out because they consist of several pieces, one for each.
        utf_16: The lines of texts whose offsets count UTF-16 units.
        rejected: The lines of records and entities left out because an annotator rejected them, one for each.
        unannotated: The lines of objects without a key for entities.
        reduced: The lines of objects whose entities hold more than start, end, label and text.
        keeps_lines: True if the file was written again, with all lines that are no rows.
    """

    scheme: str | None = None
    evidence: str | None = None
    notation_words: str = ""
    layout: ColumnLayout | None = None
    sentences: int = 0
    tokens: int = 0
    documents: int = 0
    comments: int = 0
    ill_formed: list[int] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    marked: list[int] = field(default_factory=list)
    padded: list[int] = field(default_factory=list)
    empty: list[int] = field(default_factory=list)
    returning: list[int] = field(default_factory=list)
    untagged: list[int] = field(default_factory=list)
    ragged: list[int] = field(default_factory=list)
    widths: Counter[int] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    unknown: list[int] = field(default_factory=list)
    outside: set[str] = field(default_factory=set)
    cut: list[int] = field(default_factory=list)
    trimmed: list[int] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    split: list[int] = field(default_factory=list)
    utf_16: list[int] = field(default_factory=list)
    rejected: list[int] = field(default_factory=list)
    unannotated: list[int] = field(default_factory=list)
    reduced: list[int] = field(default_factory=list)
    keeps_lines: bool = False

    def count(self, sentence: Sentence) -> None:
        """Add one sentence."""
        self.sentences += 1
        self.tokens += len(sentence.tokens)
        self.documents = sentence.document + 1

    @property
    def names(self) -> set[str]:
        """The names in the file that the options can rename or keep."""
        return {*self.labels, *self.outside}

    def warn(
        self,
        path: FilePath,
        options: ReadOptions,
        *,
        ill_formed: bool = True,
        rewritten: bool = False,
        labels: bool = True,
    ) -> None:
        """Log the findings that a user should know of, for a caller who does not show the report.

        Args:
            path: The file.
            options: The options that it was read with.
            ill_formed: True to log ill-formed tags too.
            rewritten: True if the file was written again, so that what its entities lost matters.
            labels: True to log the labels of the options that the file lacks; else the caller does, for all its files.
        """
        for lines, finding in self._in_lines(options, ill_formed=ill_formed, rewritten=rewritten):
            if lines:
                _log.warning("%s: %s: %s", path, finding, some_lines(lines))
        if options.read_tags and self.layout and self.layout.other_tag_columns:
            one, *more = (str(column + 1) for column in self.layout.tag_columns)
            message = "%s: the tags of column %s are read, not those of %s: --tag-column chooses"
            _log.warning(message, path, one, ", ".join(more))
        if self.layout and self.layout.texts is not None:
            message = "%s: read as one token a row (column %d), though column %d holds texts of several words"
            _log.warning(message, path, self.layout.token + 1, self.layout.texts + 1)
        if self.notation_words:
            _log.warning("%s: %s", path, self.notation_words)
        if labels:
            options.labels.warn_of_missing(path, self.names)

    def _in_lines(self, options: ReadOptions, *, ill_formed: bool, rewritten: bool) -> list[tuple[list[int], str]]:
        """The lines of each finding, maybe none, and its words; the arguments are those of `warn`."""
        # Ragged rows matter where spaces separate columns, since one of them may belong to a token. Behind tabs they do
        # not: some corpora have further columns behind the tag where there is an entity.
        ragged = self.ragged if self.layout and self.layout.separator != "tab" else []
        width = self.layout.width if self.layout else 0
        unannotated = self.unannotated if options.read_tags else []
        keys = "expected the key entities, spans, ents, label or labels"
        key = self.layout.key if self.layout else None
        marks = [] if self.keeps_lines else self.skipped
        if self.layout is not None:  # names of columns, and what separates them, are usual before the rows of a table
            marks = marks[bool(self.layout.header) + any(mark.startswith("sep=") for mark in self.layout.marks) :]
        marked = [] if self.keeps_lines else self.marked
        found = (self.cut, self.trimmed, self.dropped, self.split)
        cut, trimmed, dropped, split = (counted(len(lines), "entity", "entities") for lines in found)
        return [
            (marks, "lines that are no rows but marks are left out"),
            (self.empty, f"{counted(len(self.empty), 'token')} without a character, as NaN is written by pandas"),
            (
                self.returning,
                "sentence numbers come again: sort the rows by that column, or what belongs together is cut",
            ),
            (marked, "byte order marks within the file are left out"),
            (self.padded, "white space around tags is left out"),
            (self.untagged, f"{counted(len(self.untagged), 'token')} without the feature {key} are read as O"),
            (
                self.ill_formed if ill_formed else [],
                f"{counted(len(self.ill_formed), 'tag')} against {self.scheme}, read by the policy "
                f"{options.ill_formed}",
            ),
            (self.cut, f"{cut} with a begin or an end within a word, which was cut there"),
            (self.trimmed, f"{trimmed} with white space at the ends, which is left out: is an offset one too far?"),
            (self.dropped, f"{dropped} left out, since longer ones overlap them"),
            (self.split, f"{split} left out, since they consist of several pieces"),
            (
                self.utf_16,
                "offsets count UTF-16 units, an emoji as two, and are read so (--offsets code-points reads them as "
                "they are)",
            ),
            (self.rejected, f"{len(self.rejected):,} left out, since an annotator rejected them"),
            (unannotated, f"{counted(len(unannotated), 'object')} without entities ({keys})"),
            (ragged, f"rows with fewer or more columns than most, which have {width}"),
            (
                self.reduced if rewritten else [],
                "of entities only start, end and label are kept, not what else they hold",
            ),
        ]


def some_lines(lines: Sequence[int], most: int = 10, *, what: str = "line") -> str:
    """The first line numbers, or those of `what`, each once: `line 3`, or `lines 3, 18, 40 and 12 more`."""
    lines = list(dict.fromkeys(lines))
    shown = ", ".join(map(str, lines[:most]))
    more = f" and {len(lines) - most} more" if len(lines) > most else ""
    return f"{what}{'s' * (len(lines) > 1)} {shown}{more}"
