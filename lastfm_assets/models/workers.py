"""Processes that fit models side by side, and end with the process that started them.

Each runs `worker.main` by the same Python. It is told by its standard input what to fit and on
what, and answers by its standard output; once the input ends, because its parent has closed it or
is gone, however it went, it ends at once.
"""

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, Final, cast

from lastfm_assets import errors
from lastfm_assets.errors import LastfmAssetsError
from lastfm_assets.models.protocol import Recommender
from lastfm_assets.models.wire import (
    Fit,
    matrix_to_bytes,
    pack,
    receive,
    send,
    side_to_bytes,
    unpack,
)

Made = tuple[Fit, Recommender, float]
"""What was asked for, the fitted model, and the seconds that the fit took."""
_START: Final = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); sys.path[:] = sys.argv[1:]; "
    "from lastfm_assets.models.worker import main; main()"
)
"""A program that finds the same modules as its parent, whatever the parent's program is. Ctrl-C is
for the parent, which then ends it."""
_THREADS: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
"""Read by numerical libraries when they are loaded, and not later."""
_OURS: Final = ("LASTFM_", "DAGSTER_")
"""Settings, passwords among them, which a fit does not need."""


class Workers:
    """Up to so many processes, started when they are first needed and kept until `close`."""

    def __init__(self, processes: int) -> None:
        self.processes = processes
        self._started: list[_Worker] = []

    @contextlib.contextmanager
    def running(self, asked: Sequence[Fit]) -> Iterator[Iterator[Made]]:
        """Fits models side by side, the first first, from now on.

        Processes go on while the caller looks at what it got, but never more than one finished
        model each ahead of it, so that memory stays bounded. Whoever leaves the block by an
        exception ends the processes.

        Args:
            asked: what to fit.

        Yields:
            Each fit as it ends.

        Raises:
            LastfmAssetsError: as a fit raised it, or a process ended in the middle of one.
            RuntimeError: a fit failed otherwise; its traceback is a note.
        """
        todo: queue.SimpleQueue[Fit | None] = queue.SimpleQueue()
        for one in asked:
            todo.put(one)
        done: queue.Queue[Made | BaseException] = queue.Queue(maxsize=self.processes)
        needed = frozenset[str]().union(*(one.reads for one in asked))
        threads = [
            threading.Thread(target=_serve, args=(worker, todo, done, needed), daemon=True)
            for worker in self._at_least(min(self.processes, len(asked)))
        ]
        for thread in threads:
            todo.put(None)
            thread.start()
        try:
            yield (_made(done.get()) for _ in asked)
        except BaseException:  # also of a caller who wants no more, or is interrupted
            self.close()
            raise
        finally:
            _join(threads, done)

    def close(self) -> None:
        """Ends all processes, whatever they are doing."""
        while self._started:
            self._started.pop().end()

    def _at_least(self, n: int) -> list["_Worker"]:
        """So many processes, more started if need be."""
        while len(self._started) < n:
            self._started.append(_Worker(max(1, _cores() // self.processes)))
        return self._started[:n]


class _Worker:
    """One process."""

    def __init__(self, threads: int) -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603 (this Python, our own program)
                [sys.executable, "-P", "-c", _START, *sys.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=_environment(threads),
            )
        except OSError as problem:
            raise LastfmAssetsError(
                f"a process to fit models could not be started ({problem.strerror}); "
                "lower LASTFM_PROCESSES"
            ) from problem
        self._to = cast("BinaryIO", self._process.stdin)
        self._from = cast("BinaryIO", self._process.stdout)
        self._known: set[str] = set()
        self._lock = threading.Lock()  # a fit may ask for others while these are under way

    def fit(self, one: Fit, needed: frozenset[str]) -> Made:
        """Has it fit one model; what it is fitted on is sent once.

        Args:
            one: what to fit.
            needed: fingerprints that more fits will ask for; the process forgets all others.

        Raises:
            LastfmAssetsError, RuntimeError: as `Workers.running`.
        """
        with self._lock:
            if self._process.returncode is not None:
                raise self._gone(one.model.name)
            try:
                self._send(one, needed)
                said, arrays = unpack(receive(self._from))
            except (OSError, EOFError) as problem:
                raise self._gone(one.model.name) from problem
        if "error" in said:
            raise _error_of(said, one.model.name)
        return one, one.model.from_arrays(one.config, arrays), float(said["seconds"])

    def end(self) -> None:
        """Kills it: it keeps nothing that would have to be put away."""
        self._process.kill()
        self._process.wait()
        with self._lock:  # whoever waits for its answer learns now that none will come
            with contextlib.suppress(OSError):  # what was still to be written
                self._to.close()
            self._from.close()

    def _send(self, one: Fit, needed: frozenset[str]) -> None:
        self._known &= needed
        for name, write in _inputs(one).items():
            if name not in self._known:
                send(self._to, write())
                self._known.add(name)
        asked = {
            "model": one.model.name,
            "config": one.config.model_dump(mode="json"),
            "seed": one.seed,
            "data": one.data,
            "beside": one.beside,
            "keep": sorted(needed),
        }
        send(self._to, pack(asked, {}))

    def _gone(self, name: str) -> LastfmAssetsError:
        code = self._process.wait()
        if code < 0:
            return LastfmAssetsError(
                f"a process that fitted {name} was killed (out of memory?); lower LASTFM_PROCESSES"
            )
        return LastfmAssetsError(
            f"a process that fitted {name} ended by itself (exit code {code}), expected a model; "
            "what it wrote stands above, LASTFM_PROCESSES=1 fits without processes"
        )


def _environment(threads: int) -> dict[str, str]:
    """That of a process which uses so many threads, or fewer where the user has said so."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(_OURS)}
    for name in _THREADS:
        said = environment.get(name, "")
        lower = said.isdecimal() and 0 < int(said) < threads
        environment[name] = said if lower else str(threads)
    return environment


def _inputs(one: Fit) -> dict[str, Callable[[], bytes]]:
    """What a model is fitted on, by fingerprint."""
    inputs = {one.data: lambda: matrix_to_bytes(one.matrix, {"matrix": one.data})}
    if one.beside:
        inputs[one.beside] = lambda: side_to_bytes(one.side, {"side": one.beside})
    return inputs


def _serve(
    worker: _Worker,
    todo: queue.SimpleQueue[Fit | None],
    done: queue.Queue[Made | BaseException],
    needed: frozenset[str],
) -> None:
    """A thread of the parent's: keeps one process busy until nothing is left to do."""
    try:
        while (one := todo.get()) is not None:
            done.put(worker.fit(one, needed))
    except BaseException as problem:  # noqa: BLE001 (raised again where the models are awaited)
        done.put(problem)


def _made(outcome: Made | BaseException) -> Made:
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def _join(threads: Sequence[threading.Thread], done: queue.Queue[Made | BaseException]) -> None:
    """Waits for threads to end, none of which may be left with a model that nobody takes."""
    for thread in threads:
        while thread.is_alive():
            with contextlib.suppress(queue.Empty):
                done.get(timeout=0.01)


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _error_of(said: dict[str, Any], name: str) -> Exception:
    """The exception that a fit raised in its process, or one that says as much."""
    kind = getattr(errors, said["error"], None)
    if isinstance(kind, type) and issubclass(kind, LastfmAssetsError):
        return kind(said["message"])
    if said["error"] == MemoryError.__name__:
        return LastfmAssetsError(f"no memory was left to fit {name}; lower LASTFM_PROCESSES")
    problem = RuntimeError(f"fitting {name} failed: {said['error']}: {said['message']}")
    problem.add_note(said["traceback"])
    return problem
