"""Which models compete: names or a file, and clear words about anything else."""

from pathlib import Path

import pytest

from lastfm_assets.errors import BadInputError
from lastfm_assets.models.competing import competing
from lastfm_assets.models.trained import MODELS


def written(folder: Path, text: str) -> str:
    path = folder / "models.toml"
    path.write_text(text, "utf-8")
    return str(path)


class TestWhoCompetes:
    def test_is_everybody_where_nothing_is_said(self) -> None:
        assert {name: type(config) for name, config in competing(None).items()} == {
            name: model.Config for name, model in MODELS.items()
        }

    def test_is_who_is_named_in_the_order_of_all_models(self) -> None:
        assert list(competing("als, item_knn,popularity")) == ["popularity", "item_knn", "als"]

    def test_includes_popularity_which_the_gate_needs(self) -> None:
        assert list(competing("als")) == ["popularity", "als"]

    def test_has_the_shipped_parameters_where_only_names_are_given(self) -> None:
        assert competing("als")["als"] == MODELS["als"].Config()

    def test_has_the_parameters_of_a_file(self, tmp_path: Path) -> None:
        said = written(tmp_path, "[als]\nfactors = 64\nfits = 1\n[ease]\n")
        found = competing(said)
        assert list(found) == ["popularity", "als", "ease"]
        assert found["als"] == MODELS["als"].Config(factors=64, fits=1)
        assert found["ease"] == MODELS["ease"].Config()

    @pytest.mark.parametrize(
        ("text", "match"),
        [
            ("[alz]\n", "unknown model 'alz'; expected one of popularity, item_knn"),
            ("[als]\nfactor = 64\n", "model als has no parameter 'factor'; expected some of"),
            ("[als]\nfactors = 0\n", "model als: factors is 0: input should be greater"),
            ("[als]\nfactors = 'many'\n", "model als: factors is 'many'"),
            ("als = 64\n", "model als has no parameter 'als'"),
            ("[popularity]\nfactors = 3\n", "popularity has no parameter 'factors'"),
            ("[als\n", "is no TOML .*; expected a table for each model"),
        ],
    )
    def test_is_refused_in_one_line_where_a_file_says_nonsense(
        self, tmp_path: Path, text: str, match: str
    ) -> None:
        with pytest.raises(BadInputError, match=match) as caught:
            competing(written(tmp_path, text))
        assert str(caught.value).isprintable()

    def test_is_refused_where_the_file_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(BadInputError, match=r"cannot be read .*; expected a TOML file"):
            competing(str(tmp_path / "none.toml"))

    def test_is_refused_where_the_file_is_no_text(self, tmp_path: Path) -> None:
        (tmp_path / "models.toml").write_bytes(b"\xff\xfe[als]")
        with pytest.raises(BadInputError, match="is no TOML"):
            competing(str(tmp_path / "models.toml"))
