"""What the web UI shows of a value: counts, schema, a preview; and rules as asset checks."""

import inspect
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import dagster as dg
import pandas as pd

from lastfm_assets.findings import Finding, Rule
from lastfm_assets.progress import Progress
from lastfm_assets.sources.hetrec import one_line
from lastfm_assets.vocabulary import column_note

OWNERS: Final = ["team:recommendations"]
PREVIEW_ROWS: Final = 5
_CELL: Final = 60
"""Characters of a cell of the preview."""
_NAMED: Final = 3
"""Columns upstream that a sentence names."""
_SECONDS_BETWEEN_MESSAGES: Final = 2.0


def key(*parts: str) -> dg.AssetKey:
    """An asset's key from its parts."""
    return dg.AssetKey(list(parts))


def schema_of(
    types: Mapping[str, str], lineage: dg.TableColumnLineage | None = None
) -> dg.TableSchema:
    """Columns with their types and a sentence each, and where they come from in a second one.

    Args:
        types: by column, in order.
        lineage: of the table. The open-source web UI shows columns, but not their lineage.
    """
    deps = lineage.deps_by_column if lineage else {}
    return dg.TableSchema(
        columns=[
            dg.TableColumn(name, type_, description=column_note(name) + _origin(deps.get(name, ())))
            for name, type_ in types.items()
        ]
    )


def types_of(table: pd.DataFrame) -> dict[str, str]:
    """Types by column as pandas names them; the unit of a date depends on where it was read."""
    return {str(name): str(dtype).partition("[")[0] for name, dtype in table.dtypes.items()}


def _origin(deps: Sequence[dg.TableColumnDep]) -> str:
    if not deps:
        return ""
    named = [f"{dep.asset_key.to_user_string()}.{dep.column_name}" for dep in deps]
    if len(named) > _NAMED:
        named = [named[0], f"{len(named) - 1} others"]
    *first, last = named
    return f" From {', '.join(first)}{' and ' if first else ''}{last}."


def table_metadata(table: pd.DataFrame, **more: Any) -> dict[str, Any]:
    """Row count, schema and the first rows of a table, and whatever else is worth showing.

    Figures that are plain floats under keys that do not change are plotted over the runs; those
    that do not exist are left out.

    Values shown are text in cells, never markup, as names come from strangers.
    """
    schema = schema_of(types_of(table), more.get("dagster/column_lineage"))
    records = [
        dg.TableRecord({str(name): _cell(value) for name, value in row.items()})
        for row in table.head(PREVIEW_ROWS).to_dict("records")
    ]
    return {
        "dagster/row_count": len(table),
        **_pictures_first(finite(more)),
        "dagster/column_schema": schema,
        "preview": dg.MetadataValue.table(records, schema),  # the longest comes last
    }


def finite(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Those that exist: the UI cannot plot a NaN."""
    return {
        name: value
        for name, value in figures.items()
        if not isinstance(value, float) or math.isfinite(value)
    }


def _pictures_first(figures: Mapping[str, Any]) -> dict[str, Any]:
    return dict(
        sorted(figures.items(), key=lambda item: not isinstance(item[1], dg.MarkdownMetadataValue))
    )


def _cell(value: Any) -> str | float | bool:
    """A value as a cell of the preview, in which long text and many digits make rows unreadable."""
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.6g}")
    if isinstance(value, bool | int):
        return value
    text = one_line(str(value)[: 2 * _CELL])  # names from strangers may turn or break a row
    return text if len(text) <= _CELL else f"{text[: _CELL - 1]}…"


def log_progress(context: dg.AssetExecutionContext, what: str) -> Progress:
    """A progress callback that writes to the run's log, with the time left, every 2 seconds."""
    started = said = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal said
        now = time.monotonic()
        if done < total and now - said >= _SECONDS_BETWEEN_MESSAGES:
            said = now
            left = (now - started) / done * (total - done)
            context.log.info(f"{what}: {done} of {total}, about {left:.0f} s left")

    return report


def rules_as_checks(
    asset: dg.AssetKey,
    rules: Sequence[Rule],
    *,
    kind: type,
    others: dict[str, tuple[dg.AssetKey, type]] | None = None,
    blocking: bool = True,
) -> dg.AssetChecksDefinition:
    """Makes rules about one stored value into Dagster checks, all run in one step.

    Args:
        asset: whose value is the rules' first argument.
        rules: each a function that returns a `Finding`; its name names the check.
        kind: type of that value.
        others: further arguments of every rule, by name: the asset they are and its type.
        blocking: whether a rule that does not hold stops what comes after.

    Returns:
        One definition with a check a rule.
    """
    others = others or {}
    specs = [
        dg.AssetCheckSpec(
            name=_name(rule),
            asset=asset,
            blocking=blocking,
            description=(rule.__doc__ or "").strip().splitlines()[0],
            additional_deps=[other for other, _ in others.values()],
        )
        for rule in rules
    ]
    ins = {"checked": dg.AssetIn(asset)}
    ins |= {name: dg.AssetIn(other) for name, (other, _) in others.items()}

    def run_rules(context: dg.AssetCheckExecutionContext, **values: Any) -> Any:
        checked = values.pop("checked")
        for rule in rules:
            if dg.AssetCheckKey(asset, _name(rule)) in context.selected_asset_check_keys:
                yield check_result(rule(checked, **values), asset=asset, name=_name(rule))

    # Dagster reads the inputs' types off the signature, which differs from asset to asset
    types: dict[str, Any] = {
        "context": dg.AssetCheckExecutionContext,
        "checked": kind,
        **{name: type_ for name, (_, type_) in others.items()},
    }
    run_rules.__annotations__ = types
    run_rules.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=type_)
            for name, type_ in types.items()
        ]
    )
    return dg.multi_asset_check(
        name="check_" + "_".join(asset.path), specs=specs, ins=ins, can_subset=True
    )(run_rules)


def check_result(finding: Finding, *, asset: dg.AssetKey, name: str) -> dg.AssetCheckResult:
    """A finding as Dagster shows it: plain numbers under stable keys, which the UI plots."""
    return dg.AssetCheckResult(
        asset_key=asset, check_name=name, passed=finding.passed, metadata=dict(finding.facts)
    )


def _name(rule: Callable[..., Finding]) -> str:
    return str(getattr(rule, "__name__", "rule"))
