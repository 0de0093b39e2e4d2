"""Every environment variable: what it means, what it means unset, what it may not be."""

from pathlib import Path

import pytest

from lastfm_assets import settings
from lastfm_assets.errors import BadInputError
from lastfm_assets.models.trained import MODELS
from lastfm_assets.settings import Settings, data_folder

CHECKOUT = Path(settings.__file__).parents[1]
DEFAULTS = Settings(source=None, store=str(CHECKOUT / "data" / "store"), seed=0, min_precision=None)


class TestTheDataFolder:
    def test_is_that_of_the_checkout_wherever_the_command_is_given(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert data_folder() == CHECKOUT / "data"

    def test_of_an_installed_package_is_where_the_command_is_given(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settings, "_PROJECT", tmp_path / "site-packages")
        monkeypatch.chdir(tmp_path)
        assert data_folder() == tmp_path / "data"


class TestDefaults:
    def test_need_nothing(self) -> None:
        assert Settings.from_environment({}) == DEFAULTS

    @pytest.mark.parametrize("value", ["", "  ", "\t"])
    @pytest.mark.parametrize("name", ["SOURCE", "STORE", "SEED", "MIN_PRECISION", "CHAMPION"])
    def test_stand_where_a_variable_is_empty(self, name: str, value: str) -> None:
        assert Settings.from_environment({f"LASTFM_{name}": value}) == DEFAULTS

    def test_are_not_touched_by_variables_of_others(self) -> None:
        others = {"SEED": "7", "LASTFM_SEEDS": "7", "lastfm_seed": "7", "LASTFM_OTHER": "x"}
        assert Settings.from_environment(others) == DEFAULTS


class TestAVariable:
    @pytest.mark.parametrize(
        ("name", "value", "field", "expected"),
        [
            ("SOURCE", "sample", "source", "sample"),
            ("SOURCE", " /data/my plays ", "source", "/data/my plays"),
            ("AUDIO_FEATURES", " /data/spotify ", "audio_features", "/data/spotify"),
            ("STORE", "s3://bucket/x", "store", "s3://bucket/x"),
            ("SEED", "7", "seed", 7),
            ("SEED", " 2147483647 ", "seed", 2**31 - 1),
            ("MIN_PRECISION", "0", "min_precision", 0.0),
            ("MIN_PRECISION", "0.25", "min_precision", 0.25),
            ("MIN_PRECISION", "1", "min_precision", 1.0),
            ("CHAMPION", " als", "champion", "als"),
            ("SEARCH", " approximate", "search", "approximate"),
            ("SEARCH", "exact", "search", "exact"),
        ],
    )
    def test_sets_its_field_and_no_other(
        self, name: str, value: str, field: str, expected: str | float
    ) -> None:
        found = Settings.from_environment({f"LASTFM_{name}": value})
        assert found == DEFAULTS.model_copy(update={field: expected})

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("SEED", "abc"),
            ("SEED", "-1"),
            ("SEED", "1.5"),
            ("SEED", "2147483648"),
            ("SEED", "9" * 400),
            ("SEED", "x\ny"),
            ("MIN_PRECISION", "2"),
            ("MIN_PRECISION", "-0.1"),
            ("MIN_PRECISION", "nan"),
            ("MIN_PRECISION", "inf"),
            ("MIN_PRECISION", "20%"),
            ("MIN_PRECISION", "0,2"),
            ("CHAMPION", "ALS"),
            ("CHAMPION", "als,bpr"),
            ("CHAMPION", "x\ny"),
            ("SEARCH", "fast"),
            ("SEARCH", "Approximate"),
        ],
    )
    def test_with_an_impossible_value_is_refused_by_name_in_one_line(
        self, name: str, value: str
    ) -> None:
        with pytest.raises(
            BadInputError, match=rf"^LASTFM_{name} is .*; correct it or unset it$"
        ) as caught:
            Settings.from_environment({f"LASTFM_{name}": value})
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 600

    def test_that_pins_nobody_names_who_can_be_pinned(self) -> None:
        with pytest.raises(BadInputError, match=f"expected one of {', '.join(MODELS)};"):
            Settings.from_environment({"LASTFM_CHAMPION": "charts"})

    def test_is_read_from_the_environment_of_the_process(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LASTFM_SEED", "3")
        assert Settings.from_environment().seed == 3

    def test_has_a_sentence_for_every_field(self) -> None:
        fields = Settings.model_fields.values()
        assert all((field.description or "").endswith(".") for field in fields)


class TestASearchThatCanNeverTakePlace:
    @pytest.mark.parametrize(
        ("more", "models", "said"),
        [
            ({}, ["popularity", "ease"], "LASTFM_MODELS has none of als, bpr, lightfm"),
            ({"champion": "blend"}, list(MODELS), "LASTFM_CHAMPION is blend"),
            ({"engine": "spark"}, ["popularity", "als"], "the spark engine ranks exactly only"),
        ],
    )
    def test_is_refused_in_one_line(
        self, more: dict[str, str], models: list[str], said: str
    ) -> None:
        asked = Settings.model_validate({"search": "approximate", **more})
        with pytest.raises(BadInputError, match=f"^LASTFM_SEARCH is approximate, but {said}") as no:
            asked.require_searchable_among(models)
        assert str(no.value).isprintable()
        asked.model_copy(update={"search": "exact"}).require_searchable_among(models)

    @pytest.mark.parametrize("more", [{}, {"champion": "bpr"}])
    def test_is_not_refused_where_a_model_of_factors_may_serve(self, more: dict[str, str]) -> None:
        asked = Settings.model_validate({"search": "approximate", **more})
        asked.require_searchable_among(["popularity", "ease", "bpr"])


class TestASecret:
    @pytest.mark.parametrize("name", ["PUBLISH_URL", "DAGSTER_URL", "ALERT_WEBHOOK", "SMTP_URL"])
    def test_that_is_wrong_is_never_repeated(self, name: str) -> None:
        with pytest.raises(BadInputError, match=f"LASTFM_{name} is set: expected a URL") as caught:
            Settings.from_environment({f"LASTFM_{name}": "ftp://somebody:planted@host"})
        assert "planted" not in str(caught.value)

    @pytest.mark.parametrize("name", ["PUBLISH_URL", "DAGSTER_URL"])
    def test_is_masked_wherever_settings_are_shown(self, name: str) -> None:
        settings = Settings.from_environment({f"LASTFM_{name}": "postgresql://me:planted@host/db"})
        assert "planted" not in repr(settings) + settings.model_dump_json()
