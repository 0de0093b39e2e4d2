"""The real command in a process of its own each time, at the cost of a fork instead of imports.

A refresh spends more time on imports than on a small source. So one process imports everything,
starts no thread, and makes a child for each request: a session of its own, as a shell would start
it, with the environment and the arguments that are handed in, and `lastfm_assets.cli.main` in it.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

_IMPORTED: Final = (
    "lastfm_assets.automation.refresh",
    "lastfm_assets.recommendations.reader",
    "lastfm_assets.recommendations.serve",
    "dagster._core.execution.execute_in_process",
    "dagster._core.storage.sqlite_storage",
    "dagster._core.workspace.context",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "PIL.PngImagePlugin",
    "jinja2",
    "threadpoolctl",
)
"""What a refresh imports when it first needs it."""
_PATIENCE: Final = 600.0
"""Seconds that anything may take, on a machine that has much else to do."""
_OURS: Final = ("LASTFM_", "DAGSTER_", "AWS_")


@dataclass(frozen=True)
class Ended:
    """A child that is gone."""

    code: int
    """Exit code; below zero: the signal that killed it."""
    seconds: float
    said: str
    """All that it wrote, to stdout and stderr."""
    figures: tuple[dict[str, Any], ...]
    """Of each command that came to its end: `code, rss_mb, threads, files`."""

    @property
    def last_line(self) -> str:
        """The last line of what it said."""
        return self.said.rstrip().rpartition("\n")[2]


class Child:
    """A command that runs, in a session of its own."""

    def __init__(self, zygote: "Zygote", pid: int, log: Path) -> None:
        self.pid = pid
        self._zygote, self._log = zygote, log
        self._started = time.monotonic()

    @property
    def said(self) -> str:
        """What it has written so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def signal(self, number: int) -> None:
        """Signals its whole process group; nothing happens where it is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def ended_within(self, seconds: float) -> Ended | None:
        """Waits for its end; None where it goes on."""
        answer = self._zygote.answer(seconds)
        if answer is None:
            return None
        took = time.monotonic() - self._started
        figures = tuple(json.loads(line) for line in answer["figures"])
        return Ended(int(answer["code"]), took, self.said, figures)

    def wait(self, seconds: float = _PATIENCE) -> Ended:
        """Waits for its end.

        Raises:
            TimeoutError: it goes on; it has been killed now.
        """
        ended = self.ended_within(seconds)
        if ended is None:
            self.signal(signal.SIGKILL)
            self.ended_within(seconds)
            raise TimeoutError(f"still running after {seconds:.0f} s; it said: {self.said[-2000:]}")
        return ended


class Zygote:
    """The process that has imported everything; use `started`."""

    def __init__(self, process: "subprocess.Popen[bytes]", folder: Path) -> None:
        self._process, self._folder, self._heard = process, folder, b""

    def start(
        self, *commands: Sequence[str], environment: Mapping[str, str], name: str = "said"
    ) -> Child:
        """Starts commands, one after the other in one process; one child at a time.

        Args:
            commands: the arguments of each; `prune DAYS` is the module that forgets old runs.
            environment: all its settings; others of ours are unset.
            name: of the file that keeps what it says.
        """
        log = self._folder / f"{name}.log"
        request = {"commands": commands, "environment": dict(environment), "log": str(log)}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        answer = self.answer(_PATIENCE)  # it imports before it answers its first request
        assert answer is not None
        return Child(self, int(answer["pid"]), log)

    def run(self, *command: str, environment: Mapping[str, str], name: str = "said") -> Ended:
        """Runs one command to its end."""
        return self.start(command, environment=environment, name=name).wait()

    def answer(self, seconds: float) -> dict[str, Any] | None:
        """What it says next; None where it says nothing in time."""
        assert self._process.stdout is not None
        until = time.monotonic() + seconds
        while b"\n" not in self._heard:
            left = max(0.0, until - time.monotonic())
            if not select.select([self._process.stdout], [], [], left)[0]:
                return None
            heard = os.read(self._process.stdout.fileno(), 1 << 16)
            if not heard:
                raise EOFError("the process that has imported everything is gone")
            self._heard += heard
        line, _, self._heard = self._heard.partition(b"\n")
        return dict(json.loads(line))


@contextlib.contextmanager
def started(folder: Path, preload: Mapping[str, str] | None = None) -> Iterator[Zygote]:
    """A zygote, gone with its children when the block ends.

    Args:
        folder: where its children's logs lie.
        preload: its own environment, as `LD_PRELOAD` counts only when a process starts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with (folder / "zygote.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=kept | one_thread | {"MPLBACKEND": "agg"} | dict(preload or {}),
        )
    with process:
        try:
            yield Zygote(process, folder)
        finally:
            assert process.stdin is not None
            process.stdin.close()  # it ends by itself once it has read all
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()


