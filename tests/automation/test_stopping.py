"""Ctrl-C and SIGTERM end a refresh with a line and a code of their own, in a step or before it."""

import os
import signal
import time
from dataclasses import replace

import dagster as dg
import pytest

from lastfm_assets.automation.refresh import Outcome
from lastfm_assets.automation.stopping import run_until_stopped

DONE = Outcome(0, "", "run")
SIGNALS = [(signal.SIGTERM, 143, "SIGTERM"), (signal.SIGINT, 130, "Ctrl-C")]


def signalled(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(5)


@pytest.mark.parametrize(("number", "code", "name"), SIGNALS)
def test_a_refresh_that_is_stopped_before_its_first_step_says_so(
    number: int, code: int, name: str
) -> None:
    # SIGTERM used to end the process without a word
    def refresh() -> Outcome:
        signalled(number)
        return DONE

    stopped = run_until_stopped(refresh)
    assert stopped.exit_code == code
    assert stopped.message.startswith(f"stopped by {name}; readers see what was published last")


@pytest.mark.parametrize(("number", "code", "name"), SIGNALS)
def test_a_refresh_that_is_stopped_in_a_step_says_so(number: int, code: int, name: str) -> None:
    # it used to end with 1 and the name of an error of Dagster's
    @dg.op
    def step() -> None:
        signalled(number)

    @dg.job(executor_def=dg.in_process_executor)
    def refresh() -> None:
        step()

    def ran() -> Outcome:
        with dg.DagsterInstance.ephemeral() as instance:
            result = refresh.execute_in_process(instance=instance, raise_on_error=False)
        return replace(DONE, exit_code=0 if result.success else 1)

    stopped = run_until_stopped(ran)
    assert (stopped.exit_code, stopped.run_id) == (code, "run")
    assert name in stopped.message


def test_a_refresh_that_is_done_is_done_and_handlers_are_as_they_were() -> None:
    before = signal.getsignal(signal.SIGTERM)

    def refresh() -> Outcome:
        with pytest.raises(KeyboardInterrupt):
            signalled(signal.SIGTERM)
        return DONE

    assert run_until_stopped(refresh) == DONE
    assert run_until_stopped(lambda: replace(DONE, exit_code=2)).exit_code == 2
    assert signal.getsignal(signal.SIGTERM) is before
