"""The page in a real browser, opened as a file: by keyboard alone, on a phone, in the dark."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lastfm_assets.insight.inputs import ReportInputs
from lastfm_assets.insight.report import build_report

pytest.importorskip("playwright", reason="playwright is not installed")
from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.integration

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@dataclass
class Opened:
    """A page, and everything that it complained of or asked for."""

    page: "Page"
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: neither chromium nor chromium-browser in PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: "Browser", tmp_path: Path) -> Iterator[Any]:
    """`opened(inputs, "#user=1", **of_the_context)`; at the end nothing may have gone wrong."""
    every: list[Opened] = []

    def open_page(inputs: ReportInputs, fragment: str = "", **context: Any) -> Opened:
        path = tmp_path / f"report-{len(every)}.html"
        path.write_text(build_report(inputs).html, encoding="utf-8")
        made = Opened(browser.new_context(**context).new_page())
        every.append(made)
        made.page.on("console", lambda said: made.complaints.append(f"{said.type}: {said.text}"))
        made.page.on("pageerror", lambda problem: made.complaints.append(str(problem)))
        made.page.on("dialog", lambda dialog: made.complaints.append(f"dialog {dialog.message}"))
        made.page.on("request", lambda asked: made.requests.append(asked.url))
        made.page.goto(f"{path.as_uri()}{fragment}")
        return made

    yield open_page
    for made in every:
        assert made.complaints == []
        assert [url for url in made.requests if not url.startswith(("file:", "data:"))] == []
        assert len([url for url in made.requests if url.startswith("file:")]) == 1
        made.page.context.close()


@pytest.fixture(scope="module")
def worlds() -> Any:
    """The worlds of the report's own tests."""
    return beside("report_world")


@pytest.fixture(scope="module")
def studies() -> Any:
    """The studies of the report's own tests."""
    return beside("study_world")


def beside(name: str) -> Any:
    import importlib.util  # noqa: PLC0415
    import sys  # noqa: PLC0415

    place = Path(__file__).parents[1] / "insight" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(name, module)
    spec.loader.exec_module(module)
    return module