def _warm_up() -> None:
    """Imports all that a refresh needs, and makes a database and a picture, as a refresh does."""
    for name in _IMPORTED:
        importlib.import_module(name)
    import dagster as dg  # noqa: PLC0415 (counts as what is imported)
    from matplotlib.figure import Figure  # noqa: PLC0415

    from lastfm_assets.definitions import build_definitions  # noqa: PLC0415
    from lastfm_assets.settings import Settings  # noqa: PLC0415

    build_definitions(Settings()).resolve_job_def("refresh")
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        dg.DagsterInstance.from_config(home).dispose()
        figure = Figure()
        figure.subplots().set_title("warm")
        figure.savefig(Path(home) / "picture.png")


def _serve() -> None:
    """Answers each request by a child's process id, and by its exit code once it is gone."""
    _warm_up()
    gc.collect()
    gc.freeze()  # else each child copies all of it by looking for garbage
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    for line in requests:
        request = json.loads(line)
        ready, told = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.setsid()
            os.close(ready)
            requests.close()
            answers.close()
            _become(request)
            os.write(told, b"x")
            os.close(told)
            _leave(_run(request))
        os.close(told)
        os.read(ready, 1)
        os.close(ready)
        answers.write(json.dumps({"pid": pid}) + "\n")
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(ProcessLookupError):  # whom a killed child has left behind
            os.killpg(pid, signal.SIGKILL)
        figures = Path(f"{request['log']}.figures")
        lines = figures.read_text().splitlines() if figures.exists() else []
        code = os.waitstatus_to_exitcode(status)
        answers.write(json.dumps({"code": code, "figures": lines}) + "\n")


def _become(request: Mapping[str, Any]) -> None:
    """Makes this process look as one that a shell has started with that environment."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for name in [name for name in os.environ if name.startswith(_OURS)]:
        del os.environ[name]
    os.environ.update(request["environment"])
    tempfile.tempdir = None  # TMPDIR counts again
    Path(f"{request['log']}.figures").unlink(missing_ok=True)
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def _run(request: Mapping[str, Any]) -> int:
    """Runs the commands as the console script does; the code of the last."""
    from lastfm_assets import cli  # noqa: PLC0415 (imported already)
    from lastfm_assets.automation import pruning  # noqa: PLC0415

    code = 0
    for command in request["commands"]:
        sys.argv = ["lastfm-assets", *command]
        try:
            if command[0] == "prune":
                sys.exit(pruning.main(["--days", command[1]]))
            cli.main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        with Path(f"{request['log']}.figures").open("a") as file:
            file.write(json.dumps({"code": code, **_figures()}) + "\n")
    return code


def _leave(code: int) -> NoReturn:
    """Ends as `sys.exit` does, but does not tear down what was imported: that takes a second."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _figures() -> dict[str, float]:
    """What this process uses."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "rss_mb": round(pages * resource.getpagesize() / 2**20, 1),
        "threads": len(list(Path("/proc/self/task").iterdir())),
        "files": len(list(Path("/proc/self/fd").iterdir())),
    }


if __name__ == "__main__":
    _serve()
