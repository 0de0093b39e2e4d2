"""How it is said that invented files cannot be written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lastfm_assets.errors import BadInputError
from lastfm_assets.sources.hetrec import one_line


@contextmanager
def writing_into(folder: Path) -> Iterator[None]:
    """Makes a folder, and tells in one line what writing into it fails of.

    Args:
        folder: made where it is missing, and those above it.

    Raises:
        BadInputError: the folder cannot be made, or what is done within cannot write to it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except (OSError, ValueError) as problem:  # a path with a NUL is a ValueError
        reason = one_line(getattr(problem, "strerror", None) or problem)
        raise BadInputError(
            f"{one_line(folder)}: the example cannot be written ({reason}), expected a folder that "
            "can be made and written to; name another, or correct its permissions"
        ) from None
