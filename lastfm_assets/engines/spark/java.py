"""Java for Spark: found or asked for, started without a word on the terminal, and ended."""

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import threading
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from lastfm_assets.errors import EngineUnavailableError
from lastfm_assets.sources.hetrec import one_line

_OLDEST: Final = 17
_VERSION: Final = re.compile(r'version "(\d+)')
_LOUD: Final = re.compile(
    r"\b(?:ERROR|FATAL) [\w.$]+: (.*)|^(?:Caused by: )?\S*(?:Exception|Error): (.*)"
    r"|^Error: (.*)|\bWARN (?:TaskSchedulerImpl|StandaloneAppClient\S*): (.*)"
)
_QUIET: Final = """\
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n%ex
"""
"""Spark's log: warnings, into the driver's file."""


def java() -> Path:
    """The `java` that Spark is run by: of JAVA_HOME, else of PATH.

    Raises:
        EngineUnavailableError: there is none, or it is too old.
    """
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if found is None or not os.access(found, os.X_OK):
        where = f"JAVA_HOME is {home}, which has no bin/java" if home else "no `java` was found"
        raise EngineUnavailableError(
            f"{where}, expected Java {_OLDEST} or later for the Spark engine; install it (Debian: "
            "`apt-get install openjdk-17-jre-headless`), or use the local engine"
        )
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False)  # noqa: S603 (the operator's own Java)
    version = _VERSION.search(said.stderr)
    if version is None or int(version[1]) < _OLDEST:
        was = version[1] if version else one_line(said.stderr) or "unknown"
        raise EngineUnavailableError(
            f"{found} is Java {was}, expected {_OLDEST} or later for the Spark engine; set "
            "JAVA_HOME to one"
        )
    return Path(found)


def pyspark_home() -> Path:
    """The folder of the installed pyspark, Spark's jars within.

    Raises:
        EngineUnavailableError: the extra is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pyspark  # noqa: PLC0415 (an extra)
    except ImportError:
        raise EngineUnavailableError(
            "pyspark is not installed, expected it for the Spark engine; run "
            "`pip install -e '.[spark]'` in the checkout, with Java 17, or use the local engine"
        ) from None
    return Path(pyspark.__file__).parent


@contextlib.contextmanager
def environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for processes that are started within, and for nobody after."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _in_file(settings: Mapping[str, str], file: Path) -> str:
    """Writes settings where their owner alone reads them; gives spark-submit's arguments.

    As arguments themselves, passwords among them would be seen by everybody on the machine.
    """
    signs = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "=": "\\=", ":": "\\:", " ": "\\ "}
    escaped = str.maketrans(signs)
    lines = [
        f"{name.translate(escaped)}={said.translate(escaped)}\n" for name, said in settings.items()
    ]
    file.touch(mode=0o600)
    file.write_text("".join(lines), encoding="utf-8")
    return f"--properties-file {shlex.quote(str(file))} --load-spark-defaults pyspark-shell"


class Driver:
    """The JVM in which Spark's driver runs; its log lies in a file."""

    def __init__(
        self, settings: Mapping[str, str], variables: Mapping[str, str], log: Path
    ) -> None:
        """Starts it.

        Args:
            settings: Spark's, by name.
            variables: of its environment, beside ours.
            log: file that takes what it says.

        Raises:
            EngineUnavailableError: it ended at once.
        """
        from pyspark import SparkConf  # noqa: PLC0415 (an extra)
        from pyspark.errors import PySparkRuntimeError  # noqa: PLC0415 (an extra)
        from pyspark.java_gateway import launch_gateway  # noqa: PLC0415 (an extra)

        self.log = log
        self.was_ended = threading.Event()
        quiet = log.with_suffix(".properties")
        quiet.write_text(_QUIET, encoding="utf-8")
        options = "spark.driver.extraJavaOptions"
        given = f"{settings.get(options, '')} -Dlog4j2.configurationFile={quiet.as_uri()}"
        conf = SparkConf(loadDefaults=False)
        conf.setAll(list({**settings, options: given.strip()}.items()))
        told = log.with_name("spark.conf")
        arguments = _in_file(dict(conf.getAll()), told)
        with environment({**variables, "PYSPARK_SUBMIT_ARGS": arguments}), log.open("wb") as file:
            try:
                self.gateway: Any = launch_gateway(None, {"stderr": file, "stdout": file})
            except PySparkRuntimeError:
                raise EngineUnavailableError(
                    f"Spark's driver did not start ({self.last_words()}); correct "
                    "LASTFM_SPARK_CONF, or use the local engine"
                ) from None
        self.conf = conf

    def last_words(self) -> str:
        """What its log says of an error, newest first in one line; empty where it says nothing."""
        with contextlib.suppress(OSError):
            lines = self.log.read_text("utf-8", errors="replace").splitlines()
            for line in reversed(lines):
                said = _LOUD.search(line)
                if said:
                    return one_line(next(text for text in said.groups() if text is not None))
        return ""

    def end(self) -> None:
        """Ends the JVM, at once if it does not go by itself."""
        self.was_ended.set()
        process = self.gateway.proc
        with contextlib.suppress(OSError):
            process.stdin.close()  # at which the JVM ends itself
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[threading.Event]:
        """Ends the JVM if what is done within has not come back in time; the event says so."""
        timer = threading.Timer(seconds, self._kill)
        timer.daemon = True
        timer.start()
        try:
            yield self.was_ended
        finally:
            timer.cancel()

    def _kill(self) -> None:
        self.was_ended.set()
        self.gateway.proc.kill()
