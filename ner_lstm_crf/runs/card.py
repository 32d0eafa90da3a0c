"""The card of a trained model, README.md in its directory: what it was trained on, how good it is, how to use it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ner_lstm_crf import __version__
from ner_lstm_crf.config import Config
from ner_lstm_crf.files.text import printable
from ner_lstm_crf.runs.data import ResolvedData
from ner_lstm_crf.runs.results import RunResult
from ner_lstm_crf.saving.model import ModelDescription
from ner_lstm_crf.text.annotation import Sentence

_MARK = "<!-- Written by ner_lstm_crf. Without this line a later run leaves the file as it is. -->"


def is_card(path: Path) -> bool:
    """True if the file is a card that nobody has made their own."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.readline().rstrip("\n") == _MARK
    except OSError:
        return False


def model_card(directory: Path, data: ResolvedData, test: Sequence[Sentence], result: RunResult, config: Config) -> str:
    """The card as Markdown.

    Args:
        directory: The directory of the model.
        data: What it was trained on.
        test: What it was evaluated on; may be empty.
        result: Its scores.
        config: Its configuration.
    """
    name = directory.resolve().name
    parts = {"train": data.train, "dev": data.dev, "test": test}
    entities = {part: Counter(span.label for one in parts[part] for span in one.spans) for part in parts}
    labels, known = (
        sorted({label for one in entities.values() for label in one}),
        ModelDescription.read(directory).labels,
    )
    # 1. The table of the data, and that of the scores.
    counts = [
        [part, len(sentences), sum(map(len, sentences)), *(entities[part][label] for label in labels)]
        for part, sentences in parts.items()
        if sentences
    ]
    scored = result.test.evaluation.to_json() if result.test else result.dev
    scores = ["There was no dev or test data to measure it on."]
    if scored is not None:
        rows = [*scored["per_label"].items(), ("all (micro)", scored)]
        figures = ("precision", "recall", "f1")
        scores = [
            f"On {'test' if result.test else 'dev, which also chose the epoch to keep: other text is harder'}:",
            "",
            *_table(
                ["label", "precision", "recall", "F1", "entities"],
                [[label, *(f"{row[figure]:.4f}" for figure in figures), row["support"]] for label, row in rows],
            ),
        ]
    # 2. The settings that are not the defaults, as a file for --config.
    settings = [
        line
        for table, values in asdict(config).items()
        for line in (f"[{table}]", *_changed(values, asdict(Config())[table]))
    ]
    if config.training.epochs is not None:  # then these do not count, and a file with both is refused
        settings = [line for line in settings if not line.startswith("min_")]
    start = [] if data.init_from is None else [f"It started from the weights of `{data.init_from.name}`."]
    lines = [
        _MARK,
        f"# {name}",
        "",
        f"Finds {', '.join(known)} in text, whose tokens are {config.model.token_unit}s. Trained with ner_lstm_crf "
        f"{__version__}.",
        "",
        "## Use",
        "",
        "```python",
        "from ner_lstm_crf import Tagger",
        "",
        f"tagger = Tagger.load({name!r})  # the path of this directory",
        'tagger.tag("Your text.")',
        "```",
        "",
        "## Data",
        "",
        *_table(["part", "sentences", "tokens", *labels], counts),
        "",
        "TODO: where the data come from, and what kind of text they are.",
        "",
        "## Scores",
        "",
        *scores,
        "",
        "## Configuration",
        "",
        *start,
        "The settings that are not the defaults:" if len(settings) > 2 else "The defaults.",
        "",
        "```toml",
        *settings,
        "```",
        "",
        "## Licence",
        "",
        "TODO: the licence of this model, which that of the data may decide.",
    ]
    return printable("\n".join(lines) + "\n")


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """A table in Markdown: text on the left, numbers on the right."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return [f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in line)} |" for line in lines]


def _changed(values: dict[str, Any], defaults: dict[str, Any]) -> list[str]:
    """The values that differ from the defaults, as lines of TOML."""
    return [
        f"{name} = {json.dumps(value, ensure_ascii=False)}"
        for name, value in values.items()
        if value != defaults[name] and value is not None
    ]
