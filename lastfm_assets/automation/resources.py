"""The store as Dagster's IO manager, and settings as resources, one by one."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import dagster as dg
import pandas as pd

from lastfm_assets.automation.every_pair import EveryPair
from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.errors import StoreError
from lastfm_assets.formats import Stored
from lastfm_assets.io import Store
from lastfm_assets.memory import Memory
from lastfm_assets.provenance import Origin
from lastfm_assets.settings import Settings
from lastfm_assets.writer import require_held

SOURCE: Final = "lastfm_assets/source"
"""Output metadata by which a raw table says what source it came from."""
SIGNATURE: Final = "lastfm_assets/signature"
"""Output metadata by which a raw table says what its source looked like."""

BESIDE: Final = "lastfm_assets/beside"
"""Definition metadata: assets of other jobs whose values an asset uses where they are there.

They are no dependencies in the graph, as the web UI warns of those that were never made."""


def determining(settings: Settings) -> dict[str, Any]:
    """The settings on which values depend, by the name under which assets ask for them.

    What an asset does not ask for, it cannot depend on.
    """
    return {
        "seed": settings.seed,
        "min_precision": settings.min_precision,
        "pinned": settings.champion,
        "judged_users": settings.judged_users,
        "search": settings.search,
        "ui_url": settings.ui_url,
    }


def resources_of(settings: Settings) -> dict[str, Any]:
    """What assets may ask for by name: the store, its IO manager, and each setting by itself."""
    store = Store(settings.store)
    return {
        **determining(settings),
        "settings": settings,
        "source": settings.source,
        "audio_features": settings.audio_features,
        "processes": settings.processes,
        "memory": Memory.of(settings.memory_gb),
        "publish_url": settings.publish_url,
        "store": store,
        "every_pair": EveryPair(store),
        "io_manager": StoreIOManager(store, determining(settings)),
    }


def parameters_of(
    asset: dg.AssetKey,
    *,
    config: Any,
    several: bool,
    required: set[str],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """What determines an asset's value beside its inputs and its code.

    Args:
        asset: whose.
        config: of the step that makes it, defaults filled in.
        several: whether the step makes several assets, each with a section of its own in `config`.
        required: names of the resources that the step asks for.
        settings: see `determining`.

    Returns:
        JSON values by name.
    """
    own = config.get(asset.path[-1], {}) if several and config else config
    return dict(own or {}) | {name: value for name, value in settings.items() if name in required}


def step_of(context: dg.AssetExecutionContext) -> tuple[str, str]:
    """Ids of the run and of the step in it, see `StoreIOManager.read`."""
    return context.run.run_id, context.op_execution_context.get_step_execution_context().step.key


class StoreIOManager(dg.IOManager):
    """Keeps every asset's value in the store, under its key, with all that determined it.

    The source that a raw table came from is handed on: a value made from stored ones is stamped
    with theirs, so that whatever was made from the sample says so. So is the version of each, so
    that a later run knows whether the value would come out the same.
    """

    def __init__(self, store: Store, settings: Mapping[str, Any]) -> None:
        self.store = store
        self._settings = settings
        self._sources: dict[tuple[str, str], set[str]] = {}
        self._inputs: dict[tuple[str, str], dict[str, str]] = {}

    @fails_clearly
    def load_input(self, context: dg.InputContext) -> Any:
        """Reads an upstream value as the type that the consumer asks for."""
        step = context.step_context
        return self.read((step.run_id, step.step.key), context.asset_key, _kind(context))

    def read(
        self,
        step: tuple[str, str],
        asset: dg.AssetKey,
        kind: type[Stored],
        *,
        is_listening: bool = True,
    ) -> Stored:
        """Reads a value for a step, and remembers that the step was made from it.

        Args:
            step: ids of the run and of the step in it.
            asset: whose value.
            kind: its type.
            is_listening: whether the step's own value is of the same source; what only goes with
                it (audio features) is not.

        Raises:
            StoreError: see `Store.read`.
        """
        value, stamp = self.store.read_with_stamp(asset.path, kind)
        if is_listening:
            self._sources.setdefault(step, set()).add(stamp.source)
        self._inputs.setdefault(step, {})[asset.to_user_string()] = stamp.version
        return value

    def rows(self, step: tuple[str, str], asset: dg.AssetKey) -> int:
        """Rows of a table for a step that needs no more of it, and remembers that it is made so.

        Args:
            step: as for `read`.
            asset: whose table.

        Raises:
            StoreError: see `Store.read`.
        """
        self._note(step, asset)
        return self.store.rows(asset.path)

    def columns(
        self, step: tuple[str, str], asset: dg.AssetKey, names: Sequence[str]
    ) -> pd.DataFrame:
        """Some columns of a table for a step that needs no others; otherwise as `read`.

        Args:
            step: as for `read`.
            asset: whose table.
            names: its columns.

        Raises:
            StoreError: see `Store.read`.
        """
        self._note(step, asset)
        return self.store.columns(asset.path, names)

    def _note(self, step: tuple[str, str], asset: dg.AssetKey) -> None:
        """Remembers that a step was made from a table that it does not read whole."""
        stamp = self.store.stamp(asset.path, pd.DataFrame)
        self._sources.setdefault(step, set()).add(stamp.source)
        self._inputs.setdefault(step, {})[asset.to_user_string()] = stamp.version

    def note_unreadable(self, step: tuple[str, str], asset: dg.AssetKey, kind: type) -> None:
        """Remembers that a step did without a damaged value, so that it is not made again for it.

        Args:
            step: as for `read`.
            asset: whose value.
            kind: its type.
        """
        with contextlib.suppress(StoreError):
            version = self.store.stamp(asset.path, kind).version
            self._inputs.setdefault(step, {})[asset.to_user_string()] = version

    @fails_clearly
    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Replaces the stored value in one step."""
        said = context.output_metadata or {}
        step = (context.step_context.run_id, context.step_context.step.key)
        sources = self._sources.get(step, set())
        inputs = self._inputs_of(context, self._inputs.get(step, {}))
        if SOURCE in said:
            sources, inputs = {_text(said[SOURCE])}, {"the source": _text(said[SIGNATURE])}
        source = "+".join(sorted(sources)) or "unknown"
        origin = Origin(_code(context), self._parameters(context), inputs)
        require_held(self.store.root)
        path, stamp = self.store.write(context.asset_key.path, obj, source=source, origin=origin)
        if context.step_context.output_capture is not None:
            # a run in this process keeps every value to its end, for a caller who may ask for it;
            # nobody does, the store has them, and at millions of pairs they fill the memory
            context.step_context.output_capture.clear()
        context.step_context.set_data_version(context.asset_key, dg.DataVersion(stamp.version))
        context.add_output_metadata({"stored_at": str(path), "source": source})

    @staticmethod
    def _inputs_of(context: dg.OutputContext, read: dict[str, str]) -> dict[str, str]:
        """What the step has read for this asset: one that makes several reads for all of them."""
        asset = context.step_context.job_def.asset_layer.get(context.asset_key)
        own = {parent.to_user_string() for parent in asset.parent_keys}
        own |= {*asset.metadata.get(BESIDE, ())}
        return {name: version for name, version in read.items() if name in own}

    def _parameters(self, context: dg.OutputContext) -> dict[str, Any]:
        step = context.step_context
        made = step.job_def.asset_layer.get_assets_def_for_node(step.node_handle)
        return parameters_of(
            context.asset_key,
            config=step.op_config,
            several=made is not None and len(made.node_def.output_defs) > 1,
            required=set(step.op_def.required_resource_keys),
            settings=self._settings,
        )


def _kind(context: dg.InputContext) -> Any:
    return context.dagster_type.typing_type


def _code(context: dg.OutputContext) -> str:
    layer = context.step_context.job_def.asset_layer
    return str(layer.get(context.asset_key).code_version or "")


def _text(value: Any) -> str:
    return str(value.value if isinstance(value, dg.MetadataValue) else value)
