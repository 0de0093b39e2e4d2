"""What reading and cleaning will take is said before it begins."""

import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from listening.plays_world import BY_NUMBER, plays_file

from lastfm_assets.listening.memory import (
    IMPORTED,
    bytes_to_clean,
    bytes_to_read,
    bytes_to_weigh,
    rows_expected,
)

TSV = {"path": "plays.tsv", "header": False}
ROWS = 120_000
LINES = "".join(
    f"user{n % 977:037d}\titem{n % 3001:032d}\tname {n % 3001}\t{n}\n" for n in range(ROWS)
)

PROBE = """
import sys
from pathlib import Path
from lastfm_assets.listening.load import load
load(sys.argv[1], data_folder=Path(sys.argv[1]).parent)
said = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(said["VmHWM"].split()[0]) * 1024)
"""
"""The most that it held, by its own record: `getrusage` begins with what its parent held."""


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
def test_rows_are_foretold_from_the_start_of_a_file(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    name = "plays.tsv.gz" if pack is gzip.compress else "plays.tsv"
    file = plays_file(tmp_path, pack(LINES.encode()), BY_NUMBER, **{**TSV, "path": name})
    assert rows_expected(file) == pytest.approx(ROWS, rel=0.2)


def test_rows_of_a_small_file_are_counted(tmp_path: Path) -> None:
    file = plays_file(tmp_path, "u\ta\tA\t1\nu\tb\tB\t2\n", BY_NUMBER, **TSV)
    assert rows_expected(file) == 2


def test_rows_of_a_parquet_file_are_exact(tmp_path: Path) -> None:
    table = pd.DataFrame({"user": ["u", "v", "w"], "item": ["a", "b", "c"]})
    table.to_parquet(tmp_path / "plays.parquet")
    content = (tmp_path / "plays.parquet").read_bytes()
    columns = {"user": "user", "item": "item"}
    file = plays_file(tmp_path, content, columns, path="plays.parquet")
    assert rows_expected(file) == 3


@pytest.mark.parametrize("needed", [bytes_to_read, bytes_to_clean, bytes_to_weigh])
def test_more_rows_need_more_and_no_row_needs_the_libraries(needed: Callable[[int], int]) -> None:
    assert IMPORTED < needed(0) < needed(10**6) < needed(10**7)


@pytest.mark.parametrize("needed", [bytes_to_read, bytes_to_clean])
def test_times_need_more(needed: Callable[..., int]) -> None:
    assert needed(10**6, timed=True) > needed(10**6)


def test_seventeen_million_rows_fit_the_machine_they_were_measured_for() -> None:
    assert bytes_to_read(17_500_000) < bytes_to_clean(17_500_000) < 2.4e9
    assert bytes_to_weigh(17_500_000) < 2.5e9


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux alone says it")
def test_a_process_that_loads_stays_below_what_is_said(tmp_path: Path) -> None:
    plays_file(tmp_path, LINES, BY_NUMBER, **TSV)
    command = [sys.executable, "-c", PROBE, str(tmp_path / "mine.toml")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert IMPORTED / 2 < int(done.stdout) < bytes_to_clean(ROWS)
