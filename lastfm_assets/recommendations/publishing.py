"""What readers may see: lists that broke no rule, and nothing else."""

from lastfm_assets.errors import GateRefusedError
from lastfm_assets.findings import Finding


def require_sound(table: str, findings: dict[str, Finding]) -> None:
    """Stops a table that breaks a rule before it takes the place of the last good one.

    Args:
        table: its name, for the message.
        findings: by rule.

    Raises:
        GateRefusedError: a rule does not hold.
    """
    broken = {name: finding for name, finding in findings.items() if not finding.passed}
    if broken:
        name, finding = next(iter(broken.items()))
        facts = ", ".join(f"{fact} {value}" for fact, value in finding.facts.items())
        raise GateRefusedError(
            f"{table} breaks {len(broken)} rule(s), first {name} ({facts}); expected none; "
            "nothing is published, the last lists stay"
        )
