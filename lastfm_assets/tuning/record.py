"""The shipped record of tuned parameters, and the command that writes an entry of it.

    python -m lastfm_assets.tuning.record --model als --source data/raw

searches with the common budget (or reads a search that is done), rounds the best parameters, judges
the rounded ones again and writes them down. Whoever runs it then writes them into the model's
config as its defaults; a test compares the two.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from lastfm_assets.errors import LastfmAssetsError
from lastfm_assets.listening.load import load
from lastfm_assets.settings import Settings, data_folder
from lastfm_assets.sources.resolve import open_source
from lastfm_assets.tuning.space import rounded, tunable
from lastfm_assets.tuning.storage import study_folder
from lastfm_assets.tuning.study import DEFAULT_TRIALS, Budget, Known, fold_values, folds_of, tune
from lastfm_assets.tuning.trials import Search

RECORD: Final = Path(__file__).with_name("tuned.json")


class Entry(BaseModel):
    """What one model's search came to."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    parameters: dict[str, Any]
    """Every parameter of the model's config."""
    validation_ndcg: float = Field(alias="validation_ndcg@10", ge=0, le=1)
    """Of these very parameters, mean over the inner splits."""
    trials: int = Field(ge=1)
    seconds: float = Field(ge=0)
    source: str
    seed: int


_ENTRIES: Final = TypeAdapter(dict[str, Entry])


def read_record(file: Path = RECORD) -> dict[str, Entry]:
    """Every entry by model."""
    return _ENTRIES.validate_json(file.read_bytes())


def write_entry(name: str, entry: Entry, file: Path = RECORD) -> None:
    """Adds or replaces one model's entry, the others staying as they are."""
    entries = read_record(file) | {name: entry}
    content = _ENTRIES.dump_json(dict(sorted(entries.items())), indent=2, by_alias=True)
    partial = file.with_suffix(".partial")
    partial.write_bytes(content + b"\n")
    partial.replace(file)


def entry_of(search: Search, known: Known, *, source: str, seed: int) -> Entry:
    """Rounds the best parameters and judges what is to be shipped.

    Rounding moves a value a little; if that makes the best worse than the shipped defaults, those
    stay.
    """
    config = tunable(search.model)
    folds = folds_of(known, seed=seed)

    def judged(parameters: Mapping[str, Any]) -> tuple[float, dict[str, Any]]:
        complete = config.model_validate(parameters)
        values = list(fold_values(search.model, complete, folds, seed=seed))
        return float(np.mean(values)), complete.model_dump(mode="json")

    value, parameters = max(
        judged(search.defaults), judged(rounded(search.best)), key=lambda one: one[0]
    )
    return Entry(
        parameters=parameters,
        validation_ndcg=round(value, 6),
        trials=len(search.trials),
        seconds=round(search.seconds, 1),
        source=source,
        seed=seed,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command.

    Returns:
        0 done, 2 bad input.
    """
    parser = argparse.ArgumentParser(prog="python -m lastfm_assets.tuning.record")
    parser.add_argument("--model", required=True)
    parser.add_argument("--source")
    parser.add_argument("--store", help="where the study lies")
    parser.add_argument("--trials", type=int, default=DEFAULT_TRIALS)
    parser.add_argument("--file", type=Path, default=RECORD, help="the record")
    given = parser.parse_args(arguments)
    try:
        settings = Settings.from_environment()
        tunable(given.model)
        budget = Budget(given.trials)
        setting = given.source or settings.source
        tables = load(setting, data_folder=data_folder())
        source = open_source(setting, data_folder=data_folder(), allow_sample=False).name
        known = Known.of_source(tables, seed=settings.seed)
        folder = study_folder(given.store or settings.store)
        search = tune(given.model, known, folder=folder, seed=settings.seed, budget=budget)
        entry = entry_of(search, known, source=source, seed=settings.seed)
        write_entry(given.model, entry, given.file)
    except LastfmAssetsError as problem:
        sys.stderr.write(f"error: {problem}\n")
        return problem.exit_code
    sys.stdout.write(json.dumps(entry.model_dump(by_alias=True), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
