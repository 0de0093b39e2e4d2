"""What others hand us: lists, held-out pairs and a listener's plays."""

import numpy as np
import pandas as pd
import pytest

from lastfm_assets import cli
from lastfm_assets.errors import BadInputError
from lastfm_assets.evaluation.exchange import read_pairs
from lastfm_assets.listening.keys import id_of, no_keys
from lastfm_assets.recommendations.reader import _find, _read_plays
from lastfm_assets.settings import Settings

NAMES = pd.Series(["a", "b"], index=[1, 2])


def test_a_header_of_a_million_columns_is_refused_at_once() -> None:
    """For each, pandas makes an object: 300,000 of them took 23 seconds."""
    with pytest.raises(BadInputError, match="first line is over 64 KiB long"):
        read_pairs(b"\n\nuser_id,artist_id" + b"," * 1_000_000 + b"\n1,2\n", "h.csv")


def test_lines_of_blanks_before_the_header_are_passed_over_at_once() -> None:
    """Each was tried against the end of every other: 180 KB of blanks took 14 seconds."""
    blank = b" " * 60_000 + b"\n"
    assert len(read_pairs(blank * 30 + b"user_id,artist_id\n1,2\n", "h.csv")) == 1


def test_a_column_that_is_there_twice_is_refused() -> None:
    """The first was taken, silently; in plays, it was an AttributeError."""
    with pytest.raises(BadInputError, match="the header has user_id twice"):
        read_pairs(b"user_id,user_id,artist_id\n1,9,2\n", "h.csv")
    with pytest.raises(BadInputError, match="the header has artist_id twice"):
        _read_plays(b" artist_id,artist_id,plays\n1,2,1\n", "p.csv", NAMES, no_keys())


def test_a_row_of_plays_with_a_surplus_field_is_refused() -> None:
    """Every column was moved by one, so that plays were taken for artists."""
    with pytest.raises(BadInputError, match="rows have more fields than the header"):
        _read_plays(b"artist_id,plays\n1,2,3\n", "p.csv", NAMES, no_keys())


@pytest.mark.parametrize("plays", ["1e308", "inf", "nan", "-1", "1_000", "\u0663", "True", "0x1"])
def test_plays_that_nobody_can_have_are_no_plays(plays: str) -> None:
    """1e308 became infinite as the 32 bits that models work with."""
    content = f"artist_id,plays\n1,{plays}\n2,5\n".encode()
    columns, counts, unused = _read_plays(content, "p.csv", NAMES, no_keys())
    assert (columns.tolist(), counts.tolist(), unused) == ([1], [5.0], 1)
    assert np.isfinite(counts).all()


@pytest.mark.parametrize("typed", ["1_0", "\u0663", "\uff11", "\u00b2", "1.0", "", " ", "9" * 5000])
def test_only_plain_digits_are_a_number(typed: str) -> None:
    with pytest.raises(BadInputError, match="expected a whole number") as caught:
        cli._number("--to", typed)
    assert len(str(caught.value)) < 200


def test_bytes_that_are_no_text_name_nobody() -> None:
    typed = b"\xff".decode("utf-8", "surrogateescape")
    keys = pd.DataFrame({"kind": ["user"], "id": [1], "key": ["ann"]})
    assert id_of(typed, keys, "user") is None
    with pytest.raises(BadInputError, match="no artist"):
        _find(typed, pd.DataFrame({"artist_id": [1], "artist_name": ["a"]}), "artist")


@pytest.mark.parametrize("amount", ["inf", "nan", "1e999", "1e308"])
def test_no_endless_memory_can_be_set(amount: str) -> None:
    with pytest.raises(BadInputError, match="LASTFM_MEMORY_GB"):
        Settings.from_environment({"LASTFM_MEMORY_GB": amount})
