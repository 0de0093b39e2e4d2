"""A delivery that lost half of its users, on its way to the readers: real refreshes, one by one."""

import re
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from pipeline_world import PLAYS, almost_the_sample, reader_files, run_command

from lastfm_assets.automation.refresh import ACCEPTED_TAG, Outcome, run_refresh
from lastfm_assets.io import Store
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.recommendations.reference import PROFILES
from lastfm_assets.settings import Settings

FEW = "popularity,item_knn"
OF_USERS = {PLAYS: 1, "user_friends.dat": 2, "user_taggedartists.dat": 1}
"""Files that name users, in so many columns."""
REASON = "the free tier has ended"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a source and a store whose first lists were made from it."""
    folder = tmp_path_factory.mktemp("drift")
    almost_the_sample(folder / "source")
    settings = Settings(source=str(folder / "source"), store=str(folder / "store"), models=FEW)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(folder / "home"))
        outcome = run_refresh(settings)
    assert outcome.exit_code == 0, outcome
    assert outcome.warnings == (), "there is nothing to compare with"
    return folder


@pytest.fixture
def night(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Night":
    copied = shutil.copytree(published, tmp_path / "night")
    monkeypatch.setenv("DAGSTER_HOME", str(copied / "home"))
    return Night(copied)


class Night:
    """Deliveries and refreshes of one store."""

    def __init__(self, folder: Path) -> None:
        self.source, self.store, self.home = folder / "source", folder / "store", folder / "home"
        self.settings = {"source": str(self.source), "store": str(self.store), "models": FEW}

    def keep_users(self, share: float) -> None:
        """The source without the last of its users."""
        plays = pd.read_csv(self.source / PLAYS, sep="\t")
        users = sorted(plays["userID"].unique())
        kept = set(users[: round(share * len(users))])
        for name, columns in OF_USERS.items():
            table = pd.read_csv(self.source / name, sep="\t")
            rows = table.iloc[:, :columns].isin(kept).all(axis=1)
            table[rows].to_csv(self.source / name, sep="\t", index=False)

    def refresh(self, **more: Any) -> Outcome:
        return run_refresh(Settings.model_validate(self.settings | more))

    def by_command(self, *more: str) -> Any:
        return run_command(
            *("refresh", "--source", str(self.source), *more),
            home=self.home,
            store=self.store,
            LASTFM_MODELS=FEW,
        )

    @property
    def lists(self) -> PublishedLists:
        return PublishedLists(Store(str(self.store)).root)


def test_half_of_the_users_gone_is_refused_until_an_operator_accepts_it(night: Night) -> None:
    night.keep_users(0.5)
    before, seen = night.lists.version(), reader_files(night.store)
    published = {name: made for name, made in seen.items() if "published/" in name}

    ran = night.by_command()
    assert ran.code == 1
    assert ran.last_line.startswith(
        "error: check moved_no_further_than_allowed on recommendations/drift did not pass (found "
        "users 300 -> 150, lost 50%, bound 20%"
    )
    assert ran.last_line.endswith("nothing is published, the last lists stay")
    assert night.lists.version() == before

    # what was refused is no reference: the second night is refused as the first was
    again = night.refresh()
    assert again.exit_code == 1
    assert "users 300 -> 150, lost 50%, bound 20%" in again.message
    assert {n: m for n, m in reader_files(night.store).items() if n in published} == published

    # selected alone, the asset itself refuses what no check has looked at
    alone = run_refresh(Settings.model_validate(night.settings), ["recommendations/published"])
    assert alone.exit_code == 1
    assert "lost 50%" in alone.message
    assert night.lists.version() == before

    mark = re.search(r'--accept-drift "(\w+) REASON"', again.message)
    assert mark is not None
    other = night.refresh(accept_drift=f"00000000 {REASON}")
    assert other.exit_code == 1, "another change was accepted"
    ran = night.by_command("--accept-drift", f"{mark[1]} {REASON}")
    assert ran.code == 0, ran.err
    assert "WARNING: check moved_no_further_than_usual" in ran.last_line
    now = night.lists.version()
    assert (now.number, now.users) == (before.number + 1, 150)
    kept = Store(str(night.store)).read(PROFILES, pd.DataFrame)
    assert set(kept.loc[kept["run_id"] == now.run_id, "accepted"]) == {REASON}
    with dg.DagsterInstance.get() as instance:
        run = instance.get_run_by_id(now.run_id)
    assert run is not None
    assert run.tags[ACCEPTED_TAG] == f"{mark[1]} {REASON}"

    # from here on, this is what readers see
    quiet = night.refresh()
    assert (quiet.exit_code, quiet.warnings) == (0, ())

    # and after a rollback, what they see again
    night.lists.rollback()
    back = night.refresh(accept_drift=f"{mark[1]} {REASON}")
    assert back.exit_code == 1, "it was accepted against another version"
    assert "users 300 -> 150" in back.message


def test_some_users_fewer_pass_in_silence_and_more_of_them_with_a_word(night: Night) -> None:
    night.keep_users(0.95)
    outcome = night.refresh()
    assert (outcome.exit_code, outcome.warnings) == (0, ())
    assert night.lists.version().users == 285

    night.keep_users(0.85)
    outcome = night.refresh()
    assert outcome.exit_code == 0
    (warning,) = outcome.warnings
    assert "users 285 -> 242, lost 15.1%, bound 10%" in warning
    assert night.lists.version().users == 242


def test_plays_a_thousandfold_are_another_population(night: Night) -> None:
    plays = pd.read_csv(night.source / PLAYS, sep="\t", dtype=str)
    plays["weight"] += "000"
    plays.to_csv(night.source / PLAYS, sep="\t", index=False)
    outcome = night.refresh()
    assert outcome.exit_code == 1
    assert "plays of a pair: PSI" in outcome.message
    assert "changed by 99.9%, bound 50%" in outcome.message
