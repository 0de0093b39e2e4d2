"""A refresh that is recorded once, and the power cut at some of its changes."""

from pathlib import Path
from shutil import which

import pytest
from power_cuts import cut

pytestmark = pytest.mark.skipif(which("cc") is None, reason="no C compiler, to record a disk")


def test_after_a_power_cut_readers_see_one_version_whole(tmp_path: Path) -> None:
    """delta-rs syncs nothing: the newest entry of the log could be there, and empty."""
    found = cut(tmp_path, 90, seed=1)
    assert found["wrong"] == 0
    assert min(found["old"], found["new"], found["healed"]) > 0
