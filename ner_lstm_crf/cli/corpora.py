"""`ner-lstm-crf corpora`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ner_lstm_crf.cli.options import FORM, Parser, add_options
from ner_lstm_crf.cli.output import say_next, show, show_json
from ner_lstm_crf.corpora.catalogue import Corpus, catalogue, get_corpus
from ner_lstm_crf.evaluation.metrics import text_table
from ner_lstm_crf.runs.display import progress_bar, say

EPILOG = """\
examples:
  ner-lstm-crf corpora list
  ner-lstm-crf corpora fetch wnut17
  ner-lstm-crf corpora fetch wnut17 --output ~/corpora --from /media/copies"""

LIST_EPILOG = """\
examples:
  ner-lstm-crf corpora list
  ner-lstm-crf corpora list --json"""

FETCH_EPILOG = """\
examples:
  ner-lstm-crf corpora fetch wnut17
  ner-lstm-crf corpora fetch wnut17 --output ~/corpora --from /media/copies

The files come into the folder NAME of the output directory, each only when it is complete and its checksum is right."""


def add_command(parser: Parser) -> None:
    """Add the command's options."""
    parser.description = "The public corpora that people train on: what they are, and where to get them."
    parser.epilog = EPILOG
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser(
        "list", help="show the catalogue", description="Show the catalogue of corpora.", epilog=LIST_EPILOG, **FORM
    )
    add_options(listing, "--json")
    listing.set_defaults(command=run_list)
    fetching = actions.add_parser(
        "fetch",
        help="fetch a corpus",
        description="Fetch the files of a corpus and check them.",
        epilog=FETCH_EPILOG,
        **FORM,
    )
    fetching.add_argument("name", metavar="NAME", help="the corpus, as 'corpora list' calls it")
    fetching.add_argument("--output", default="data", metavar="DIR", help="folder of corpora (default: data)")
    fetching.add_argument("--from", dest="source", metavar="DIR", help="take the files from a local copy")
    add_options(fetching, "--json")
    fetching.set_defaults(command=run_fetch)


def run_list(args: argparse.Namespace) -> None:
    """Show the catalogue."""
    corpora = catalogue().values()
    if args.json:
        show_json(
            {"corpora": [asdict(corpus) | {"size": corpus.size, "restricted": corpus.restricted} for corpus in corpora]}
        )
        return
    rows = [
        (
            corpus.name,
            corpus.language,
            "restricted" if corpus.restricted else f"{corpus.size / 1e6:.1f} MB",
            ",".join(corpus.labels) if len(corpus.labels) <= 6 else f"{len(corpus.labels)} labels",
            corpus.licence,
        )
        for corpus in corpora
    ]
    show(text_table([("name", "language", "size", "labels", "licence"), *rows], "<<<<<"))
    say_next("corpora", "fetch", next(corpus.name for corpus in corpora if not corpus.restricted))


def run_fetch(args: argparse.Namespace) -> None:
    """Fetch a corpus, and print the command that trains on it."""
    from ner_lstm_crf.corpora.download import fetch_corpus

    corpus = get_corpus(args.name)
    with progress_bar(corpus.name, unit="B", scale=True) as progress:
        paths = fetch_corpus(corpus, args.output, source=args.source, progress=progress)
    if args.json:
        show_json({"name": corpus.name, "files": [str(path) for path in paths]})
        return
    for path in paths:
        show(str(path))
    say(f"licence: {corpus.licence}")
    if corpus.note:
        say(f"note: {corpus.note}")
    if any(file.split in ("train", "all") for file in corpus.files):
        say_next(*_training_command(corpus, paths))


def _training_command(corpus: Corpus, paths: Sequence[Path]) -> list[str]:
    """The words of the command line that trains on the files of a corpus."""
    words = ["train"]
    for file, path in zip(corpus.files, paths, strict=True):
        words += ["--train" if file.split == "all" else f"--{file.split}", str(path)]
    for option, column in (("--token-column", corpus.token_column), ("--tag-column", corpus.tag_column)):
        words += [] if column is None else [option, str(column)]
    if corpus.rename:
        words += ["--rename", ",".join(f"{old}={new}" for old, new in corpus.rename.items())]
    return [*words, "--output", f"runs/{corpus.name}"]
