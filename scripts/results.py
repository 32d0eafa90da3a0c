"""The figures behind the README's tables: every corpus, several seeds, the CRF beside the softmax.

    python scripts/results.py ../shared/corpora --vectors glove.6B.100d.txt.gz --output runs/results --workers 2
    python scripts/results.py ../shared/corpora --vectors ... --preset best --transformer MiniLM --crf-only --output ...

Each row is one `ner-lstm-crf compare` (or `train --seeds`), whose command is printed; a row that was interrupted goes
on where it stopped. Settings are chosen on dev (docs/recipe.md); test sets are read here, and for the cards of the
shipped taggers.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ner_lstm_crf.config import PRESETS, TokenUnit, preset, read_config
from ner_lstm_crf.errors import InputError


@dataclass(frozen=True, slots=True)
class Row:
    """A corpus with published splits.

    Attributes:
        train: Training files.
        dev: The file that chooses the best epoch.
        test: The file whose scores are reported.
        english: True if English vectors and an English transformer are of use.
        options: The options that read the files.
    """

    train: Sequence[str]
    dev: str
    test: str
    english: bool = True
    options: Sequence[str] = ()

    def arguments(self, corpora: Path) -> list[str]:
        """The options that name the data."""
        training = [part for name in self.train for part in ("--train", str(corpora / name))]
        return [*training, "--dev", str(corpora / self.dev), "--test", str(corpora / self.test), *self.options]


def _uner(name: str, *options: str, english: bool = False) -> Row:
    train, dev, test = (f"uner-{name}/{part}.iob2" for part in ("train", "dev", "test"))
    return Row([train], dev, test, english, ("--labels", "PER,LOC,ORG", *options))


def _biomedical(name: str) -> Row:
    return Row([f"{name}/train.tsv"], f"{name}/dev.tsv", f"{name}/test.tsv")


ROWS = {
    "uner-en_ewt": _uner("en_ewt", english=True),
    "wnut17": Row(["wnut17/train.conll"], "wnut17/dev.conll", "wnut17/test.conll"),
    "bc5cdr": _biomedical("bc5cdr"),
    "ncbi-disease": _biomedical("ncbi-disease"),
    "uner-zh_gsdsimp": _uner("zh_gsdsimp", "--token-unit", "character"),
    "uner-da_ddt": _uner("da_ddt"),
    "uner-hr_set": _uner("hr_set"),
}


def main() -> None:
    """Train what is missing, then print the table in Markdown."""
    parser = _parser()
    args = parser.parse_args()
    print("| corpus | CRF | softmax | gain of the CRF, 95% interval | minutes a seed |")
    print("|---|--:|--:|--:|--:|")
    try:
        for name in args.corpora:
            print(_line(name, _result(name, args)), flush=True)
    except InputError as error:
        parser.error(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the corpora, each in one of its own")
    parser.add_argument("--output", type=Path, required=True, help="folder of all runs")
    parser.add_argument(
        "--corpora",
        nargs="+",
        choices=ROWS,
        default=list(ROWS),
        metavar="NAME",
        help=f"rows of the table (default: all): {', '.join(ROWS)}; for one of your own see 'ner-lstm-crf compare'",
    )
    parser.add_argument("--preset", choices=PRESETS, default="fast", help="settings (default: fast)")
    parser.add_argument("--seeds", default="3", metavar="N", help="runs of each head (default: 3)")
    parser.add_argument("--workers", default="2", metavar="N", help="networks trained at a time (default: 2)")
    parser.add_argument("--vectors", help="English word vectors")
    parser.add_argument("--transformer", help="folder of an English transformer; without it the row has none")
    parser.add_argument("--multilingual", help="folder of a transformer for rows of all languages, in its place")
    parser.add_argument("--config", help="TOML file that changes the preset")
    parser.add_argument("--crf-only", action="store_true", help="leave the softmax out")
    return parser


def _result(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """The result of the command, from its file if the same command has run before."""
    output: Path = args.output / name
    found = output.with_suffix(".json")
    command = [*_command(name, args), "--output", str(output)]
    settings = _settings(name, args)
    if not found.exists():
        begun = output.is_dir() and any(output.rglob("run.json"))
        now = [*command, "--json", *(["--resume"] if begun else [])]
        print(" ".join(now), file=sys.stderr)
        args.output.mkdir(parents=True, exist_ok=True)
        done = subprocess.run([sys.executable, "-m", *now], stdout=subprocess.PIPE, check=False, text=True)
        if done.returncode:
            sys.exit(done.returncode)  # it has printed the reason
        kept = {"command": command, "settings": settings, "result": json.loads(done.stdout)}
        found.write_text(json.dumps(kept), encoding="utf-8")
    known: dict[str, Any] = json.loads(found.read_text(encoding="utf-8"))
    if _but_workers(known["command"]) != _but_workers(command):
        other = " ".join(known["command"])
        raise InputError(f"holds the result of another command, choose another --output: {other}", path=found)
    if known.get("settings") != settings:
        raise InputError(
            "holds the result of a preset or a --config that has changed since, choose another --output", path=found
        )
    result: dict[str, Any] = known["result"]
    return result


def _settings(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """The settings of the preset, changed by the file of `--config`, as they are read from a JSON file."""
    token_unit: TokenUnit = "character" if "--token-unit" in ROWS[name].options else "word"
    config = preset(args.preset, token_unit=token_unit, transformer=_transformer(ROWS[name], args))
    if args.config:
        config = read_config(args.config, config)
    settings: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return settings


def _but_workers(command: Sequence[str]) -> list[str]:
    """The parts of a command that its result depends on: not the number of runs at a time."""
    at = command.index("--workers")
    return [*command[:at], *command[at + 2 :]]


def _command(name: str, args: argparse.Namespace) -> list[str]:
    row = ROWS[name]
    command = ["ner_lstm_crf", "train" if args.crf_only else "compare", *row.arguments(args.folder)]
    command += ["--preset", args.preset, "--seeds", args.seeds, "--workers", args.workers]
    given = {"--config": args.config, "--transformer": _transformer(row, args)}
    if row.english:
        given["--vectors"] = args.vectors
    return command + [part for option, value in given.items() if value for part in (option, value)]


def _transformer(row: Row, args: argparse.Namespace) -> str | None:
    found: str | None = args.multilingual or (args.transformer if row.english else None)
    return found


def _line(name: str, result: dict[str, Any]) -> str:
    """One row of the table, F1 in per cent."""
    if "heads" not in result:
        seconds = [run["training_seconds"] for run in result["runs"]]
        return f"| {name} | {_f1(result['test_f1'])} | | | {sum(seconds) / len(seconds) / 60:.1f} |"
    crf, softmax = result["heads"]
    gain = " to ".join(f"{100 * result['gain'][end]:+.1f}" for end in ("low", "high"))
    cells = name, _f1(crf["f1"]), _f1(softmax["f1"]), f"{100 * result['gain']['value']:+.1f} ({gain})"
    return f"| {' | '.join(cells)} | {crf['training_seconds']['mean'] / 60:.1f} |"


def _f1(summary: dict[str, float]) -> str:
    return f"{100 * summary['mean']:.1f} ± {100 * summary['deviation']:.1f}"


if __name__ == "__main__":
    main()
