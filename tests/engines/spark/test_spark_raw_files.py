"""Raw tables that Spark reads carry the state of what was read; Spark itself is left out."""

import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from pipeline_world import almost_the_sample

from lastfm_assets.automation.resources import SIGNATURE
from lastfm_assets.engines.spark import listening_assets
from lastfm_assets.engines.spark.read import RAW_TYPES, SourceFrames
from lastfm_assets.listening.about import About
from lastfm_assets.sources.signature import is_known, signature_of


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_file_that_is_replaced_while_it_is_read_is_of_no_known_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_replaced: bool
) -> None:
    folder = almost_the_sample(tmp_path / "own")

    def read_source(*_: Any) -> SourceFrames:
        if is_replaced:
            (folder / "tags.dat").write_bytes(b"tagID\ttagValue\n")
        frames: dict[str, Any] = dict.fromkeys(RAW_TYPES, None)
        return SourceFrames(frames, None, About("custom"), {})

    def nothing(*_: Any) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    monkeypatch.setattr(listening_assets, "read_source", read_source)
    monkeypatch.setattr(listening_assets, "scratch", nothing)
    monkeypatch.setattr(listening_assets, "clear_spark_errors", nothing)
    ran = dg.materialize(
        [listening_assets.raw_files],
        resources={
            "source": str(folder),
            "spark": SimpleNamespace(tables=None),
            "io_manager": dg.mem_io_manager,
        },
    )
    made = ran.asset_materializations_for_node("raw_files")
    (carried,) = {str(one.metadata[SIGNATURE].value) for one in made}
    if is_replaced:
        assert not is_known(carried)
    else:
        assert carried == signature_of(str(folder), data_folder=tmp_path)
