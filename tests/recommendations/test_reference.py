"""What published versions are compared by: what is damaged is not, what is out of reach is kept."""

import json
from pathlib import Path

import pandas as pd
import pytest
from published_worlds import about, lists_of

from lastfm_assets.errors import StoreError
from lastfm_assets.io import Store
from lastfm_assets.listening.profile import profile
from lastfm_assets.recommendations.overlap import Overlap
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.recommendations.reference import PROFILES, local_overlap, profiles_in


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


class TestListsThatReadersSee:
    @pytest.fixture
    def seen(self, tmp_path: Path) -> Path:
        """The file of them."""
        store = Store(str(tmp_path))
        store.write(("recommendations", "top_artists"), lists_of(1), source="sample")
        published = PublishedLists(store.root)
        published.publish(lists_of(1), about(1))
        (file,) = Path(str(published.place)).glob("*.parquet")
        return file

    def compared(self, tmp_path: Path) -> Overlap | None:
        store = Store(str(tmp_path))
        return local_overlap(store)(PublishedLists(store.root).version())

    def test_are_compared(self, seen: Path, tmp_path: Path) -> None:
        assert seen.is_file()
        assert self.compared(tmp_path) is not None

    def test_that_are_damaged_are_not(self, seen: Path, tmp_path: Path) -> None:
        seen.write_bytes(b"PAR1")
        assert self.compared(tmp_path) is None

    def test_of_an_early_format_that_are_damaged_are_not(self, seen: Path, tmp_path: Path) -> None:
        """It had no hashes: pyarrow tells the damage, and as if it were the disk's."""
        (log,) = seen.parent.glob("_delta_log/*.json")
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        for line in lines:
            for name in ("files", "schema", "format", "number", "seal"):
                line.get("commitInfo", {}).pop(name, None)
        log.write_text("\n".join(map(json.dumps, lines)))
        assert self.compared(tmp_path) is not None
        content = bytearray(seen.read_bytes())
        for place in range(4, 400):
            content[place] ^= 255
        seen.write_bytes(bytes(content))
        assert self.compared(tmp_path) is None

    def test_that_are_gone_are_not(self, seen: Path, tmp_path: Path) -> None:
        seen.unlink()
        assert self.compared(tmp_path) is None

    def test_that_the_disk_does_not_give_now_let_nothing_pass(
        self, seen: Path, tmp_path: Path
    ) -> None:
        """They did: what is not compared passes, and lists of others would have been published."""
        seen.unlink()
        seen.mkdir()
        with pytest.raises(StoreError, match="cannot be read"):
            self.compared(tmp_path)
