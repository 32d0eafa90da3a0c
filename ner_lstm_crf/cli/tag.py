"""`ner-lstm-crf tag`."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from ner_lstm_crf.cli.display import say
from ner_lstm_crf.cli.options import COLUMN_OPTIONS, SCHEME_NAMES, Parser, add_options, read_options
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.text import STANDARD_STREAM
from ner_lstm_crf.formats.conll import holds_tags
from ner_lstm_crf.formats.registry import detect_format, format_of_name, suffix_of

if TYPE_CHECKING:
    from ner_lstm_crf.tagging.tagger import Tagger

__all__ = ["add_command"]

TagFormat: TypeAlias = Literal["text", "conll", "jsonl"]

FORMATS: tuple[TagFormat, ...] = get_args(TagFormat)

EPILOG = """\
formats:
  text   in: one text a line. out: one line per entity, its start, end, label and text with tabs between; the number of
         the text comes first where there may be several
  conll  in: one token a line; everything is kept, the predicted tag takes the place of the file's own, or is added.
         out, from text: token and tag
  jsonl  in: objects with the key "text", one a line. out: the same with "entities": start, end, label, text;
         or objects with a list of "tokens" in place of a text (or with "ner_tags" beside it), all of them, if the first
         is one. out: the same with their tags, under "ner_tags" or where tags are; words become characters if the
         model's tokens are
Starts and ends count characters, from 0; ends are exclusive. A file's suffix tells its format, or that it has a column
of tags; --format is asked where neither does (- is text). What comes out has the format of --to, else of the suffix of
--output, else of what went in.

models:
  Two taggers come with the package, en and zh, and find PER, LOC and ORG. Without --model the first text, or the first
  sentences of a column file, choose: zh if they are written in Chinese characters, else en. A directory of your own
  that has one of these names is ./en or ./zh.

