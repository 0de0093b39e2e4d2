"""What is installed is what was locked, to the byte, and is listed in the bill of materials."""

import json
import re
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
LOCKS = sorted((PROJECT / "requirements").glob("*.txt"))
REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)==([^\s;\\]+)( ; [^\\]+)?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def requirements(lock: Path) -> list[list[str]]:
    """Each requirement of a lock with its hashes, comments left out."""
    lines = [line for line in lock.read_text().splitlines() if not line.lstrip().startswith("#")]
    whole = "\n".join(line for line in lines if line.strip()).replace("\\\n", "\n\t")
    return [
        [piece.strip() for piece in one.split("\n\t") if piece.strip()]
        for one in re.split(r"\n(?![\t ])", whole)
    ]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(PROJECT)))
def test_every_requirement_is_one_version_with_hashes_and_without_an_address(lock: Path) -> None:
    found = requirements(lock)
    assert found
    for requirement, *hashes in found:
        assert REQUIREMENT.fullmatch(requirement.strip()), requirement
        assert hashes, requirement
        assert all(HASH.fullmatch(one) for one in hashes), requirement
    assert "://" not in lock.read_text()


def test_make_installs_nothing_without_its_hash() -> None:
    """Ours own sources alone need none; they are not fetched."""
    installs = [
        line for line in (PROJECT / "Makefile").read_text().splitlines() if "pip inst" in line
    ]
    assert installs
    for line in installs:
        assert "--require-hashes" in line or "--editable ." in line, line
        assert "--no-deps" in line, line


def test_the_bill_of_materials_lists_what_is_locked() -> None:
    """`requirements/sbom.py` writes it anew where it does not."""
    bill = json.loads((PROJECT / "requirements" / "sbom.json").read_text())
    locked = {
        (re.sub(r"[-_.]+", "-", name).lower(), version)
        for name, version in (
            REQUIREMENT.fullmatch(one[0].strip()).group(1, 2)  # type: ignore[union-attr]
            for one in requirements(PROJECT / "requirements" / "locked.txt")
        )
    }
    listed = {
        (re.sub(r"[-_.]+", "-", one["name"]).lower(), one["version"]) for one in bill["components"]
    }
    assert listed == locked
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert bill["metadata"]["component"]["version"] == project["version"]


def test_the_bill_of_materials_names_no_time_and_no_place() -> None:
    text = (PROJECT / "requirements" / "sbom.json").read_text()
    assert not re.search(r"timestamp|serialNumber|externalReferences|hashes", text)
    assert re.findall(r"\w+://[^/\"]+", text) == ["http://cyclonedx.org"]  # of its schema
