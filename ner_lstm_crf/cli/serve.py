"""`ner-lstm-crf serve`."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from ner_lstm_crf.cli.options import Parser, add_options
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.runs.display import say

EPILOG = """\
examples:
  ner-lstm-crf serve                           # the shipped taggers, by the script of each text
  ner-lstm-crf serve my-model other=runs/7     # models of your own; their names are my-model and other
  curl localhost:8000/tag -H 'Content-Type: application/json' -d '{"text": "Angela Merkel visited Rome."}'

The page is at the address that is shown; /openapi.json describes the requests. Ctrl-C, or SIGTERM, ends it when all
requests are answered."""


def add_command(parser: Parser) -> None:
    """Add the command's options."""
    parser.description = "Serve taggers over HTTP, with a page to try them."
    parser.epilog = EPILOG
    parser.add_argument("models", nargs="*", metavar="MODEL", help="directory of a model, NAME=DIR, en or zh")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; 0.0.0.0: all (127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen at; 0: any that is free (8000)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes, each with all models (1)")
    parser.add_argument("--most-characters", type=int, metavar="N", help="characters of a text at most (100,000)")
    parser.add_argument(
        "--most-waiting", type=int, metavar="N", help="characters that may wait before requests are refused (2,000,000)"
    )
    parser.add_argument(
        "--batch-characters", type=int, metavar="N", help="characters that are tagged at once at most (32,000)"
    )
    parser.add_argument(
        "--stop-seconds", type=float, default=1.0, metavar="S", help="how long requests are answered after SIGTERM (1)"
    )
    add_options(parser, "--precision", "--threads")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Serve until a signal ends it."""
    try:
        from ner_lstm_crf.serving.server import Serving, serve
    except ModuleNotFoundError as error:
        if error.name not in ("fastapi", "uvicorn", "prometheus_client", "pydantic"):
            raise
        raise InputError(f"'serve' needs {error.name}: pip install 'ner-lstm-crf[serve]'") from error
    models = dict(map(_named, args.models))
    if len(models) < len(args.models):
        twice = Counter(name for name, _ in map(_named, args.models)).most_common(1)[0][0]
        raise InputError(f"expected models of different names, found {twice!r} twice: NAME=DIR gives another name")
    if not 1 <= args.workers <= 256:
        raise InputError(f"--workers: expected 1 to 256, found {args.workers}")
    if not 0 <= args.stop_seconds <= 3600:
        raise InputError(f"--stop-seconds: expected 0 to 3600, found {args.stop_seconds:g}")
    given = {
        "text_characters": ("--most-characters", args.most_characters),
        "waiting_characters": ("--most-waiting", args.most_waiting),
        "batch_characters": ("--batch-characters", args.batch_characters),
    }
    for option, value in given.values():
        if value is not None and value < 1:
            raise InputError(f"{option}: expected a number of 1 or more, found {value}")
    serving = Serving(
        models,
        {name: value for name, (_, value) in given.items() if value is not None},
        args.host,
        args.port,
        args.workers,
        args.precision,
        args.stop_seconds,
    )
    serve(serving, lambda address: say(f"serving at {address}   (Ctrl-C ends it)"))


def _named(model: str) -> tuple[str, str]:
    """The name of a model, and its directory."""
    name, equals, directory = model.partition("=")
    return (name, directory) if equals else (Path(model).resolve().name or model, model)
