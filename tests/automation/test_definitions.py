"""What Dagster is told: assets and their order, checks, the schedule; and at what price."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from graph_world import run_in_process

from lastfm_assets.automation.jobs import REFRESH, STUDIES, studies_job, tune_job
from lastfm_assets.automation.lineage import COLUMNS
from lastfm_assets.automation.metadata import OWNERS
from lastfm_assets.definitions import build_definitions
from lastfm_assets.definitions import definitions as served_definitions
from lastfm_assets.errors import BadInputError
from lastfm_assets.models.search import search_space
from lastfm_assets.models.trained import MODELS
from lastfm_assets.provenance import code_version
from lastfm_assets.settings import Settings

RAW_FILES = {"raw/artists", "raw/friends", "raw/tagged_artists", "raw/tags", "raw/user_artists"}
RAW = {*RAW_FILES, "raw/source", "raw/keys"}
CLEANED_FROM = {*RAW_FILES, "raw/source"}
JUDGED_ON = {"listening/weighted_matrix", "listening/split"}
SIDE = {"listening/training_tags", "listening/friendships"}
NAMES_OF_MODELS = [
    "popularity",
    "item_knn",
    "user_knn",
    "rp3beta",
    "als",
    "bpr",
    "ease",
    "ease_tags",
    "lightfm",
    "lightfm_tags",
    "friends",
    "blend",
]
SOCIABLE = {name for name, model in MODELS.items() if model.needs_side}
"""Models that look beside plays."""
AT_HAND = {"evaluation/champion", "listening/interactions", "listening/artists"}
UPSTREAM = {
    **{raw: set() for raw in RAW},
    "listening/artists": CLEANED_FROM,
    "listening/friendships": CLEANED_FROM,
    "listening/interactions": CLEANED_FROM,
    "listening/rejected_rows": CLEANED_FROM,
    "listening/tag_assignments": CLEANED_FROM,
    "listening/profile": {"listening/interactions"},
    "listening/split": {"listening/interactions", "raw/user_artists"},
    "listening/weighted_matrix": {"listening/split", "listening/artists"},
    "listening/training_tags": {"listening/tag_assignments", "listening/split"},
    **{
        f"models/{name}": {"listening/weighted_matrix", *(SIDE if name in SOCIABLE else ())}
        for name in MODELS
    },
    "recommendations/serving_model": {
        *AT_HAND,
        "listening/tag_assignments",
        "listening/friendships",
    },
    **{
        f"evaluation/{name}": {
            f"models/{name}",
            *JUDGED_ON,
            *SIDE,
        }
        for name in MODELS
    },
    "evaluation/segments": {
        "listening/weighted_matrix",
        *(f"evaluation/{name}" for name in MODELS),
    },
    "evaluation/comparison": {f"evaluation/{name}" for name in MODELS},
    "evaluation/leaderboard": {
        "listening/split",
        *(f"evaluation/{name}" for name in MODELS),
    },
    "evaluation/champion": {
        "raw/source",
        *SIDE,
        "listening/split",
        *(f"evaluation/{name}" for name in MODELS),
        "evaluation/leaderboard",
        "listening/weighted_matrix",
        "listening/interactions",
    },
    "recommendations/top_artists": {"recommendations/serving_model", *AT_HAND},
    "recommendations/similar_artists": AT_HAND,
    "recommendations/drift": {"listening/profile", "recommendations/top_artists"},
    "recommendations/published": {
        "listening/profile",
        "listening/rejected_rows",
        "recommendations/drift",
        "recommendations/top_artists",
        "recommendations/similar_artists",
        "raw/source",
        "raw/keys",
        *AT_HAND,
    },
    "recommendations/serving_database": {
        "recommendations/published",
        "recommendations/similar_artists",
        "listening/artists",
        "listening/interactions",
    },
    "insight/history": {
        *AT_HAND,
        "evaluation/leaderboard",
        "recommendations/published",
    },
    "insight/report": {
        *RAW,
        *AT_HAND,
        *(f"evaluation/{name}" for name in ("leaderboard", "comparison", "segments")),
        "listening/tag_assignments",
        "listening/rejected_rows",
        "listening/split",
        "recommendations/top_artists",
        "recommendations/similar_artists",
        "recommendations/published",
        "recommendations/drift",
        "insight/history",
    },
}
TUNED = {name for name, model in MODELS.items() if search_space(model.Config)}
TUNED_ON = {"listening/split", "listening/artists"}
TUNING_UPSTREAM = {
    **{f"tuning/{name}": {*TUNED_ON, *SIDE} for name in TUNED},
    "tuning/lightfm_knobs": TUNED_ON,
}
STUDIES_UPSTREAM = {
    "evaluation/rating_error": {*TUNED_ON, "evaluation/leaderboard"},
    "evaluation/weighting_effect": TUNED_ON,
    "evaluation/lightfm_epochs": TUNED_ON,
    "insight/tag_trends": {"listening/tag_assignments"},
    "insight/tag_popularity": {"listening/tag_assignments", "listening/interactions"},
    "insight/audio_features": set(),
    "insight/audio_correlations": set(),
    "recommendations/similar_users": {"listening/interactions", "listening/artists"},
}
"""With tuning, what the daily refresh leaves out."""
EVERY_UPSTREAM = UPSTREAM | TUNING_UPSTREAM | STUDIES_UPSTREAM
RAW_CHECKS = {"lines_are_numbered"}
EVALUATION_CHECKS = {"metrics_are_shares", "every_user_is_judged"}
ONLY_WARNS = "moved_no_further_than_usual"
CHECKS = {
    "raw/artists": {*RAW_CHECKS, "has_rows"},
    "raw/user_artists": {*RAW_CHECKS, "has_rows"},
    "raw/friends": RAW_CHECKS,
    "raw/tagged_artists": RAW_CHECKS,
    "raw/tags": RAW_CHECKS,
    "raw/keys": {"one_number_a_key"},
    "raw/source": {"says_what_it_recommends"},
    "listening/artists": {"artists_are_unique"},
    "listening/friendships": {"friends_are_users"},
    "listening/interactions": {"pairs_are_unique", "played_artists_are_known"},
    "listening/profile": {"profile_counts_everything"},
    "listening/rejected_rows": {"few_rows_refused", "every_refusal_has_a_reason"},
    "listening/split": {
        "parts_are_disjoint_and_complete",
        "shares_are_as_asked",
        "held_out_is_last",
    },
    "listening/tag_assignments": {"tags_refer_to_artists"},
    "listening/training_tags": {"no_tag_of_a_held_out_pair"},
    "listening/weighted_matrix": {"held_out_pairs_are_not_seen", "weights_are_finite"},
    **{f"evaluation/{name}": EVALUATION_CHECKS for name in MODELS},
    "evaluation/comparison": {"every_pair_is_compared", "comparisons_hold_together"},
    "evaluation/segments": {"every_user_is_in_one_segment"},
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
        "lists_are_varied",
    },
    "recommendations/similar_artists": {
        "similar_lists_are_whole",
        "no_relative_twice",
        "similar_ranks_and_scores",
    },
    "recommendations/drift": {"moved_no_further_than_allowed", ONLY_WARNS},
    "recommendations/published": {"readers_see_what_was_checked"},
    "recommendations/serving_database": {"services_see_what_readers_see"},
}
GROUPS = {
    *("raw", "listening", "models", "evaluation", "recommendations", "insight"),
    *("studies", "tuning"),
}
WITH_AN_ICON = {
    "deltalake",
    "duckdb",
    "json",
    "numpy",
    "optuna",
    "pandas",
    "parquet",
    "postgresql",
    "scipy",
    "source",
    "sql",
}
"""Kinds that Dagster 1.13's web UI draws."""


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


