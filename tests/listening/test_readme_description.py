"""The description that the README shows reads the example that it shows."""

import re
from datetime import date
from pathlib import Path

import pandas as pd

from lastfm_assets.listening.load import load
from lastfm_assets.sources.examples import write_example

README = Path(__file__).parents[2] / "README.md"


def test_its_description_reads_the_scrobbles(tmp_path: Path) -> None:
    shown = re.search(r"```toml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert shown is not None
    write_example("scrobbles", tmp_path)
    (tmp_path / "mine.toml").write_text(shown[1], encoding="utf-8")
    data = load(str(tmp_path / "mine.toml"), data_folder=tmp_path)
    assert (data.about.item, data.about.ids, data.about.timed) == ("track", "text", True)
    assert data.about.until == date(2010, 6, 1)
    assert data.about.left_out > 0
    assert data.interactions["last_played"].max() < pd.Timestamp(2010, 5, 31, 22)
    assert data.artists["artist_name"].str.contains(" - ").all()
