"""Where studies lie, and that only one process at a time adds to one."""

import fcntl
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lastfm_assets.errors import BadInputError, StoreError
from lastfm_assets.io import Store
from lastfm_assets.settings import data_folder
from lastfm_assets.sources.hetrec import one_line

if TYPE_CHECKING:
    import optuna

_FOLDER: Final = ("tuning", "studies")


def study_folder(store: str) -> Path:
    """The folder of all studies: in a local store, beside the data of a remote one.

    SQLite needs a real file; the path is not made yet.
    """
    root = Store(store).root
    local = root if isinstance(root, Path) else data_folder()
    return Path(local, *_FOLDER)


@contextmanager
def opened(file: Path, name: str) -> Iterator["optuna.Study"]:
    """A study to add trials to, made where there is none.

    Args:
        file: of SQLite; one study a file, so that deleting it starts that study over.
        name: the study's name.

    Yields:
        The study, which maximizes and prunes below the median of earlier trials.

    Raises:
        BadInputError: another process is adding to it.
        StoreError: the file cannot be written or is no study.
    """
    import optuna  # noqa: PLC0415 (slow to import; the web server only lists assets)
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    logging.getLogger("optuna").setLevel(logging.WARNING)
    with _alone(file):
        _require_whole(file)
        try:
            storage = optuna.storages.RDBStorage(f"sqlite:///{file}")
            study = optuna.create_study(
                storage=storage,
                study_name=name,
                direction="maximize",
                pruner=optuna.pruners.MedianPruner(),
                load_if_exists=True,
            )
        except (SQLAlchemyError, optuna.exceptions.OptunaError, RuntimeError) as problem:
            raise StoreError(
                f"{file}: is not a study that can be continued "
                f"({type(problem).__name__}); delete it to start over"
            ) from problem
        try:
            yield study
        finally:
            storage.remove_session()
            storage.engine.dispose()


def _require_whole(file: Path) -> None:
    """Has SQLite look through its pages: a damaged study would propose from what never was."""
    if not file.exists():
        return
    try:
        # not read only: what a killed search had begun to write has to be rolled back
        with closing(sqlite3.connect(file)) as database:
            said = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    except (sqlite3.Error, UnicodeDecodeError) as problem:
        said = str(problem)
    if said != "ok":
        raise StoreError(f"{file}: is damaged ({one_line(said)}); delete it to start over")


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Holds a lock that ends with the process, however that ends."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = file.with_suffix(".lock").open("w")
    except OSError as problem:
        raise StoreError(f"{file}: cannot be written ({problem.strerror or problem})") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInputError(
                f"{file}: another process is adding trials to it; wait until it has ended"
            ) from None
        yield
