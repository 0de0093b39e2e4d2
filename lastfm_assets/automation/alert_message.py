"""What an alert says: one failure of one run, as a subject, a text and JSON."""

import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lastfm_assets.automation.outcome import Failure

KEPT: Final = "What is published stays as it is."
MAX_MESSAGE: Final = 600
"""Characters of a failure's line: chat services cut or refuse more."""
_HOW: Final = {
    "gate": "refused by the gate",
    "check": "stopped by a check",
    "error": "failed",
}


@dataclass(frozen=True, slots=True)
class Alert:
    """Everything that the operator is told of one failed run."""

    job: str
    run_id: str
    run_url: str
    failure: Failure
    source: str | None
    """Where the run's data came from, None where it failed before it wrote a table."""
    at: datetime
    """When the run ended, with its time zone."""

    @property
    def subject(self) -> str:
        """One line that names the job and how it ended; nothing in it comes from the data."""
        return f"lastfm_assets: {self.job} {_HOW[self.failure.reason]}"

    @property
    def text(self) -> str:
        """The plain text of an e-mail."""
        checks = [
            f"Check {check.name} on {check.asset} did not pass: {check.facts or 'no figures'}"
            for check in self.failure.failed_checks
        ]
        facts = [
            f"Source: {self.source}" if self.source else "Source: no table was written",
            f"Run:    {self.run_id}",
            f"Ended:  {_utc(self.at)}",
            f"Link:   {self.run_url}",
        ]
        parts = [_short(self.failure.message), "\n".join(checks), "\n".join(facts), KEPT]
        return "\n\n".join(part for part in parts if part) + "\n"

    def as_json(self) -> dict[str, Any]:
        """The body of a webhook; `text` is what Slack and Mattermost show."""
        shown = _inert(_short(self.failure.message))
        return {
            "text": f"{self.subject}\n{shown}\n{KEPT} {self.run_url}",
            "job": self.job,
            "run_id": self.run_id,
            "run_url": self.run_url,
            "cause": self.failure.cause,
            "message": _short(self.failure.message),
            "failed_checks": [
                {"name": check.name, "asset": check.asset, "facts": check.facts}
                for check in self.failure.failed_checks
            ],
            "source": self.source,
            "at": _utc(self.at),
        }


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _short(text: str) -> str:
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return textwrap.shorten(text, MAX_MESSAGE, placeholder=" ...") or text[:MAX_MESSAGE]


def _inert(text: str) -> str:
    """Text in which a chat service finds no mark-up and nobody to call.

    `<!channel>` would wake a whole Slack channel and `@all` a Mattermost one, and names in a
    message come from strangers.
    """
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("@", "@\u200b")