def tab_to(page: "Page", selector: str) -> None:
    """Presses Tab until an element has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("(s) => document.activeElement.matches(s)", selector):
            return
    pytest.fail(f"Tab never reaches {selector}")


class TestByKeyboardAlone:
    def test_a_user_is_found(self, opened: Any, worlds: Any) -> None:
        page = opened(worlds.world()).page
        tab_to(page, "#query")
        page.keyboard.type("user 1")
        expect(page.get_by_role("option")).to_have_count(1)
        page.keyboard.press("Enter")
        expect(page.locator("#found h3")).to_have_text("User 1")
        assert page.url.endswith("#user=1")
        rows = [text.split("\n") for text in page.locator("#found .rows li").all_inner_texts()]
        assert rows == [
            ["D<i>no</i>", "1.000", "because of Bob & Co, Ana"],
            ["Eve", "0.000"],
            ["Bob & Co", "100"],
            ["Ana", "5"],
            ["Chloé", "5"],
        ]
        # of the three artists that user 1 plays, Ana and Bob & Co are called rock and pop
        assert page.locator("#found .tags li").all_inner_texts() == ["pop 2", "rock 2"]
        assert page.evaluate("document.activeElement.textContent") == "User 1"

    def test_an_artist_is_found_whatever_its_case_and_accents(
        self, opened: Any, worlds: Any
    ) -> None:
        page = opened(worlds.world()).page
        tab_to(page, "#query")
        page.keyboard.type("CHLOE")
        expect(page.get_by_role("option")).to_have_text("Chloé1 listener")
        page.keyboard.press("ArrowDown")
        query = page.get_by_role("combobox")
        expect(query).to_have_attribute("aria-activedescendant", "option-0")
        expect(query).to_have_attribute("aria-expanded", "true")
        expect(page.get_by_role("option", selected=True)).to_have_count(1)
        page.keyboard.press("Enter")
        expect(page.locator("#found h3")).to_have_text("Chloé")
        expect(query).to_have_attribute("aria-expanded", "false")
        assert page.url.endswith("#artist=30")

    def test_links_lead_on_and_the_way_back_is_kept(self, opened: Any, worlds: Any) -> None:
        page = opened(worlds.world(), "#artist=10").page
        heading = page.locator("#found h3")
        expect(heading).to_have_text("Ana")
        expect(page.locator("#found .note").first).to_have_text(
            "3 listeners, 1,012 plays; recommended to 0 users."
        )
        similar = page.locator("#found .two > div").first.locator(".rows li").all_inner_texts()
        assert [line.split("\n") for line in similar] == [["Bob & Co", "0.500"], ["Chloé", "0.250"]]
        tab_to(page, "#found a[href='#artist=20']")
        page.keyboard.press("Enter")
        expect(heading).to_have_text("Bob & Co")
        expect(page.locator("#found .people")).to_have_text("user 2")
        tab_to(page, "#found a[href='#user=2']")
        page.keyboard.press("Enter")
        expect(heading).to_have_text("User 2")
        page.go_back()
        expect(heading).to_have_text("Bob & Co")
        page.go_back()
        expect(heading).to_have_text("Ana")

    def test_suggestions_can_be_gone_through_and_put_away(self, opened: Any, worlds: Any) -> None:
        page = opened(worlds.world()).page
        tab_to(page, "#query")
        page.keyboard.type("b")
        expect(page.get_by_role("option")).to_have_count(1)
        page.keyboard.press("Control+A")
        page.keyboard.type("e")  # Chloé and Eve: the more heard one of those that begin with it
        expect(page.get_by_role("option")).to_have_text(["Eve0 listeners", "Chloé1 listener"])
        page.keyboard.press("ArrowUp")
        expect(page.get_by_role("option", selected=True)).to_have_text("Chloé1 listener")
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("option", selected=True)).to_have_text("Eve0 listeners")
        page.keyboard.press("Escape")
        expect(page.get_by_role("listbox")).to_be_hidden()

    def test_nothing_found_is_said_aloud(self, opened: Any, worlds: Any) -> None:
        page = opened(worlds.world()).page
        tab_to(page, "#query")
        page.keyboard.type("zz top 99")
        expect(page.get_by_role("status")).to_have_text("Nobody of that number or name.")
        page.keyboard.press("Enter")
        assert "#" not in page.url

    def test_every_table_can_be_scrolled_and_every_detail_opened(
        self, opened: Any, worlds: Any
    ) -> None:
        page = opened(worlds.world()).page
        tab_to(page, "summary")
        page.keyboard.press("Enter")
        closed = page.locator("details:not([open])").count()
        page.keyboard.press("Enter")
        assert abs(page.locator("details:not([open])").count() - closed) == 1
        assert page.locator(".scroll:not([tabindex='0'])").count() == 0


class TestDeepLinks:
    @pytest.mark.parametrize(
        ("fragment", "heading"),
        [
            ("#user=3", "User 3"),
            ("#artist=50", "Eve"),
            ("#user=99", "There is no user 99"),
            ("#artist=7", "There is no artist 7"),
        ],
    )
    def test_open_what_they_name(
        self, opened: Any, worlds: Any, fragment: str, heading: str
    ) -> None:
        page = opened(worlds.world(), fragment).page
        expect(page.locator("#found h3")).to_have_text(heading)
        expect(page.locator("#found h3")).to_be_in_viewport()

    @pytest.mark.parametrize("fragment", ["#user=<img src=x>", "#artist=", "#user=1e3", "#models"])
    def test_of_another_kind_open_nothing(self, opened: Any, worlds: Any, fragment: str) -> None:
        page = opened(worlds.world(), fragment).page
        page.wait_for_timeout(600)
        assert page.locator("#found > *").count() == 0

    def test_show_a_reason_that_is_only_text(self, opened: Any, worlds: Any) -> None:
        page = opened(worlds.world(), "#user=3").page
        expect(page.locator("#found .why")).to_have_text("because of Somebody else")


class TestHostileNames:
    def test_are_shown_as_text_and_never_run(self, opened: Any, worlds: Any) -> None:
        for name in worlds.HOSTILE:
            inputs = worlds.world(names=(name, *worlds.NAMES[1:]), tag=name)
            page = opened(inputs, "#artist=10").page
            heading = page.locator("#found h3 bdi")
            assert heading.text_content() == name
            assert page.locator("#found .tags bdi").all_text_contents().count(name) == 1
            assert page.locator("img, base, iframe, object").count() == 0
            assert page.locator("script").count() == 1  # the packed data are gone once unpacked
            page.locator("#query").fill("a" if "a" in name else name[:3])
            page.wait_for_timeout(50)


class TestAPhone:
    @pytest.mark.parametrize("fragment", ["", "#user=1", "#artist=10"])
    def test_never_scrolls_sideways(self, opened: Any, worlds: Any, fragment: str) -> None:
        long = "Donaudampfschifffahrtsgesellschaft" * 4
        inputs = worlds.world(names=(long, *worlds.NAMES[1:]), tag=long, source="x" * 200)
        page = opened(inputs, fragment, viewport={"width": 360, "height": 740}).page
        page.wait_for_timeout(500)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") == 360

    def test_shows_drawings_in_letters_that_can_be_read(self, opened: Any, worlds: Any) -> None:
        page = opened(worlds.world(), viewport={"width": 360, "height": 740}).page
        heights = page.evaluate(
            "[...document.querySelectorAll('.drawing text')]"
            ".map((one) => parseFloat(getComputedStyle(one).fontSize) "
            "* one.ownerSVGElement.getScreenCTM().a)"
        )
        assert len(heights) > 40
        assert min(heights) > 9


class TestTheDark:
    def test_follows_the_readers_preference(self, opened: Any, worlds: Any) -> None:
        paper = "getComputedStyle(document.body).backgroundColor"
        light = opened(worlds.world(), color_scheme="light").page.evaluate(paper)
        dark = opened(worlds.world(), color_scheme="dark").page.evaluate(paper)
        assert sum(map(int, re.findall(r"\d+", light))) > 700
        assert sum(map(int, re.findall(r"\d+", dark))) < 100

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_text_stands_out_everywhere(self, opened: Any, worlds: Any, scheme: str) -> None:
        """Contrast of 4.5 to 1 at least, as WCAG 2 asks of text."""
        page = opened(worlds.world(source="sample"), "#user=1", color_scheme=scheme).page
        expect(page.locator("#found h3")).to_have_text("User 1")
        weak = page.evaluate(CONTRASTS)
        assert weak == []

    def test_can_be_switched(self, opened: Any, worlds: Any) -> None:
        page = opened(worlds.world(), color_scheme="light").page
        button = page.get_by_role("button", name="Dark")
        button.focus()
        page.keyboard.press("Enter")
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert sum(map(int, re.findall(r"\d+", colour))) < 100
        expect(page.get_by_role("button", name="Light")).to_be_focused()


CONTRASTS = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = parts(colour).map((one) => {
      const share = one / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (parts(colour).length === 3) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return [...document.querySelectorAll("body *")]
    .filter((one) => one.checkVisibility() && [...one.childNodes].some((child) =>
      child.nodeType === 3 && child.textContent.trim()) && !one.closest("script, style"))
    .map((one) => {
      const style = getComputedStyle(one);
      const [a, b] = [light(one.closest("svg") ? style.fill : style.color), light(paper(one))];
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), one.textContent.slice(0, 40)];
    })
    .filter(([contrast]) => contrast < 4.5);
}"""


