"""Failed runs to tell of, and servers that take, refuse or never answer what is told."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import dagster as dg
from dagster._core.definitions.run_request import DagsterRunReaction

from lastfm_assets.automation.alerts import tell_operator
from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.settings import Settings

SECRET = "T0PSECRET"  # noqa: S105 (a word to look for in logs)
Answer = Callable[[BaseHTTPRequestHandler], None]


def answers(status: int, **headers: str) -> Answer:
    """Answers every request in one way."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


def hangs(_: BaseHTTPRequestHandler) -> None:
    """Never answers."""
    time.sleep(5)


def drips(request: BaseHTTPRequestHandler) -> None:
    """Sends a byte now and then, so that no socket ever times out."""
    try:
        for sign in b"HTTP/1.1 200 OK\r\nX: ".ljust(60, b"x"):
            request.wfile.write(bytes([sign]))
            time.sleep(0.1)
    except OSError:
        pass


class Receiver(ThreadingHTTPServer):
    """A webhook's server on loopback that keeps what it is posted."""

    daemon_threads = True

    def __init__(self, *answer: Answer) -> None:
        self.posted: list[Any] = []
        self.asked: list[str] = []
        self._answers = list(answer)
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """Its address, with a path that is a secret."""
        return f"http://127.0.0.1:{self.server_port}/hooks/{SECRET}"

    def next_answer(self) -> Answer:
        """The answers in their order, the last one for all that follow."""
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        answers(200)(self)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append(json.loads(body))
        self.server.asked.append(self.path)
        self.server.next_answer()(self)

    def log_message(self, *_: Any) -> None:
        """Nothing on the tests' stderr."""


@contextmanager
def receiving(*answer: Answer) -> Iterator[Receiver]:
    """A server that runs while the block does."""
    with Receiver(*(answer or (answers(200),))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run(
    instance: dg.DagsterInstance,
    problem: Exception | None = None,
    *,
    job: str = "refresh",
    step: str = "listening__raw_files",
    tags: dict[str, str] | None = None,
) -> dg.ExecuteInProcessResult:
    """A finished run of a job of one step, which fails where a problem is handed in."""

    @dg.op(name=step)
    @fails_clearly
    def only_step() -> None:
        if problem is not None:
            raise problem

    @dg.job(name=job, tags=tags)
    def only_job() -> None:
        only_step()

    return only_job.execute_in_process(instance=instance, raise_on_error=False)


def tell(
    instance: dg.DagsterInstance, ran: dg.ExecuteInProcessResult, **settings: Any
) -> dg.SkipReason | DagsterRunReaction:
    """What the sensor makes of a failed run."""
    failed = next(
        event for event in ran.all_events if event.event_type is dg.DagsterEventType.RUN_FAILURE
    )
    fresh = instance.get_run_by_id(ran.run_id)
    assert fresh is not None
    return tell_of(instance, fresh, failed, **settings)


def tell_of(
    instance: dg.DagsterInstance, run: dg.DagsterRun, failed: dg.DagsterEvent, **settings: Any
) -> dg.SkipReason | DagsterRunReaction:
    """What the sensor makes of an event of a run."""
    context = dg.build_run_status_sensor_context(
        sensor_name="tell_operator",
        dagster_instance=instance,
        dagster_run=run,
        dagster_event=failed,
        resources={"settings": Settings.model_validate(settings)},
    ).for_run_failure()
    said: Any = tell_operator(context)
    return said
