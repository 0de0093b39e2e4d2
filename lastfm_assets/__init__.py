"""Raw Last.fm listening files in, checked top-10 artists for every user out.

In a notebook, `import lastfm_assets as la` gives `la.load`, `la.split`, `la.fit`, `la.rank`,
`la.evaluate`, `la.per_user` and `la.query`, see `lastfm_assets.notebook`. They are imported when
they are first named, so that the import itself is light.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lastfm_assets.notebook import Split, evaluate, fit, load, per_user, query, rank, split

__all__ = ["Split", "evaluate", "fit", "load", "per_user", "query", "rank", "split"]


def __getattr__(name: str) -> Any:
    """A name of the notebook's, imported now (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module("lastfm_assets.notebook"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Also what is not imported yet."""
    return sorted({*globals(), *__all__})
