"""Lets Ctrl-C and SIGTERM stop a refresh in order, with a line and a code that tell which came."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from typing import Final

from lastfm_assets.automation.refresh import Outcome

_ASKS: Final = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
"""Signals that ask a process to stop, and what users call them."""


def run_until_stopped(refresh: Callable[[], Outcome]) -> Outcome:
    """Runs a refresh to its end, or until somebody asks this process to stop.

    Args:
        refresh: runs it; what is under way when a signal comes raises `KeyboardInterrupt` or,
            within a step, fails as Dagster has it fail.

    Returns:
        How it ended; where it was stopped, with 128 and the signal's number, as shells say it.
    """
    with _noted_signals() as noted:
        try:
            outcome = refresh()
        except KeyboardInterrupt:
            outcome = Outcome(128 + signal.SIGINT, "stopped", "")
        number = noted()
    if outcome.exit_code == 0 or number is None:
        return outcome
    line = (
        f"stopped by {_ASKS[number]}; readers see what was published last, and the next refresh "
        "goes on from what is made"
    )
    return Outcome(128 + number, line, outcome.run_id)


@contextlib.contextmanager
def _noted_signals() -> Iterator[Callable[[], signal.Signals | None]]:
    """Has SIGTERM interrupt as Ctrl-C does, and tells afterwards which of the two came first.

    Dagster sets handlers of its own while steps run, which take the one for the other: a wake-up
    file is told of every signal, whatever its handler.
    """
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    woken = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def noted() -> signal.Signals | None:
        with contextlib.suppress(BlockingIOError):
            came = [signal.Signals(number) for number in os.read(reading, 1024)]
            return next((number for number in came if number in _ASKS), None)
        return None

    try:
        yield noted
    finally:
        signal.set_wakeup_fd(woken)
        signal.signal(signal.SIGTERM, before)
        os.close(reading)
        os.close(writing)
