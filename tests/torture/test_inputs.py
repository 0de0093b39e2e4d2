"""A small part of `inputs`: a few thousand hostile inputs, none of which may be a defect."""

from inputs import OUTCOMES, PARSERS, fuzz


def test_hostile_input_ends_in_a_result_or_in_an_error_of_ours() -> None:
    told: list[str] = []
    found = fuzz(4_000, seed=1, say=told.append)
    assert told == []
    assert list(found) == list(PARSERS)
    assert all(counts["defect"] == 0 for counts in found.values())
    assert sum(counts[one] for counts in found.values() for one in OUTCOMES) > 3_900
    assert min(counts["refused"] for name, counts in found.items() if name != "shown names") > 0
