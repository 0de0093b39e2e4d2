"""What starts a refresh while nobody looks, and what does not."""

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from pipeline_world import almost_the_sample

from lastfm_assets.automation.jobs import REFRESH
from lastfm_assets.automation.unattended import daily_refresh, source_changed
from lastfm_assets.definitions import build_definitions
from lastfm_assets.io import Store
from lastfm_assets.settings import Settings

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as remembers_a_test:
        yield remembers_a_test


def going(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED
) -> str:
    """A run that the instance takes to be under way."""
    run = dg.DagsterRun(job_name=REFRESH, status=status)
    return instance.add_run(run).run_id


class TestTheNight:
    def tick(
        self, store: Path, instance: dg.DagsterInstance, **more: object
    ) -> dg.RunRequest | dg.SkipReason:
        settings = Settings(**{"source": "sample", "store": str(store), **more})
        context = dg.build_schedule_context(
            instance=instance,
            scheduled_execution_time=datetime(
                2026, 11, 25, 3, 30, tzinfo=ZoneInfo("Europe/Berlin")
            ),
            repository_def=build_definitions(settings).get_repository_def(),
            resources={"settings": settings},
        )
        asked = daily_refresh(context)
        assert isinstance(asked, dg.RunRequest | dg.SkipReason)
        return asked

    def test_is_at_half_past_three_in_berlin(self) -> None:
        assert daily_refresh.cron_schedule == "30 3 * * *"
        assert daily_refresh.execution_timezone == "Europe/Berlin"
        assert daily_refresh.job_name == REFRESH

    def test_leaves_everything_where_nothing_changed_and_says_so(
        self, store: Path, instance: dg.DagsterInstance
    ) -> None:
        asked = self.tick(store, instance)
        assert isinstance(asked, dg.RunRequest)
        assert {key.to_user_string() for key in asked.asset_selection or ()} == {
            "recommendations/published",
            "recommendations/serving_database",
        }
        assert asked.tags["lastfm_assets/made_again"] == "nothing changed"
        assert "models 12 of 12" in asked.tags["lastfm_assets/skipped"]

    def test_makes_again_what_changed(self, store: Path, instance: dg.DagsterInstance) -> None:
        asked = self.tick(store, instance, champion="ease")
        assert isinstance(asked, dg.RunRequest)
        chosen = {key.to_user_string() for key in asked.asset_selection or ()}
        assert "evaluation/champion" in chosen
        assert "models/ease" not in chosen
        checks = {f"{k.asset_key.to_user_string()}:{k.name}" for k in asked.asset_check_keys or ()}
        assert "evaluation/leaderboard:best_model_reaches_min_precision" in checks

    def test_waits_for_a_run_that_is_under_way(
        self, store: Path, instance: dg.DagsterInstance
    ) -> None:
        run_id = going(instance)
        asked = self.tick(store, instance)
        assert isinstance(asked, dg.SkipReason)
        assert asked.skip_message is not None
        assert asked.skip_message.startswith(f"run {run_id} is under way")

    def test_asks_for_a_run_of_all_where_the_store_cannot_be_looked_at(
        self, store: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A failed tick tells nobody; a run that fails at its first table does."""

        def refuse(_store: Store, _key: object, _kind: object) -> bool:
            raise OSError("no route to the store")

        monkeypatch.setattr(Store, "has", refuse)
        asked = self.tick(store, instance)
        assert isinstance(asked, dg.RunRequest)
        assert asked.asset_selection is None
        assert asked.tags["lastfm_assets/made_again"] == "all: no route to the store"

    def test_asks_for_a_run_where_the_source_is_gone_so_that_it_fails_and_is_told(
        self, store: Path, instance: dg.DagsterInstance
    ) -> None:
        asked = self.tick(store, instance, source="/no/such/folder")
        assert isinstance(asked, dg.RunRequest)
        assert "the state of the source is unknown" in asked.tags["lastfm_assets/made_again"]


class TestAChangedSource:
    """The sensor looks several times, its cursor handed on from look to look."""

    @pytest.fixture
    def own(self, tmp_path: Path) -> Path:
        return almost_the_sample(tmp_path / "own")

    @pytest.fixture
    def look(self, store: Path, own: Path, instance: dg.DagsterInstance) -> "Look":
        return Look(Settings(source=str(own), store=str(store)), instance)

    def test_starts_a_refresh_once_it_stands_still(self, look: "Look") -> None:
        assert look() == "the source has changed; it may be changing still"
        assert "raw/artists" in look()
        assert look() == "a refresh was started for this content of the source already"

    def test_waits_while_files_are_still_being_written(self, look: "Look", own: Path) -> None:
        for _ in range(3):
            with (own / "user_artists.dat").open("a") as file:
                file.write("1\t1\t1\n")
            assert look() == "the source has changed; it may be changing still"
        assert "raw/artists" in look()

    def test_is_not_tried_again_until_it_changes_again(self, look: "Look", own: Path) -> None:
        look()
        assert "raw/artists" in look()
        for _ in range(3):
            assert look() == "a refresh was started for this content of the source already"
        with (own / "user_artists.dat").open("a") as file:
            file.write("1\t1\t1\n")
        assert look() == "the source has changed; it may be changing still"
        assert "raw/artists" in look()

    def test_that_goes_back_and_comes_again_is_tried_again(
        self, look: "Look", own: Path, tmp_path: Path
    ) -> None:
        look()
        assert "raw/artists" in look()
        shutil.move(own, tmp_path / "aside")
        look.settings = look.settings.model_copy(update={"source": "sample"})
        assert look() == "the source is as it was at the last refresh"
        shutil.move(tmp_path / "aside", own)
        look.settings = look.settings.model_copy(update={"source": str(own)})
        assert look() == "the source has changed; it may be changing still"
        assert "raw/artists" in look()

    def test_waits_for_a_run_that_is_under_way(
        self, look: "Look", instance: dg.DagsterInstance
    ) -> None:
        look()
        run_id = going(instance)
        assert look() == f"the source has changed, but run {run_id} is under way"
        instance.delete_run(run_id)
        assert "raw/artists" in look()

    def test_that_cannot_be_looked_at_starts_nothing(self, look: "Look", own: Path) -> None:
        shutil.rmtree(own)
        assert look().startswith("the source cannot be looked at: unknown: ")

    def test_other_changes_are_left_to_the_night(self, store: Path, look: "Look") -> None:
        look.settings = Settings(source="sample", store=str(store), seed=3)
        assert look() == "the source is as it was at the last refresh"


class Look:
    """One look of the sensor after another."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.settings = settings
        self._instance = instance
        self._cursor: str | None = None

    def __call__(self) -> str:
        """What it skipped for, else the assets it asked for."""
        with dg.build_sensor_context(
            instance=self._instance,
            cursor=self._cursor,
            repository_def=build_definitions(self.settings).get_repository_def(),
            resources={"settings": self.settings},
        ) as context:
            result = source_changed(context)
        assert isinstance(result, dg.SensorResult)
        self._cursor = result.cursor
        if result.skip_reason is not None:
            return str(result.skip_reason.skip_message)
        (asked,) = result.run_requests or ()
        return ", ".join(key.to_user_string() for key in asked.asset_selection or ())
