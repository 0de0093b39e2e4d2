"""Writes the bill of materials: every package of the lock, as CycloneDX JSON.

The same lock gives the same bytes on the same system and with the same tool: no time, no serial
number, and no address that a package was fetched from. Licences are those of the packages installed
here. Needs what `make test-integration` installs.
"""

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any, Final

PROJECT: Final = Path(__file__).parents[1]
BILL: Final = Path(__file__).with_name("sbom.json")
_LONGEST: Final = 60
"""Characters of a licence's name; more are its whole text."""


def bill() -> str:
    """The bill, as JSON text."""
    command = [
        *(sys.executable, "-m", "cyclonedx_py", "requirements", "--output-reproducible"),
        *("--pyproject", "pyproject.toml", "requirements/locked.txt"),
    ]
    done = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)  # noqa: S603 (a fixed one)
    said = json.loads(done.stdout)
    components = {one["purl"]: _component(one) for one in said["components"]}
    said["components"] = [components[purl] for purl in sorted(components)]
    said["dependencies"] = [{"ref": "root-component", "dependsOn": sorted(components)}]
    said["metadata"]["tools"] = {
        "components": [
            {name: tool[name] for name in ("type", "group", "name", "version")}
            for tool in said["metadata"]["tools"]["components"]
        ]
    }
    return json.dumps(said, indent=1, sort_keys=True) + "\n"


def _component(one: dict[str, Any]) -> dict[str, Any]:
    """Name, version and licence; its file hashes stand in the lock, which says one a line."""
    kept = {name: one[name] for name in ("type", "name", "version", "purl")}
    licence = _licence(one["name"])
    return {**kept, "bom-ref": one["purl"], **({"licenses": [licence]} if licence else {})}


def _licence(name: str) -> dict[str, Any] | None:
    """What the installed package declares; None where it is for other systems, or says nothing."""
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return None
    if said["License-Expression"]:
        return {"expression": said["License-Expression"]}
    classifiers = [
        text.rpartition(" :: ")[2]
        for text in said.get_all("Classifier") or []
        if text.startswith("License :: ")
    ]
    named = (said["License"] or "").strip()
    short = named if named and len(named) <= _LONGEST and "\n" not in named else ""
    text = " or ".join(classifiers) or short
    return {"license": {"name": text}} if text else None


if __name__ == "__main__":
    BILL.write_text(bill(), encoding="utf-8")