def test_models_are_these() -> None:
    assert list(MODELS) == NAMES_OF_MODELS


class TestAssets:
    def test_are_exactly_those_of_the_design(self, specs: dict[str, dg.AssetSpec]) -> None:
        assert set(specs) == set(EVERY_UPSTREAM)

    @pytest.mark.parametrize("asset", sorted(EVERY_UPSTREAM))
    def test_depend_on_exactly_those_they_are_made_from(
        self, specs: dict[str, dg.AssetSpec], asset: str
    ) -> None:
        upstream = {dependency.asset_key.to_user_string() for dependency in specs[asset].deps}
        assert upstream == EVERY_UPSTREAM[asset]

    @pytest.mark.parametrize("asset", sorted(EVERY_UPSTREAM))
    def test_say_what_they_are(self, specs: dict[str, dg.AssetSpec], asset: str) -> None:
        spec = specs[asset]
        assert (spec.description or "").strip().endswith(".")
        assert spec.group_name == (
            STUDIES if asset in STUDIES_UPSTREAM else asset.partition("/")[0]
        )
        assert list(spec.owners) == OWNERS
        assert 1 <= len(spec.kinds) <= 3
        assert len(spec.code_version or "") == 12

    @pytest.mark.parametrize("asset", sorted(COLUMNS))
    def test_show_their_columns_before_they_are_first_made(
        self, specs: dict[str, dg.AssetSpec], asset: str
    ) -> None:
        shown = specs[asset].metadata.get("dagster/column_schema")
        assert isinstance(shown, dg.TableSchema)
        assert [column.name for column in shown.columns] == list(COLUMNS[asset])
        assert all((column.description or "").endswith(".") for column in shown.columns)

    def test_have_kinds_that_the_ui_has_an_icon_for(self, specs: dict[str, dg.AssetSpec]) -> None:
        """But the model libraries, which no icon is made for, and HTML."""
        without = {kind for spec in specs.values() for kind in spec.kinds} - WITH_AN_ICON
        assert without <= {"implicit", "lightfm", "html"}

    def test_have_no_other_group(self, specs: dict[str, dg.AssetSpec]) -> None:
        assert {spec.group_name for spec in specs.values()} == GROUPS

    def test_run_in_the_process_of_the_run(self, definitions: dg.Definitions) -> None:
        assert definitions.executor is dg.in_process_executor
        assert definitions.resolve_job_def(REFRESH).executor_def.name == "in_process"


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    folder = tmp_path_factory.mktemp("few")
    (folder / "models.toml").write_text("[als]\nfactors = 64\nfits = 1\n", "utf-8")
    said = str(folder / "models.toml")
    return build_definitions(Settings(source="sample", store=str(folder / "store"), models=said))


