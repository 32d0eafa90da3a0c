"""The card of a trained model, README.md in its directory: what it was trained on, how good it is, how to use it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

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


_CARD = """\
{mark}
# {name}

Finds {labels} in text, whose tokens are {token_unit}s. Trained with ner_lstm_crf {version}.

## Use

```python
from ner_lstm_crf import Tagger

tagger = Tagger.load({name!r})  # the path of this directory
tagger.tag("Your text.")
```

## Data

{data}

TODO: where the data come from, and what kind of text they are.

## Scores

{scores}

## Configuration

{settings}

## Licence

TODO: the licence of this model, which that of the data may decide.
"""


def model_card(directory: Path, data: ResolvedData, test: Sequence[Sentence], result: RunResult, config: Config) -> str:
    """The card as Markdown.

    Args:
        directory: The directory of the model.
        data: What it was trained on.
        test: What it was evaluated on; may be empty.
        result: Its scores.
        config: Its configuration.
    """
    card = _CARD.format(
        mark=_MARK,
        name=directory.resolve().name,
        labels=", ".join(ModelDescription.read(directory).labels),
        token_unit=config.model.token_unit,
        version=__version__,
        data=_sizes({"train": data.train, "dev": data.dev, "test": test}),
        scores=_scores(result),
        settings=_settings(config, data.init_from),
    )
    return printable(card)


def _sizes(parts: Mapping[str, Sequence[Sentence]]) -> str:
    """The table of the sentences, tokens and entities of each part of the data."""
    entities = {part: Counter(span.label for one in parts[part] for span in one.spans) for part in parts}
    labels = sorted({label for one in entities.values() for label in one})
    rows = [
        [part, len(sentences), sum(map(len, sentences)), *(entities[part][label] for label in labels)]
        for part, sentences in parts.items()
        if sentences
    ]
    return _table(["part", "sentences", "tokens", *labels], rows)


def _scores(result: RunResult) -> str:
    """The table of precision, recall and F1: on test, else on dev."""
    scored = result.test.evaluation.to_json() if result.test else result.dev
    if scored is None:
        return "There was no dev or test data to measure it on."
    rows = [*scored["per_label"].items(), ("all (micro)", scored)]
    figures = ("precision", "recall", "f1")
    table = _table(
        ["label", "precision", "recall", "F1", "entities"],
        [[label, *(f"{row[figure]:.4f}" for figure in figures), row["support"]] for label, row in rows],
    )
    calibrated = ""
    if result.dev is not None:
        calibrated = (
            f"\n\nThe scores of entities are probabilities at temperature {result.temperature:.4g}, fitted on dev: "
            "`ner-lstm-crf evaluate --calibration` says how far they can be trusted."
        )
    on = "test" if result.test else "dev, which also chose the epoch to keep: other text is harder"
    return f"On {on}:\n\n{table}{calibrated}"


def _settings(config: Config, init_from: Path | None) -> str:
    """The settings that are not the defaults, as a file for `--config`."""
    lines = []
    for table, values in asdict(config).items():
        defaults = asdict(Config())[table]
        changed = {name: value for name, value in values.items() if value != defaults[name] and value is not None}
        lines += [f"[{table}]", *(f"{name} = {json.dumps(changed[name], ensure_ascii=False)}" for name in changed)]
    if config.training.epochs is not None:  # then these do not count, and a file with both is refused
        lines = [line for line in lines if not line.startswith("min_")]
    start = "" if init_from is None else f"It started from the weights of `{init_from.name}`.\n"
    title = "The settings that are not the defaults:" if len(lines) > 2 else "The defaults."
    return "\n".join([start + title, "", "```toml", *lines, "```"])


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown: text on the left, numbers on the right."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in line)} |" for line in lines)
