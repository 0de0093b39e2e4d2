"""What the report says of changes since the last published lists."""

import pandas as pd
from report_world import Read, world

from lastfm_assets.insight.moved import moved_sentences, moved_table
from lastfm_assets.insight.nouns import Noun
from lastfm_assets.insight.report import build_report
from lastfm_assets.listening.profile import profile
from lastfm_assets.recommendations.drift import first_drift
from lastfm_assets.recommendations.drift_bounds import BOUNDS


def drift() -> pd.DataFrame:
    found = world().drift
    assert found is not None
    return found


def test_is_said_in_plain_words() -> None:
    assert moved_sentences(drift()) == [
        "Of 4 users who had a list, 25.0% have none; 0.0% of those who have one had none.",
        "A list shares 83% of its artists with the last one.",
        "1 figure moved more than usual against version 4: users without a list now.",
    ]


def test_names_what_is_recommended() -> None:
    assert "83% of its tracks" in moved_sentences(drift(), Noun("track"))[1]
    heads = [row[0] for row in moved_table(drift(), Noun("track")).rows]
    assert "tracks played no more" in heads


def test_has_a_row_for_every_bound_and_says_what_is_not_known() -> None:
    rows = moved_table(drift()).rows
    assert len(rows) == len(BOUNDS)
    assert rows[0] == ("users without a list now", "4", "3", "25.0%", "10.0%", "20.0%")
    assert rows[4][1:4] == ("n/a", "6", "n/a")


def test_of_the_first_lists_says_that_there_is_nothing_to_compare() -> None:
    first = first_drift(profile(world().interactions))
    assert moved_sentences(first) == [
        "Nothing of this source was published before, so that there is nothing to compare."
    ]


def test_stands_on_the_page() -> None:
    page = Read.page(build_report(world()).html)
    assert "A list shares 83% of its artists with the last one." in page.text
