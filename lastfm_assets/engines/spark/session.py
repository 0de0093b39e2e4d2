"""A Spark session: with any cluster, or with two workers of its own on this machine."""

import contextlib
import os
import re
import secrets
import shutil
import socket
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lastfm_assets.engines.spark.java import Driver, environment, java, pyspark_home
from lastfm_assets.engines.spark.workers import ended_without_workers
from lastfm_assets.errors import BadInputError, EngineUnavailableError
from lastfm_assets.sources.hetrec import one_line

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DEFAULT_MASTER: Final = "local-cluster[2,1,1700]"
"""Two workers of one core, separate JVMs that end with the session. Each takes 2.8 GB at 4 million
pairs, with the Python beside it."""
TIMEOUT: Final = 60.0
"""Seconds within which a cluster must take us in."""
_OWN_TIMEOUT: Final = 300.0
"""Seconds that workers of our own may take at least: they are sure to come, if slowly."""
LOOPBACK: Final = "127.0.0.1"
_KNOWN: Final = re.compile(
    r"local(\[(\d+|\*)(,\d+)?\])?|local-cluster\[\d+,\d+,\d+\]|yarn|k8s://.+"
    r"|spark://[^,/:]+:\d+(,[^,/:]+:\d+)*"
)
_OWN_WORKERS: Final = re.compile(r"local-cluster\[(\d+),(\d+),(\d+)\]")
FIXED: Final = {
    "spark.sql.ansi.enabled": "false",  # the split's draws wrap around, as 64-bit numbers do
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
}
"""What our expressions rely on; LASTFM_SPARK_CONF cannot change it."""
_USUAL: Final = {
    "spark.app.name": "lastfm_assets",
    "spark.ui.enabled": "false",
    "spark.ui.killEnabled": "false",  # the pages of a master of our own cannot be left out
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.driver.memory": "1g",
}
_ONLY_PLANS: Final = {
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}
"""Of a driver whose workers are processes of their own: it plans and waits, so that compiling its
code well costs more than it ever gains."""
_PARTITIONS_A_CORE: Final = 4
_PACKAGE: Final = Path(__file__).parents[2]


@contextlib.contextmanager
def spark_session(
    master: str | None = None,
    conf: Mapping[str, str] | None = None,
    *,
    timeout: float = TIMEOUT,
) -> Iterator["SparkSession"]:
    """A session that has a worker, and that goes with its JVM, its workers and its files.

    Args:
        master: `spark://host:port`, `yarn`, `k8s://...`, `local[n]`, `local-cluster[n,cores,MB]`;
            None: `DEFAULT_MASTER`.
        conf: Spark's settings by name, in the place of ours.
        timeout: seconds within which the master and a worker must answer, and for which a job waits
            where every worker is gone; workers of our own have five minutes at least.

    Raises:
        BadInputError: the master or a setting cannot be used.
        EngineUnavailableError: pyspark or Java is missing, or no worker answered in time.
    """
    master = master or DEFAULT_MASTER
    given = dict(conf or {})
    _check(master, given)
    home = pyspark_home()
    java()
    if master.startswith("local"):
        timeout = max(timeout, _OWN_TIMEOUT)
    deadline = time.monotonic() + timeout
    _knock(master, timeout)
    with _folder() as folder, _without_pandas_warning():
        settings = {"spark.master": master, **settings_of(master, folder), **given, **FIXED}
        driver = Driver(settings, _variables(master, home, folder), folder / "driver.log")
        try:
            with environment(_python(master)):
                session = _opened(driver, master, deadline, timeout)
            if not is_here(master):
                session.sparkContext.addPyFile(str(_packed(folder)))
            with _watched(session, master, timeout):
                yield session
        finally:
            _close(driver)


def _watched(
    session: "SparkSession", master: str, timeout: float
) -> contextlib.AbstractContextManager[None]:
    if _works_itself(master):
        return contextlib.nullcontext()
    return ended_without_workers(session, timeout)


def _check(master: str, given: Mapping[str, str]) -> None:
    if not _KNOWN.fullmatch(master):
        raise BadInputError(
            f"Spark's master is {one_line(master)!r}, expected spark://host:port, yarn, "
            "k8s://host:port, local[n] or local-cluster[workers,cores,MB]; correct "
            "LASTFM_SPARK_MASTER or unset it"
        )
    for number, name in enumerate(given, start=1):
        if name in FIXED or name == "spark.master":
            instead = "LASTFM_SPARK_MASTER" if name == "spark.master" else "nothing"
            raise BadInputError(
                f"LASTFM_SPARK_CONF sets {name}, which the engine sets itself; leave it out, "
                f"{instead} takes its place"
            )
        if not name.startswith("spark."):
            raise BadInputError(
                # as above, it may be a piece of a password
                f"LASTFM_SPARK_CONF: the name of piece {number} does not begin with spark., as "
                "spark.executor.memory=4g does; correct it"
            )


def settings_of(master: str, folder: Path) -> dict[str, str]:
    """Spark's settings for a master, where nobody says otherwise.

    Args:
        master: see `spark_session`.
        folder: for files that go with the session.
    """
    settings = {**_USUAL, "spark.sql.warehouse.dir": (folder / "warehouse").as_uri()}
    if is_here(master):
        settings |= {
            "spark.driver.host": LOOPBACK,
            "spark.driver.bindAddress": LOOPBACK,
            "spark.local.dir": str(folder / "local"),
            "spark.executorEnv.PYTHONPATH": str(_PACKAGE.parent),
        }
    if not _works_itself(master):
        settings |= _ONLY_PLANS
    workers = _OWN_WORKERS.fullmatch(master)
    if workers:
        count, cores, megabytes = map(int, workers.groups())
        settings |= {
            "spark.executor.memory": f"{megabytes}m",
            # others on this machine reach its ports, too, and whom Spark takes in runs code as us
            "spark.authenticate": "true",
            "spark.authenticate.secret": secrets.token_urlsafe(32),
            "spark.sql.shuffle.partitions": str(_PARTITIONS_A_CORE * count * cores),
        }
    return settings


