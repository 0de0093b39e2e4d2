"""A trained model knows what it was fitted on, and bytes that are no model are refused."""

import io
import json

import numpy as np
import pytest
from model_worlds import crowd, matrix_of

from lastfm_assets.errors import BadInputError, StoreError
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.als import AlsConfig
from lastfm_assets.models.popularity import PopularityConfig
from lastfm_assets.models.trained import (
    MODELS,
    TrainedModel,
    fingerprint,
    from_bytes,
    model_named,
    to_bytes,
    train,
)


@pytest.fixture
def model() -> TrainedModel:
    return train("popularity", crowd(), side=SideTables.none(), seed=3)


def rewritten(saved: TrainedModel, **changes: object) -> bytes:
    """The saved model with some of its header replaced."""
    with np.load(io.BytesIO(to_bytes(saved, {}))) as archive:
        arrays = {name: archive[name] for name in archive.files}
    header = {**json.loads(arrays["header"].tobytes()), **changes}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def test_it_carries_ids_and_fingerprint_of_its_matrix(model: TrainedModel) -> None:
    assert model.data == crowd().fingerprint
    assert model.user_ids.tolist() == crowd().user_ids.tolist()
    assert model.artist_ids.tolist() == crowd().artist_ids.tolist()
    assert (model.name, model.seed, model.config) == ("popularity", 3, PopularityConfig())


def test_the_fingerprint_sees_data_model_parameters_and_seed() -> None:
    usual = {
        "name": "als",
        "config": AlsConfig(),
        "seed": 1,
        "data": "abc",
        "side": "",
        "code": "123",
    }
    changes = [
        {"name": "item_knn"},
        {"config": AlsConfig(factors=7)},
        {"config": AlsConfig(regularization=10.5)},
        {"seed": 2},
        {"data": "abd"},
        {"side": "tags"},
        {"code": "124"},
    ]
    seen = {fingerprint(**{**usual, **change}) for change in [{}, *changes]}
    assert len(seen) == 1 + len(changes)
    same = AlsConfig(factors=AlsConfig().factors)
    assert fingerprint(**usual) == fingerprint(**{**usual, "config": same})


def test_another_play_gives_another_fingerprint() -> None:
    one, other = (
        train(
            "popularity", matrix_of(np.array([[1, plays], [1, 0]])), side=SideTables.none(), seed=0
        )
        for plays in (3, 4)
    )
    np.testing.assert_array_equal(
        one.recommender.scores(np.arange(2)), other.recommender.scores(np.arange(2))
    )
    assert one.fingerprint != other.fingerprint


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BadInputError, match="unknown model 'svd'; expected one of popularity, "):
        model_named("svd")
    with pytest.raises(BadInputError, match="unknown model 'svd'"):
        train("svd", crowd(), side=SideTables.none(), seed=0)


@pytest.mark.parametrize("name", MODELS)
def test_defaults_stand_in_the_config_alone(name: str) -> None:
    assert train(name, crowd(), side=SideTables.none(), seed=0).config == MODELS[name].Config()


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 broken"])
def test_noise_is_no_model(content: bytes) -> None:
    with pytest.raises(StoreError, match="not a saved model"):
        from_bytes(content)


def test_half_a_model_is_no_model(model: TrainedModel) -> None:
    content = to_bytes(model, {})
    with pytest.raises(StoreError, match="not a saved model"):
        from_bytes(content[: len(content) // 2])


def test_a_pickle_in_the_archive_is_not_opened(model: TrainedModel) -> None:
    with np.load(io.BytesIO(to_bytes(model, {}))) as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["learnt_listeners"] = np.array([{"run": "me"}], dtype=object)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    with pytest.raises(StoreError, match="allow_pickle=False"):
        from_bytes(buffer.getvalue())


def test_an_archive_of_something_else_is_no_model() -> None:
    buffer = io.BytesIO()
    np.savez(buffer, numbers=np.arange(3))
    with pytest.raises(StoreError, match="header"):
        from_bytes(buffer.getvalue())


def test_a_model_or_a_parameter_of_the_future_is_refused(model: TrainedModel) -> None:
    with pytest.raises(BadInputError, match="unknown model 'svd'"):
        from_bytes(rewritten(model, model="svd"))
    with pytest.raises(StoreError, match="depth"):
        from_bytes(rewritten(model, config={"depth": 3}))


def test_what_is_said_beside_the_model_cannot_replace_its_own_header(model: TrainedModel) -> None:
    loaded, said = from_bytes(to_bytes(model, {"model": "als", "seed": 99, "note": "x"}))
    assert (loaded.name, loaded.seed) == ("popularity", 3)
    assert said["note"] == "x"