class TestAGraphOfFewModels:
    def test_has_the_assets_of_those_alone(self, few: dg.Definitions) -> None:
        dg.Definitions.validate_loadable(few)
        keys = {spec.key.to_user_string() for spec in few.resolve_all_asset_specs()}
        others = set(MODELS) - {"popularity", "als"}
        left_out = {f"{group}/{name}" for group in ("models", "evaluation") for name in others}
        assert keys == set(EVERY_UPSTREAM) - left_out

    def test_makes_tables_of_all_models_from_those_alone(self, few: dg.Definitions) -> None:
        specs = {spec.key.to_user_string(): spec for spec in few.resolve_all_asset_specs()}
        upstream = {dep.asset_key.to_user_string() for dep in specs["evaluation/comparison"].deps}
        assert upstream == {"evaluation/popularity", "evaluation/als"}

    def test_offers_the_parameters_that_were_set(self, few: dg.Definitions) -> None:
        config = dg.validate_run_config(few.resolve_job_def(REFRESH))["ops"]["models"]["config"]
        assert set(config) == {"popularity", "als"}
        assert (config["als"]["factors"], config["als"]["fits"]) == (64, 1)
        assert config["als"]["alpha"] == MODELS["als"].Config().model_dump()["alpha"]

    def test_is_refused_where_the_champion_does_not_compete(self) -> None:
        settings = Settings(source="sample", models="als", champion="ease")
        with pytest.raises(BadInputError, match="LASTFM_CHAMPION is ease, which LASTFM_MODELS"):
            build_definitions(settings)


