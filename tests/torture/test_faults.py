"""A few of the faults of `faults.py`; `make torture` has hundreds, and loses a database, too."""

import errno
import random
from pathlib import Path
from shutil import which

import pytest
from faults import FAULTS, Faults, Trial, disk_faults
from places import World, opened
from preloaded import WRITE, Fault, FaultyDisk
from zygote import started

pytestmark = pytest.mark.skipif(which("cc") is None, reason="no C compiler, to make a faulty disk")


def test_a_refresh_on_a_full_disk_says_so_and_harms_no_reader(tmp_path: Path) -> None:
    disk, done = FaultyDisk(tmp_path / "disk"), Faults()
    with (
        started(tmp_path / "zygote", disk.environment) as zygote,
        opened("local", tmp_path / "place") as place,
    ):
        assert place.root is not None
        world = World.made(tmp_path, zygote, sources=2)
        trial = Trial(world, place, done, random.Random(3))  # noqa: S311 (not a secret)
        disk_faults(trial, disk, FAULTS[:1], place.root, points=1)
    assert done.wrong == []
    assert done.tried[FAULTS[0].name] == 1
    assert done.calls[FAULTS[0].name] > 100


def test_the_faulty_disk_fails_that_one_write_and_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "below"
    folder.mkdir()
    disk = FaultyDisk(tmp_path / "disk")
    with started(tmp_path / "zygote", disk.environment) as zygote:
        example = ("example", "playlists", str(folder))
        disk.fail(Fault("", WRITE, errno.EIO), folder, 1)
        ended = zygote.run(*example, environment={})
        assert (ended.code, disk.heal()[1]) == (2, 1)
        assert "Input/output error" in ended.last_line
        assert zygote.run(*example, environment={}).code == 0
