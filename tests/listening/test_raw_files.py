"""Raw tables and the state of the source that they carry: of what was read, or of none."""

import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from pipeline_world import almost_the_sample

from lastfm_assets.automation.resources import StoreIOManager
from lastfm_assets.io import Store
from lastfm_assets.listening import assets
from lastfm_assets.listening.load import SourceTables, read_tables
from lastfm_assets.memory import Memory
from lastfm_assets.sources.files import Source
from lastfm_assets.sources.resolve import sample_folder
from lastfm_assets.sources.signature import is_known, signature_of


def zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    return buffer.getvalue()


class _Serving(ThreadingHTTPServer):
    states: list[bytes]
    """What it serves, one after the other; the last one stays."""


class _Answers(BaseHTTPRequestHandler):
    server: _Serving

    def do_HEAD(self) -> None:
        content = self.server.states[0]
        self.send_response(200)
        self.send_header("ETag", f'"{len(self.server.states)}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(self.server.states[0])
        del self.server.states[:-1]

    def log_message(self, *_said: object) -> None:
        """Stays silent."""


@pytest.fixture
def replaced(tmp_path: Path) -> Iterator[str]:
    """A URL whose file is replaced, and its ETag with it, once it was fetched."""
    with _Serving(("127.0.0.1", 0), _Answers) as serving:
        serving.states = [zipped(almost_the_sample(tmp_path / "old")), zipped(sample_folder())]
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}/x.zip"
        serving.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(assets, "data_folder", lambda: tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def read(store: Store, source: str) -> tuple[str, int]:
    """Reads a source into a store: the state that its tables carry, and rows of plays."""
    resources = {
        "source": source,
        "store": store,
        "memory": Memory.of(None),
        "io_manager": StoreIOManager(store, {}),
    }
    assert dg.materialize([assets.raw_files], resources=resources).success
    plays, stamp = store.read_with_stamp(("raw", "user_artists"), pd.DataFrame)
    return stamp.origin.inputs["the source"], len(plays)


def test_a_file_that_its_server_replaces_behind_the_download_is_fetched_again(
    replaced: str, store: Store, data: Path
) -> None:
    """The old content got the new file's state, and each night found the source as it was."""
    carried, old_rows = read(store, replaced)
    now = signature_of(replaced, data_folder=data)
    assert is_known(now)
    assert carried == "unknown: it changed while it was fetched or read"
    assert read(store, replaced) == (now, old_rows + 1)


def test_a_file_that_is_replaced_while_it_is_read_is_read_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = almost_the_sample(tmp_path / "own")

    def read_meanwhile(source: Source, *_told: object) -> SourceTables:
        tables = read_tables(source)
        (folder / "tags.dat").write_bytes((folder / "tags.dat").read_bytes() + b"9999\tnew\n")
        return tables

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(assets, "read_tables", read_meanwhile)
        carried, _ = read(store, str(folder))
    assert not is_known(carried)
    carried, _ = read(store, str(folder))
    assert carried == signature_of(str(folder), data_folder=tmp_path)
