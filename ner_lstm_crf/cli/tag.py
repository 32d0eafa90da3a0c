"""`ner-lstm-crf tag`: texts, lines of text, JSON lines and columns go through a tagger and into a file.

Streams are read as they come, so memory stays flat however long they are. To write another output, add an `Output` to
`OUTPUTS`.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
from abc import abstractmethod
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice, tee
from operator import itemgetter
from pathlib import Path
from tempfile import SpooledTemporaryFile, TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeAlias, TypeVar, cast

from ner_lstm_crf.cli.bulk import EPILOG as OF_MANY_FILES, PARQUET, add_bulk_options, refuse_bulk_options, run_bulk
from ner_lstm_crf.cli.options import COLUMN_OPTIONS, SCHEME_NAMES, Parser, add_options, read_options
from ner_lstm_crf.cli.output import check_not_output, shows_colours
from ner_lstm_crf.config import TokenUnit
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.explanation.marked_text import in_colours, in_html, shown_score
from ner_lstm_crf.explanation.style import PAGE_ENDS, escaped, page_begins
from ner_lstm_crf.files.json import as_object, json_line, json_values
from ner_lstm_crf.files.table import SEPARATORS as TABLE_SEPARATORS, column_of_texts, read_texts
from ner_lstm_crf.files.text import (
    STANDARD_STREAM,
    EmptyFileError,
    input_name,
    printable,
    standard_input,
    stream_lines,
    writing,
)
from ner_lstm_crf.formats.conll import ColumnFile, Conll, holds_tags, read_conll, replace_tags
from ner_lstm_crf.formats.format import Format
from ner_lstm_crf.formats.inline import Inline, format_inline
from ner_lstm_crf.formats.options import ReadOptions, ReadReport, WriteOptions
from ner_lstm_crf.formats.registry import FORMATS, detect_format, format_of_name, suffix_of
from ner_lstm_crf.formats.text_json import AnnotatedText, JsonTextFormat, TextJson, TextWriter, as_text, text_of
from ner_lstm_crf.formats.token_json import TokenJson, TokenRecord, has_tokens, parse_tokens
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.runs.display import is_terminal, progress_bar, say
from ner_lstm_crf.tags.scheme import get_scheme
from ner_lstm_crf.text.annotation import Entity, Sentence, unspaced_chinese
from ner_lstm_crf.text.wrapping import look_wrapped, unwrapped

if TYPE_CHECKING:
    from ner_lstm_crf.tagging.portions import TaggedPortion
    from ner_lstm_crf.tagging.script_tagger import ScriptTagger
    from ner_lstm_crf.tagging.tagger import Tagger

TextRecord: TypeAlias = dict[str, Any]
"""A JSON object with the key `text`, a string or a `LongText`."""

Record = TypeVar("Record")
Item = TypeVar("Item")
Read = TypeVar("Read")  # what is read of a sentence: a record of tokens, or the sentence itself
"""An object of a line, a text of a row, a sentence."""

_WRAPPED_SAMPLE = 200  # lines that are looked at for signs of wrapped text
_FIRST_SENTENCES, _FIRST_RECORDS = 20, 1000
_LONGEST_PIECE = 65_536  # characters of a line of text that are read at once

EPILOG = """\
formats:
  text   in: one text a line. out: one line per entity, its start, end, label and text with tabs between; the number of
         the text comes first where there may be several, and --scores puts the score before the text
  conll  in: one token a line. out, from one such file: everything is kept, the predicted tag takes the place of the
         file's own, or is added; from text: token and tag
  jsonl  in: objects with the key "text", one a line. out: the same with "entities": start, end, label, text, score;
         or objects with a list of "tokens" in place of a text (or with "ner_tags" beside it), all of them, if the first
         is one. out: the same with their tags, under "ner_tags" or where tags are; words become characters if the
         model's tokens are
  inline   out: sentences with their entities in marks, [Rome](LOC), which 'train' and 'convert' read
  html     out: a page for a browser, with the entities in colours, and their scores under the mouse
  colours  out: the same for a terminal; what texts give there, unless NO_COLOR is set
  doccano, label-studio, prodigy, brat, webanno, spacy
         out: what these annotation tools read, to correct it there: Label Studio's tasks have predictions, brat's texts
         are files in a new folder (or an .ann file and its .txt file), spaCy's documents are binary
Starts and ends count characters, from 0; ends are exclusive. The input has the format of --input-format, else of its
suffix or content (- is text). The output has the format of --output-format, else of the suffix of --output, else of the
input. - is standard input, and so is a pipe where nothing is named. Results from several files name the file: in the
first column of text, under "file" in jsonl, as a heading in html and colours.

scores:
  The score of an entity is the probability that exactly this is one, with this label. --min-score 0.9 keeps what is
  nearly certain. With --decoding posterior a low --min-score finds more: all entities that are so probable.

models:
  Two taggers come with the package, en and zh, and find PER, LOC and ORG. Without --model each text goes to the one of
  its script: zh if it is written in Chinese characters, else en; of a file of tokens the first sentences choose. A
  directory of your own that has one of these names is ./en or ./zh.