class TestALargeWorld:
    def test_is_searched(self, opened: Any, worlds: Any) -> None:
        """How soon it is seen is for benchmarks/first_view.py to say."""
        page = opened(worlds.large_world()).page
        page.locator("#query").fill("user 50")
        expect(page.get_by_role("option").first).to_contain_text("User 50")
        page.locator("#query").press("Enter")
        expect(page.locator("#found h3")).to_have_text("User 50")

    def test_agrees_with_its_tables(self, opened: Any, worlds: Any) -> None:
        inputs = worlds.large_world()
        plays = inputs.interactions[inputs.interactions["user_id"] == 77]
        best = plays.sort_values(["plays", "artist_id"], ascending=[False, True]).iloc[0]
        mine = inputs.lists[inputs.lists["user_id"] == 77]
        page = opened(inputs, "#user=77").page
        expect(page.locator("#found h3")).to_have_text("User 77")
        listed, played = page.locator("#found .two > div").all()
        assert listed.locator(".what").all_text_contents() == mine["artist_name"].tolist()
        assert listed.locator(".value").all_text_contents() == [f"{x:.3f}" for x in mine["score"]]
        assert played.locator(".value").first.text_content() == f"{best['plays']:,}"
        assert played.locator("li").count() == len(plays)


class TestTextIds:
    KEYS = ("3f2a91", "3f2b77", "<b>bob</b> & %41")

    @pytest.fixture
    def keyed(self, worlds: Any) -> ReportInputs:
        import pandas as pd  # noqa: PLC0415

        large = {1: 2**53 - 3, 2: 2**53 - 2, 3: 2**53 - 1}
        inputs = worlds.world(item="track")
        return replace(
            inputs,
            interactions=inputs.interactions.replace({"user_id": large}),
            lists=inputs.lists.replace({"user_id": large}),
            keys=pd.DataFrame({"kind": "user", "id": list(large.values()), "key": self.KEYS}),
        )

    def test_lead_to_users_by_their_beginning(self, opened: Any, keyed: ReportInputs) -> None:
        page = opened(keyed).page
        tab_to(page, "#query")
        page.keyboard.type("user 3f2")
        expect(page.get_by_role("option")).to_have_text(
            ["User 3f2a913 tracks", "User 3f2b772 tracks"]
        )
        page.keyboard.type("b")
        expect(page.get_by_role("option")).to_have_count(1)
        page.keyboard.press("Enter")
        expect(page.locator("#found h3")).to_have_text("User 3f2b77")
        assert page.url.endswith("#user=3f2b77")
        expect(page.locator("#found .note").first).to_have_text("Plays 2 tracks.")

    def test_are_shown_as_text_whatever_they_are(self, opened: Any, keyed: ReportInputs) -> None:
        page = opened(keyed, "#artist=10").page
        expect(page.locator("#found")).to_contain_text("Similar tracks, with similarity")
        page.get_by_role("link", name=f"user {self.KEYS[2]}").click()
        expect(page.locator("#found h3")).to_have_text(f"User {self.KEYS[2]}")
        page = opened(keyed, page.url[page.url.index("#") :]).page
        expect(page.locator("#found h3")).to_have_text(f"User {self.KEYS[2]}")
        assert page.locator("#found b").count() == 0

    def test_that_nobody_has_are_said_not_to_be(self, opened: Any, keyed: ReportInputs) -> None:
        page = opened(keyed, "#user=nobody%20at%20all").page
        expect(page.locator("#found h3")).to_have_text("There is no user nobody at all")
        page = opened(keyed, "#artist=99").page
        expect(page.locator("#found h3")).to_have_text("There is no track 99")
        page.locator("#query").fill("zz")
        expect(page.get_by_role("status")).to_have_text("Nobody of that id or name.")


