"""Where Dagster remembers runs: the same place for the command line and the web UI."""

import os
import shutil
from pathlib import Path
from typing import Final

from lastfm_assets.settings import data_folder

_VARIABLE: Final = "DAGSTER_HOME"


def prepare_home() -> Path:
    """DAGSTER_HOME, or `data/dagster` where it is unset; made, and configured if it is ours.

    A folder that has a `dagster.yaml` keeps it.
    """
    given = os.environ.get(_VARIABLE)
    home = Path(given).expanduser() if given else data_folder() / "dagster"
    home = home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not config.exists():
        shutil.copyfile(Path(__file__).with_name("dagster.yaml"), config)
    os.environ[_VARIABLE] = str(home)
    return home


if __name__ == "__main__":
    print(prepare_home())  # noqa: T201 (the Makefile reads it)
