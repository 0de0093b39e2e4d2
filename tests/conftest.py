"""What every test shares: an environment of its own, and stores made by the real command."""

import os
import shutil
import signal
from pathlib import Path

import hypothesis
import pytest
from pipeline_world import Command, Ran, Refreshed, run_command


def pytest_configure() -> None:
    """Lets Ctrl-C and SIGTERM through, which a shell in the background has its children ignore.

    The processes that tests start and interrupt inherit it, and Dagster does to SIGTERM what it
    finds done to SIGINT.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "MUTANT_UNDER_TEST" in os.environ:  # mutmut runs all in one process, and wants one answer
        hypothesis.settings.register_profile(
            "mutants",
            derandomize=True,
            database=None,
            suppress_health_check=[hypothesis.HealthCheck.differing_executors],
        )
        hypothesis.settings.load_profile("mutants")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of whoever runs the tests reaches them, nor do runs of other tests."""
    for name in list(os.environ):
        if name.startswith(("LASTFM_", "DAGSTER_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster_home"))
    monkeypatch.setenv("LASTFM_STORE", str(tmp_path / "no_store"))


@pytest.fixture(scope="session")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> Refreshed:
    """A store made once from the sample; tests that change it take `store`."""
    folder = tmp_path_factory.mktemp("refreshed")
    ran = run_command("refresh", "--source", "sample", home=folder / "home", store=folder / "store")
    assert ran.code == 0, ran.err
    return Refreshed(folder / "store", folder / "home", ran)


@pytest.fixture
def store(refreshed: Refreshed, tmp_path: Path) -> Path:
    """A copy of the refreshed store, to change."""
    return Path(shutil.copytree(refreshed.store, tmp_path / "store"))


@pytest.fixture
def command(refreshed: Refreshed, tmp_path: Path) -> Command:
    """Runs the real command, over the refreshed store unless another is handed in."""

    def run(*arguments: str, store: Path = refreshed.store, **environment: str) -> Ran:
        return run_command(*arguments, home=tmp_path / "home", store=store, **environment)

    return run
