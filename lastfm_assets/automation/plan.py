"""What a refresh has to make again, and why: everything else is as it would come out anyway.

A stored value says what determined it: the version of its code, its parameters, and the version
of every value it was made from. Where all of that is as it was, so is the value.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import dagster as dg
import pandas as pd

from lastfm_assets.automation.resources import BESIDE, determining, parameters_of
from lastfm_assets.errors import StoreError
from lastfm_assets.io import MissingError, NewerStoreError, Stamp, Store
from lastfm_assets.provenance import Origin
from lastfm_assets.settings import Settings, data_folder
from lastfm_assets.sources.signature import is_known, signature_of

MADE_TAG: Final = "lastfm_assets/made_again"
"""Tag of a run that says why it makes what it makes."""
SKIPPED_TAG: Final = "lastfm_assets/skipped"
"""Tag of a run that says how much of each group it left as it was."""
_GIVEN: Final = "the source"
"""Input of the raw tables, see `StoreIOManager`."""
_FOLLOWS: Final = "follows "


@dataclass(frozen=True, slots=True)
class Plan:
    """The assets of one refresh."""

    stale: Mapping[dg.AssetKey, str]
    """What has to be made again, upstream first, and why."""
    confirmed: tuple[dg.AssetKey, ...]
    """What is looked at in every refresh: it holds no value of its own, but what readers see."""
    current: tuple[dg.AssetKey, ...]
    """What is left as it is."""
    checks: tuple[dg.AssetCheckKey, ...]
    """Of all that is made, and of what it is made from: no check that failed is stepped over."""
    groups: Mapping[str, int]
    """How many assets each group has, in the order of the graph."""
    group_of: Mapping[dg.AssetKey, str]

    @property
    def selection(self) -> list[dg.AssetKey]:
        """Everything that runs."""
        return [*self.stale, *(key for key in self.confirmed if key not in self.stale)]

    @property
    def why(self) -> str:
        """What sets the refresh off, in one line."""
        causes = {
            key: reason for key, reason in self.stale.items() if not reason.startswith(_FOLLOWS)
        }
        if not causes:
            return "nothing changed"
        first, reason = next(iter(causes.items()))
        more = f" and {len(causes) - 1} more" if len(causes) > 1 else ""
        following = len(self.stale) - len(causes)
        rest = f"; {following} follow from there" if following else ""
        return f"{first.to_user_string()}: {reason}{more}{rest}"

    @property
    def skipped(self) -> str:
        """How much of each group is left as it is: `raw 5 of 5, models 11 of 12`."""
        left = [self.group_of[key] for key in self.current]
        said = [
            f"{group} {left.count(group)} of {size}"
            for group, size in self.groups.items()
            if group in left
        ]
        return ", ".join(said) or "nothing"

    @property
    def in_words(self) -> str:
        """What is made again and what is left, for a log."""
        again = f"makes again {self.why}" if self.stale else self.why
        return f"{again}; leaves as it is: {self.skipped}"

    @property
    def tags(self) -> dict[str, str]:
        """What the run says of itself in the web UI."""
        return {MADE_TAG: self.why, SKIPPED_TAG: self.skipped}


def plan_refresh(
    job: dg.JobDefinition,
    settings: Settings,
    *,
    everything: bool = False,
    thoroughly: bool = True,
) -> Plan:
    """Holds what is stored against what would be made now.

    Args:
        job: the refresh, with all its assets.
        settings: source, store and everything else that values depend on.
        everything: whether to make again what is current, too.
        thoroughly: whether to read all of every value that would be left as it is, as it may be
            damaged; else only what it says of itself.

    Returns:
        The plan; a value that is missing or damaged is made again. Nothing is raised for a
        source that cannot be looked at: the run that has to read it will say what is wrong.

    Raises:
        NewerStoreError: a newer program has written a value.
    """
    store = Store(settings.store)
    look = store.check if thoroughly else store.stamp
    signature = signature_of(settings.source, data_folder=data_folder())
    graph = job.asset_layer.asset_graph
    config = dg.validate_run_config(job)["ops"]
    keys = [
        key for key in graph.toposorted_asset_keys if key in job.asset_layer.selected_asset_keys
    ]
    stale: dict[dg.AssetKey, str] = {}
    confirmed: list[dg.AssetKey] = []
    versions: dict[str, str] = {}
    for made in _in_order(graph, keys):
        own = [key for key in keys if key in made.keys]
        wanted = _Wanted(made, config, determining(settings), signature)
        confirmed += [key for key in own if _kind(made, key) is type(None)]
        for key in own:
            beside = [dg.AssetKey(name.split("/")) for name in _beside(graph, key)]
            versions |= _versions(store, beside)
            reason = "" if key in confirmed else _reason(look, key, wanted, versions, beside)
            if everything and key not in confirmed:
                reason = reason or "everything was asked for"
            parents = [one for one in graph.get(key).parent_keys if one in stale]
            reason = _follows(parents[0]) if parents else reason
            if reason:
                stale[key] = reason
        changed = [key for key in own if key in stale]
        if changed and not made.can_subset:
            stale |= {key: _follows(changed[0]) for key in own if key not in stale}
    run = {*stale, *confirmed}
    looked_at = run.union(*(graph.get(key).parent_keys for key in run))
    group_of = {key: graph.get(key).group_name for key in keys}
    return Plan(
        {key: stale[key] for key in keys if key in stale},
        tuple(confirmed),
        tuple(key for key in keys if key not in run),
        tuple(sorted(graph.get_check_keys_for_assets(looked_at))),
        {group: list(group_of.values()).count(group) for group in group_of.values()},
        group_of,
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a step would be made from now."""

    made: dg.AssetsDefinition
    config: Mapping[str, Any]
    settings: Mapping[str, Any]
    signature: str

    def origin(self, key: dg.AssetKey, inputs: Mapping[str, str]) -> Origin:
        """Of the value as it would be made now from those inputs."""
        parameters = parameters_of(
            key,
            config=self.config.get(self.made.node_def.name, {}).get("config"),
            several=len(self.made.node_def.output_defs) > 1,
            required=set(self.made.required_resource_keys),
            settings=self.settings,
        )
        return Origin(self.made.specs_by_key[key].code_version or "", parameters, inputs)