def _works_itself(master: str) -> bool:
    """Whether the driver is the only worker."""
    return master == "local" or master.startswith("local[")


def is_here(master: str) -> bool:
    """Whether all of a cluster is on this machine, so that nothing listens but on loopback."""
    hosts = re.findall(r"([^,/]+):\d+", master.removeprefix("spark://"))
    near = master.startswith("spark://") and {*hosts} <= {"localhost", LOOPBACK}
    return master.startswith("local") or near


def _variables(master: str, home: Path, folder: Path) -> dict[str, str]:
    if not is_here(master):
        return {}
    own = {"SPARK_LOCAL_IP": LOOPBACK, "PYTHONPATH": str(_PACKAGE.parent)}
    if _OWN_WORKERS.fullmatch(master):  # they work in the folder of Spark, which may not be ours
        own_home = folder / "spark"
        own_home.mkdir()
        for name in ("bin", "jars", "python"):
            (own_home / name).symlink_to(home / name)
        own["SPARK_HOME"] = str(own_home)
    return own


def _python(master: str) -> dict[str, str]:
    """The interpreter of Python workers: this one, where they run on this machine."""
    if is_here(master) and "PYSPARK_PYTHON" not in os.environ:
        return {"PYSPARK_PYTHON": sys.executable}
    return {}


def _packed(folder: Path) -> Path:
    """Our own sources as an archive that workers elsewhere import; they need numpy and pyarrow."""
    archive = folder / "lastfm_assets.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(_PACKAGE.rglob("*.py")):
            packed.write(path, path.relative_to(_PACKAGE.parent))
    return archive


def _knock(master: str, timeout: float) -> None:
    """Waits until a standalone master takes connections; the driver would be long about it.

    Raises:
        EngineUnavailableError: none did in time.
    """
    places = re.findall(r"([^,/]+):(\d+)", master) if master.startswith("spark://") else []
    deadline = time.monotonic() + timeout
    said = ""
    while places:
        for host, port in places:
            left = max(0.1, min(5.0, deadline - time.monotonic()))
            try:
                socket.create_connection((host, int(port)), timeout=left).close()
            except (OSError, OverflowError) as problem:
                said = one_line(getattr(problem, "strerror", None) or problem)
            else:
                return
        if time.monotonic() + 0.5 >= deadline:
            raise _unreachable(master, timeout, said)
        time.sleep(0.5)


def _unreachable(master: str, timeout: float, said: str) -> EngineUnavailableError:
    return EngineUnavailableError(
        f"Spark's master {one_line(master)} did not give us a worker within {timeout:g} s"
        f"{said and f' ({said})'}; start it or its workers, or correct LASTFM_SPARK_MASTER"
    )


def _opened(driver: Driver, master: str, deadline: float, timeout: float) -> "SparkSession":
    """The session, once a worker has done something."""
    from py4j.protocol import Py4JError  # noqa: PLC0415 (an extra)
    from pyspark import SparkContext  # noqa: PLC0415 (an extra)
    from pyspark.sql import SparkSession  # noqa: PLC0415 (an extra)

    with driver.within(max(1.0, deadline - time.monotonic())) as late:
        try:
            context = SparkContext(conf=driver.conf, gateway=driver.gateway)
            context.setLogLevel("WARN")
            _hush(context)
            session = SparkSession(context)
            session.range(1).count()
        except (Py4JError, OSError) as problem:
            if late.is_set():
                raise _unreachable(master, timeout, driver.last_words()) from None
            said = driver.last_words() or str(problem)
            raise EngineUnavailableError(
                f"Spark's session with {one_line(master)} did not open ({one_line(said)}); correct "
                "LASTFM_SPARK_MASTER or LASTFM_SPARK_CONF"
            ) from None
    return session


def _hush(context: Any) -> None:
    """Whose driver is killed is told so by what asked it; pyspark would add a traceback."""
    context._accumulatorServer.handle_error = lambda *_: None  # noqa: SLF001 (pyspark has no other way)


def _close(driver: Driver) -> None:
    """Ends session and JVM, and has pyspark forget both, so that another can be opened."""
    from pyspark import SparkContext  # noqa: PLC0415 (an extra)
    from pyspark.sql import SparkSession  # noqa: PLC0415 (an extra)

    remembered: Any = SparkContext
    context = remembered._active_spark_context  # noqa: SLF001 (pyspark has no other way)
    with contextlib.suppress(Exception), driver.within(20.0):  # a JVM that is gone
        if context is not None:
            context.stop()
    driver.end()
    remembered._active_spark_context = None  # noqa: SLF001
    remembered._gateway = remembered._jvm = None  # noqa: SLF001
    sessions: Any = SparkSession
    sessions._instantiatedSession = sessions._activeSession = None  # noqa: SLF001


@contextlib.contextmanager
def _without_pandas_warning() -> Iterator[None]:
    """Nothing of ours goes through the parts of pyspark that do not know pandas 3 yet."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support", FutureWarning)
        yield


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="lastfm-assets-spark-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # workers may still be at it
