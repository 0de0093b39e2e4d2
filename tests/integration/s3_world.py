"""An S3 server on loopback that tests start and end, and fresh buckets in it."""

import contextlib
import itertools
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from server_world import Process, free_port, running, wait_for

if TYPE_CHECKING:
    import pytest

KEY: Final = "AKIAOFTHETESTS"
SECRET: Final = "secret/of+the=tests"  # noqa: S105 (moto takes any; with signs that need quoting)
NOBODYS: Final = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""Nothing that whoever runs the tests has set up for S3."""
_REQUEST: Final = re.compile(r'(?P<verb>[A-Z]+) (?P<path>\S+) HTTP/1\.1\S*" (?P<status>\d{3})')
_NUMBERS: Final = itertools.count(1)
_SERVER: Final = """
import sys, threading
from moto import server

class OneAfterAnother(server.DomainDispatcherApplication):
    "S3 decides on a conditional put and carries it out in one step; moto's threads would not."

    changes = threading.Lock()

    def __call__(self, environ, start_response):
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return super().__call__(environ, start_response)
        with self.changes:
            return super().__call__(environ, start_response)

server.DomainDispatcherApplication = OneAfterAnother
server.main(["-H", "127.0.0.1", "-p", sys.argv[1]])
"""


@dataclass(frozen=True)
class Request:
    """One that the server has answered."""

    verb: str
    path: str
    """With the bucket and the query."""
    status: int


@dataclass(frozen=True)
class Bucket:
    """A bucket of its own for a test, empty at first."""

    name: str
    endpoint: str

    @property
    def store(self) -> str:
        """What `LASTFM_STORE` is set to."""
        return f"s3://{self.name}/a/store"

    @property
    def environment(self) -> dict[str, str]:
        """All that a user sets for a command: `run_command(..., **bucket.environment)`."""
        return {
            "LASTFM_STORE": self.store,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": self.endpoint,
            **NOBODYS,
        }

    def use(self, monkeypatch: "pytest.MonkeyPatch") -> None:
        """Has this process find it as a command would."""
        from s3fs import S3FileSystem  # noqa: PLC0415 (may be missing)

        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)
        S3FileSystem.clear_instance_cache()  # one of another endpoint would go on

    def client(self) -> Any:
        """A client of botocore itself, to look behind the store's back."""
        from botocore.session import Session  # noqa: PLC0415 (may be missing)

        return Session().create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.endpoint,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )

    def keys(self) -> list[str]:
        """Every object's key, in order."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return sorted(item["Key"] for page in pages for item in page.get("Contents", ()))

    def content(self, key: str) -> bytes:
        """What an object holds."""
        return bytes(self.client().get_object(Bucket=self.name, Key=key)["Body"].read())

    def snapshot(self) -> dict[str, str]:
        """The ETag, for objects of one part their MD5, of each object by its key."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", ())}


@dataclass
class S3Server:
    """moto's server; a bucket's objects live in its memory."""

    process: Process
    port: int
    _read: int = field(default=0)

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def bucket(self, endpoint: str | None = None) -> Bucket:
        """A fresh one.

        Args:
            endpoint: how the test reaches the server, such as a proxy's; None: straight.
        """
        made = Bucket(f"bucket-{next(_NUMBERS)}", self.endpoint)
        made.client().create_bucket(Bucket=made.name)
        return Bucket(made.name, endpoint or self.endpoint)

    def copy_of(self, bucket: Bucket, endpoint: str | None = None) -> Bucket:
        """A fresh one with the objects of another."""
        copy, client = self.bucket(endpoint), bucket.client()
        for key in bucket.keys():  # noqa: SIM118 (of objects, and it is no dict)
            source = {"Bucket": bucket.name, "Key": key}
            client.copy_object(Bucket=copy.name, Key=key, CopySource=source)
        return copy

    def requests(self) -> list[Request]:
        """Those answered since the last call."""
        whole = self.process.said
        fresh, self._read = whole[self._read :], len(whole)
        return [
            Request(found["verb"], found["path"], int(found["status"]))
            for found in _REQUEST.finditer(fresh)
        ]


@contextlib.contextmanager
def running_s3(folder: Path) -> Iterator[S3Server]:
    """A server, gone when the block ends.

    Args:
        folder: where its log lies.
    """
    port = free_port()
    command = [sys.executable, "-c", _SERVER, str(port)]
    log = folder / f"moto-{time.monotonic_ns()}.log"
    with running(command, cwd=folder, log=log, environment={}) as process:
        server = S3Server(process, port)
        wait_for("the S3 server", lambda: "Running on" in process.said, logs=lambda: process.said)
        yield server


@contextlib.contextmanager
def fresh_bucket(folder: Path) -> Iterator[Bucket]:
    """A bucket in a server of its own, for tests that need only one."""
    with running_s3(folder) as server:
        yield server.bucket()
