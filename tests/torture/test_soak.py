"""A few of the refreshes of `soak.py`, and the rule by which growth is told."""

from pathlib import Path
from shutil import which

import pytest
from soak import fifths, soak, what_grows


@pytest.mark.skipif(which("cc") is None, reason="no C compiler, to make a clock that moves")
def test_refreshes_day_after_day_leave_nothing_behind(tmp_path: Path) -> None:
    done = soak(tmp_path, refreshes=2, in_one=2)
    assert done.wrong == []
    assert (done.refreshes, len(done.in_one_process)) == (2, 2)


def test_what_grows_by_more_than_a_twentieth_is_told() -> None:
    flat = [{"files": 100.0 + n % 3} for n in range(50)]
    rising = [{"files": 100.0 + 3 * n} for n in range(50)]
    settled = [{"files": float(min(n, 25))} for n in range(50)]
    assert fifths(flat[:4], "files") == []
    assert fifths(rising, "files") == [113.5, 143.5, 173.5, 203.5, 233.5]
    assert what_grows(flat, ["files"]) == []
    assert what_grows(settled, ["files"]) == []
    assert "files grows" in what_grows(rising, ["files"])[0]
