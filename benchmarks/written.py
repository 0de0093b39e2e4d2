"""Results as tables in words, into the README between its marks, and as a picture."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from contest import ONCE
from scale import RANKING, growth

BEGIN: Final = "<!-- measured: begin -->"
END: Final = "<!-- measured: end -->"
PICTURE: Final = "measured.png"
_SHOWN_STEPS: Final = 10
"""Steps of the chain that have a row of their own, the longest at the largest size."""
_FROM: Final = 1_000_000
"""Pairs from which on growth is taken: below, starting up takes longest."""
_MB: Final = 10**6
_LARGE: Final = 100
"""From here on bars are labelled without a fraction."""
_CONTESTS: Final = {
    "peers-hetrec": "The same job by others: HetRec",
    "peers-sample": "The same job by others: the bundled sample",
    "peers-4m": "The same job by others: 4 million pairs",
}


def in_words(results: Path) -> str:
    """Every table for which there are results."""
    found = _read(results)
    parts = [_machine(said) for said in list(found.values())[:1]]
    parts += [_contest(title, found[name]) for name, title in _CONTESTS.items() if name in found]
    parts += [_chain(found["scale"])] if "scale" in found else []
    parts += [_plain(name, said) for name, said in found.items() if set(said["parts"]) == {"all"}]
    return "\n\n".join(parts)


def write_into_readme(results: Path, readme: Path) -> None:
    """Puts the tables between the marks of a README, and the picture beside the results."""
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        before, after = text.rstrip("\n") + "\n\n", "\n"
    found = _read(results)
    (results / PICTURE).write_bytes(_picture(found))
    shown = f"![Wall time and memory of the contests and the chain]({results.name}/{PICTURE})"
    middle = f"{BEGIN}\n{in_words(results)}\n\n{shown}\n{END}"
    readme.write_text(before + middle + after, encoding="utf-8")


def _read(results: Path) -> dict[str, dict[str, Any]]:
    files = sorted(results.glob("*.json"))
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}


def _machine(said: Mapping[str, Any]) -> str:
    one = said["machine"]
    return (
        f"{one['processor']}, {one['cores']} cores, {one['memory_gb']} GB, {one['system']}, "
        f"Python {one['python']}."
    )


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _contest(title: str, said: Mapping[str, Any]) -> str:
    parts = dict(said["parts"])
    data = parts.pop("data")
    stages = ("import", "read", "fit", "rank", "metrics")
    rows = []
    for peer in sorted(parts.values(), key=lambda one: ("failed" in one, one["wall_seconds"])):
        memory = f"{peer['peak_bytes'] / _MB:,.0f}"
        if "failed" in peer:
            rows.append([peer["title"], peer["failed"], *[""] * len(stages), memory, "", "", ""])
            continue
        seconds, figures = peer["seconds"], peer["figures"]
        rows.append(
            [
                peer["title"],
                f"{peer['wall_seconds']:.1f}",
                *(f"{seconds[stage]:.2f}" if stage in seconds else "" for stage in stages),
                memory,
                *(_share(figures[f"{name}@10"]) for name in ("precision", "recall", "ndcg")),
            ]
        )
    head = ["", "wall, s", *stages, "peak, MB", "precision@10", "recall@10", "ndcg@10"]
    runs = max(len(peer["wall_seconds_all"]) for peer in parts.values())
    few = f"median of {runs} runs each (of one, where it takes longer than {ONCE:.0f} s)"
    said_of_runs = few if runs > 1 else "one run each"
    versions = sorted(
        {
            f"{name} {version}"
            for peer in parts.values()
            for name, version in peer.get("versions", {}).items()
            if name not in ("python", "numpy", "scipy", "pandas", "lastfm-assets")
        }
    )
    return (
        f"### {title}\n{data['users']:,} users, {data['artists']:,} artists, {data['pairs']:,} "
        f"pairs to learn from, {data['held_out']:,} held out; {said_of_runs}, as a whole "
        "process; seconds of the stages; the most memory of the process and all it started; "
        f"figures counted anew from the lists. {', '.join(versions)}.\n\n" + _table(head, rows)
    )


def _share(value: float) -> str:
    return f"{value:.4f}".removeprefix("0")


def _finished(said: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    done = {name: one for name, one in said["parts"].items() if "steps" in one}
    return dict(sorted(done.items(), key=lambda entry: entry[1]["pairs"]))


def _chain(said: Mapping[str, Any]) -> str:
    sizes = _finished(said)
    if not sizes:
        return "### The whole chain\nDid not finish."
    largest = list(sizes.values())[-1]["steps"]
    made = [step for step in largest if not _is_check(step)]
    longest = sorted(made, key=lambda step: -largest[step]["seconds"])[:_SHOWN_STEPS]
    steps = [step for step in largest if step in longest]  # in the order in which they run

    def row(name: str, of: Callable[[dict[str, Any]], float], shown: str) -> list[str]:
        values = [of(one) for one in sizes.values()]
        exponent = _exponent(sizes, of)
        return [name, *(format(value, shown) for value in values), exponent]

    def checks(one: dict[str, Any]) -> float:
        return sum(own["seconds"] for step, own in one["steps"].items() if _is_check(step))

    def other(one: dict[str, Any]) -> float:
        rest = (step for step in one["steps"] if step not in steps and not _is_check(step))
        return sum(one["steps"][step]["seconds"] for step in rest)

    def seconds_of(step: str) -> Callable[[dict[str, Any]], float]:
        return lambda one: float(one["steps"].get(step, {}).get("seconds", 0.0))

    def orchestration_share(one: dict[str, Any]) -> float:
        return float(one["orchestration_seconds"] / one["seconds"])

    rows = [
        row("whole, s", lambda one: one["seconds"], ".1f"),
        row("without ranking, s", lambda one: one["seconds"] - one["ranking_seconds"], ".1f"),
        *(row(f"`{step}`, s", seconds_of(step), ".1f") for step in steps),
        row("all other tables, s", other, ".1f"),
        row("all checks, s", checks, ".1f"),
        row("outside of steps, s", lambda one: one["orchestration_seconds"], ".1f"),
        [*row("the same, share of the whole", orchestration_share, ".0%")[:-1], ""],
        row("peak, MB", lambda one: one["peak_bytes"] / _MB, ",.0f"),
        row("store, MB", lambda one: one["store_bytes"] / _MB, ",.0f"),
        *(row(f"peak in `{step}`, MB", _peak_of(step), ",.0f") for step in steps),
    ]
    head = ["pairs", *(f"{one['pairs']:,}" for one in sizes.values()), "exponent"]
    return (
        "### The whole chain\n`lastfm-assets refresh` of popularity and ALS (64 factors, 15 "
        "rounds, one fit) into an empty store, process start and summary included; ranking is "
        f"`{', '.join(RANKING)}`. The exponent is that of growth with pairs, from "
        f"{_FROM:,} on.\n\n" + _table(head, rows)
    )


def _is_check(step: str) -> bool:
    return step.startswith("check_")


def _peak_of(step: str) -> Callable[[dict[str, Any]], float]:
    return lambda one: float(one["steps"].get(step, {}).get("peak_bytes", 0)) / _MB


def _exponent(sizes: Mapping[str, Any], of: Callable[[dict[str, Any]], float]) -> str:
    points = [(one["pairs"], of(one)) for one in sizes.values() if one["pairs"] >= _FROM]
    points = [(pairs, value) for pairs, value in points if value > 0]
    return f"{growth(*zip(*points, strict=True)):.2f}" if len(points) > 1 else ""


def _plain(name: str, said: Mapping[str, Any]) -> str:
    """Whatever another script measured: its numbers by their name."""
    rows = [
        [path, f"{value:,.3g}" if isinstance(value, float) else str(value)]
        for path, value in _leaves(said["parts"]["all"])
    ]
    return f"### {name.capitalize()}\n" + _table(["", ""], rows)


def _leaves(said: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(said, dict):
        for name, value in said.items():
            yield from _leaves(value, f"{path} {name}".strip().replace("_", " "))
    elif not isinstance(said, list):
        yield path, said


def _picture(found: Mapping[str, dict[str, Any]]) -> bytes:
    """Wall time and memory of each contest as bars, and the chain's growth."""
    from lastfm_assets import drawing  # noqa: PLC0415 (slow to import)

    contests = {name: found[name] for name in _CONTESTS if name in found}
    rows = len(contests) + ("scale" in found)
    figure = drawing.paper(10, 2.9 * max(rows, 1))
    grid = figure.subplots(max(rows, 1), 2, squeeze=False)
    for (name, said), (left, right) in zip(contests.items(), grid, strict=False):
        peers = [one for key, one in said["parts"].items() if key != "data"]
        peers.sort(key=lambda one: ("failed" in one, one["wall_seconds"]))
        named = _CONTESTS[name].rpartition(": ")[2]
        for axes, unit, value in (
            (left, "wall time, s", lambda one: one["wall_seconds"]),
            (right, "peak memory, MB", lambda one: one["peak_bytes"] / _MB),
        ):
            values = [value(one) for one in peers]
            written = [
                f"{length:,.0f}" if length >= _LARGE else f"{length:.1f}" for length in values
            ]
            if axes is left:
                failed = ["failed" in one for one in peers]
                written = [
                    "did not finish" if bad else text
                    for bad, text in zip(failed, written, strict=True)
                ]
            drawing.bars(axes, values, written, drawing.BLUE)
            for one, bar in zip(peers, axes.patches, strict=True):
                bar.set_color(drawing.ORANGE if one["title"].startswith("lastfm") else drawing.BLUE)
            drawing.name_rows(axes, [one["title"] for one in peers])
            axes.set_title(f"{named}: {unit}", fontsize="medium", loc="left")
            axes.margins(x=0.2)
    if "scale" in found and _finished(found["scale"]):
        _draw_chain(grid[-1], _finished(found["scale"]))
    return drawing.png(figure)


