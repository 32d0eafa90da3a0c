"""Pictures of a training run, drawn with matplotlib, an optional part of the installation.

Each function gives a figure, which `saved` writes as PNG, SVG or what else its suffix says. No display is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ner_lstm_crf.crf import FORBIDDEN
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.atomic import replacing
from ner_lstm_crf.tagging.analysis import TransitionTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ner_lstm_crf.evaluation.calibration import Bin

_BLUE = "#2664aa"  # that of the tables of `style`
_MOST_NUMBERS = 25  # tags of a table whose cells have room for a number


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches.

    Raises:
        InputError: If matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise InputError("pictures need another package: pip install 'ner-lstm-crf[plots]'")
    from matplotlib.figure import Figure  # optional, slow; without pyplot no display is needed

    return Figure(figsize=(width, height), layout="constrained")


def saved(figure: Figure, path: Path) -> Path:
    """Write a figure in the format of the suffix; returns the path.

    Raises:
        InputError: If it cannot be written, or there is no such format.
    """
    formats = figure.canvas.get_supported_filetypes()
    if path.suffix[1:] not in formats:
        raise InputError(f"expected a suffix of a picture ({', '.join(sorted(formats))})", path=path)
    with replacing(path) as new:
        figure.savefig(new, format=path.suffix[1:], dpi=150)
    return path


def learning_curves(histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """The training loss and the dev F1 of each epoch.

    Args:
        histories: The reports of the epochs of each network, as `Run.history` gives them, by a name for the curve.
    """
    figure = new_figure(9, 3.6)
    loss, f1 = figure.subplots(1, 2)
    for name, history in histories.items():
        epochs = [report["epoch"] for report in history]
        loss.plot(epochs, [report["loss"] for report in history], marker=".", label=name)
        with_dev = [report for report in history if report.get("dev")]
        if with_dev:
            line = f1.plot(
                [report["epoch"] for report in with_dev],
                [report["dev"]["f1"] for report in with_dev],
                marker=".",
                label=name,
            )[0]
            best = [report for report in with_dev if report.get("best")]
            f1.scatter(
                [report["epoch"] for report in best],
                [report["dev"]["f1"] for report in best],
                color=line.get_color(),
                zorder=3,
            )
    for axes, title in ((loss, "training loss (nats per token)"), (f1, "dev F1 (a large dot: the epoch that is kept)")):
        _plain(axes, title)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
    if len(histories) > 1:
        loss.legend(frameon=False)
    return figure


def transition_picture(table: TransitionTable) -> Figure:
    """The transition scores of a model as a shaded table; forbidden transitions are empty."""
    names, count = ["start", *table.names], len(table.names)
    scores = np.block([[table.start, np.zeros(1)], [table.scores, table.end[:, None]]])
    shown = np.ma.masked_array(scores, scores <= FORBIDDEN / 2)
    shown[0, -1] = np.ma.masked
    size = max(4.0, 0.42 * (count + 3))
    figure = new_figure(size + 1, size)
    axes = figure.subplots()
    limit = float(abs(shown).max()) or 1.0
    image = axes.imshow(shown, cmap="RdBu", vmin=-limit, vmax=limit)
    axes.set_xticks(range(count + 1), [*table.names, "end"], rotation=90)
    axes.set_yticks(range(count + 1), names)
    _numbers(axes, shown, limit, "{:+.1f}")
    _plain(axes, "score of each tag (columns) after each other (rows)", grid=False)
    figure.colorbar(image, shrink=0.7).outline.set_visible(False)
    return figure


def confusion_picture(counts: Mapping[tuple[str | None, str | None], int]) -> Figure:
    """How often each gold label is predicted as each other.

    Args:
        counts: The result of `error_analysis.confusion`; None stands for no entity.
    """
    labels = sorted({label for pair in counts for label in pair if label is not None})
    rows: list[str | None] = [*labels, None]
    table = np.array([[counts.get((gold, found), 0) for found in rows] for gold in rows], np.float64)
    parts = table / np.maximum(table.sum(1, keepdims=True), 1)
    size = max(3.5, 0.6 * len(rows) + 1.5)
    figure = new_figure(size + 0.5, size)
    axes = figure.subplots()
    axes.imshow(np.ma.masked_equal(parts, 0), cmap="Blues", vmin=0, vmax=1.2)
    axes.set_xticks(range(len(rows)), [*labels, "(none)"], rotation=90)
    axes.set_yticks(range(len(rows)), [*labels, "(none)"])
    _numbers(axes, np.ma.masked_equal(table, 0), table.max() * 2, "{:.0f}")
    axes.set(xlabel="predicted", ylabel="gold")
    _plain(axes, "entities by gold and predicted label", grid=False)
    return figure


def reliability_picture(bins: Sequence[Bin], error: float) -> Figure:
    """How many entities of each score are right.

    Args:
        bins: Entities with like scores, as `Calibration.bins` gives them.
        error: The expected calibration error.
    """
    figure = new_figure(4.6, 4.6)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle="--")
    largest = max((one.count for one in bins), default=1)
    sizes = [20 + 180 * one.count / largest for one in bins]
    axes.plot([one.score for one in bins], [one.precision for one in bins], color=_BLUE, linewidth=1.5)
    axes.scatter([one.score for one in bins], [one.precision for one in bins], s=sizes, color=_BLUE, alpha=0.8)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal", xlabel="score", ylabel="share that is right")
    _plain(axes, f"reliability of scores (expected calibration error {error:.3f})")
    return figure


def _numbers(axes: Axes, table: Any, limit: float, form: str) -> None:
    """Write the number of each cell that is not masked, unless there are too many."""
    if table.shape[0] > _MOST_NUMBERS:
        return
    for row, column in zip(*np.nonzero(~np.ma.getmaskarray(table)), strict=True):
        value = float(table[row, column])
        colour = "white" if abs(value) > 0.6 * limit else "black"
        axes.text(column, row, form.format(value), ha="center", va="center", fontsize=7, color=colour)


def _plain(axes: Axes, title: str, *, grid: bool = True) -> None:
    """Give axes the look of a textbook: a title at the left, no box."""
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[:].set_visible(False)
    if grid:
        axes.grid(alpha=0.3)
    else:
        axes.tick_params(length=0)
