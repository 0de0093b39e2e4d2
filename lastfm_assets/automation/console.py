"""One line on the console for each step, in the place of Dagster's event stream."""

import logging
import sys
from typing import Any, Final

import dagster as dg

_NAME: Final = "lastfm_assets.console"
_NOT_EXECUTED: Final = "Dependencies for step "
"""How Dagster begins what it says of each of the steps behind a failed one."""


class _OneLine(logging.Handler):
    """Prints what a person follows: assets written, checks, messages; the rest is in the UI."""

    def emit(self, record: logging.LogRecord) -> None:
        line = _line(record)
        if line is not None:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


def _line(record: logging.LogRecord) -> str | None:
    said: dict[str, Any] = getattr(record, "dagster_meta", {})
    event: dg.DagsterEvent | None = said.get("dagster_event")
    if event is None:
        text = said.get("orig_message", record.getMessage())
        if record.levelno < logging.INFO or text.startswith(_NOT_EXECUTED):
            return None
        mark = "!" if record.levelno >= logging.WARNING else " "
        return f"  {mark} {text}"
    if event.event_type is dg.DagsterEventType.STEP_SUCCESS:
        return _step_line(event)
    if event.event_type is dg.DagsterEventType.STEP_UP_FOR_RETRY:
        seconds = event.step_retry_data.seconds_to_wait or 0
        return f"  ! {str(event.step_key).replace('__', '/')} is tried again in {seconds:.0f} s"
    if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return _check_line(event.asset_check_evaluation_data)
    return None


def _step_line(event: dg.DagsterEvent) -> str | None:
    """An asset and its seconds; steps that only check stay silent."""
    step = str(event.step_key)
    if step.startswith("check_") or step == "gate":
        return None
    seconds = event.step_success_data.duration_ms / 1000
    return f"  {seconds:7.1f} s  {step.replace('__', '/')}"


def _check_line(evaluation: dg.AssetCheckEvaluation) -> str | None:
    """A check that did not pass, with its figures; those that pass stay silent."""
    if evaluation.passed:
        return None
    asset = evaluation.asset_key.to_user_string()
    return f"  ! check {evaluation.check_name} on {asset} did not pass: {shown_facts(evaluation)}"


def shown_facts(evaluation: dg.AssetCheckEvaluation) -> str:
    """A check's figures, for one line."""
    return ", ".join(f"{name} {_short(value.value)}" for name, value in evaluation.metadata.items())


def _short(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _one_line(_context: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.Logger(_NAME, level=logging.DEBUG)  # noqa: LOG001 (a run's own, not the process's)
    logger.addHandler(_OneLine())
    return logger


one_line_logger = dg.LoggerDefinition(_one_line, description="One line a step.")
