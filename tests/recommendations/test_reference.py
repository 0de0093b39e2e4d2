"""Profiles of published versions: what is damaged is not compared, what is out of reach is kept."""

from pathlib import Path

import pandas as pd
import pytest

from lastfm_assets.errors import StoreError
from lastfm_assets.io import Store
from lastfm_assets.listening.profile import profile
from lastfm_assets.recommendations.reference import PROFILES, profiles_in


@pytest.fixture
def kept(tmp_path: Path) -> Store:
    plays = pd.DataFrame({"user_id": [1, 2], "artist_id": [7, 7], "plays": [3, 4]})
    store = Store(str(tmp_path))
    table = profile(plays).assign(run_id="a run", accepted="")
    store.write(PROFILES, table, source="sample")
    return store


def test_are_found_by_their_run(kept: Store) -> None:
    assert set(profiles_in(kept)["run_id"]) == {"a run"}


def test_that_are_damaged_keep_no_store_from_being_mended(kept: Store) -> None:
    Path(kept.path(PROFILES, pd.DataFrame)).write_bytes(b"PAR1")
    assert profiles_in(kept).empty


def test_that_the_disk_does_not_give_now_are_not_taken_for_lost(kept: Store) -> None:
    """They were: the next publication wrote a table of its own run alone over all of them."""
    path = Path(kept.path(PROFILES, pd.DataFrame))
    path.unlink()
    path.mkdir()  # reading it is an error of the system, whoever reads
    with pytest.raises(StoreError, match="cannot be read"):
        profiles_in(kept)
