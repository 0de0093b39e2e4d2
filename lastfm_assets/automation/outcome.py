"""What made a run fail, read from its events: for the command line and for alerts alike."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import dagster as dg

from lastfm_assets.automation.console import shown_facts
from lastfm_assets.automation.failures import EXIT_CODE
from lastfm_assets.errors import GateRefusedError

Reason = Literal["gate", "check", "error"]
"""What stopped a run: a threshold, another check, or something that broke."""

_GATE_STEP: Final = "gate"
"""The step of the checks that hold thresholds, see `evaluation/checks.py`."""
_CHECK_ERROR: Final = "DagsterAssetCheckFailedError"
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HOLDS_DIGITS: Final = re.compile(r"\w*\d\w*")


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """An asset check that did not pass."""

    name: str
    asset: str
    """Key of the asset, parts joined by `/`."""
    facts: str
    """Its figures, for one line."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run failed."""

    exit_code: int
    """1 a check or the gate failed, or something unexpected; 2 bad input."""
    message: str
    """One line, of printable characters."""
    reason: Reason
    cause: str
    """Equal for failures at the same place for the same kind of reason, whatever the figures."""
    failed_checks: tuple[FailedCheck, ...] = ()


def failure_of(events: Sequence[dg.DagsterEvent]) -> Failure:
    """The first failure among a failed run's events: our own error, a check, or the unexpected.

    Args:
        events: in the order in which they happened; those of steps, checks and the run count.

    Returns:
        A failure even where no event tells of one: then the run itself did not start or end.
    """
    checks = tuple(_failed_checks(events, dg.AssetCheckSeverity.ERROR))
    steps = [event for event in events if event.event_type is dg.DagsterEventType.STEP_FAILURE]
    for event in steps:
        failure = _of_step(event, checks)
        if failure is not None:
            return failure
    if checks:
        return _of_checks(checks, gate=any(event.step_key == _GATE_STEP for event in steps))
    return _of_run(events)


def _of_step(event: dg.DagsterEvent, checks: tuple[FailedCheck, ...]) -> Failure | None:
    """The failure of a step, None where it says only that a check did not pass."""
    data = event.step_failure_data
    said = data.user_failure_data
    step = str(event.step_key)
    if said is not None and EXIT_CODE in said.metadata:
        code = int(str(said.metadata[EXIT_CODE].value))
        text = _one_line(said.description or said.label or "")
        reason: Reason = "gate" if code == GateRefusedError.exit_code else "error"
        return Failure(code, text, reason, _cause(step, str(code), text), checks)
    if data.error is not None and data.error.cls_name != _CHECK_ERROR:
        inner = data.error.cause or data.error  # Dagster's own says only which step it was
        text = _one_line(inner.message)
        cause = _cause(step, str(inner.cls_name), text)
        return Failure(1, f"{step}: {text}", "error", cause, checks)
    return None


def _of_checks(checks: tuple[FailedCheck, ...], *, gate: bool) -> Failure:
    first = checks[0]
    text = (
        f"check {first.name} on {first.asset} did not pass ({first.facts}); nothing is "
        "published, the last lists stay"
    )
    names = sorted(f"{check.asset}:{check.name}" for check in checks)
    return Failure(1, text, "gate" if gate else "check", _cause("checks", *names), checks)


def _of_run(events: Sequence[dg.DagsterEvent]) -> Failure:
    """A run without a failed step: it never started, or its process went away."""
    text = ""
    for event in events:
        if event.event_type is dg.DagsterEventType.RUN_FAILURE:
            error = getattr(event.event_specific_data, "error", None)
            text = _one_line((error.cause or error).message if error else event.message or "")
    text = f"the run failed: {text}" if text else "the run failed"
    return Failure(1, text, "error", _cause("run", text))


def warnings_of(events: Sequence[dg.DagsterEvent]) -> tuple[str, ...]:
    """A line for each check that did not pass and stops nothing.

    Args:
        events: see `failure_of`.
    """
    warn = dg.AssetCheckSeverity.WARN
    return tuple(
        f"check {check.name} on {check.asset} did not pass: {check.facts}"
        for check in _failed_checks(events, warn)
    )


def _failed_checks(
    events: Sequence[dg.DagsterEvent], severity: dg.AssetCheckSeverity
) -> list[FailedCheck]:
    evaluations = [
        event.asset_check_evaluation_data
        for event in events
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ]
    return [
        FailedCheck(
            evaluation.check_name,
            evaluation.asset_key.to_user_string(),
            _one_line(shown_facts(evaluation)),
        )
        for evaluation in evaluations
        if not evaluation.passed and evaluation.severity == severity
    ]


def _cause(*parts: str) -> str:
    """A short name of a cause; words with digits (figures, ids, ports) make no difference."""
    kept = [_HOLDS_DIGITS.sub("#", _ID.sub("#", part)) for part in parts[1:]]
    return hashlib.sha256("\n".join([parts[0], *kept]).encode()).hexdigest()[:16]


def _one_line(text: str) -> str:
    """Text without line breaks and control characters, which may come from the data."""
    shown = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(shown.split())
