"""The program of a process that fits models for another one; see `workers`."""

import contextlib
import os
import queue
import sys
import threading
import time
import traceback
from typing import Any, BinaryIO

import numpy as np

from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.trained import model_named
from lastfm_assets.models.wire import matrix_from, pack, receive, send, side_from, unpack


def main() -> None:
    """The process: reads what it is given until its parent is gone."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    received: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, received), daemon=True).start()
    known: dict[str, Any] = {}
    while True:
        said, arrays = unpack(received.get())
        _take(said, arrays, known)
        if "model" in said:
            with contextlib.suppress(BrokenPipeError):
                send(answers, _answer(said, known))


def _take(said: dict[str, Any], arrays: dict[str, np.ndarray], known: dict[str, Any]) -> None:
    """Keeps what later fits are made on, and forgets what none of them needs."""
    if "matrix" in said:
        known[said["matrix"]] = matrix_from(said, arrays)
    elif "side" in said:
        known[said["side"]] = side_from(arrays)
    else:
        for name in known.keys() - set(said["keep"]):
            del known[name]


def _listen(stream: BinaryIO, received: queue.SimpleQueue[bytes]) -> None:
    """A thread of the process's: takes what is sent, and ends the process with its parent."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            received.put(receive(stream))
    os._exit(0)  # in the middle of a fit, too, which nobody awaits any more


def _answer(said: dict[str, Any], known: dict[str, Any]) -> bytes:
    """Fits what is asked for."""
    try:
        model = model_named(said["model"])
        config = model.Config.model_validate(said["config"])
        side = known[said["beside"]] if said["beside"] else SideTables.none()
        started = time.perf_counter()
        made = model.fit(known[said["data"]], config, side=side, seed=said["seed"])
        return pack({"seconds": time.perf_counter() - started}, made.arrays())
    except Exception as problem:  # noqa: BLE001 (raised again in the parent)
        # numpy's want of memory has a name of its own
        kind = MemoryError if isinstance(problem, MemoryError) else type(problem)
        told = {"message": str(problem), "traceback": traceback.format_exc()}
        return pack({"error": kind.__name__, **told}, {})
