"""`ner-lstm-crf tag --engine ray`: folders of files into folders of shards, over the machines of a cluster."""

from __future__ import annotations

import argparse
import os
from typing import Any

from ner_lstm_crf.bulk.inputs import SUFFIXES
from ner_lstm_crf.cli.options import Parser, add_options, at_least
from ner_lstm_crf.errors import InputError, counted
from ner_lstm_crf.formats.registry import suffix_of
from ner_lstm_crf.runs.display import progress_bar, say

PARQUET = "parquet"
_MEGABYTE = 1_000_000

EPILOG = """\
many files:
  --engine ray tags files of Parquet, JSON lines or text, also compressed, side by side, on this machine or a cluster.
  --input takes folders and quoted patterns, --output names a folder. Rows keep their columns; "entities" is a list of
  start, end, label, text and score. The shards are Parquet, or JSON lines with --output-format jsonl; each appears
  when it is whole. After a kill, the same command with --resume tags what is missing. See docs/scale.md.
  ner-lstm-crf tag --engine ray --model en --input 'news/*.jsonl.gz' --output tagged

"""


def add_bulk_options(parser: Parser) -> None:
    """Add the options of `--engine ray`."""
    group = parser.add_argument_group("many files")
    add_options(group, "--engine", "--ray-address")
    group.add_argument(
        "--workers", type=at_least(1), metavar="N", help="processes, each with the model (default: one a core)"
    )
    group.add_argument(
        "--shard-size", type=at_least(1), metavar="MB", help="megabytes of a file that become a shard (default: 32)"
    )
    group.add_argument("--resume", action="store_true", help="tag only what an earlier call with this --output left")


def refuse_bulk_options(args: argparse.Namespace) -> None:
    """Refuse what is for `--engine ray` alone.

    Raises:
        InputError: If it is given.
    """
    for option in ("--ray-address", "--workers", "--shard-size", "--resume"):
        if vars(args)[option.removeprefix("--").replace("-", "_")] not in (None, False):
            raise InputError(f"{option}: expected --engine ray as well")
    for option, given in (("--input-format", args.input_format), ("--output-format", args.output_format)):
        if given == PARQUET:
            raise InputError(f"{option} parquet: expected --engine ray as well")
    if path := next((path for path in args.input if SUFFIXES.get(suffix_of(path)) == PARQUET), None):
        raise InputError("Parquet is read with --engine ray, and a folder as --output", path=path)
    if path := next((path for path in args.input if os.path.isdir(path)), None):  # noqa: PTH112  no error of a NUL
        raise InputError("expected a file, found a directory: --engine ray tags folders", path=path)


def run_bulk(args: argparse.Namespace) -> None:
    """Tag files into shards, and say what there is at the end.

    Raises:
        InputError: As `tag_files` does; if an option is of no use to it.
    """
    # 1. The options.
    if args.texts or not args.input or args.output == "-":
        raise InputError("--engine ray: expected --input with files and --output with a folder")
    unfit = {
        "--wrapped": args.wrapped,
        "--output-scheme": args.output_scheme,
        "--token-column": args.token_column,
        "--tag-column": args.tag_column,
        "--tag-key": args.tag_key,
        "--separator": args.separator,
        f"--device {args.device}": args.device != "cpu",
        f"--input-format {args.input_format}": args.input_format not in (None, PARQUET, "jsonl", "text"),
        f"--output-format {args.output_format}": args.output_format not in (None, PARQUET, "jsonl"),
    }
    if option := next((option for option, given in unfit.items() if given), None):
        raise InputError(f"{option} is not for --engine ray")
    options: dict[str, Any] = {
        "text_column": args.text_column,
        "output_format": args.output_format,
        "shard_bytes": None if args.shard_size is None else args.shard_size * _MEGABYTE,
    }
    options = {name: value for name, value in options.items() if value is not None}
    # 2. The work.
    from ner_lstm_crf.integrations.ray import tag_files

    with progress_bar("checking", unit=" slices") as checking, progress_bar("tagging", unit=" rows") as tagging:
        try:
            manifest = tag_files(
                args.input,
                args.output,
                args.model,
                address=args.ray_address,
                workers=args.workers,
                threads=args.threads or 1,
                resume=args.resume,
                input_format=args.input_format,
                checking=checking,
                tagging=tagging,
                min_score=args.min_score,
                decoding=args.decoding,
                precision=args.precision,
                encoding=args.encoding,
                **options,
            )
        except KeyboardInterrupt:
            raise KeyboardInterrupt("the same command with --resume goes on with the shards that are missing") from None
    # 3. What there is.
    shards = sum(len(file["shards"]) for file in manifest["files"])
    rows, entities = counted(manifest["rows"], "row"), counted(manifest["entities"], "entity", "entities")
    say(
        f"{args.output}: {rows} with {entities} in {counted(shards, 'shard')}; _manifest.json tells which is from where"
    )
