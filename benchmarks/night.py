"""Seconds of a night on which nothing changed: the real daemon, its clock moved on.

    .venv/bin/python benchmarks/night.py --source path/to/hetrec2011-lastfm-2k

A refresh fills a store; then the schedule fires so many nights. Prints a JSON array: seconds from
the tick to the end of the run, and of the run itself. Needs what `make test-integration` needs.
"""

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "integration"), str(TESTS / "automation")]

from alert_world import answers, receiving  # noqa: E402 (from the tests, whose machine this is)
from test_two_days import Clock, Machine, daemon, made_again, turn_on  # noqa: E402


def nights(source: str, count: int) -> list[dict[str, float | str]]:
    """What each night took, and why it made what it made."""
    with tempfile.TemporaryDirectory() as name, receiving(answers(200)) as alerts:
        folder = Path(name)
        clock = Clock(folder)
        clock.move_to(datetime.now(UTC).replace(hour=18, minute=0))
        environment = {
            **clock.environment,
            "DAGSTER_HOME": str(folder / "home"),
            "LASTFM_STORE": str(folder / "store"),
            "LASTFM_SOURCE": source,
        }
        machine = Machine(folder, Path(source), clock, alerts, environment)
        filled = machine.command("refresh")
        if filled.popen.returncode:
            sys.exit(filled.said)
        turn_on(machine)
        machine.note_runs()
        found: list[dict[str, float | str]] = []
        with daemon(machine):
            for _ in range(count):
                run = machine.run_after("a night", clock.to_the_next_night)
                end, start = run.end_time or 0.0, run.start_time or 0.0
                found.append(
                    {
                        "why": made_again(run),
                        "tick_to_end_seconds": end - run.create_timestamp.timestamp(),
                        "run_seconds": end - start,
                    }
                )
        return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", default="sample", help="Folder, archive, URL or `sample`.")
    parser.add_argument("--nights", type=int, default=3)
    chosen = parser.parse_args()
    json.dump(nights(chosen.source, chosen.nights), sys.stdout, indent=2)
    sys.stdout.write("\n")
