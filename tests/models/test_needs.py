"""Memory that a fit takes is said before it begins."""

import pytest

from lastfm_assets.models.needs import Size, bytes_for
from lastfm_assets.models.trained import MODELS

HETREC = Size(1_892, 17_632, 74_000)
LASTFM_360K = Size(359_347, 292_000, 14_000_000)
GB = 1e9


def needed(name: str, size: Size, **parameters: object) -> float:
    return bytes_for(name, MODELS[name].Config(**parameters), size) / GB


@pytest.mark.parametrize("name", MODELS)
def test_no_model_needs_more_than_a_gigabyte_on_hetrec(name: str) -> None:
    assert 0 < needed(name, HETREC) < 1


@pytest.mark.parametrize("name", ["ease", "ease_tags", "blend"])
def test_ridge_regression_on_a_large_catalogue_does_not_fit(name: str) -> None:
    assert needed(name, LASTFM_360K) > 1_000


@pytest.mark.parametrize("name", ["popularity", "als", "bpr", "lightfm"])
def test_models_of_vectors_do(name: str) -> None:
    assert needed(name, LASTFM_360K) < 3


def test_als_needs_as_much_more_as_it_has_fits() -> None:
    one, four = (needed("als", LASTFM_360K, factors=64, fits=fits) for fits in (1, 4))
    pairs = 3 * 8 * LASTFM_360K.pairs / GB
    assert four - pairs == pytest.approx(4 * (one - pairs))
