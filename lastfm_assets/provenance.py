"""Which code made a value: a hash of the sources that make up a computation."""

import functools
import hashlib
from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).parent


@functools.cache
def code_version(*files: str) -> str:
    """Version of a computation: a hash of the sources that make it up.

    Args:
        files: paths within the package, such as `listening/split.py`.

    Returns:
        12 hex digits; a changed source gives others, so no version can be forgotten.
    """
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update((_PACKAGE / file).read_bytes())
    return digest.hexdigest()[:12]
