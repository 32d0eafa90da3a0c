"""Sockets and workers; and a stop that loses no request.

On SIGTERM or Ctrl-C the service first says that it stops: /ready answers 503, and each answer ends its connection, so
that clients send no more on it, while new requests are still answered. After that time it takes no new connections,
finishes what it has begun, and ends. A second signal ends it at once.

A connection that the kernel has made and nobody has accepted would be lost when the socket closes. So the kernel is
told first to make no more (`_make_no_more_connections`), and what it has made is accepted meanwhile.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from tempfile import TemporaryDirectory
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from ner_lstm_crf.config import Precision
from ner_lstm_crf.errors import InputError

if TYPE_CHECKING:
    from fastapi import FastAPI

# prometheus_client reads it when it is imported: the folder in which processes add up what they count.
_COUNTED = "PROMETHEUS_MULTIPROC_DIR"
_LAST_ACCEPTED = 0.3  # seconds for connections that were made before no more are, and for their requests
_LONGEST_STOP = 30  # seconds that a request which has begun may take after the stop


@dataclass(frozen=True, slots=True)
class Serving:
    """What is served, and how.

    Attributes:
        models: The directory of each model by its name; none for "en" and "zh", chosen by the script of each text.
        limits: The limits; those of `Limits` that are not named are as usual.
        host: Where it listens.
        port: Where it listens; 0 for any port that is free.
        workers: Number of processes, each with all models.
        precision: Number type of the models, see `Tagger`.
        stop_seconds: How long requests are still answered after the first signal to stop.
    """

    models: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    precision: Precision = "float32"
    stop_seconds: float = 1.0


def serve(serving: Serving, started: Callable[[str], object]) -> None:
    """Serve until a signal ends it.

    Args:
        serving: What to serve, and how.
        started: Called with the address when it is listening; the first requests may come.

    Raises:
        InputError: If a model cannot be loaded, or the port is taken.
    """
    app = application(serving)  # before the workers: what is wrong with a model is said once
    with _listening(serving.host, serving.port) as listener:
        host, port = listener.getsockname()[:2]
        started(f"http://{f'[{host}]' if ':' in host else host}:{port}/")
        if serving.workers == 1:
            Server(app, listener, serving.stop_seconds).run([listener])
        else:
            del app
            _serve_by_workers(serving, listener)


def application(serving: Serving) -> FastAPI:
    """The application of one process, with its models loaded.

    Raises:
        InputError: If a model cannot be loaded.
    """
    from ner_lstm_crf.serving.app import Limits, service  # after a worker has said where it counts
    from ner_lstm_crf.tagging.tagger import Tagger

    models = serving.models or {"en": "en", "zh": "zh"}
    taggers = {name: Tagger.load(directory, precision=serving.precision) for name, directory in models.items()}
    return service(taggers, by_script=not serving.models, limits=Limits(**serving.limits))


class Server(uvicorn.Server):
    """A server that answers for some time after it was told to stop.

    Args:
        app: The application.
        listener: The socket that it accepts connections of.
        stop_seconds: For how long.
    """

    def __init__(self, app: FastAPI, listener: socket.socket, stop_seconds: float) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=_LONGEST_STOP,
                lifespan="on",
                http="h11",  # httptools bounds no header, and reads the body of a request to upgrade as another one
            )
        )
        self._state, self._listener, self._stop_seconds = app.state, listener, stop_seconds
        self._stops_at = self._ends_at = float("inf")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """The first signal begins the stop, the second ends all."""
        if self._state.stopping:
            self.should_exit = self.force_exit = True
        self._state.stopping, self._stops_at = True, time.monotonic() + self._stop_seconds

    async def on_tick(self, counter: int) -> bool:
        """Stop when the time is over; called ten times a second."""
        now = time.monotonic()
        if now >= self._stops_at and self._ends_at == float("inf"):
            _make_no_more_connections(self._listener)
            self._ends_at = now + _LAST_ACCEPTED
        self.should_exit = self.should_exit or now >= self._ends_at
        return await super().on_tick(counter)


def _make_no_more_connections(listener: socket.socket) -> None:
    """Let the kernel drop what would begin a connection; it makes those that have begun. On Linux alone.

    A client tries again after a second, and is refused then, as by a service that is not there.
    """
    if sys.platform != "linux":
        return
    # A filter for the kernel (Linux, Documentation/networking/filter.rst) over the header of TCP: load the byte of its
    # flags; if SYN (2) is among them drop the packet, else keep all of it.
    instructions = ((0x30, 0, 0, 13), (0x45, 0, 1, 2), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFF))
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in instructions))
    attach = 26  # SO_ATTACH_FILTER
    with suppress(OSError):  # of another family than TCP over IP
        listener.setsockopt(socket.SOL_SOCKET, attach, struct.pack("HL", len(instructions), ctypes.addressof(program)))


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        InputError: If there is no such host or port, or the port is taken.
    """
    if not 0 <= port <= 65_535:
        raise InputError(f"expected a port from 0 to 65535, got {port}")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"cannot listen at {host}, port {port}: {reason} (--port names another)") from error
    # An answer's head and body are two packets; the second must not wait until the client confirms the first (40 ms).
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _serve_by_workers(serving: Serving, listener: socket.socket) -> None:
    """Serve by processes that share the socket; one that dies is replaced."""
    context = multiprocessing.get_context("spawn")
    with TemporaryDirectory(prefix="ner-lstm-crf-") as counted:
        stopping = list[int]()

        def stop(sig: int, _: FrameType | None) -> None:
            """Pass a signal on."""
            stopping.append(sig)
            for one in running:
                if one.pid is not None and one.is_alive():
                    with suppress(ProcessLookupError):
                        os.kill(one.pid, signal.SIGTERM)

        def started() -> BaseProcess:
            """A new worker."""
            process = context.Process(target=_work, args=(serving, listener, counted))
            process.start()
            return process

        before = {sig: signal.signal(sig, stop) for sig in (signal.SIGTERM, signal.SIGINT)}
        running = list[BaseProcess]()
        try:
            while len(running) < serving.workers and not stopping:
                running.append(started())
            while any(one.is_alive() for one in running):
                time.sleep(0.1)
                if not stopping:
                    running[:] = [one if one.is_alive() else started() for one in running]
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)
            for one in running:
                one.join()


def _work(serving: Serving, listener: socket.socket, counted: str) -> None:
    """The life of a worker."""
    os.environ[_COUNTED] = counted
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which passes it on
    Server(application(serving), listener, serving.stop_seconds).run([listener])
