"""What Dagster is told: assets and their order, checks, the schedule; and at what price."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import dagster as dg
import pytest
from graph_world import run_in_process

from lastfm_assets.automation.jobs import REFRESH
from lastfm_assets.automation.metadata import OWNERS, code_version
from lastfm_assets.definitions import build_definitions
from lastfm_assets.definitions import definitions as served_definitions
from lastfm_assets.settings import Settings

RAW = {"raw/artists", "raw/friends", "raw/tagged_artists", "raw/tags", "raw/user_artists"}
JUDGED_ON = {"listening/weighted_matrix", "listening/split"}
AT_HAND = {"evaluation/champion", "listening/interactions", "listening/artists"}
UPSTREAM = {
    **{raw: set() for raw in RAW},
    "listening/artists": RAW,
    "listening/friendships": RAW,
    "listening/interactions": RAW,
    "listening/rejected_rows": RAW,
    "listening/tag_assignments": RAW,
    "listening/split": {"listening/interactions"},
    "listening/weighted_matrix": {"listening/split", "listening/artists"},
    "models/popularity": {"listening/weighted_matrix"},
    "models/item_knn": {"listening/weighted_matrix"},
    "models/als": {"listening/weighted_matrix"},
    "models/lightfm": {"listening/weighted_matrix"},
    "recommendations/serving_model": AT_HAND,
    "evaluation/popularity": {"models/popularity", *JUDGED_ON},
    "evaluation/item_knn": {"models/item_knn", *JUDGED_ON},
    "evaluation/als": {"models/als", *JUDGED_ON},
    "evaluation/lightfm": {"models/lightfm", *JUDGED_ON},
    "evaluation/leaderboard": {
        "listening/split",
        "evaluation/popularity",
        "evaluation/item_knn",
        "evaluation/als",
        "evaluation/lightfm",
    },
    "evaluation/champion": {
        "evaluation/leaderboard",
        "listening/weighted_matrix",
        "listening/interactions",
    },
    "recommendations/top_artists": {"recommendations/serving_model", *AT_HAND},
    "recommendations/similar_artists": AT_HAND,
    "recommendations/published": {
        "recommendations/top_artists",
        "recommendations/similar_artists",
        *AT_HAND,
    },
}
RAW_CHECKS = {"lines_are_numbered"}
EVALUATION_CHECKS = {"metrics_are_shares", "every_user_is_judged"}
CHECKS = {
    "raw/artists": {*RAW_CHECKS, "has_rows"},
    "raw/user_artists": {*RAW_CHECKS, "has_rows"},
    "raw/friends": RAW_CHECKS,
    "raw/tagged_artists": RAW_CHECKS,
    "raw/tags": RAW_CHECKS,
    "listening/artists": {"artists_are_unique"},
    "listening/friendships": {"friends_are_users"},
    "listening/interactions": {"pairs_are_unique", "played_artists_are_known"},
    "listening/rejected_rows": {"few_rows_refused", "every_refusal_has_a_reason"},
    "listening/split": {"parts_are_disjoint_and_complete", "shares_are_as_asked"},
    "listening/tag_assignments": {"tags_refer_to_artists"},
    "listening/weighted_matrix": {"held_out_pairs_are_not_seen", "weights_are_finite"},
    "evaluation/popularity": EVALUATION_CHECKS,
    "evaluation/item_knn": EVALUATION_CHECKS,
    "evaluation/als": EVALUATION_CHECKS,
    "evaluation/lightfm": EVALUATION_CHECKS,
    "evaluation/leaderboard": {
        "best_model_reaches_min_precision",
        "best_model_is_twice_popularity",
    },
    "recommendations/top_artists": {
        "every_user_has_ten",
        "no_artist_twice",
        "none_already_played",
        "artists_are_known",
        "ranks_run_from_one",
        "scores_do_not_rise",
        "table_is_whole",
    },
    "recommendations/similar_artists": {
        "similar_lists_are_whole",
        "no_relative_twice",
        "similar_ranks_and_scores",
    },
    "recommendations/published": {"readers_see_what_was_checked"},
}
GROUPS = {"raw", "listening", "models", "evaluation", "recommendations"}


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    store = tmp_path_factory.getbasetemp() / "store_of_definitions"
    return build_definitions(Settings(source="sample", store=str(store)))


@pytest.fixture(scope="module")
def specs(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


@pytest.fixture(scope="module")
def checks(definitions: dg.Definitions) -> list[dg.AssetCheckSpec]:
    return [spec for checks in definitions.asset_checks or () for spec in checks.check_specs]


def test_definitions_can_be_loaded(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


class TestAssets:
    def test_are_exactly_those_of_the_design(self, specs: dict[str, dg.AssetSpec]) -> None:
        assert set(specs) == set(UPSTREAM)

    @pytest.mark.parametrize("asset", sorted(UPSTREAM))
    def test_depend_on_exactly_those_they_are_made_from(
        self, specs: dict[str, dg.AssetSpec], asset: str
    ) -> None:
        upstream = {dependency.asset_key.to_user_string() for dependency in specs[asset].deps}
        assert upstream == UPSTREAM[asset]

    @pytest.mark.parametrize("asset", sorted(UPSTREAM))
    def test_say_what_they_are(self, specs: dict[str, dg.AssetSpec], asset: str) -> None:
        spec = specs[asset]
        assert (spec.description or "").strip().endswith(".")
        assert spec.group_name == asset.partition("/")[0]
        assert list(spec.owners) == OWNERS
        assert 1 <= len(spec.kinds) <= 3
        assert len(spec.code_version or "") == 12

    def test_have_no_other_group(self, specs: dict[str, dg.AssetSpec]) -> None:
        assert {spec.group_name for spec in specs.values()} == GROUPS

    def test_run_in_the_process_of_the_run(self, definitions: dg.Definitions) -> None:
        assert definitions.executor is dg.in_process_executor
        assert definitions.resolve_job_def(REFRESH).executor_def.name == "in_process"


class TestChecks:
    def test_are_exactly_those_of_the_design(self, checks: list[dg.AssetCheckSpec]) -> None:
        found: dict[str, set[str]] = {}
        for check in checks:
            found.setdefault(check.asset_key.to_user_string(), set()).add(check.name)
        assert found == CHECKS
        assert len(checks) == sum(map(len, CHECKS.values()))

    def test_all_block_what_comes_after(self, checks: list[dg.AssetCheckSpec]) -> None:
        assert [check.name for check in checks if not check.blocking] == []

    def test_say_what_they_ask_for(self, checks: list[dg.AssetCheckSpec]) -> None:
        assert [check.name for check in checks if not (check.description or "").endswith(".")] == []

    def test_stand_between_an_asset_and_whatever_reads_it(
        self, definitions: dg.Definitions
    ) -> None:
        """Every asset but those whose figures the next one looks at itself has a check."""
        unchecked = set(UPSTREAM) - set(CHECKS)
        models = {f"models/{name}" for name in ("popularity", "item_knn", "als", "lightfm")}
        assert unchecked == {*models, "recommendations/serving_model", "evaluation/champion"}
        assert definitions.asset_checks


class TestTheRefreshJob:
    def test_selects_every_asset_and_every_check(
        self, definitions: dg.Definitions, checks: list[dg.AssetCheckSpec]
    ) -> None:
        layer = definitions.resolve_job_def(REFRESH).asset_layer
        assert {key.to_user_string() for key in layer.selected_asset_keys} == set(UPSTREAM)
        assert set(layer.asset_graph.asset_check_keys) == {check.key for check in checks}


class TestTheSchedule:
    def test_runs_the_refresh_at_a_time_of_day_with_a_zone(
        self, definitions: dg.Definitions
    ) -> None:
        schedule = definitions.resolve_schedule_def("daily_refresh")
        assert schedule.job_name == REFRESH
        assert schedule.execution_timezone == "Europe/Berlin"
        minute, hour, *days = str(schedule.cron_schedule).split()
        assert 0 <= int(minute) < 60
        # 02:00 to 02:59 is skipped in spring and comes twice in autumn
        assert int(hour) in {*range(24)} - {2}
        assert days == ["*", "*", "*"]

    def test_marks_its_runs_as_scheduled(self, definitions: dg.Definitions) -> None:
        schedule = definitions.resolve_schedule_def("daily_refresh")
        with dg.DagsterInstance.ephemeral() as instance:
            context = dg.build_schedule_context(
                instance=instance,
                scheduled_execution_time=datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
                repository_def=definitions.get_repository_def(),
            )
            (request,) = schedule.evaluate_tick(context).run_requests or ()
        assert request.tags["dagster/schedule_name"] == "daily_refresh"
        assert request.asset_selection is None

    def test_is_the_only_one(self, definitions: dg.Definitions) -> None:
        repository = definitions.get_repository_def()
        assert [schedule.name for schedule in repository.schedule_defs] == ["daily_refresh"]
        assert list(repository.sensor_defs) == []


class TestLoading:
    PROBE = """
