"""The learning curves of training runs, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["plot_curves"]


def plot_curves(histories: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> bool:
    """Draw the training loss and the dev F1 of each epoch.

    Args:
        histories: The reports of each run's epochs (see `run_files.read_history`) by the run's name.
        path: The picture to write; its suffix says in which format.

    Returns:
        Whether it was drawn: matplotlib is an optional part of the installation.
    """
    if find_spec("matplotlib") is None:
        return False
    from matplotlib.figure import Figure  # optional, slow; without pyplot no display is needed

    figure = Figure(figsize=(10, 4), layout="constrained")
    loss, f1 = figure.subplots(1, 2)
    for name, history in histories.items():
        epochs = [report["epoch"] for report in history]
        loss.plot(epochs, [report["loss"] for report in history], marker=".", label=name)
        if history and history[0]["dev"] is not None:
            f1.plot(epochs, [report["dev"]["f1"] for report in history], marker=".", label=name)
    for axes, title in ((loss, "training loss (nats per token)"), (f1, "dev F1")):
        axes.set(title=title, xlabel="epoch")
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    if len(histories) > 1:
        loss.legend()
    figure.savefig(path, dpi=120)
    return True
