"""A worker process, which trains networks that its parent sends, and ends with its parent, however that ends.

Nothing here that takes time is imported before the end of the parent ends the process: torch takes seconds.
"""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ner_lstm_crf.runs.data import ResolvedData
    from ner_lstm_crf.runs.run import NetworkRun
    from ner_lstm_crf.training.trainer import EpochReport

_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux


def work(connection: Connection) -> None:
    """Be a worker: receive the data, then networks, and send their reports, an error, or None when one is trained."""
    _end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its workers

    with suppress(EOFError, BrokenPipeError):  # the parent is gone
        data = connection.recv()
        while True:
            network, warns = connection.recv()
            try:
                for report in train_network(network, data, warns=warns):
                    connection.send(report)
            except Exception as error:
                connection.send(error)
            else:
                connection.send(None)


def train_network(network: NetworkRun, data: ResolvedData, *, warns: bool) -> Iterator[EpochReport]:
    """Train a network in a process that is there for it alone, with one thread.

    Args:
        network: The network.
        data: The data.
        warns: True if it is to warn of the data: all networks have the same.

    Raises:
        InputError: As `NetworkRun.train` does.
    """
    import torch

    torch.set_num_threads(1)
    logging.basicConfig(format="warning: %(message)s")
    logging.disable(logging.NOTSET if warns else logging.WARNING)
    yield from network.train(data)


def _end_with_parent() -> None:
    """End the process when the one that started it is gone, even killed: a run that is resumed must run alone."""
    # 1. Linux ends it even in the middle of an import, when no thread of it runs.
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    # 2. Elsewhere, and where the parent was gone before that, a thread waits for its end.
    threading.Thread(target=_exit_after_parent, daemon=True).start()


def _exit_after_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
