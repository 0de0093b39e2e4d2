"""The same job by every peer and by ours: pairs in, ALS, ten artists for everybody, figures."""

import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import environments
from kept import Kept
from measured import Run, run

HERE: Final = Path(__file__).parent
SCRIPTS: Final = HERE / "peers"
FAILED: Final = "failed"
ONCE: Final = 100.0
"""Seconds from which on a run is not repeated: its spread says little beside its length."""
MODELS: Final = """\
[als]
factors = 64
iterations = 15
regularization = 1.0
alpha = 1.0
bm25_k1 = 100.0
bm25_b = 0.8
intensity = 0.0
fits = 1
"""
"""What `stages.py` asks of the others, for the command."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Who does the job."""

    title: str
    script: str
    """In `peers`; empty for the command."""
    environment: str | None
    """Of `environments`; None for the package's own."""


PEERS: Final = {
    "ours": Peer("lastfm-assets, as a library", "ours.py", None),
    "command": Peer("lastfm-assets evaluate", "", None),
    "implicit": Peer("bare implicit", "implicit_script.py", "implicit"),
    "rectools": Peer("RecTools", "rectools_model.py", "rectools"),
    "irspack": Peer("irspack", "irspack_model.py", "irspack"),
    "lenskit": Peer("LensKit", "lenskit_model.py", "lenskit"),
    "spark": Peer("Spark MLlib, local[2]", "spark_mllib.py", "spark"),
}


def contest(
    kept: Kept,
    source: str,
    folder: Path,
    *,
    repeats: int,
    limit: float,
    say: Callable[[str], None],
) -> None:
    """Measures every peer that is not measured yet, in turns.

    Args:
        kept: where results go.
        source: of the pairs, as LASTFM_SOURCE.
        folder: scratch, where the pairs and lists are written.
        repeats: runs of each peer.
        limit: seconds after which a run is ended and the peer has not finished.
        say: told what is measured.
    """
    missing = [name for name in PEERS if kept.again or not _measured(kept.parts.get(name))]
    if not missing:
        return
    for name in missing:
        environments.prepare(PEERS[name].environment, say)
    size = _prepared(source, folder)
    kept.put("data", size)
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in missing}
    for turn in range(repeats):
        for name in missing:
            if any("failed" in one or one["wall_seconds"] > ONCE for one in runs[name]):
                continue
            say(f"{folder.name}: {PEERS[name].title}, run {turn + 1} of {repeats}")
            runs[name].append(_one(PEERS[name], folder, limit))
            kept.put(name, _joined(PEERS[name], runs[name]))


def _measured(said: dict[str, Any] | None) -> bool:
    """Whether a peer has results; running out of time is one, a failure is not."""
    return said is not None and not said.get("failed", "").startswith(FAILED)


def _prepared(source: str, folder: Path) -> dict[str, Any]:
    """Writes what all of them read, in a process of its own: this one has to stay small."""
    command = [sys.executable, str(SCRIPTS / "prepared.py"), source, str(folder)]
    done = run(command, more={}, limit=1800)
    if done.code:
        sys.exit(f"the pairs of {source} could not be written: {done.error}")
    said: dict[str, Any] = json.loads(done.out)
    return said


def _one(peer: Peer, folder: Path, limit: float) -> dict[str, Any]:
    lists = folder / "lists.npy"
    if peer.script:
        python = environments.python(peer.environment)
        command = [str(python), str(SCRIPTS / peer.script), str(folder), str(lists)]
        if peer.environment == "spark":
            command[-1] = str(lists.with_suffix(".csv"))
        seen = run(command, more={"PYTHONWARNINGS": "ignore"}, limit=limit)
    else:
        seen = _command(folder, limit)
    base = {"wall_seconds": seen.seconds, "peak_bytes": seen.peak_bytes}
    if seen.code is None:
        return {**base, "failed": f"did not finish in {limit:.0f} s"}
    if seen.code:
        last = seen.error.strip().splitlines() or ["no message"]
        return {**base, "failed": f"{FAILED}: exit {seen.code}, {last[-1][:200]}"}
    if not peer.script:
        return {**base, **_said_by_command(seen)}
    said = json.loads(seen.out.strip().splitlines()[-1])
    judge = [sys.executable, str(SCRIPTS / "judged.py"), str(folder), command[-1]]
    figures = json.loads(run(judge, more={}, limit=600).out)
    return {**base, **said, "figures": figures}


def _command(folder: Path, limit: float) -> Run:
    """The same by the console command, which also finds what it reports beyond these metrics."""
    models = folder / "models.toml"
    models.write_text(MODELS, encoding="utf-8")
    command = [
        *(sys.executable, "-m", "lastfm_assets.cli", "evaluate", "--models", str(models)),
        *("--source", str(folder / "train.toml")),
        *("--held-out", str(folder / "held_out.csv"), "--json", "-"),
    ]
    return run(command, more={}, limit=limit)


def _said_by_command(seen: Run) -> dict[str, Any]:
    said = json.loads(seen.out)["als"]
    figures = {name: said[name] for name in ("precision@10", "recall@10", "ndcg@10", "users")}
    seconds = {"fit": said["fit_seconds"], "rank": said["rank_seconds"]}
    return {"seconds": seconds, "figures": figures}


def _joined(peer: Peer, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians of a peer's runs, beside the runs themselves."""
    failed = next((one["failed"] for one in runs if "failed" in one), None)
    walls = [one["wall_seconds"] for one in runs]
    said: dict[str, Any] = {
        "title": peer.title,
        "wall_seconds": statistics.median(walls),
        "wall_seconds_all": walls,
        "peak_bytes": max(one["peak_bytes"] for one in runs),
    }
    if failed:
        return {**said, "failed": failed}
    stages = runs[0]["seconds"]
    return {
        **said,
        "seconds": {
            stage: statistics.median(one["seconds"][stage] for one in runs) for stage in stages
        },
        **{key: runs[-1][key] for key in ("figures", "own_figures", "versions") if key in runs[-1]},
    }
