"""What a source says of itself survives being a table."""

from datetime import date

import pytest

from lastfm_assets.listening.about import ABOUT, About
from lastfm_assets.vocabulary import column_type

WHOLE = About(
    "log",
    item="track",
    ids="text",
    one_row_a_play=True,
    timed=True,
    rows=70,
    until=date(2010, 6, 1),
    left_out=7,
    min_precision=0.05,
)


@pytest.mark.parametrize("about", [About("sample"), WHOLE])
def test_a_table_gives_it_back(about: About) -> None:
    assert About.from_table(about.to_table()) == about


@pytest.mark.parametrize("about", [About("sample"), WHOLE])
def test_its_columns_are_of_the_types_that_are_promised(about: About) -> None:
    table = about.to_table()
    assert tuple(table) == ABOUT
    found = {name: str(dtype).partition("[")[0] for name, dtype in table.dtypes.items()}
    assert found == {name: column_type(name) for name in ABOUT}