@@examples:
  ner-lstm-crf tag "Angela Merkel visited Rome."
  ner-lstm-crf tag "王小明从北京飞往巴黎。"
  ner-lstm-crf tag --model my-model "Angela Merkel visited Rome."
  ner-lstm-crf tag --model my-model --output-format jsonl "Angela Merkel visited Rome."
  ner-lstm-crf tag --model my-model --input test.conll --output predicted.conll
  ner-lstm-crf tag --model my-model --input news.txt --output news.html
  ner-lstm-crf tag --model my-model --input letters/*.txt --wrapped --output letters.jsonl
  ner-lstm-crf tag --model my-model --input reviews.csv --text-column review --output reviews.jsonl
  cat news.txt | ner-lstm-crf tag --model my-model --input - --output-format jsonl > news.jsonl"""


@dataclass(slots=True)
class LongText:
    """A text that is read part by part, since it may be longer than the memory.

    Attributes:
        parts: The parts.
        read: Those that the tagger has read and nobody has taken yet.
    """

    parts: Iterator[str]
    read: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[str]:
        for part in self.parts:
            self.read.append(part)
            yield part

    def taken(self) -> str:
        """The text that the tagger has read since the last call."""
        text = "".join(self.read)
        self.read.clear()
        return text


@dataclass(slots=True)
class Sources:
    """The files that a stream is read from, and which of its records is of which.

    Attributes:
        are_named: True if results name the file of a record, since there are several.
        count: The records read so far.
        begins: The number of the first record of each file, and the name of the file.
    """

    are_named: bool = False
    count: int = 0
    begins: list[tuple[int, str]] = field(default_factory=list)

    def read(self, path: str, records: Iterable[Record]) -> Iterator[Record]:
        """The records of a file, counted; a file without any is said to be empty."""
        before = self.count
        self.begins.append((before + 1, input_name(path)))
        with suppress(EmptyFileError):
            for record in records:
                self.count += 1
                yield record
        if self.count == before:
            say(f"warning: {input_name(path)}: nothing to tag: it is empty")

    def place(self, number: int) -> tuple[str, int]:
        """The file of a record, and its number in that file, from 1; "" for the file if there is one alone."""
        if not self.are_named:
            return "", number
        first, name = self.begins[bisect_right(self.begins, number, key=itemgetter(0)) - 1]
        return name, number - first + 1


@dataclass(slots=True)
class TaggedTexts:
    """A stream of texts and what the tagger finds in them; it can be gone through once.

    Attributes:
        tagger: The tagger, or that of each text's script.
        records: The texts.
        scheme: The scheme of tags that are written.
        sources: The files of the texts.
        min_score: The least score of an entity, if there is one.
        scored: True to write scores where they are not written anyway.
        numbered: True if a line about an entity needs the number of its text.
        is_wrapped: True if single line breaks within a text are to be read as spaces.
        unit: What the tokens of the last of `sentences` are.
        read: The number of texts that the tagger has read or passed over.
    """

    tagger: Tagger | ScriptTagger
    records: Iterator[TextRecord]
    scheme: str
    sources: Sources
    min_score: float | None
    scored: bool
    numbered: bool
    is_wrapped: bool = False
    unit: TokenUnit = "word"
    read: int = 0
    noun: ClassVar = "texts"

    def texts(self) -> Iterator[tuple[str, Sequence[Entity], bool]]:
        """Each text, its entities, and True; a long one in parts, each with its own entities, True with the last."""
        read, held = tee(self.records)  # the tagger reads ahead: the texts on their way are held
        portions = self._portions(read)
        for text in (record["text"] for record in held):
            if isinstance(text, LongText):
                yield from _long_parts(text, portions)
            else:
                yield text, [entity for portion in _of_one_text(portions) for entity in portion.entities()], True

    def annotated(self) -> Iterator[AnnotatedText]:
        """Each text with its entities, and the other keys of its object; a long one is whole in memory."""
        read, held = tee(self.records)  # as in `texts`
        portions = self._portions(read)
        for number, record in enumerate(held, 1):
            text, parts, entities = record["text"], list[str](), list[Entity]()
            for portion in _of_one_text(portions):
                entities += portion.entities()
                parts.append(text.taken() if isinstance(text, LongText) else "")
            text = "".join(parts) if isinstance(text, LongText) else text
            found = (replace(one, text=text[one.start : one.end]) for one in entities)  # with its line breaks
            rest = {key: value for key, value in record.items() if key not in ("text", "entities")}
            yield AnnotatedText(text, tuple(found), number, rest)

    def entities(self) -> Iterator[tuple[int, list[Entity]]]:
        """The entities of each text, those of a long one in several lists, with its number, from 1."""
        done = 0
        for number, portion in self._numbered_portions():
            yield from ((blank, []) for blank in range(done + 1, number))
            yield number, portion.entities()
            done = number
        yield from ((blank, []) for blank in range(done + 1, self.read + 1))

    def objects(self) -> Iterator[Iterable[str]]:
        """Each object with its entities, as the parts of a line of JSON."""
        read, held = tee(self.records)  # as in `texts`
        portions = self._portions(read)
        for record in held:
            if isinstance(record["text"], LongText):
                yield _long_object(record, portions)
            else:
                found = [entity for portion in _of_one_text(portions) for entity in portion.entities()]
                if self.is_wrapped:  # the text keeps its line breaks
                    found = [replace(one, text=record["text"][one.start : one.end]) for one in found]
                yield [json_line(record | {"entities": [entity.to_json() for entity in found]})]

    def sentences(self) -> Iterator[Sentence]:
        """The tagged sentences of all texts, each text a document."""
        for number, portion in self._numbered_portions():
            self.unit = portion.portion.token_unit
            for sentence in portion.sentences():
                yield replace(sentence, document=number - 1)

    def _numbered_portions(self) -> Iterator[tuple[int, TaggedPortion]]:
        """The portions of each text, with its number, from 1; texts of nothing but white space are passed over."""
        numbers = deque[int]()  # of the texts on their way

        def texts() -> Iterator[str | Iterator[str]]:
            """The texts for the tagger, which reads ahead."""
            for record in self.records:
                self.read, text = self.read + 1, record["text"]
                if isinstance(text, LongText):
                    text = text.parts  # what has been read of it is not needed again
                elif not text or text.isspace():
                    continue
                numbers.append(self.read)
                yield unwrapped(text) if self.is_wrapped and isinstance(text, str) else text

        for portion in self.tagger.tag_portions(texts(), min_score=self.min_score):
            yield numbers[0], portion
            if portion.last:
                numbers.popleft()

    def _portions(self, records: Iterable[TextRecord]) -> Iterator[TaggedPortion]:
        """The portions of texts with their entities."""
        texts = (record["text"] for record in records)
        if self.is_wrapped:
            texts = (unwrapped(text) if isinstance(text, str) else text for text in texts)
        return self.tagger.tag_portions(texts, min_score=self.min_score)


def _of_one_text(portions: Iterator[TaggedPortion]) -> Iterator[TaggedPortion]:
    """The portions up to the end of a text."""
    for portion in portions:
        yield portion
        if portion.last:
            return


def _long_parts(text: LongText, portions: Iterator[TaggedPortion]) -> Iterator[tuple[str, Sequence[Entity], bool]]:
    """The parts of a long text, each with its entities, counted from its start, and True with the last."""
    start = 0
    for portion in _of_one_text(portions):
        text.taken()
        entities = [replace(one, start=one.start - start, end=one.end - start) for one in portion.entities()]
        yield portion.source(start), entities, portion.last
        start = portion.stop


def _long_object(record: TextRecord, portions: Iterator[TaggedPortion]) -> Iterator[str]:
    """The line of JSON about a long text: the text as it is read, then the entities, which are kept in a file."""
    text: LongText = record["text"]
    with SpooledTemporaryFile(2**20, "w+", encoding="utf-8", newline="") as entities:
        yield json_line({**record, "text": ""}).removesuffix('"}\n')
        for portion in _of_one_text(portions):
            yield json_line(text.taken())[1:-2]  # without quotes and line end
            for entity in portion.entities():
                entities.write((", " if entities.tell() else "") + json_line(entity.to_json())[:-1])
        yield '", "entities": ['
        entities.seek(0)
        yield from iter(partial(entities.read, 2**16), "")
        yield "]}\n"


@dataclass(slots=True)
class _TaggedSentences(Generic[Read]):
    """A stream of sentences and what the tagger finds in them; the attributes are those of `TaggedTexts`."""

    tagger: Tagger
    records: Iterator[Read]
    scheme: str
    sources: Sources
    min_score: float | None
    scored: bool
    numbered: ClassVar = True
    noun: ClassVar = "sentences"

    @property
    def unit(self) -> TokenUnit:
        """The unit of the tagger's tokens."""
        return self.tagger.model.config.token_unit

    def texts(self) -> Iterator[tuple[str, Sequence[Entity], bool]]:
        """Each sentence as a text, its tokens joined as the file joins them, its entities, and True.

        Tokens that no file joins have single spaces between them if they are words.
        """
        return ((text.text, text.entities, True) for text in map(text_of, self._tagged(self.records)))

    def entities(self) -> Iterator[tuple[int, list[Entity]]]:
        """The entities of each sentence, with its number, from 1; offsets count in its text."""
        return ((number, list(entities)) for number, (_, entities, _) in enumerate(self.texts(), 1))

    @abstractmethod
    def _tagged(self, records: Iterable[Read]) -> Iterator[Sentence]:
        """Tagged sentences."""


@dataclass(slots=True)
class TaggedTokens(_TaggedSentences[TokenRecord]):
    """The sentences of JSON lines of tokens."""

    def objects(self) -> Iterator[Iterable[str]]:
        """Each object with its tags, as a line of JSON."""
        scheme = get_scheme(self.scheme)
        read, held = tee(self.records)
        tagged = self._tagged(read)
        for record, sentence in zip(held, tagged, strict=False):
            yield [json_line(record.retagged(sentence.words, scheme.encode(sentence.spans, len(sentence.tokens))))]

    def sentences(self) -> Iterator[Sentence]:
        """The tagged sentences that have tokens."""
        return self._tagged(record for record in self.records if record.tokens)

    def _tagged(self, records: Iterable[TokenRecord]) -> Iterator[Sentence]:
        """Tagged sentences."""
        return self.tagger.tag_sentences((record.sentence(self.unit) for record in records), min_score=self.min_score)


@dataclass(slots=True)
class TaggedColumns(_TaggedSentences[Sentence]):
    """The sentences of column files, which are written as texts."""

    def objects(self) -> Iterator[Iterable[str]]:
        """Each sentence as a line of JSON: its text and its entities."""
        for number, (text, entities, _) in enumerate(self.texts(), 1):
            name, _ = self.sources.place(number)
            file = {"file": name} if name else {}
            yield [json_line({**file, "text": text, "entities": [entity.to_json() for entity in entities]})]

    def sentences(self) -> Iterator[Sentence]:
        """The tagged sentences."""
        return self._tagged(self.records)

    def _tagged(self, records: Iterable[Sentence]) -> Iterator[Sentence]:
        """Tagged sentences."""
        return self.tagger.tag_sentences(records, min_score=self.min_score)


Tagged: TypeAlias = TaggedTexts | TaggedTokens | TaggedColumns


class Output(NamedTuple):
    """A format that `tag` writes.

    Attributes:
        name: Its name on the command line.
        suffixes: The suffixes of files that are written so unless `--output-format` names another.
        write: Writes a stream into a file, or to standard output as `-`.
        has_tags: The streams of which it writes tags, in the scheme of `--output-scheme`.
        has_scores: The streams of which it writes scores with `--scores`, or anyway.
    """

    name: str
    suffixes: tuple[str, ...]
    write: Callable[[Tagged, str], None]
    has_tags: tuple[type[Tagged], ...] = ()
    has_scores: tuple[type[Tagged], ...] = (TaggedTexts, TaggedTokens, TaggedColumns)


def _write_lines(tagged: Tagged, path: str) -> None:
    """One line per entity: file and number (where there may be several), start, end, label, score if asked for, text.

    White space within an entity becomes one space, since its offsets tell the original.
    """
    with writing(path) as out, _bar(path, tagged.noun) as count:
        for number, entities in tagged.entities():
            count(number, None)
            for entity in entities:
                name, of_file = tagged.sources.place(number)
                first = f"{name}\t" * bool(name) + f"{of_file}\t" * tagged.numbered
                text = " ".join(entity.text.split())
                score = f"{shown_score(entity.score)}\t" if tagged.scored else ""
                out.write(f"{first}{entity.start}\t{entity.end}\t{entity.label}\t{score}{text}\n")


def _write_columns(tagged: Tagged, path: str) -> None:
    Conll().write(path, tagged.sentences(), WriteOptions(tagged.scheme, scores=tagged.scored))


def _write_objects(tagged: Tagged, path: str) -> None:
    with writing(path) as out, _bar(path, tagged.noun) as count:
        for number, line in enumerate(tagged.objects(), 1):
            count(number, None)
            for part in line:  # not `writelines`, which joins them where the output is the standard one
                out.write(part)


def _write_colours(tagged: Tagged, path: str) -> None:
    """Each text with its entities in colours, followed by their labels."""
    with writing(path, coloured=True) as out, _bar(path, tagged.noun) as count:
        for number, name, text, entities, last in _numbered(tagged):
            count(number, None)
            out.write(f"{printable(name)}:\n" * bool(name))
            out.write(in_colours(text, entities, tagged.tagger.labels, scored=tagged.scored) + "\n" * last)


def _numbered(tagged: Tagged) -> Iterator[tuple[int, str, str, Sequence[Entity], bool]]:
    """What `texts` gives; before it the number of the text, from 1, and the name of the file that begins with it."""
    number, is_first = 1, True
    for text, entities, last in tagged.texts():
        name, of_file = tagged.sources.place(number)
        yield number, name if is_first and of_file == 1 else "", text, entities, last
        number, is_first = number + last, last


def _write_marks(tagged: Tagged, path: str) -> None:
    """Each sentence with its entities in marks, as a training file has them; a heading begins each further text."""
    document = 0
    with writing(path) as out, _bar(path, "sentences") as count:
        for number, sentence in enumerate(tagged.sentences(), 1):
            count(number, None)
            if sentence.document != document:
                document = sentence.document
                out.write(f"\n## {document}\n")
            try:
                out.write(format_inline(sentence, tagged.unit) + "\n")
            except ValueError as error:  # a label that the marks cannot hold
                shown = "standard output" if path == STANDARD_STREAM else path
                raise InputError(str(error), path=shown) from None


def _write_page(tagged: Tagged, path: str) -> None:
    """A page for a browser, with the entities in colours."""
    with writing(path) as out, _bar(path, tagged.noun) as count:
        out.write(page_begins("Entities"))
        for number, name, text, entities, _ in _numbered(tagged):
            count(number, None)
            out.write(f"<h2>{escaped(name)}</h2>\n" * bool(name))
            out.write(in_html(text, entities, tagged.tagger.labels, scored=tagged.scored))
        out.write(PAGE_ENDS)


def _write_format(chosen: Format, tagged: Tagged, path: str) -> None:
    """What was tagged in the format of an annotation tool: texts as they are, sentences of tokens with their tokens."""
    options = WriteOptions(token_unit=tagged.unit, are_predicted=True)
    with _bar(path, tagged.noun) as count:
        if isinstance(tagged, TaggedTexts) and isinstance(chosen, TextWriter):
            chosen.write_texts(path, _with_progress(tagged.annotated(), count), options)
        else:
            chosen.write(path, _with_progress(tagged.sentences(), count), options)


_SCORED_TOOLS = ("prodigy", "label-studio")
_TOOLS = ("doccano", "webanno", "brat", "spacy")

OUTPUTS = {
    output.name: output
    for output in (
        Output("text", (".txt",), _write_lines),
        Output(Conll.name, Conll.suffixes, _write_columns, has_tags=(TaggedTexts, TaggedTokens)),
        Output(
            TextJson.name,
            TextJson.suffixes,
            _write_objects,
            has_tags=(TaggedTokens,),
            has_scores=(TaggedTexts, TaggedColumns),
        ),
        Output(Inline.name, Inline.suffixes, _write_marks, has_scores=()),
        Output("html", (".html", ".htm"), _write_page),
        Output("colours", (), _write_colours),
        *(Output(name, FORMATS[name].suffixes, partial(_write_format, FORMATS[name])) for name in _SCORED_TOOLS),
        *(
            Output(name, FORMATS[name].suffixes, partial(_write_format, FORMATS[name]), has_scores=())
            for name in _TOOLS
        ),
    )
}
"""The outputs by name."""


def _text_records(args: argparse.Namespace, path: str) -> Iterator[TextRecord]:
    """The lines of a file of texts as objects, or with `--wrapped` its paragraphs; a long one as a `LongText`."""
    pieces: Iterator[str] = stream_lines(path, args.encoding, longest=_LONGEST_PIECE)
    if args.wrapped:
        pieces = _paragraphs(pieces)

    def rest() -> Iterator[str]:
        """The other pieces of a line."""
        for piece in pieces:
            yield piece.removesuffix("\n").removesuffix("\r")
            if piece[-1] == "\n":
                return

    for piece in pieces:
        text = piece.removesuffix("\n").removesuffix("\r")
        is_whole = piece[-1] == "\n" or len(piece) < _LONGEST_PIECE
        yield {"text": text if is_whole else LongText(chain([text], rest()))}


def _paragraphs(pieces: Iterable[str]) -> Iterator[str]:
    """The pieces of lines joined to paragraphs: the line ends within become spaces, blank lines are left out."""
    held, is_begin = "", True  # what is read of a paragraph; True where a line begins
    for piece in pieces:
        if is_begin and not piece.strip():
            if held:
                yield held
            held = ""
            continue
        if is_begin and held:
            held = f"{held[:-2]}  " if held.endswith("\r\n") else f"{held[:-1]} "
        held += piece
        is_begin = piece[-1] == "\n"
        if len(held) > _LONGEST_PIECE:  # the line end that may be the last of the paragraph stays for the next piece
            yield held[:_LONGEST_PIECE]
            held = held[_LONGEST_PIECE:]
    if held:
        yield held


def _table_records(args: argparse.Namespace, path: str) -> Iterator[TextRecord]:
    """The rows of a table as objects, with their text and all other cells.

    Raises:
        InputError: If the column of `--text-column` is not there, or a row has other cells than the first.
    """
    try:
        yield from read_texts(stream_lines(path, args.encoding), args.text_column, args.separator)
    except InputError as error:
        message = error.message if error.path or error.line else f"--text-column: {error.message}"
        raise InputError(message, path=error.path or input_name(path), line=error.line) from None


def _json_records(args: argparse.Namespace, path: str) -> Iterator[TextRecord | TokenRecord]:
    """The objects of JSON lines, or of one array.

    Raises:
        InputError: If a line is no object with a text (with tokens, if the first one has such).
    """
    are_tokens, number = None, None
    try:
        for number, value in json_values(stream_lines(path, args.encoding)):
            if are_tokens is None:
                are_tokens = isinstance(value, dict) and has_tokens(value)
            yield parse_tokens(as_object(value), number, read_tags=False) if are_tokens else as_text(value)
    except InputError as error:
        raise error.at(input_name(path), number) from None


class Input(NamedTuple):
    """A format that `tag` reads; by default the output of the same name is written.

    Attributes:
        name: Its name on the command line.
        suffixes: The suffixes of its files.
        records: The objects of its lines, read as they come; None for columns, which wait for the unit of the tagger.
        output: The name of the format that is written by default.
    """

    name: str
    suffixes: tuple[str, ...]
    records: Callable[[argparse.Namespace, str], Iterator[TextRecord | TokenRecord]] | None
    output: str


TEXT = Input("text", (".txt",), _text_records, "text")
COLUMNS = Input(Conll.name, Conll.suffixes, None, Conll.name)
JSON_LINES = Input(TextJson.name, TextJson.suffixes, _json_records, TextJson.name)
TABLE = Input("table", (), _table_records, "text")  # what --text-column is for
INPUTS = {each.name: each for each in (TEXT, COLUMNS, JSON_LINES)}
"""The inputs by name."""


def add_command(parser: Parser) -> None:
    """Add the command's options."""
    parser.description = "Find the entities in texts, in a file, or in what comes through a pipe."
    parser.epilog = EPILOG.replace("@@", OF_MANY_FILES)
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="text to tag")
    parser.add_argument(
        "--model",
        metavar="DIR",
        help="directory of a model, or en or zh: the shipped taggers (default: by the script)",
    )
    parser.add_argument(
        "--input",
        nargs="+",
        action="extend",
        default=[],
        metavar="F",
        help="files to tag in place of texts, - for standard input; of several the results name the file",
    )
    parser.add_argument("--output", metavar="F", default=STANDARD_STREAM, help="file to write (default: -, the output)")
    parser.add_argument("--input-format", choices=(*INPUTS, PARQUET), help="format of --input")
    parser.add_argument(
        "--output-format", choices=(*OUTPUTS, PARQUET), metavar="NAME", help="format to write, one of those below"
    )
    parser.add_argument("--output-scheme", metavar="S", help=f"tag scheme to write: {SCHEME_NAMES} (default: IOB2)")
    reading = parser.add_argument_group("reading the input")
    reading.add_argument(
        "--wrapped",
        action="store_true",
        help="read a single line break within a text as a space, and a blank line as the end of a paragraph (of a file "
        "of text, each paragraph is a text)",
    )
    reading.add_argument(
        "--text-column",
        metavar="NAME|N",
        help="tag the texts in this column of a table (CSV): its name in the first row, or its number in a table "
        "without names; the other cells stay with the results of jsonl. With --engine ray the column of Parquet, or "
        "the key of JSON lines (default there: text)",
    )
    add_options(reading, *COLUMN_OPTIONS)
    parser.add_argument(
        "--scores", action="store_true", help="write the score of each entity, which JSON lines of texts have anyway"
    )
    add_options(parser, "--min-score", "--decoding", "--threads", "--precision", "--device")
    add_bulk_options(parser)
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Tag what was given."""
    if args.engine == "ray":
        run_bulk(args)
        return
    refuse_bulk_options(args)
    # 1. Check everything before a model is loaded.
    _check_given(args)
    source, output = _formats(args)
    scheme = get_scheme(args.output_scheme or "IOB2").name
    # 2. Column files are written again with the predicted tags, unless they become something else.
    if source is COLUMNS and output.name == source.name:
        _tag_columns(args, scheme)
        return
    # 3. All else is a stream of texts, or of sentences of tokens if the first one is such.
    sources = Sources(are_named=len(args.input) > 1)
    records: Iterator[TextRecord | TokenRecord] = ({"text": text} for text in args.texts)
    if args.input:
        read = source.records or (lambda *_: iter(()))
        records = chain.from_iterable(sources.read(path, read(args, path)) for path in args.input)
    first = list(islice(records, 1)) if source.records else []
    records = _of_one_kind(chain(first, records), sources)
    stream: type[Tagged] = TaggedColumns if source is COLUMNS else TaggedTexts
    if first and isinstance(first[0], TokenRecord):
        stream = TaggedTokens
    _check_stream(args, stream, output)
    output.write(_stream(args, stream, records, sources, is_by_line=source is TEXT and bool(args.input)), args.output)


def _stream(
    args: argparse.Namespace,
    kind: type[Tagged],
    records: Iterator[TextRecord | TokenRecord],
    sources: Sources,
    *,
    is_by_line: bool,
) -> Tagged:
    """The records and the tagger that they need; the sentences of columns are read here.

    Args:
        args: The arguments of the command.
        kind: The kind of stream.
        records: Its records; those of columns are read here.
        sources: The files of the records.
        is_by_line: True if each line of the input is a text.
    """
    choices = get_scheme(args.output_scheme or "IOB2").name, sources, args.min_score, args.scores
    if kind is TaggedTexts:
        texts = cast("Iterator[TextRecord]", records)
        if not args.wrapped:
            texts = _hinting_at_wrapped(texts, is_by_line=is_by_line)
        is_wrapped = args.wrapped and not is_by_line
        return TaggedTexts(_text_tagger(args), texts, *choices, len(args.texts) != 1, is_wrapped)
    if kind is TaggedTokens:
        tokens = cast("Iterator[TokenRecord]", records)
        words = list[str]()
        if args.model is None:
            words, tokens = _first_tokens(tokens)
        return TaggedTokens(_tagger(args, words), tokens, *choices)
    tagger, sentences = _read_columns(args, sources)
    return TaggedColumns(tagger, sentences, *choices)


def _check_stream(args: argparse.Namespace, stream: type[Tagged], output: Output) -> None:
    """Refuse options that are of no use to what is tagged and written.

    Raises:
        InputError: If there are such.
    """
    if args.output_scheme is not None and stream not in output.has_tags:
        raise InputError(
            f"--output-scheme {args.output_scheme}: {stream.noun} written as {output.name} have no tags: leave it out"
        )
    if args.wrapped and stream is not TaggedTexts:
        raise InputError("--wrapped: expected texts, found sentences of tokens")
    if args.scores and stream not in output.has_scores:
        raise InputError(f"--scores: {stream.noun} written as {output.name} have no place for scores: leave it out")


def _check_given(args: argparse.Namespace) -> None:
    """Find out what is to be tagged: `args.input` becomes `-` for standard input where nothing else is named.

    Raises:
        InputError: If there is nothing to tag, or too much; or a text is not UTF-8, or the name of a file.
    """
    if args.texts and args.input:
        raise InputError("expected either texts or --input FILE (- for standard input)")
    if args.texts == [STANDARD_STREAM] or not (args.texts or args.input):
        if not args.texts and is_terminal(sys.stdin):
            raise InputError("expected either texts or --input FILE (- for standard input)")
        args.texts, args.input = [], [STANDARD_STREAM]
    if args.texts and args.input_format is not None:
        raise InputError("--input-format is for --input FILE: expected --output-format for texts, or none")
    if STANDARD_STREAM in args.texts or args.input.count(STANDARD_STREAM) > 1:
        raise InputError("- is standard input: expected it once, and no texts beside it")
    for path in args.input:
        check_not_output(path)
        if len(args.input) > 1 and path != STANDARD_STREAM and _is_same_file(path, args.output):
            raise InputError("this file is the output as well: choose another one", path=path)
    try:
        "".join(args.texts).encode()
    except UnicodeEncodeError:
        raise InputError("expected a text in UTF-8 on the command line, found other bytes") from None
    _check_texts(args.texts)


def _is_same_file(one: str, other: str) -> bool:
    """True if both are there, and the same."""
    try:
        return Path(one).samefile(other)
    except OSError:
        return False


def _check_texts(texts: Sequence[str]) -> None:
    """Refuse names of files in the place of texts, and say of what looks like one that there is none.

    Raises:
        InputError: If there are files of these names.
    """
    files = list[str]()
    for text in texts:
        with suppress(OSError):  # a text may be too long for a name
            files += [text] * Path(text).is_file()
    if files:
        exist = "a file of this name exists" if len(files) == 1 else "files of these names exist"
        command = shlex.join(["--input", *files])
        raise InputError(f"{exist}: say {command} (or pipe the text itself to --input -)")
    suffixes = [suffix for each in INPUTS.values() for suffix in each.suffixes]
    for text in texts:
        if not any(map(str.isspace, text)) and suffix_of(text) in suffixes:
            say(f"warning: {text} is tagged as a text: there is no such file (and --input reads files)")


def _of_one_kind(records: Iterator[TextRecord | TokenRecord], sources: Sources) -> Iterator[TextRecord | TokenRecord]:
    """The records, which name their file if there are several; refused if some are texts and others tokens."""
    are_tokens: bool | None = None
    for number, record in enumerate(records, 1):
        is_tokens = isinstance(record, TokenRecord)
        if are_tokens not in (None, is_tokens):
            found, before = ("sentences of tokens", "texts") if is_tokens else ("texts", "sentences of tokens")
            message = f"expected {before} as in the files before, found {found}: tag them apart"
            raise InputError(message, path=sources.begins[-1][1])
        are_tokens = is_tokens
        name, _ = sources.place(number)
        if not name:
            yield record
        elif isinstance(record, TokenRecord):
            yield record._replace(content={"file": name, **record.content})
        else:
            yield {"file": name, **record}


def _hinting_at_wrapped(records: Iterable[TextRecord], *, is_by_line: bool) -> Iterator[TextRecord]:
    """The texts; if their first lines look wrapped, the user is told of `--wrapped`, once."""
    lines = list[str]()
    is_said = False
    for record in records:
        if not is_said and isinstance(record["text"], str):
            lines += [record["text"]] if is_by_line else ["", *record["text"].split("\n")]
            if len(lines) >= _WRAPPED_SAMPLE:
                is_said = True
                _hint_at_wrapped(lines)
        yield record
    if not is_said:
        _hint_at_wrapped(lines)


def _hint_at_wrapped(lines: Sequence[str]) -> None:
    """Tell the user of `--wrapped` if lines look wrapped."""
    if look_wrapped(lines):
        say("the lines look wrapped, and each is read by itself: --wrapped reads their ends as spaces")


def _formats(args: argparse.Namespace) -> tuple[Input, Output]:
    """The format of the input and the output.

    Raises:
        InputError: If the files have several formats, or column files are to become one, or the format of a file is
            unknown, or an option is of no use to it.
    """
    source = _source(args)
    if args.wrapped and source is COLUMNS:
        raise InputError("--wrapped: expected texts, found columns")
    suffix, taken = suffix_of(args.output), [suffix_of(path) for path in args.input]
    named = next((output for output in OUTPUTS.values() if suffix in output.suffixes), None)
    if named is None and not args.output_format and suffix not in ("", *taken):
        suffixes = ", ".join(suffix for output in OUTPUTS.values() for suffix in output.suffixes)
        why = f"say --output-format ({', '.join(OUTPUTS)}), or choose one of {suffixes}"
        raise InputError(f"the suffix {suffix} tells no format: {why}", path=args.output)
    is_shown = source in (TEXT, TABLE) and args.output == STANDARD_STREAM and shows_colours()
    output = (
        OUTPUTS[args.output_format]
        if args.output_format
        else named or OUTPUTS["colours" if is_shown else source.output]
    )
    if source is COLUMNS and output.name == source.name and len(args.input) > 1:
        why = "each keeps its own columns: tag them one by one, or say --output-format jsonl, text or html"
        raise InputError(f"several column files do not become one: {why}")
    if source is TABLE and output.name == Conll.name and suffix == ".csv":
        raise InputError(
            "a CSV file of tokens does not keep the rows: choose a name that ends in .jsonl", path=args.output
        )
    of_columns = ("token_column", "tag_column", "tag_key", *(() if source is TABLE else ("separator",)))
    given = (option for option in of_columns if getattr(args, option) is not None)
    if source is not COLUMNS and (option := next(given, None)):
        raise InputError(f"--{option.replace('_', '-')}: only column files have columns, the input is {source.name}")
    return source, output


def _source(args: argparse.Namespace) -> Input:
    """The format of what is to be tagged.

    Raises:
        InputError: If it is unknown, or the files have several.
    """
    if args.text_column is not None:
        if args.texts or args.input_format:
            unfit = f"--input-format {args.input_format}" if args.input_format else "texts"
            raise InputError(f"--text-column: expected --input with a table, got {unfit}")
        if args.separator not in (None, *TABLE_SEPARATORS):
            raise InputError(f"--separator {args.separator}: expected {', '.join(TABLE_SEPARATORS)} for --text-column")
        return TABLE
    if args.input_format or not args.input:
        return INPUTS[args.input_format or TEXT.name]
    found = {path: _input_of(path, args.encoding) for path in args.input}
    first, source = next(iter(found.items()))
    for path, other in found.items():
        if other is not source:
            formats = f"{first} is {source.name}, {path} {other.name}"
            raise InputError(f"{formats}: expected one format, tag them apart (or --input-format names one for all)")
    return source


def _input_of(path: str, encoding: str) -> Input:
    """The format of a file to be tagged, by its suffix or its content; a pipe is taken for text."""
    suffix = suffix_of(path)
    named = next((each for each in INPUTS.values() if suffix in each.suffixes), None)
    is_file = path != STANDARD_STREAM and not path.startswith("/dev/") and Path(path).is_file()
    try:
        detected = detect_format(path, ReadOptions(encoding=encoding)) if is_file and named is not JSON_LINES else None
    except EmptyFileError:
        return named or TEXT
    if isinstance(detected, JsonTextFormat | TokenJson):
        say(f"{path}: taken for JSON lines, as its first line is (--input-format says otherwise)")
        return JSON_LINES
    if is_file and named in (None, TEXT) and holds_tags(path, encoding):
        say(f"{path}: taken for columns, since it has one of tags (--input-format text if it is running text)")
        return COLUMNS
    if named is None and format_of_name(path) is not None:
        raise InputError(
            "this text is marked already: make columns or JSON lines of it (see 'convert --help')", path=path
        )
    if named is None and is_file:
        choices = ", ".join(INPUTS)
        raise InputError(f"expected a suffix or tags that tell the format: say --input-format ({choices})", path=path)
    return named or TEXT


def _text_tagger(args: argparse.Namespace) -> Tagger | ScriptTagger:
    """The tagger that `--model` names; without it the shipped one that suits each text."""
    from ner_lstm_crf.tagging.script_tagger import ScriptTagger
    from ner_lstm_crf.tagging.tagger import Tagger

    if args.model is not None:
        return Tagger.load(args.model, precision=args.precision, decoding=args.decoding, device=args.device)
    return ScriptTagger(args.precision, say, args.decoding, args.device)


def _tagger(args: argparse.Namespace, first: Iterable[str]) -> Tagger:
    """The tagger that `--model` names; without it the shipped one that suits the first words."""
    from ner_lstm_crf.tagging.script_tagger import ScriptTagger

    tagger = _text_tagger(args)
    return tagger.tagger(tagger.language(" ".join(first))) if isinstance(tagger, ScriptTagger) else tagger


# Texts and sentences of tokens


def _first_tokens(records: Iterator[TokenRecord]) -> tuple[list[str], Iterator[TokenRecord]]:
    """The tokens of the first sentence that has some, and all records, the first ones once more.

    Of many empty ones only the first are looked at: memory stays flat.
    """
    read, tokens = list[TokenRecord](), list[str]()
    for record in islice(records, _FIRST_RECORDS):
        read.append(record)
        tokens = list(record.tokens)
        if "".join(tokens).strip():
            break
    return tokens, chain(read, records)


def _bar(output: str, noun: str) -> AbstractContextManager[Progress]:
    """A progress bar, unless the results themselves run over the terminal."""
    return nullcontext(silent) if output == STANDARD_STREAM else progress_bar("tagging", unit=f" {noun}")


# Columns


def _tag_columns(args: argparse.Namespace, scheme: str) -> None:
    """Tag a column file and write it again with the predicted tags, all else kept."""
    given: str = args.input[0]
    with _as_file(given) as path:
        try:
            first = _first_words(args, path)
        except EmptyFileError:
            say(f"warning: {input_name(given)}: nothing to tag: it is empty")
            with writing(args.output, args.encoding) as out, suppress(EmptyFileError):
                out.writelines(stream_lines(path, args.encoding))  # blank lines, if anything
            return
        tagger = _tagger(args, first)
        options = read_options(args, token_unit=tagger.model.config.token_unit, read_tags=False)
        report = ReadReport()
        with _bar(args.output, "sentences") as count:
            sentences = read_conll(path, options, report=report)
            tagged = _with_progress(tagger.tag_sentences(sentences, min_score=args.min_score), count)
            replace_tags(path, args.output, tagged, scheme=scheme, scores=args.scores, options=options)
        report.keeps_lines = ColumnFile(path, options).keeps_rows(args.output)
        report.warn(input_name(given), options)


def _first_words(args: argparse.Namespace, path: str) -> list[str]:
    """The words of the first sentences of a column file, by which a tagger is chosen.

    Raises:
        InputError: If it cannot be read, or is a table of texts.
    """
    options, report = read_options(args, read_tags=False), ReadReport()
    if args.token_column is None:
        _check_no_texts(path, args)
    sentences = read_conll(path, options, report=report)
    return [word for sentence in islice(sentences, _FIRST_SENTENCES) for word in sentence.words]


def _check_no_texts(path: str, args: argparse.Namespace) -> None:
    """Refuse a table of texts, each of which would be taken for a token.

    Raises:
        InputError: If the file is one; it says how its texts are tagged.
    """
    if ColumnFile(path, read_options(args, read_tags=False)).layout.texts is None:
        return
    column = column_of_texts(stream_lines(path, args.encoding))
    how = "--input-format text" if column is None else shlex.join(["--text-column", column])
    tokens = " (if a row is a token, --token-column names its column)"
    raise InputError(f"expected a token a row, found texts: to tag them, say {how}{tokens}", path=path)


def _read_columns(args: argparse.Namespace, sources: Sources) -> tuple[Tagger, Iterator[Sentence]]:
    """The tagger of column files, and their sentences, to be written as texts."""
    with ExitStack() as stack:
        paths = [stack.enter_context(_as_file(given)) for given in args.input]
        first = list[str]()
        for path in paths:
            with suppress(EmptyFileError):
                first = first or _first_words(args, path)
        tagger = _tagger(args, first if args.model is None else [])
        files, options = stack.pop_all(), read_options(args, token_unit=tagger.model.config.token_unit, read_tags=False)

    def sentences() -> Iterator[Sentence]:
        """The sentences of all files."""
        with files:
            for given, path in zip(args.input, paths, strict=True):
                report = ReadReport()
                read = read_conll(path, options, report=report)
                yield from sources.read(given, unspaced_chinese(read))
                report.warn(input_name(given), options)

    return tagger, sentences()


def _with_progress(items: Iterable[Item], count: Progress) -> Iterator[Item]:
    for number, item in enumerate(items, 1):
        yield item
        count(number, None)


@contextmanager
def _as_file(path: str) -> Iterator[str]:
    """A file that can be read more than once: standard input, and the content of a pipe, is written down first."""
    is_standard = path == STANDARD_STREAM
    if not is_standard and not Path(path).is_fifo():
        yield path
        return
    with TemporaryDirectory(prefix="ner-lstm-crf-") as folder:
        copy = Path(folder) / "input"
        with standard_input() if is_standard else Path(path).open("rb") as pipe, copy.open("wb") as file:
            shutil.copyfileobj(pipe, file)
        try:
            yield str(copy)
        except InputError as error:
            if error.path != str(copy):
                raise
            raise InputError(error.message, path=input_name(path), line=error.line) from None
