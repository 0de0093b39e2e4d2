"""Processes that fit: the same models, whole errors, and an end with whoever started them."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_worlds import crowd, matrix_of, two_scenes
from test_ease import tags_of_a_crowd

from lastfm_assets.errors import BadInputError, LastfmAssetsError
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.trained import MODELS
from lastfm_assets.models.wire import Fit
from lastfm_assets.models.workers import Made, Workers, _environment, _error_of

NONE = SideTables.none()
LONG = {"epochs": 100_000}
"""Of lightfm: a fit that no test waits for."""


def asked(name: str, matrix: ListeningMatrix | None = None, **parameters: Any) -> Fit:
    matrix = crowd() if matrix is None else matrix
    config = MODELS[name].Config(**parameters)
    return Fit(MODELS[name], matrix, config, tags_of_a_crowd(matrix), 3)


@pytest.fixture(scope="module")
def pool() -> Iterator[Workers]:
    """Two processes, for tests that do not end them."""
    with contextlib.closing(Workers(2)) as workers:
        yield workers


def impossible() -> Fit:
    """Three users alike, and so little regularisation that it is lost in rounding."""
    alike = matrix_of(np.ones((3, 4)))
    return asked("ease", alike, regularization=1e-30, weighting="binary", intensity=0.0)


def run(pool: Workers, *fits: Fit) -> list[Made]:
    with pool.running(fits) as made:
        return list(made)


def pids(pool: Workers) -> list[int]:
    return [worker._process.pid for worker in pool._started]


def is_over(pid: int) -> bool:
    """Whether a process has ended, waiting some seconds for it."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("name", [name for name in MODELS if name != "blend"])
def test_a_model_fitted_elsewhere_is_the_same_bit_for_bit(pool: Workers, name: str) -> None:
    one = asked(name)
    ((_, there, seconds),) = run(pool, one)
    here = one.model.fit(one.matrix, one.config, side=one.side, seed=one.seed)
    mine, its = here.arrays(), there.arrays()
    assert mine.keys() == its.keys()
    for array in mine:
        np.testing.assert_array_equal(its[array], mine[array], strict=True)
    rows = np.arange(40)
    np.testing.assert_array_equal(there.scores(rows), here.scores(rows))
    assert 0 <= seconds < 60


def test_each_is_handed_out_with_what_asked_for_it(pool: Workers) -> None:
    fits = [asked("ease", matrix) for matrix in (crowd(), two_scenes(), two_scenes(8))]
    made = {one: model for one, model, _ in run(pool, *fits)}
    assert set(made) == set(fits)
    for one in fits:
        assert made[one].scores(np.arange(2)).shape == (2, len(one.matrix.artist_ids))


def test_nothing_asked_for_starts_nothing() -> None:
    with contextlib.closing(Workers(2)) as workers:
        assert (
            run(
                workers,
            )
            == []
        )
        assert pids(workers) == []


def test_no_more_processes_than_fits_are_started_and_they_are_kept() -> None:
    with contextlib.closing(Workers(2)) as workers:
        run(workers, asked("ease"))
        (first,) = pids(workers)
        run(workers, asked("ease"), asked("popularity"))
        assert pids(workers)[0] == first
        assert len(pids(workers)) == 2


def test_inputs_are_sent_once_and_forgotten_when_others_are_asked_for() -> None:
    with contextlib.closing(Workers(1)) as workers:
        run(workers, asked("ease"), asked("ease_tags"), asked("popularity"))
        known = workers._started[0]._known
        assert known == asked("ease_tags").reads
        run(workers, asked("ease", two_scenes()))
        assert workers._started[0]._known == {two_scenes().fingerprint}
        run(workers, asked("ease"))  # it has to be sent again