examples:
  ner-lstm-crf tag "Angela Merkel visited Rome."
  ner-lstm-crf tag "王小明从北京飞往巴黎。"
  ner-lstm-crf tag --model my-model "Angela Merkel visited Rome."
  ner-lstm-crf tag --model my-model --format jsonl "Angela Merkel visited Rome."
  ner-lstm-crf tag --model my-model --input test.conll --output predicted.conll
  cat news.txt | ner-lstm-crf tag --model my-model --input - --to jsonl > news.jsonl"""


def add_command(parser: Parser) -> None:
    """Add the command's options."""
    parser.description = "Find the entities in texts, in a file, or in what comes through a pipe."
    parser.epilog = EPILOG
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="text to tag")
    parser.add_argument(
        "--model",
        metavar="DIR",
        help="directory of a model, or en or zh: the shipped taggers (default: by the script)",
    )
    parser.add_argument("--input", metavar="F", help="file to tag in place of texts, - for standard input")
    parser.add_argument("--output", metavar="F", default=STANDARD_STREAM, help="file to write (default: -, the output)")
    parser.add_argument("--format", choices=FORMATS, help="format of the input; of the output where texts are given")
    parser.add_argument("--to", choices=FORMATS, help="format of the output")
    parser.add_argument("--scheme", metavar="S", help=f"tag scheme to write: {SCHEME_NAMES} (default: IOB2)")
    add_options(parser.add_argument_group("reading the input"), *COLUMN_OPTIONS)
    add_options(parser, "--threads", "--precision")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Tag what was given."""
    form, to = _formats(args)
    texts = [_checked(text) for text in args.texts]

    from ner_lstm_crf.cli import tagging
    from ner_lstm_crf.tags.scheme import get_scheme

    scheme = None if args.scheme is None else get_scheme(args.scheme).name
    if form == "conll":
        with _as_file(args.input) as path:
            known = args.model is not None
            plain = read_options(args, token_unit=None, read_tags=False)
            tagger = _tagger(args, () if known else tagging.first_sentences(path, plain))
            options = read_options(args, token_unit=tagger.model.config.token_unit, read_tags=False)
            tagging.tag_columns(
                tagger, path, args.output, scheme=scheme or "IOB2", options=options, name=_shown(args.input)
            )
        return
    records = tagging.text_records(texts) if texts else tagging.read_records(args.input, args.encoding, form)
    if args.model is None:
        texts, records = tagging.first_texts(records)
    tagger = _tagger(args, texts)
    tagging.tag_records(tagger, records, args.output, to=to, scheme=scheme, numbered=len(args.texts) != 1)


def _tagger(args: argparse.Namespace, first: Iterable[str]) -> Tagger:
    """The tagger that `--model` names; without it the shipped one that suits the first texts."""
    from ner_lstm_crf.tagging.tagger import Tagger
    from ner_lstm_crf.text.scripts import script_language

    if args.model is not None:
        return Tagger.load(args.model, precision=args.precision)
    language = script_language(first)
    say(f"the tagger that comes with the package for '{language}' (by the script of the text; --model names another)")
    return Tagger.load(language, precision=args.precision)


def _formats(args: argparse.Namespace) -> tuple[TagFormat, TagFormat]:
    """The format of what goes in and of what comes out.

    Raises:
        InputError: If there is nothing to tag, or too much, or a column file is to become something else, or nothing
            tells the format of a file, or an option is of no use to it.
    """
    if bool(args.texts) == (args.input is not None):
        raise InputError("expected either texts or --input FILE (- for standard input)")
    by_output = _named_format(args.output)
    form: TagFormat
    to: TagFormat
    if args.texts:
        form, to = "text", args.to or args.format or by_output or "text"
    else:
        form = args.format or _format_of(args.input, args.encoding)
        to = args.to or by_output or form
    if form == "conll" and to != "conll":
        why = "leave out --to" if args.to else "say --to conll, or choose another name for --output"
        raise InputError(f"a column file is written as columns, not as {to}: {why}, or see 'convert --help'")
    if args.scheme is not None and to != "conll" and (to, form) != ("jsonl", "jsonl"):
        raise InputError(f"--scheme {args.scheme}: only columns and tokens have tags, the output is {to}: leave it out")
    given = (option for option in ("token_column", "tag_column", "separator") if getattr(args, option) is not None)
    if form != "conll" and (option := next(given, None)):
        raise InputError(f"--{option.replace('_', '-')}: only column files have columns, the input is {form}")
    return form, to


def _format_of(path: str, encoding: str) -> TagFormat:
    """The format of a file that is to be tagged, by its suffix, or what it holds; what comes through a pipe is text."""
    named = _named_format(path)
    is_file = path != STANDARD_STREAM and not path.startswith("/dev/") and Path(path).is_file()
    if is_file and named != "jsonl" and detect_format(path, encoding) in ("jsonl", "tokens"):
        say(f"{path}: taken for JSON lines, as its first line is (--format says otherwise)")
        return "jsonl"
    if is_file and named in (None, "text") and holds_tags(path, encoding):
        say(f"{path}: taken for columns, since it has one of tags (--format text if it is running text)")
        return "conll"
    if format_of_name(path) == "inline":
        raise InputError(
            "this text is marked already: make columns or JSON lines of it (see 'convert --help')", path=path
        )
    if named is None and is_file:
        choices = ", ".join(FORMATS)
        raise InputError(f"expected a suffix or tags that tell the format: say --format ({choices})", path=path)
    return named or "text"


def _named_format(path: str) -> TagFormat | None:
    """The format that a file's suffix tells; None if it tells none of these."""
    form = format_of_name(path)
    named = "text" if suffix_of(path) == ".txt" else form
    return next((known for known in FORMATS if known == named), None)


def _checked(text: str) -> str:
    """A text of the command line, if its bytes are a text at all."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError("expected a text in UTF-8 on the command line, found other bytes") from None
    return text


@contextmanager
def _as_file(path: str) -> Iterator[str]:
    """A file that can be read more than once: standard input, or what comes through a pipe, is written down first."""
    is_standard = path == STANDARD_STREAM
    if not is_standard and not Path(path).is_fifo():
        yield path
        return
    with TemporaryDirectory(prefix="ner-lstm-crf-") as folder:
        copy = Path(folder) / "input"
        with nullcontext(sys.stdin.buffer) if is_standard else Path(path).open("rb") as pipe, copy.open("wb") as file:
            shutil.copyfileobj(pipe, file)
        try:
            yield str(copy)
        except InputError as error:
            if error.path != str(copy):
                raise
            raise InputError(error.message, path=_shown(path), line=error.line) from None


def _shown(path: str) -> str:
    """What to call an input in messages."""
    return "standard input" if path == STANDARD_STREAM else path
