"""The benchmarks' own arithmetic: what is kept, counted, measured and written."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path[:0] = [str(BENCHMARKS), str(BENCHMARKS / "peers")]

import run as run_all  # noqa: E402 (scripts beside the package)
from judged import judged  # noqa: E402
from kept import Kept  # noqa: E402
from measured import run  # noqa: E402
from scale import growth  # noqa: E402
from written import BEGIN, END, in_words, write_into_readme  # noqa: E402

from lastfm_assets.evaluation.metrics import hits_in_lists, metrics_per_user  # noqa: E402


def test_growth_of_a_power_is_its_exponent() -> None:
    pairs = [1e6, 4e6, 17.5e6]
    assert growth(pairs, [3 * size**1.1 for size in pairs]) == pytest.approx(1.1)


def test_figures_counted_by_loops_are_those_of_the_package(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    users, artists = 40, 60
    lists = np.array([rng.permutation(artists)[:10] for _ in range(users)])
    lists[3, 7:] = -1
    pairs = np.argwhere(rng.random((users, artists)) < 0.1)
    (tmp_path / "train.csv").write_text("user_id,artist_id,plays\n")
    rows = "".join(f"{user},{artist}\n" for user, artist in pairs)
    (tmp_path / "held_out.csv").write_text("user_id,artist_id\n" + rows)
    np.save(tmp_path / "lists.npy", np.column_stack([np.arange(users), lists]))

    said = judged(tmp_path, tmp_path / "lists.npy")

    sizes = np.bincount(pairs[:, 0], minlength=users)
    own = metrics_per_user(hits_in_lists(lists, pairs[:, 0], pairs[:, 1], artists), sizes, 10)
    for name in ("precision", "recall", "ndcg"):
        assert said[f"{name}@10"] == pytest.approx(np.nanmean(own[name])), name
    assert said["users"] == np.count_nonzero(sizes)
    assert said["played"] == 0


def test_lists_of_spark_are_read_by_rank(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("user_id,artist_id,plays\n1,9,5\n")
    (tmp_path / "held_out.csv").write_text("user_id,artist_id\n1,7\n")
    (tmp_path / "lists.csv").mkdir()
    (tmp_path / "lists.csv" / "part-0.csv").write_text("1,8,2\n1,7,1\n")
    (tmp_path / "lists.csv" / "part-1.csv").write_text("1,9,3\n")
    said = judged(tmp_path, tmp_path / "lists.csv")
    assert (said["precision@10"], said["ndcg@10"], said["played"]) == (0.1, 1.0, 1)


def test_parts_that_were_measured_are_there_for_the_next_run(tmp_path: Path) -> None:
    Kept(tmp_path / "x.json").put("a", {"n": 1})
    Kept(tmp_path / "x.json").put("b", {"n": 2})
    assert Kept(tmp_path / "x.json").parts == {"a": {"n": 1}, "b": {"n": 2}}


def test_a_script_that_fails_is_left_out_and_tried_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_all, "HERE", tmp_path)
    (tmp_path / "bad.py").write_text("import sys; print('half'); sys.exit(3)")
    (tmp_path / "good.py").write_text("import json, sys; print(json.dumps({'n': sys.argv[1]}))")
    kept = Kept(tmp_path / "x.json")
    run_all._keep(kept, "all", ("bad.py",))
    assert kept.parts == {}
    assert "bad.py failed with exit 3" in capsys.readouterr().err
    run_all._keep(kept, "all", ("good.py", "7"), {"pairs": 5})
    assert kept.parts == {"all": {"pairs": 5, "n": "7"}}


def test_results_of_another_machine_are_not_mixed_with_ours(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "x.json")
    kept.put("a", {"n": 1})
    said = json.loads(kept.file.read_text())
    said["machine"]["processor"] = "another"
    kept.file.write_text(json.dumps(said))
    assert Kept(tmp_path / "x.json").parts == {}


def test_memory_of_a_program_and_what_it_started_is_seen() -> None:
    held = "x = bytearray(50_000_000); import time; time.sleep(0.5)"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {held!r}]); {held}"
    seen = run([sys.executable, "-c", outer], more={}, limit=30)
    assert seen.code == 0
    assert 50_000_000 < seen.peak_bytes < 150_000_000
    assert 1.0 < seen.seconds < 30


def test_a_program_that_takes_too_long_is_ended() -> None:
    seen = run([sys.executable, "-c", "import time; time.sleep(60)"], more={}, limit=0.5)
    assert seen.code is None
    assert seen.seconds < 30


def test_tables_replace_those_between_the_marks_and_nothing_else(tmp_path: Path) -> None:
    peer = {
        "title": "ours",
        "wall_seconds": 1.5,
        "wall_seconds_all": [1.5],
        "peak_bytes": 10**8,
        "seconds": {"import": 0.5, "fit": 1.0},
        "figures": {"precision@10": 0.2, "recall@10": 0.3, "ndcg@10": 0.4},
    }
    late = {**peer, "title": "late", "wall_seconds": 9.0, "failed": "did not finish in 9 s"}
    del late["figures"]
    data = {"users": 2, "artists": 3, "pairs": 4, "held_out": 1}
    kept = Kept(tmp_path / "results" / "peers-hetrec.json")
    for name, said in (("data", data), ("late", late), ("ours", peer)):
        kept.put(name, said)
    chain = Kept(tmp_path / "results" / "scale.json")
    for pairs in (1_000_000, 4_000_000):
        step = {"seconds": pairs / 1e6, "reading_seconds": 0.1, "peak_bytes": 10**8}
        chain.put(
            str(pairs),
            {
                "pairs": pairs,
                "seconds": pairs / 1e5,
                "peak_bytes": 10**8,
                "store_bytes": 10**7,
                "steps": {"cleaned": step, "check_cleaned": step},
                "ranking_seconds": 1.0,
                "orchestration_seconds": 1.0,
            },
        )
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")

    write_into_readme(tmp_path / "results", readme)
    write_into_readme(tmp_path / "results", readme)

    text = readme.read_text()
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert "| ours | 1.5 | 0.50 |  | 1.00 |  |  | 100 | .2000 | .3000 | .4000 |" in text
    assert "| late | did not finish in 9 s |" in text
    assert "| whole, s | 10.0 | 40.0 | 1.00 |" in text
    assert in_words(tmp_path / "results") in text
    assert (tmp_path / "results" / "measured.png").read_bytes().startswith(b"\x89PNG")