def test_a_process_loads_neither_dagster_nor_matplotlib() -> None:
    said = (
        "import sys; import lastfm_assets.models.worker; "
        "print([name for name in ('dagster', 'matplotlib', 'optuna') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


@pytest.mark.parametrize(
    ("user", "expected"), [(None, "3"), ("2", "2"), ("8", "3"), ("0", "3"), ("4,2", "3")]
)
def test_a_process_uses_its_share_of_cores_or_fewer_threads_where_the_user_says_so(
    monkeypatch: pytest.MonkeyPatch, user: str | None, expected: str
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if user is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", user)
    assert _environment(3)["OMP_NUM_THREADS"] == expected
    assert _environment(3)["OPENBLAS_NUM_THREADS"] == "3"


def test_a_process_is_told_no_setting_and_how_many_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LASTFM_PUBLISH_URL", "postgresql://me:secret@host/db")
    with contextlib.closing(Workers(64)) as workers:
        run(workers, asked("popularity"))
        (pid,) = pids(workers)
        environment = Path(f"/proc/{pid}/environ").read_text().split("\0")
    assert not [entry for entry in environment if entry.startswith(("LASTFM_", "DAGSTER_"))]
    assert {"OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1"} <= set(environment)


def test_what_a_library_prints_is_no_answer(pool: Workers) -> None:
    # implicit shows its progress bars and LightFM its epochs on the same stream, if they like
    code = (
        "import os, sys; from lastfm_assets.models import worker; answer = worker._answer\n"
        "def loud(*given):\n    os.write(1, b'loud'); print('louder', flush=True)\n"
        "    return answer(*given)\n"
        "worker._answer = loud; worker.main()"
    )
    pool.close()
    run(pool, asked("popularity"))
    worker = pool._started[0]
    worker._process.kill()
    worker._process.wait()
    loud = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    for stream in (worker._to, worker._from):
        stream.close()
    worker._process, worker._to, worker._from = loud, loud.stdin, loud.stdout  # type: ignore[assignment]
    worker._known.clear()
    ((_, model, _),) = run(pool, asked("popularity"))
    pool.close()
    assert model.name == "popularity"


class TestFailure:
    def test_an_error_of_a_fit_comes_back_with_its_text_and_where_it_was(
        self, pool: Workers
    ) -> None:
        with pytest.raises(
            RuntimeError, match=r"fitting ease failed: ValueError: X X' .* is not positive definite"
        ) as caught:
            run(pool, impossible())
        assert "in _inverse" in caught.value.__notes__[0]

    def test_too_large_a_model_asks_for_fewer_processes(self, pool: Workers) -> None:
        with pytest.raises(LastfmAssetsError, match="no memory was left to fit als; lower LASTFM"):
            run(pool, asked("als", factors=10**14))

    def test_the_processes_are_ended_and_the_next_fits_start_others(self, pool: Workers) -> None:
        run(pool, asked("popularity"), asked("ease"))
        before = pids(pool)
        with pytest.raises(RuntimeError, match="not positive definite"):
            run(pool, asked("lightfm", **LONG), impossible())
        assert pids(pool) == []
        assert all(is_over(pid) for pid in before)
        ((_, model, _),) = run(pool, asked("popularity"))
        assert model.name == "popularity"

    @pytest.mark.parametrize(
        ("said", "kind", "text"),
        [
            ("BadInputError", BadInputError, "3 tags"),
            ("KeyError", RuntimeError, "fitting als failed: KeyError: 3 tags"),
            ("ClassVar", RuntimeError, "fitting als failed: ClassVar: 3 tags"),
        ],
    )
    def test_our_errors_keep_their_kind(self, said: str, kind: type, text: str) -> None:
        problem = _error_of({"error": said, "message": "3 tags", "traceback": "..."}, "als")
        assert type(problem) is kind
        with pytest.raises(kind, match=text):
            raise problem

    def test_a_killed_process_is_told_of_and_the_others_are_ended(self) -> None:
        with contextlib.closing(Workers(2)) as workers:
            run(workers, asked("popularity"), asked("ease"))
            both = pids(workers)
            killer = threading.Timer(0.5, os.kill, (both[0], signal.SIGKILL))
            killer.start()
            with pytest.raises(
                LastfmAssetsError,
                match=r"a process that fitted lightfm was killed \(out of memory\?\); "
                "lower LASTFM_PROCESSES",
            ):
                run(workers, asked("lightfm", **LONG), asked("lightfm", **LONG))
            killer.join()
            assert all(is_over(pid) for pid in both)

    def test_one_that_ends_by_itself_is_told_of(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "executable", "/bin/false")
        with (
            contextlib.closing(Workers(1)) as workers,
            pytest.raises(LastfmAssetsError, match=r"fitted ease ended by itself \(exit code 1\)"),
        ):
            run(workers, asked("ease"))

    def test_one_that_cannot_be_started_is_told_of(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "executable", "/no/such/python")
        with (
            contextlib.closing(Workers(1)) as workers,
            pytest.raises(LastfmAssetsError, match=r"could not be started \(No such file"),
        ):
            run(workers, asked("ease"))


class TestEnd:
    def test_a_caller_who_wants_no_more_ends_what_is_under_way(self) -> None:
        fits = [asked("lightfm", **LONG), asked("popularity")]
        with contextlib.closing(Workers(2)) as workers:
            with contextlib.suppress(KeyError), workers.running(fits) as made:
                assert next(made)[1].name == "popularity"
                both = pids(workers)
                raise KeyError
            assert len(both) == 2
            assert all(is_over(pid) for pid in both)

    def test_closing_ends_all_and_twice_does_no_harm(self) -> None:
        workers = Workers(2)
        run(workers, asked("popularity"), asked("ease"))
        both = pids(workers)
        workers.close()
        workers.close()
        assert len(both) == 2
        assert all(is_over(pid) for pid in both)

    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    def test_processes_end_with_their_parent_in_the_middle_of_a_fit(
        self, how: signal.Signals
    ) -> None:
        code = (
            "import sys; sys.path.insert(0, sys.argv[1])\n"
            "from test_workers import LONG, asked, pids, run\n"
            "from lastfm_assets.models.workers import Workers\n"
            "workers = Workers(2)\n"
            "run(workers, asked('popularity'), asked('ease'))\n"
            "print(*pids(workers), flush=True)\n"
            "run(workers, asked('lightfm', **LONG), asked('lightfm', **LONG))\n"
        )
        parent = subprocess.Popen(
            [sys.executable, "-c", code, str(Path(__file__).parent)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        with parent:
            assert parent.stdout is not None
            both = [int(pid) for pid in parent.stdout.readline().split()]
            assert len(both) == 2
            time.sleep(0.3)
            parent.send_signal(how)
            assert parent.wait(timeout=10) != 0
            assert all(is_over(pid) for pid in both)
