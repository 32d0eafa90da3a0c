"""JSON lines of tokens and their tags, one sentence a line, as Hugging Face's `datasets` writes them.

    {"id": "0", "tokens": ["Ada", "sings"], "ner_tags": ["B-PER", "O"]}

The objects may also stand in one array, the tokens under `words`, the tags under `tags`, `labels` or `ner`, in any
scheme. Tags that are numbers need the names that these stand for. An object that has a `text` is one of these only if
it has `ner_tags` and no entities by their offsets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, islice
from typing import Any, NamedTuple

from ner_lstm_crf.config import TokenUnit
from ner_lstm_crf.errors import InputError, counted
from ner_lstm_crf.files.json import as_object, json_line, json_values, keys_of, kind_of
from ner_lstm_crf.files.text import FilePath, TextFile, quoted, writing
from ner_lstm_crf.formats.column_detection import SAMPLE_ROWS, content_of
from ner_lstm_crf.formats.format import Format, Sample
from ner_lstm_crf.formats.options import ReadOptions, ReadReport, WriteOptions
from ner_lstm_crf.formats.tagged_file import TagReader, TagWriter
from ner_lstm_crf.formats.text_json import is_rejected
from ner_lstm_crf.tags.notation import is_tag
from ner_lstm_crf.tags.scheme import get_scheme
from ner_lstm_crf.text.annotation import Sentence, characters_of, unspaced_chinese

_TOKEN_KEYS = ("tokens", "words")
_TAG_KEYS = ("ner_tags", "tags", "labels", "ner")
_OFFSET_KEYS = ("entities", "spans", "ents")


class TokenJson(Format):
    """JSON lines of tokens and their tags."""

    name = "tokens"
    description = "JSON lines of tokens and tags"
    suffixes = (".jsonl", ".ndjson", ".json")
    has_tags = True
    says_unknown = True
    has_numbers = True

    def detect(self, sample: Sample) -> bool:
        """True if the first line is an object with tokens."""
        return sample.content is not None and has_tokens(sample.content)

    def read(self, path: FilePath, options: ReadOptions, report: ReadReport) -> Iterator[Sentence]:
        """The sentences of a file; lines without tokens are passed over. Chinese characters touch, as in columns."""
        pairs = TokenFile(path, options).read(report)
        sentences = (sentence for _, sentence in pairs if sentence is not None)
        return sentences if options.token_unit else unspaced_chinese(sentences)

    def write(self, path: FilePath, sentences: Iterable[Sentence], options: WriteOptions) -> None:
        """Write sentences as objects of `tokens` and `ner_tags`."""
        writer = TagWriter(get_scheme(options.scheme or "IOB2"), path)
        with writing(path, options.encoding) as out:
            for sentence in sentences:
                tags = _numbered(writer.tags(sentence), options.label_names, path)
                out.write(json_line({"tokens": sentence.words, "ner_tags": tags}, options.encoding))
        writer.warn()

    def rewrite(
        self, source: FilePath, target: FilePath, options: ReadOptions, output: WriteOptions, report: ReadReport
    ) -> None:
        """Write a file again with other tags, and all other keys kept."""
        file = TokenFile(source, options)
        reader = file.tag_reader
        chosen = get_scheme(output.scheme) if output.scheme else reader.scheme or get_scheme("IOB2")
        writer = TagWriter(chosen, target, prefixless=chosen.bare_labels and reader.prefixless)
        with writing(target, output.encoding) as out:
            for record, sentence in file.read(report):
                content = record.content
                if sentence is not None:
                    tags = _numbered(writer.tags(sentence), output.label_names, target)
                    content = record.retagged(sentence.words, tags)
                out.write(json_line(content, output.encoding))
        writer.warn()


class TokenRecord(NamedTuple):
    """The sentence of one line.

    Attributes:
        tokens: Its tokens.
        tags: Their tags; none if they do not matter.
        content: The whole object.
        token_key: The key of the tokens.
        tag_key: The key of the tags, or the one they would have.
        line: Its line, from 1; 0 if it comes from no file.
    """

    tokens: list[str]
    tags: list[str]
    content: Mapping[str, Any]
    token_key: str
    tag_key: str
    line: int = 0

    def sentence(self, token_unit: TokenUnit) -> Sentence:
        """Its tokens, or their characters, without spans."""
        if token_unit == "word":
            return Sentence.from_words(self.tokens)
        return Sentence.from_words("".join(map(characters_of, self.tokens)), joiner="")

    def retagged(self, tokens: Sequence[str], tags: Sequence[str] | Sequence[int]) -> dict[str, Any]:
        """The object with other tags, and all else as it was.

        Args:
            tokens: Its tokens, or their characters; then all lists of one item per token repeat their items.
            tags: Their tags.
        """
        content = dict(self.content)
        if list(tokens) != self.tokens:
            for key, value in content.items():
                if isinstance(value, list) and len(value) == len(self.tokens):
                    pairs = zip(value, self.tokens, strict=True)
                    content[key] = [item for item, token in pairs for _ in characters_of(token)]
        return {**content, self.token_key: list(tokens), self.tag_key: list(tags)}


def has_tokens(content: Mapping[str, Any]) -> bool:
    """True if a JSON object is a sentence of tokens rather than a text.

    Example:
        >>> has_tokens({"tokens": ["Ada", "sings"]}), has_tokens({"text": "Ada sings", "tokens": ["Ada", "sings"]})
        (True, False)
    """
    if not any(isinstance(content.get(key), list) for key in _TOKEN_KEYS):
        return False
    has_offsets = any(content.get(key) is not None for key in _OFFSET_KEYS)
    return "text" not in content or (_TAG_KEYS[0] in content and not has_offsets)


def label_names(text: str | None) -> tuple[str, ...] | None:
    """The names of tags that are numbers, as the command line gives them; None for none.

    Args:
        text: The names with commas between them, or a file with one a line.

    Raises:
        InputError: If the file cannot be read, or a name is empty.

    Example:
        >>> label_names("O,B-PER,I-PER")
        ('O', 'B-PER', 'I-PER')
    """
    if text is None:
        return None
    names = text.split(",") if "," in text else [line.rstrip("\r\n") for line in TextFile(text).lines()]
    names = [name.strip() for name in names]
    if not all(names):
        raise InputError(f"expected the names of tags such as O,B-PER,I-PER, or a file of them, found {quoted(text)}")
    return tuple(names)


def parse_tokens(
    content: Mapping[str, Any], line: int = 0, *, read_tags: bool = True, names: Sequence[str] | None = None
) -> TokenRecord:
    """The sentence of a JSON object.

    Args:
        content: The object.
        line: Its line.
        read_tags: False if tags do not matter: then they may be missing or wrong, and are passed over.
        names: The names of tags that are numbers.

    Raises:
        InputError: If it has no list of tokens, or none of as many tags; without file and line, which the reader adds.
    """
    token_key = next((key for key in _TOKEN_KEYS if isinstance(content.get(key), list)), None)
    if token_key is None:
        raise InputError(f"expected a list of tokens under the key 'tokens' ({keys_of(content)})")
    tokens = _strings(content[token_key], token_key, "token")
    # The tags stand under the first key whose value can only be the tags of entities of these tokens.
    lists = {key: _named(value, names) for key in _TAG_KEYS if isinstance(value := content.get(key), list)}
    fitting = (
        key
        for key, value in lists.items()
        if len(value) == len(tokens) and all(isinstance(tag, str) and is_tag(tag) for tag in value)
    )
    tag_key = next(fitting, None)
    if not read_tags:
        return TokenRecord(tokens, [], content, token_key, tag_key or _TAG_KEYS[0], line)
    tag_key = tag_key or next((key for key in _TAG_KEYS if key in content), None)
    if tag_key is None:
        raise InputError(f"expected tags under the key 'ner_tags' ({keys_of(content)})")
    tags = _strings(lists.get(tag_key, content[tag_key]), tag_key, "tag", names)
    if len(tags) != len(tokens):
        raise InputError(f"expected as many tags as tokens, found {counted(len(tags), 'tag')} for {len(tokens):,}")
    return TokenRecord(tokens, tags, content, token_key, tag_key, line)


def _named(tags: list[Any], names: Sequence[str] | None) -> list[Any]:
    """Tags, those that are numbers by their names."""
    if not names:
        return tags
    return [names[tag] if type(tag) is int and 0 <= tag < len(names) else tag for tag in tags]


def _numbered(tags: list[str], names: Sequence[str] | None, path: FilePath) -> list[str] | list[int]:
    """Tags as their numbers among the names; without names as they are.

    Raises:
        InputError: If a tag has no name.
    """
    if names is None:
        return tags
    numbers = {name: number for number, name in enumerate(names)}
    if other := [tag for tag in tags if tag not in numbers]:
        message = f"expected a tag among the {counted(len(names), 'name')} for numbers, found {quoted(other[0])}"
        raise InputError(message, path=path)
    return [numbers[tag] for tag in tags]


def _strings(value: object, key: str, name: str, names: Sequence[str] | None = None) -> list[str]:
    """A value, refused unless it is a list of strings."""
    if not isinstance(value, list):
        raise InputError(f"expected a list of {name}s under {key!r}, found {kind_of(value)}")
    for number, item in enumerate(value, 1):
        if not isinstance(item, str):
            found = f"found {kind_of(item)} as {number}"
            if name == "tag" and type(item) is int:
                hint = "say --label-names with the names in their order (O,B-PER,I-PER), or a file with one a line"
                found += f", {item}, which is not one of the {len(names)} names" if names else f": {hint}"
            raise InputError(f"expected {name}s as strings under {key!r}, {found}")
    return value


class TokenFile:
    """A file of such lines; it can be read as often as needed. Of the options, those that name columns do not matter.

    Args:
        path: The file, or `-` for standard input.
        options: The options of reading.

    Raises:
        InputError: If it cannot be read.
    """

    def __init__(self, path: FilePath, options: ReadOptions) -> None:
        self.text = TextFile(path, options.encoding)
        self.path, self.options = self.text.path, options

    def records(self, report: ReadReport | None = None) -> Iterator[TokenRecord]:
        """The records, without those that an annotator rejected, which the report counts.

        Raises:
            InputError: If a line is none.
        """
        number, options = None, self.options
        try:
            for number, value in json_values(self.text.pieces()):
                content = as_object(value)
                if not (options.read_tags and is_rejected(content)):
                    yield parse_tokens(content, number, read_tags=options.read_tags, names=options.label_names)
                elif report is not None:
                    report.rejected.append(number)
        except InputError as error:
            raise error.at(self.path, number) from None

    @cached_property
    def tag_reader(self) -> TagReader:
        """The reader of its tags, which knows the scheme."""
        reader = TagReader(self.path, self.options, "tag {}")
        first = list(islice(chain.from_iterable(record.tags for record in self.records()), SAMPLE_ROWS))
        reader.find_scheme(self._tags, first, expects_labels=bool(first) and content_of(first) == "prefixless")
        return reader

    def _tags(self) -> Iterator[tuple[Sequence[str], Sequence[int]]]:
        """The tags of each sentence, and their lines."""
        for record in self.records():
            yield record.tags, [record.line] * len(record.tags)

    def read(self, report: ReadReport) -> Iterator[tuple[TokenRecord, Sentence | None]]:
        """Each record with its sentence; None for one without tokens.

        Args:
            report: Receives the findings.

        Raises:
            InputError: If a line is no record, the file has no sentence, or ill-formed tags are an error.
        """
        reader = self.tag_reader
        report.scheme = reader.scheme.name if reader.scheme else None
        report.evidence, report.notation_words = reader.evidence, reader.notation_words
        for record in self.records(report):
            tokens, lines = record.tokens, [record.line] * len(record.tokens)
            yield record, reader.sentence(tokens, record.tags, lines, report) if tokens else None
        if not report.sentences:
            why = ": an annotator rejected all of them" if report.rejected else ""
            raise InputError(f"expected sentences of tokens, found none{why}", path=self.path)
