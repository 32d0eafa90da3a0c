"""The parser, and the options that several commands share: which files, and how to read them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias, cast, get_args

from ner_lstm_crf.config import Hyphens, Precision, TokenUnit
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats.columns import ReadOptions
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.tags.scheme import SCHEMES, Policy, get_scheme

__all__ = [
    "SCHEME_NAMES",
    "Command",
    "Parser",
    "Subparsers",
    "add_column_options",
    "add_json",
    "add_label_options",
    "add_place_options",
    "add_precision",
    "add_threads",
    "at_least",
    "column_options",
]

SCHEME_NAMES = ", ".join(SCHEMES)
"""The tag schemes, for people."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line, and whose help keeps the lines of its examples."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        defaults: dict[str, Any] = {"allow_abbrev": False, "formatter_class": argparse.RawDescriptionHelpFormatter}
        super().__init__(*args, **(defaults | kwargs))

    def error(self, message: str) -> NoReturn:
        """Refuse the command line.

        Raises:
            InputError: Always.
        """
        raise InputError(f"{message} (see '{self.prog} --help')")


Subparsers: TypeAlias = "argparse._SubParsersAction[Parser]"
"""Where a command adds its parser."""

Command: TypeAlias = Callable[[argparse.Namespace], None]
"""What a command does with its arguments. It raises InputError for the user's mistakes."""


def at_least(lowest: int) -> Callable[[str], int]:
    """The type of an option that takes whole numbers from `lowest` on."""

    def whole_number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = lowest - 1
        if value < lowest:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {lowest}, got '{text}'")
        return value

    return whole_number


def add_json(parser: Parser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text, and nothing else")


def add_threads(parser: argparse._ActionsContainer) -> None:
    """Add `--threads`."""
    parser.add_argument("--threads", type=at_least(1), metavar="N", help="processor threads (default: all cores)")


def add_precision(parser: argparse._ActionsContainer) -> None:
    """Add `--precision`."""
    parser.add_argument(
        "--precision",
        choices=get_args(Precision),
        default="float32",
        help="what the LSTM computes in; bfloat16 is faster, on processors that have it (default: float32)",
    )


def add_place_options(group: argparse._ActionsContainer) -> None:
    """Add the options that say where in a file its tokens and tags are."""
    group.add_argument(
        "--token-column", type=int, metavar="N", help="the token's column, from 1, or -1 for the last (default: found)"
    )
    group.add_argument(
        "--tag-column", type=int, metavar="N", help="the tag's column, from 1, or -1 for the last (default: found)"
    )
    group.add_argument(
        "--separator",
        choices=("tab", "space"),
        help="what stands between columns; with tab, cells may hold spaces or nothing (default: found)",
    )
    group.add_argument(
        "--encoding",
        default="utf-8",
        metavar="E",
        help="of what is read and written, such as latin-1 or gb18030 (default: utf-8)",
    )


def add_label_options(group: argparse._ActionsContainer) -> None:
    """Add the options that keep, drop and rename labels."""
    group.add_argument("--labels", metavar="PER,LOC", help="keep these labels, after --map; the rest becomes O")
    group.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="OTH=O",
        help="rename a label, person=PER, drop one, OTH=O, or name that of tags that are a prefix alone, =GENE; "
        "several with commas, or say it again",
    )


def add_column_options(parser: Parser, *, characters: bool = True) -> None:
    """Add all options that say how to read annotated files."""
    group = parser.add_argument_group(
        "reading the files",
        "Column files (CoNLL), JSON lines and inline-marked text, also packed (gz, xz, bz2). Columns and scheme are "
        "found out.",
    )
    add_place_options(group)
    group.add_argument("--scheme", metavar="S", help=f"the tags' scheme in the files: {SCHEME_NAMES} (default: found)")
    group.add_argument(
        "--policy",
        choices=get_args(Policy),
        default="conlleval",
        help="what a tag means that breaks the scheme: what conlleval makes of it, nothing (strict), or an error "
        "(default: conlleval)",
    )
    add_label_options(group)
    if characters:
        group.add_argument(
            "--characters",
            action="store_true",
            help="make every character a token (Chinese corpora whose tokens are words)",
        )


def column_options(
    args: argparse.Namespace, *, token_unit: TokenUnit | None = None, hyphens: Hyphens = "auto", read_tags: bool = True
) -> ReadOptions:
    """How to read the files, as the command line says; options the command lacks stay at their defaults.

    Args:
        args: The arguments parsed.
        token_unit: What a token is; None to go by `--characters`, and without it by the file.
        hyphens: Whether the model that the files are for keeps words with hyphens whole.
        read_tags: Whether the tags matter.

    Raises:
        InputError: If the scheme is unknown, or labels are not written as they should be.
    """
    given = vars(args)
    scheme = given.get("scheme") if read_tags else None
    by_flag: TokenUnit | None = "character" if given.get("characters") else None
    return ReadOptions(
        token_column=given.get("token_column"),
        tag_column=given.get("tag_column"),
        separator=given.get("separator"),
        encoding=args.encoding,
        scheme=None if scheme is None else get_scheme(scheme).name,
        policy=cast(Policy, given.get("policy", "conlleval")),
        token_unit=token_unit or by_flag,
        hyphens=hyphens,
        labels=LabelMap.parse(given.get("labels"), given.get("map", ())),
        read_tags=read_tags,
    )