class TestNumbersOfSixteenDigits:
    def test_are_exact(self, opened: Any, worlds: Any) -> None:
        large = {1: 2**53 - 3, 2: 2**53 - 2, 3: 2**53 - 1}
        inputs = worlds.world()
        inputs = replace(
            inputs,
            interactions=inputs.interactions.replace({"user_id": large}),
            lists=inputs.lists.replace({"user_id": large}),
        )
        page = opened(inputs, f"#user={2**53 - 2}").page
        expect(page.locator("#found h3")).to_have_text(f"User {2**53 - 2}")
        expect(page.locator("#found .note").first).to_have_text("Plays 2 artists.")


class TestStudies:
    def test_never_scroll_a_phone_sideways_and_can_be_read(
        self, opened: Any, worlds: Any, studies: Any
    ) -> None:
        long = "Donaudampfschifffahrtsgesellschaft" * 4
        made = studies.large_studies() | {
            "insight/tag_popularity": studies.tag_popularity(first=long),
            "insight/tag_trends": studies.tag_trends(up=long),
        }
        inputs = worlds.world(studies=made)
        page = opened(inputs, viewport={"width": 360, "height": 740}).page
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        heights = page.evaluate(
            "[...document.querySelectorAll('.drawing text')]"
            ".map((one) => parseFloat(getComputedStyle(one).fontSize) "
            "* one.ownerSVGElement.getScreenCTM().a)"
        )
        assert len(heights) > 200
        assert min(heights) > 9

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_stand_out_in_either_theme(
        self, opened: Any, worlds: Any, studies: Any, scheme: str
    ) -> None:
        inputs = worlds.world(studies=studies.every_study())
        page = opened(inputs, color_scheme=scheme).page
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate(CONTRASTS) == []

    def test_with_a_warning_show_it_before_the_picture(
        self, opened: Any, worlds: Any, studies: Any
    ) -> None:
        page = opened(worlds.world(studies=studies.every_study())).page
        figure = page.locator("#sound figure", has_text="Loudness goes with popularity")
        warning = figure.get_by_role("note")
        expect(warning).to_contain_text("No cause.")
        above, below = (one.bounding_box() for one in (warning, figure.get_by_role("img")))
        assert above["y"] + above["height"] <= below["y"]

    def test_write_hostile_tags_as_text(self, opened: Any, worlds: Any, studies: Any) -> None:
        for name in worlds.HOSTILE[:4]:
            made = {
                "insight/tag_trends": studies.tag_trends(up=name),
                "insight/tag_popularity": studies.tag_popularity(first=name),
            }
            page = opened(worlds.world(studies=made)).page
            expect(page.locator("#tags h4 bdi").first).to_have_text(name)
            assert page.locator("img, base, iframe, object").count() == 0


class TestASmallWorld:
    def test_of_next_to_nothing_opens(self, opened: Any, worlds: Any) -> None:
        page = opened(worlds.bare_world(), "#user=1").page
        expect(page.locator("#found h3")).to_have_text("User 1")
        expect(page.locator("#found")).to_contain_text("Nothing: they play every artist there is.")

    def test_whose_users_are_cut_short_names_no_listeners_of_an_artist(
        self, opened: Any, worlds: Any
    ) -> None:
        import pandas as pd  # noqa: PLC0415

        artists = pd.DataFrame(
            {"artist_id": range(1, 61), "artist_name": [f"Artist {n}" for n in range(1, 61)]}
        )
        plays = pd.DataFrame({"user_id": 1, "artist_id": range(1, 61), "plays": range(1, 61)})
        inputs = replace(worlds.bare_world(), interactions=plays, artists=artists)
        page = opened(inputs, "#artist=60").page
        expect(page.locator("#found .note").first).to_have_text(
            "1 listener, 60 plays; recommended to 0 users."
        )
        expect(page.locator("#found")).not_to_contain_text("Played most by")
        expect(page.locator("#search")).to_contain_text("the 50 most played artists are here")
