"""The noun Format: everything the package knows of one file format, in one object."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ner_lstm_crf.files.text import FilePath
from ner_lstm_crf.formats.options import ReadOptions, ReadReport, WriteOptions
from ner_lstm_crf.text.annotation import Sentence


@dataclass(frozen=True, slots=True)
class Sample:
    """The beginning of a file, by which its format is detected.

    Attributes:
        suffix: The suffix of its name in lower case; "" if no format has it.
        lines: The first lines without white space around them, blank lines and lines that begin with `#`.
        content: The JSON object on the first of these lines; None if there is none.
        first: The first line as it stands, whatever it is.
        value: The same as it stands in the file, where `content` has the text of another tool's object under `text`.
    """

    suffix: str
    lines: Sequence[str]
    content: Mapping[str, Any] | None
    first: str = ""
    value: object = None


class Format(ABC):
    """A file format of sentences with entities: how it is detected, read, written and rewritten.

    To add a format, write a subclass in a file of its own and add it to `registry.FORMATS`. JSON lines of running text
    extend `text_json.TextFormat`; the model cuts their texts into tokens itself in `evaluate`.

    Attributes:
        name: Its name on the command line and in Python.
        suffixes: The suffixes of files that are of this format unless their content is another one.
        description: The content of a file, for `inspect`: `JSON lines of texts`.
        has_tags: True if entities are written as tags, so that a tag scheme can be chosen.
        says_unknown: True if it can say of a token that its annotation is missing.
        has_numbers: True if tags can be written as numbers, which a list of names explains.
    """

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]] = ()
    description: ClassVar[str]
    has_tags: ClassVar[bool] = False
    says_unknown: ClassVar[bool] = False
    has_numbers: ClassVar[bool] = False

    def claims(self, path: FilePath) -> bool:
        """True if a file or a folder is of this format whatever its first lines: no text, or one of several files."""
        del path
        return False

    def detect(self, sample: Sample) -> bool:
        """True if a file that begins so is of this format, unless a later format of the registry claims it."""
        return sample.suffix in self.suffixes

    @abstractmethod
    def read(self, path: FilePath, options: ReadOptions, report: ReadReport) -> Iterator[Sentence]:
        """The sentences of a file, one at a time.

        Args:
            path: The file, or `-` for standard input.
            options: The options of reading.
            report: Receives the findings.

        Raises:
            InputError: If the file cannot be read, is malformed (the message names the line) or has no sentence.
        """

    @abstractmethod
    def write(self, path: FilePath, sentences: Iterable[Sentence], options: WriteOptions) -> None:
        """Write sentences as a new file.

        Args:
            path: The file, or `-` for standard output.
            sentences: The sentences.
            options: The tag scheme, if the format has tags, and the encoding.

        Raises:
            InputError: If the file cannot be written, or cannot hold a token or a label.
        """

    def can_rewrite(self, source: Format) -> bool:
        """True if `rewrite` reads files of this format."""
        return source is self

    @abstractmethod
    def rewrite(
        self, source: FilePath, target: FilePath, options: ReadOptions, output: WriteOptions, report: ReadReport
    ) -> None:
        """Write a file again with its entities in another scheme or under other labels, and everything else kept.

        Args:
            source: The file to read, of a format that `can_rewrite` accepts.
            target: The file to write.
            options: The options of reading the source.
            output: The options of writing; without a scheme that of the source is kept.
            report: Receives the findings.

        Raises:
            InputError: If the source cannot be read or the target not written.
        """