def _draw_chain(pair: Any, sizes: Mapping[str, Any]) -> None:
    from lastfm_assets import drawing  # noqa: PLC0415 (slow to import)

    pairs = [one["pairs"] for one in sizes.values()]
    left, right = pair
    lines = (
        ("whole", drawing.BLUE, lambda one: one["seconds"]),
        ("without ranking", drawing.GREEN, lambda one: one["seconds"] - one["ranking_seconds"]),
        ("outside of steps", drawing.GREY, lambda one: one["orchestration_seconds"]),
    )
    for title, colour, of in lines:
        values = [of(one) for one in sizes.values()]
        left.plot(pairs, values, color=colour, marker="o", markersize=4, label=title)
    left.legend(frameon=False, fontsize="small")
    right.plot(
        pairs,
        [one["peak_bytes"] / _MB for one in sizes.values()],
        color=drawing.BLUE,
        marker="o",
        markersize=4,
    )
    for axes, unit in ((left, "wall time, s"), (right, "peak memory, MB")):
        drawing.plain(axes, grid="y")
        drawing.counts_along(axes, "x", log=True)
        drawing.counts_along(axes, "y", log=True)
        axes.set_title(f"The whole chain: {unit}", fontsize="medium", loc="left")
        axes.set_xlabel("pairs", fontsize="small")
