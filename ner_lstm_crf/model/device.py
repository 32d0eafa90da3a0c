"""The devices that networks can compute on."""

from __future__ import annotations

from typing import get_args

import torch

from ner_lstm_crf.config import Device
from ner_lstm_crf.errors import InputError


def usable_device(name: Device) -> torch.device:
    """The device of this name.

    Raises:
        InputError: If there is no such name, or torch finds no such device on this machine.
    """
    if name not in get_args(Device):
        raise InputError(f"device: expected one of {', '.join(get_args(Device))}, got {name!r:.40}")
    found = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not found[name]:
        there = ", ".join(one for one, is_there in found.items() if is_there)
        raise InputError(f"device: expected one that torch finds on this machine ({there}), got {name}")
    return torch.device(name)
