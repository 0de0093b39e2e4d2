"""The computation can be used without Dagster, and learns no model library until it fits one."""

import pkgutil
import subprocess
import sys
from importlib import import_module

import pytest

ROOMS = (
    *("sources", "listening", "models", "evaluation", "recommendations", "tuning"),
    *("studies", "music", "insight", "sql"),
)
KNOW_DAGSTER = ("assets", "checks")

PROBE = """
import importlib, sys
for module in sys.argv[2:]:
    importlib.import_module(module)
    found = [name for name in sys.argv[1].split(",") if name in sys.modules]
    if found:
        sys.exit(f"{module} imports {', '.join(found)}")
"""


def modules_of(room: str) -> list[str]:
    """Every pure module of a room."""
    folder = import_module(f"lastfm_assets.{room}").__path__
    names = [module.name for module in pkgutil.iter_modules(folder)]
    return [f"lastfm_assets.{room}.{name}" for name in names if name not in KNOW_DAGSTER]


def probed(forbidden: str, modules: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROBE, forbidden, *modules]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_pure_modules_know_neither_dagster_nor_a_model_library() -> None:
    modules = [module for room in ROOMS for module in modules_of(room)]
    assert len(modules) >= 35
    found = probed("dagster,implicit,lightfm", modules)
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("module", ["lastfm_assets.listening.assets"])
def test_the_probe_notices_dagster_where_it_is(module: str) -> None:
    found = probed("dagster", [module])
    assert found.returncode == 1
    assert found.stderr.strip() == f"{module} imports dagster"


def test_the_command_starts_without_what_most_commands_do_not_need() -> None:
    found = probed("dagster,implicit,lightfm,matplotlib,duckdb,surprise", ["lastfm_assets.cli"])
    assert found.returncode == 0, found.stderr
