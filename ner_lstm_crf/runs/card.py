"""The card of a trained model, README.md in its directory: what it was trained on, how good it is, how to use it.

Its first lines, between `---`, are what the hub of Hugging Face reads of a card: YAML, whose values are in the form of
JSON, which is YAML as well. See https://huggingface.co/docs/hub/model-cards.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from ner_lstm_crf import __version__
from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import counted
from ner_lstm_crf.evaluation.metrics import Summary
from ner_lstm_crf.evaluation.significance import f1_interval
from ner_lstm_crf.files.text import printable
from ner_lstm_crf.runs.data import ResolvedData
from ner_lstm_crf.runs.results import RunResult, median_result
from ner_lstm_crf.saving.model import ModelDescription
from ner_lstm_crf.text.annotation import Sentence

_MARK = "# Written by ner_lstm_crf. Without this line a later run leaves the file as it is."

USE = "Tagger.load({name!r})  # the path of this directory"
"""How the card says that the model is loaded; in a repository of the hub that is another line."""

_METRICS = ("f1", "precision", "recall")

HUB_FIELDS = {
    "library_name": "ner_lstm_crf",
    "pipeline_tag": "token-classification",
    "tags": ["ner", "named-entity-recognition", "lstm", "crf"],
    "metrics": [*_METRICS],
}
"""What every card tells the hub."""

_DATA = "TODO: where the data come from, and what kind of text they are."

LICENCE = "TODO: the licence of this model, which that of the data may decide."
"""What the card says of the licence, until somebody knows it."""


def is_card(path: Path) -> bool:
    """True if the file is a card that nobody has made their own."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return [file.readline().rstrip("\n"), file.readline().rstrip("\n")] == ["---", _MARK]
    except OSError:
        return False


_CARD = """\
---
{mark}
{header}
---

# {name}

Finds {labels} in text, whose tokens are {token_unit}s. Trained with ner_lstm_crf {version}.

## Use

```python
from ner_lstm_crf import Tagger

tagger = {use}
tagger.tag("Your text.")
```

{sections}

## Licence

{licence}
"""


def model_card(
    directory: Path,
    data: ResolvedData,
    test: Sequence[Sentence],
    results: Sequence[RunResult],
    config: Config,
    command: str | None,
) -> str:
    """The card as Markdown.

    Args:
        directory: The directory of the model.
        data: What it was trained on.
        test: What it was evaluated on; may be empty.
        results: The results of all seeds; the model is that of the median.
        config: Its configuration.
        command: The command line that trained it; None if a program did.
    """
    name, chosen = directory.resolve().name, median_result(results)
    sections = {
        "Data": f"{_sizes({'train': data.train, 'dev': data.dev, 'test': test})}\n\n{_DATA}",
        "Scores": _scores(chosen, results),
        "Train it again": f"{_settings(config, data)}\n\n{_command(name, command)}",
    }
    return _card(
        name, ModelDescription.read(directory).labels, config.model.token_unit, _evaluated(name, chosen), sections
    )


def bare_card(name: str, labels: Sequence[str], token_unit: str) -> str:
    """The card of a model of which nothing is known but what it is.

    Args:
        name: Its name.
        labels: Its labels.
        token_unit: The unit of its tokens.
    """
    return _card(name, labels, token_unit, {}, {"Data": _DATA, "Scores": "TODO: how good it is, and on what text."})


def _card(
    name: str,
    labels: Sequence[str],
    token_unit: str,
    further_fields: Mapping[str, object],
    sections: Mapping[str, str],
) -> str:
    """The card of a model, with what else the hub is told, and its sections by their titles."""
    fields = {**HUB_FIELDS, **further_fields}
    card = _CARD.format(
        mark=_MARK,
        header="\n".join(f"{field}: {json.dumps(value, ensure_ascii=False)}" for field, value in fields.items()),
        name=name,
        labels=", ".join(labels),
        token_unit=token_unit,
        version=__version__,
        use=USE.format(name=name),
        sections="\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items()),
        licence=LICENCE,
    )
    return printable(card)


def _evaluated(name: str, result: RunResult) -> dict[str, object]:
    """The scores as the hub reads them: on test, else on dev; nothing without any."""
    scored = result.test.evaluation.to_json() if result.test else result.dev
    if scored is None:
        return {}
    part = "test" if result.test else "dev"
    evaluated = {
        "task": {"type": "token-classification", "name": "named entity recognition"},
        "dataset": {"type": "custom", "name": part, "split": part},
        "metrics": [{"type": one, "name": f"span {one}", "value": round(scored[one], 4)} for one in _METRICS],
    }
    return {"model-index": [{"name": name, "results": [evaluated]}]}


def _command(name: str, command: str | None) -> str:
    """How the model is trained again."""
    if command is not None:
        return f"```sh\n{command}\n```"
    call = f"train(data, read_config('settings.toml'), {name!r})"
    return f"In Python, with these settings in a file:\n\n```python\n{call}\n```"


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


def _scores(result: RunResult, results: Sequence[RunResult]) -> str:
    """Precision, recall and F1 of the model on test, else on dev; its interval, and the deviation over the seeds."""
    scored = result.test.evaluation.to_json() if result.test else result.dev
    if scored is None:
        return "There was no dev or test data to measure it on."
    rows = [*scored["per_label"].items(), ("all (micro)", scored)]
    table = _table(
        ["label", "F1", "precision", "recall", "entities"],
        [[label, *(f"{row[figure]:.4f}" for figure in _METRICS), row["support"]] for label, row in rows],
    )
    on = "test" if result.test else "dev, which also chose the epoch to keep: other text is harder"
    parts = [f"On {on}:", table]
    if result.test:
        parts.append(
            f"F1 with its 95% interval (bootstrap over the sentences): {f1_interval([result.test.evaluation])}."
        )
    if len(results) > 1:
        for part, values in (
            ("test", [one.test.evaluation.micro.f1 for one in results if one.test]),
            ("dev", [one.dev_f1 for one in results if one.dev_f1 is not None]),
        ):
            if values:
                parts.append(f"F1 on {part} over {len(values)} seeds, mean and deviation: {Summary.of(values)}.")
        parts.append("The model is that of the seed with the median F1 on dev.")
    if result.dev is not None:
        parts.append(
            f"The scores of entities are probabilities at temperature {result.temperature:.4g}, fitted on dev: "
            "`ner-lstm-crf evaluate --calibration` says how far they can be trusted."
        )
    return "\n\n".join(parts)


def _settings(config: Config, data: ResolvedData) -> str:
    """The settings that are not the defaults, as a file for `--config`."""
    lines = []
    for table, values in asdict(config).items():
        defaults = asdict(Config())[table]
        changed = {name: value for name, value in values.items() if value != defaults[name] and value is not None}
        lines += [f"[{table}]", *(f"{name} = {json.dumps(changed[name], ensure_ascii=False)}" for name in changed)]
    if config.training.epochs is not None:  # then these do not count, and a file with both is refused
        lines = [line for line in lines if not line.startswith("min_")]
    start = "" if data.init_from is None else f"It started from the weights of `{data.init_from.name}`.\n"
    if data.teacher is not None:
        more = f", also on {counted(len(data.unlabelled), 'sentence')} without labels" if data.unlabelled else ""
        start += f"It was taught by `{data.teacher.name}`{more}.\n"
    title = "The settings that are not the defaults:" if len(lines) > 2 else "The defaults."
    return "\n".join([start + title, "", "```toml", *lines, "```"])


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown: text on the left, numbers on the right."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in line)} |" for line in lines)
