"""An environment for each peer, as they want different numpy and pandas.

    .venv/bin/python benchmarks/environments.py

Made once in `benchmarks/.venv/<peer>` from `benchmarks/requirements/<peer>.txt`, and again when
that file changes. Hashes are checked wherever the file has them; LensKit's has none, as the torch
that it needs comes in one build for each kind of machine.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
LISTS: Final = HERE / "requirements"
ENVIRONMENTS: Final = HERE / ".venv"


def python(name: str | None) -> Path:
    """The interpreter of a peer's environment; ours for None."""
    return Path(sys.executable) if name is None else ENVIRONMENTS / name / "bin" / "python"


def prepare(name: str | None, say: Callable[[str], None]) -> None:
    """Makes a peer's environment, unless it is as its list says."""
    if name is None:
        return
    wanted = LISTS / f"{name}.txt"
    folder = ENVIRONMENTS / name
    stamp = folder / "made_from"
    digest = hashlib.sha256(wanted.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == digest:
        return
    say(f"making the environment of {name}, once")
    shutil.rmtree(folder, ignore_errors=True)
    own = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    _run(str(own), "-m", "venv", str(folder))
    checked = ["--require-hashes", "--no-deps"] if "--hash" in wanted.read_text("utf-8") else []
    install = ("-m", "pip", "install", "-qq", "--disable-pip-version-check", *checked)
    _run(str(python(name)), *install, "-r", str(wanted))
    stamp.write_text(digest, encoding="utf-8")


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        sys.exit(f"{' '.join(command[:4])} failed: {done.stderr[-500:]}")


if __name__ == "__main__":
    for one in sorted(LISTS.glob("*.txt")):
        prepare(one.stem, lambda line: sys.stderr.write(line + "\n") and None)
