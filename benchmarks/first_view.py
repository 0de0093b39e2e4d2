"""Milliseconds until a report page is first seen, in Chromium, opened as a file.

    .venv/bin/python benchmarks/first_view.py data/store/insight/report.html

Prints one JSON object: least, median and most of so many openings, each in a fresh profile. Needs
what `make test-integration` needs.
"""

import argparse
import json
import shutil
import statistics
from pathlib import Path

from playwright.sync_api import sync_playwright

PAINTED = """() => new Promise((done) => new PerformanceObserver((seen) => {
  const first = seen.getEntriesByName("first-contentful-paint")[0];
  if (first) done(first.startTime);
}).observe({ type: "paint", buffered: true }))"""


def first_views(page: Path, openings: int) -> list[float]:
    """First contentful paint of each opening, in milliseconds."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        found = []
        for _ in range(openings):
            context = browser.new_context()
            tab = context.new_page()
            tab.goto(page.resolve().as_uri())
            found.append(float(tab.evaluate(PAINTED)))
            context.close()
        browser.close()
        return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("--openings", type=int, default=20)
    chosen = parser.parse_args()
    views = first_views(chosen.page, chosen.openings)
    print(  # noqa: T201 (its result)
        json.dumps({"least": min(views), "median": statistics.median(views), "most": max(views)})
    )
