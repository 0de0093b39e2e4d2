"""The store as Dagster's IO manager."""

from typing import Any, Final

import dagster as dg

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.io import Store

SOURCE: Final = "lastfm_assets/source"
"""Output metadata by which a raw table says what source it came from."""


class StoreIOManager(dg.IOManager):
    """Keeps every asset's value in the store, under its key.

    The source that a raw table came from is handed on: a value made from stored ones is stamped
    with theirs, so that whatever was made from the sample says so.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._sources: dict[tuple[str, str], set[str]] = {}

    @fails_clearly
    def load_input(self, context: dg.InputContext) -> Any:
        """Reads an upstream value as the type that the consumer asks for."""
        kind = context.dagster_type.typing_type
        value, stamp = self.store.read_with_stamp(context.asset_key.path, kind)
        self._seen(context).add(stamp.source)
        return value

    @fails_clearly
    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Replaces the stored value in one step."""
        said = (context.output_metadata or {}).get(SOURCE)
        sources = self._seen(context)
        if isinstance(said, dg.TextMetadataValue):
            sources = {str(said.text)}
        source = "+".join(sorted(sources)) or "unknown"
        path = self.store.write(context.asset_key.path, obj, source=source)
        context.add_output_metadata({"stored_at": str(path), "source": source})

    def _seen(self, context: dg.InputContext | dg.OutputContext) -> set[str]:
        """The sources that one step of one run has read from."""
        step = context.step_context
        return self._sources.setdefault((step.run_id, step.step.key), set())