class TestChecks:
    def test_are_exactly_those_of_the_design(self, checks: list[dg.AssetCheckSpec]) -> None:
        found: dict[str, set[str]] = {}
        for check in checks:
            found.setdefault(check.asset_key.to_user_string(), set()).add(check.name)
        assert found == CHECKS
        assert len(checks) == sum(map(len, CHECKS.values()))

    def test_all_but_one_block_what_comes_after(self, checks: list[dg.AssetCheckSpec]) -> None:
        assert [check.name for check in checks if not check.blocking] == [ONLY_WARNS]

    def test_say_what_they_ask_for(self, checks: list[dg.AssetCheckSpec]) -> None:
        assert [check.name for check in checks if not (check.description or "").endswith(".")] == []

    def test_stand_between_an_asset_and_whatever_reads_it(
        self, definitions: dg.Definitions
    ) -> None:
        """Every asset but those whose figures the next one looks at itself has a check."""
        unchecked = set(UPSTREAM) - set(CHECKS)
        models = {f"models/{name}" for name in MODELS}
        read_by_nobody = {"insight/history", "insight/report"}
        assert unchecked - read_by_nobody == {
            *models,
            "recommendations/serving_model",
            "evaluation/champion",
        }
        assert definitions.asset_checks


class TestTheRefreshJob:
    def test_selects_every_asset_but_tuning_and_every_check(
        self, definitions: dg.Definitions, checks: list[dg.AssetCheckSpec]
    ) -> None:
        layer = definitions.resolve_job_def(REFRESH).asset_layer
        assert {key.to_user_string() for key in layer.selected_asset_keys} == set(UPSTREAM)
        assert set(layer.asset_graph.asset_check_keys) == {check.key for check in checks}


class TestTheStudiesJob:
    def test_selects_studies_alone(self, definitions: dg.Definitions) -> None:
        layer = definitions.resolve_job_def(studies_job.name).asset_layer
        chosen = {key.to_user_string() for key in layer.selected_asset_keys}
        assert chosen == set(STUDIES_UPSTREAM)


class TestTheTuneJob:
    def test_selects_tuning_alone(self, definitions: dg.Definitions) -> None:
        layer = definitions.resolve_job_def(tune_job.name).asset_layer
        chosen = {key.to_user_string() for key in layer.selected_asset_keys}
        assert chosen == set(TUNING_UPSTREAM)
        assert "tuning/popularity" not in chosen


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

    def test_marks_its_runs_as_scheduled(self, definitions: dg.Definitions, store: Path) -> None:
        schedule = definitions.resolve_schedule_def("daily_refresh")
        settings = Settings(source="sample", store=str(store))
        with (
            dg.instance_for_test() as instance,
            dg.build_schedule_context(  # it opens the instance again, and closes it at its end
                instance=instance,
                scheduled_execution_time=datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
                repository_def=build_definitions(settings).get_repository_def(),
                resources={"settings": settings},
            ) as context,
        ):
            (request,) = schedule.evaluate_tick(context).run_requests or ()
        assert request.tags["dagster/schedule_name"] == "daily_refresh"

    def test_is_the_only_one_and_waits_for_somebody_to_turn_it_on(
        self, definitions: dg.Definitions
    ) -> None:
        repository = definitions.get_repository_def()
        assert [schedule.name for schedule in repository.schedule_defs] == ["daily_refresh"]
        (schedule,) = repository.schedule_defs
        assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED

    def test_stands_beside_sensors_of_the_source_and_of_failures(
        self, definitions: dg.Definitions
    ) -> None:
        sensors = {one.name: one for one in definitions.get_repository_def().sensor_defs}
        assert set(sensors) == {"source_changed", "tell_operator"}
        assert sensors["source_changed"].default_status is dg.DefaultSensorStatus.STOPPED
        assert sensors["tell_operator"].default_status is dg.DefaultSensorStatus.RUNNING


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
        heavy = {"implicit", "lightfm", "sklearn", "pyspark", "torch", "matplotlib", "optuna"}
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
