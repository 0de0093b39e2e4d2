"""A run in this process holds no value that the store has: else memory is that of all tables."""

import gc
import weakref
from pathlib import Path

import dagster as dg
import pandas as pd

from lastfm_assets.automation.resources import StoreIOManager
from lastfm_assets.io import Store


def test_a_stored_value_is_gone_when_the_next_step_begins(tmp_path: Path) -> None:
    made: list[weakref.ref[pd.DataFrame]] = []
    alive: list[bool] = []

    @dg.asset
    def first() -> dg.MaterializeResult[pd.DataFrame]:
        table = pd.DataFrame({"user_id": [1, 2]})
        made.append(weakref.ref(table))
        return dg.MaterializeResult(value=table)

    @dg.asset(deps=[first])
    def second() -> None:
        gc.collect()
        alive.extend(table() is not None for table in made)

    @dg.asset(ins={"table": dg.AssetIn("first", dagster_type=pd.DataFrame)})
    def reader(table: pd.DataFrame) -> dg.MaterializeResult[pd.DataFrame]:
        return dg.MaterializeResult(value=table.assign(seen=True))

    store = Store(str(tmp_path))
    result = dg.materialize(
        [first, second, reader], resources={"io_manager": StoreIOManager(store, {})}
    )
    assert result.success
    assert alive == [False]
    assert store.read(("reader",), pd.DataFrame)["seen"].all()