import json, sys
import lastfm_assets.definitions as module
from lastfm_assets.settings import Settings
definitions = module.build_definitions(Settings(store=sys.argv[1]))
definitions.resolve_all_asset_specs()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""

    def test_imports_no_model_library(self) -> None:
        """The web server keeps whatever it imports: about 300 MB for these."""
        loaded = subprocess.run(
            [sys.executable, "-c", self.PROBE, "/nowhere"], capture_output=True, check=True
        )
        heavy = {"implicit", "lightfm", "sklearn", "pyspark", "torch", "matplotlib"}
        assert heavy & set(json.loads(loaded.stdout)) == set()

    def test_reads_the_settings_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LASTFM_SEED", "7")
        loaded = served_definitions.load_fn()
        assert loaded.resources["settings"] == Settings.from_environment()
        assert loaded.resources["settings"].seed == 7

    def test_writes_nothing(self, definitions: dg.Definitions) -> None:
        assert not definitions.resources["store"].root.exists()


class TestCodeVersions:
    def test_change_with_the_source(self) -> None:
        one, other = code_version("listening/split.py"), code_version("listening/clean.py")
        assert one != other
        assert one == code_version("listening/split.py")

    def test_do_not_change_with_the_order_of_files(self) -> None:
        files = ("listening/split.py", "listening/clean.py")
        assert code_version(*files) == code_version(*reversed(files))

    def test_of_a_file_that_is_gone_fail_at_once(self) -> None:
        with pytest.raises(FileNotFoundError, match="no_such_file"):
            code_version("listening/no_such_file.py")


def test_a_run_without_its_source_says_so(definitions: dg.Definitions) -> None:
    """A smoke test of the helper that other tests use: failures do not pass as success."""
    settings = definitions.resources["settings"].model_copy(update={"source": "/no/such/folder"})
    ran = run_in_process(settings, ["raw/artists"])
    assert not ran.success
