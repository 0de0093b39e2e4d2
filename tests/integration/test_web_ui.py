"""The Dagster web UI as a person uses it: a real browser, real clicks, a chain that really runs."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
from server_world import BIN, free_port, running, wait_for

from lastfm_assets.io import Store
from lastfm_assets.recommendations.published import PublishedLists

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

PROJECT = Path(__file__).parents[2]
CHROMIUM = which("chromium")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
JOB = "/locations/lastfm_assets/jobs/refresh"
SLOW = 120_000
"""Milliseconds that a page may take on a busy machine."""
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]
playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Desk:
    """A folder with a store, and the web UI over it, as `make ui` starts it."""

    folder: Path
    browser: "Browser"
    complaints: list[str] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return Store(str(self.folder / "store"))

    def ui(self, stack: ExitStack, **environment: str) -> "Page":
        """A page of the web UI, whose every complaint is kept."""
        port, log = free_port(), self.folder / "ui.log"
        url = f"http://127.0.0.1:{port}"
        own = {
            "DAGSTER_HOME": str(self.folder / "home"),
            "LASTFM_STORE": str(self.folder / "store"),
            "LASTFM_SOURCE": "sample",
            "PYTHONWARNINGS": "ignore::FutureWarning",
        } | environment
        prepare = [str(BIN / "python"), "-m", "lastfm_assets.automation.instance"]
        with running(prepare, cwd=PROJECT, log=log, environment=own) as preparing:
            assert preparing.popen.wait(60) == 0
        command = ["dev", "--workspace", "workspace.yaml", "--host", "127.0.0.1"]
        stack.enter_context(
            running(
                [str(BIN / "dagster"), *command, "--port", str(port)],
                cwd=PROJECT,
                log=log,
                environment=own,
            )
        )
        wait_for("the web UI", lambda: answers(url), 120, logs=lambda: log.read_text()[-3000:])
        page = self.browser.new_page(base_url=url, viewport={"width": 1500, "height": 1000})
        page.set_default_timeout(SLOW)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._listen)
        stack.callback(page.close)
        return page

    def _listen(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(message.text)


def answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/server_info", timeout=2) as answer:  # noqa: S310 (our own)
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, browser: "Browser") -> Desk:
    return Desk(tmp_path_factory.mktemp("desk"), browser)


def visible(page: "Page", text: str) -> "Locator":
    """The first place where a text can be seen; the UI measures others out of sight."""
    return page.get_by_text(text).filter(visible=True).first


def materialize(page: "Page") -> None:
    """Clicks the job's button and goes to the run that it starts."""
    page.goto(JOB)
    page.get_by_role("button", name="Materialize all").click()
    page.get_by_role("link", name="View", exact=True).click()
    page.wait_for_url("**/runs/*")


def test_a_person_materializes_the_chain_sees_a_missed_gate_and_keeps_the_lists(
    desk: Desk,
) -> None:
    with ExitStack() as stack:
        page = desk.ui(stack)
        materialize(page)
        page.get_by_text("Success", exact=True).first.wait_for(timeout=2 * SLOW)
        page.goto("/assets/evaluation/leaderboard")
        visible(page, "All models on one table").wait_for()
        visible(page, "best_held_out_precision@10").wait_for()
        page.goto("/assets/recommendations/top_artists")
        visible(page, "The model's score, min-max scaled within the list").wait_for()
        assert desk.complaints == []
    before, _ = PublishedLists(desk.store.root).current()

    with ExitStack() as stack:
        page = desk.ui(stack, LASTFM_MIN_PRECISION="0.9")
        materialize(page)
        page.get_by_text("Failure", exact=True).first.wait_for(timeout=2 * SLOW)
        page.goto("/assets/evaluation/leaderboard?view=checks")
        visible(page, "best_model_rea").click()
        visible(page, "Held-out precision@10 of the model best on validation").wait_for()
        visible(page, "Failed").wait_for()
        visible(page, "threshold").wait_for()
        visible(page, "0.9").wait_for()
        assert desk.complaints == []
    after, version = PublishedLists(desk.store.root).current()
    assert after.equals(before)
    assert version.number == 0
