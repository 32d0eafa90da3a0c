"""A process that is killed at any change of the file system."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


class Killed(BaseException):
    """Stands for the end of the process."""


def kill_at(patch: pytest.MonkeyPatch, step: int, *more: tuple[Any, str]) -> None:
    """End the process before change number `step` of the file system, by functions of `more` owners, too."""
    left = step

    def counted(change: Callable[..., object]) -> Callable[..., object]:
        def run(*args: object, **options: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:  # and so for every further one: the dead do not clean up
                raise Killed
            return change(*args, **options)

        return run

    for owner, name in [
        *((Path, name) for name in ("mkdir", "rename", "replace", "rmdir", "touch", "unlink", "write_text")),
        (shutil, "rmtree"),
        *more,
    ]:
        patch.setattr(owner, name, counted(getattr(owner, name)))
