"""A few of the damages of `corruption.py`; `make torture` tries thousands."""

from pathlib import Path

from corruption import corrupt


def test_damage_to_any_stored_file_is_told_or_changes_nothing(tmp_path: Path) -> None:
    found = corrupt(tmp_path, 120, seed=1)
    assert (found["tried"], found["silent"], found.get("not healed", 0)) == (120, 0, 0)
    assert found["detected"] > 90
    assert found["healed"] > 0