def _follows(parent: dg.AssetKey) -> str:
    return f"{_FOLLOWS}{parent.to_user_string()}"


def _in_order(graph: Any, keys: list[dg.AssetKey]) -> Iterator[dg.AssetsDefinition]:
    """The steps that make the keys, each once, upstream first."""
    seen = set()
    for key in keys:
        made = graph.get(key).assets_def
        if id(made) not in seen:
            seen.add(id(made))
            yield made


def _beside(graph: Any, key: dg.AssetKey) -> list[str]:
    """Assets of other jobs that an asset uses where they are there."""
    return list(graph.get(key).metadata.get(BESIDE, ()))


def _versions(store: Store, keys: Iterable[dg.AssetKey]) -> dict[str, str]:
    """Versions of those values of other jobs that are there, by name: studies, so tables."""
    found = {}
    for key in keys:
        with contextlib.suppress(StoreError):  # what cannot be read is as good as not there
            if store.has(key.path, pd.DataFrame):
                found[key.to_user_string()] = store.stamp(key.path, pd.DataFrame).version
    return found


def _kind(made: dg.AssetsDefinition, key: dg.AssetKey) -> type:
    """Type of an asset's value, None's where the step keeps none in the store."""
    output = made.node_def.output_def_named(made.get_output_name_for_asset_key(key))
    return type(None) if output.dagster_type.is_nothing else output.dagster_type.typing_type


def _reason(
    look: Callable[[Sequence[str], type], Stamp],
    key: dg.AssetKey,
    wanted: _Wanted,
    versions: dict[str, str],
    beside: Iterable[dg.AssetKey],
) -> str:
    """Why a stored value is not what would be made now; empty where it is.

    Values of other jobs (`beside`) are used where they are there, and nobody waits for them.
    """
    try:
        stamp = look(key.path, _kind(wanted.made, key))
    except MissingError:
        return "it is not in the store"
    except NewerStoreError:
        raise
    except StoreError:
        return "it cannot be read, or is damaged"
    versions[key.to_user_string()] = stamp.version
    present = {
        name: wanted.signature if name == _GIVEN else versions.get(name, "")
        for name in (*stamp.origin.inputs, *(one.to_user_string() for one in beside))
    }
    present = {name: version for name, version in present.items() if version}
    if _GIVEN in present and not is_known(wanted.signature):
        return f"the state of the source is {wanted.signature}"
    return stamp.origin.difference(wanted.origin(key, present))
