"""What a server, or whoever stands before it, can do to a download: nothing but let it fail."""

import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from source_world import Answers, HttpServer, Refusal, Server

from lastfm_assets.errors import BadInputError, SourceUnavailableError
from lastfm_assets.sources.description import Description
from lastfm_assets.sources.download import Patience, download
from lastfm_assets.sources.fetched import fetched
from lastfm_assets.sources.signature import is_known, signature_of

QUICK = Patience(tries=2, answer_seconds=5, silence_seconds=5, pause_seconds=0.01)
SECRET = "planted-5ecret"  # noqa: S105 (a word to look for)

Certificate = Callable[[str], tuple[Path, Path]]
"""`certificate("IP:127.0.0.1")`: a self-made one for that name, and its key."""


class _Trickle(Answers):
    """Sends a byte now and then, so that it is never silent and never done."""

    def do_GET(self) -> None:  # noqa: N802 (its name in the library)
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        while not self.server.state.released.wait(0.02):
            try:
                self.wfile.write(b"x")
                self.wfile.flush()
            except OSError:
                return


@contextmanager
def serving(
    content: bytes, answers: type[Answers] = Answers, tls: ssl.SSLContext | None = None
) -> Iterator[Server]:
    http = HttpServer(("127.0.0.1", 0), answers)
    if tls is not None:
        http.socket = tls.wrap_socket(http.socket, server_side=True)
    scheme = "http" if tls is None else "https"
    http.state = Server(f"{scheme}://127.0.0.1:{http.server_port}", content)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield http.state
    finally:
        http.state.released.set()
        http.shutdown()
        http.server_close()
        thread.join()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl is installed, which makes the certificate")

    def make(name: str) -> tuple[Path, Path]:
        folder = tmp_path_factory.mktemp("tls")
        made, key = folder / "certificate.pem", folder / "key.pem"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-subj", "/CN=planted", "-addext", f"subjectAltName={name}"),
                *("-keyout", str(key), "-out", str(made)),
            ],
            check=True,
            capture_output=True,
        )
        return made, key

    return make


@contextmanager
def encrypted(pair: tuple[Path, Path], content: bytes) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    with serving(content, tls=context) as server:
        yield server


@pytest.fixture(scope="module")
def ours(certificate: Certificate) -> tuple[Path, Path]:
    return certificate("IP:127.0.0.1,DNS:localhost")


def test_a_server_that_never_falls_silent_is_given_up(tmp_path: Path, refusal: Refusal) -> None:
    """A byte every half minute kept a night's run waiting for as long as the server liked."""
    short = Patience(tries=3, answer_seconds=5, silence_seconds=5, whole_seconds=0.2)
    with (
        serving(b"", _Trickle) as server,
        refusal(SourceUnavailableError, r"was given up after 0\.2 seconds and \d+ bytes"),
    ):
        download(f"{server.url}/x.zip", tmp_path / "x.zip", patience=short)
    assert list(tmp_path.iterdir()) == []


def test_an_encrypted_server_whose_certificate_is_trusted_is_believed(
    ours: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ours[0]))
    with encrypted(ours, b"whole") as server:
        download(f"{server.url}/whole", tmp_path / "x.zip", patience=QUICK)
    assert (tmp_path / "x.zip").read_bytes() == b"whole"


def test_a_certificate_that_nobody_vouches_for_is_refused_before_a_password_is_sent(
    ours: tuple[Path, Path], tmp_path: Path, refusal: Refusal
) -> None:
    with (
        encrypted(ours, b"whole") as server,
        refusal(SourceUnavailableError, r"the server's certificate is not trusted \(self-signed"),
    ):
        url = server.url.replace("://", f"://ann:{SECRET}@")
        download(f"{url}/whole", tmp_path / "x.zip", patience=QUICK)
    assert server.asked == []


def test_a_certificate_of_another_host_is_refused(
    certificate: Certificate, tmp_path: Path, refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = certificate("DNS:elsewhere.invalid")
    monkeypatch.setenv("SSL_CERT_FILE", str(other[0]))
    with (
        encrypted(other, b"whole") as server,
        refusal(SourceUnavailableError, "the server's certificate is not trusted"),
    ):
        download(f"{server.url}/whole", tmp_path / "x.zip", patience=QUICK)
    assert server.asked == []


@pytest.mark.parametrize("place", ["http://127.0.0.1:{port}", "https://localhost:{port}"])
def test_an_encrypted_server_can_send_nobody_to_another_service(
    ours: tuple[Path, Path],
    tmp_path: Path,
    refusal: Refusal,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ours[0]))
    with encrypted(ours, b"whole") as server, serving(b"inner secret") as inner:
        server.moved_to = place.format(port=inner.url.rpartition(":")[2]) + "/whole"
        with refusal(BadInputError, "expected to stay on one host"):
            download(f"{server.url}/moved", tmp_path / "x.zip", patience=QUICK)
    assert inner.asked == []
    assert list(tmp_path.iterdir()) == []


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(b"whole") as server, serving(b"of the proxy") as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        download(f"{server.url}/whole", tmp_path / "x.zip", patience=QUICK)
    assert (tmp_path / "x.zip").read_bytes() == b"whole"
    assert proxy.asked == []


@pytest.mark.parametrize("sign", ["/", "?", "#", "/@", "?@"])
@pytest.mark.parametrize("begin", ["12", "12x", "x@y"])
def test_a_password_that_ends_the_host_too_early_is_neither_asked_for_nor_shown(
    tmp_path: Path, refusal: Refusal, begin: str, sign: str
) -> None:
    """`https://ann:12/rest@host/` was taken for port 12 of the host `ann`, and shown so."""
    url = f"https://ann:{begin}{sign}{SECRET}@127.0.0.1:9/x.zip"
    with refusal(BadInputError, r"cannot be read|has an @ behind its host"):
        fetched(url, tmp_path, accept=str, on_progress=lambda *_: None, patience=QUICK)
    with pytest.raises(BadInputError) as told:
        fetched(url, tmp_path, accept=str, on_progress=lambda *_: None, patience=QUICK)
    said = signature_of(url, data_folder=tmp_path)
    assert not is_known(said)
    for text in (str(told.value), said):
        assert SECRET not in text
        assert begin not in text


@pytest.mark.parametrize(
    "behind", [f"x.zip?token={SECRET} and more", f"x.zip?token={SECRET}é", f"x.zip#{SECRET}"]
)
def test_what_a_query_holds_is_not_in_the_signature(tmp_path: Path, behind: str) -> None:
    """The library's own words for a space in a URL repeat all of it, and went into the stamps."""
    with serving(b"") as server:
        said = signature_of(f"{server.url}/{behind}", data_folder=tmp_path)
    assert not is_known(said)
    assert SECRET not in said


def test_a_wrong_checksum_behind_a_url_is_not_repeated(tmp_path: Path, refusal: Refusal) -> None:
    with refusal(BadInputError, "^what stands behind the URL's # is no checksum"):
        fetched(
            f"https://127.0.0.1:9/x.zip#{SECRET}",
            tmp_path,
            accept=str,
            on_progress=lambda *_: None,
            patience=QUICK,
        )


def test_the_name_of_a_copy_tells_nothing_of_the_password(tmp_path: Path) -> None:
    """It was a hash of the whole URL, by which a short password could be found by trying."""
    names = set()
    with serving(b"whole") as server:
        for password in ("one", "another", SECRET):
            url = server.url.replace("://", f"://ann:{password}@") + "/whole"
            copy = fetched(url, tmp_path, accept=str, on_progress=lambda *_: None, patience=QUICK)
            names.add(copy.name)
        other = fetched(
            f"{server.url}/whole?v=2",
            tmp_path,
            accept=str,
            on_progress=lambda *_: None,
            patience=QUICK,
        )
    assert len(names) == 1
    assert other.name not in names


@pytest.mark.parametrize("url", [f"https://ann:{SECRET}@h.example/table", f"https://[::1/{SECRET}"])
def test_a_url_in_a_description_is_not_repeated(tmp_path: Path, refusal: Refusal, url: str) -> None:
    """Without a known ending it was shown whole; one that is no URL ended in a traceback."""
    file = tmp_path / "plays.toml"
    file.write_text(f'url = "{url}"\n[columns]\nuser = "u"\nitem = "i"\n')
    with refusal(BadInputError, "the table's url ends otherwise, expected the ending .csv"):
        Description.read(file)
    with pytest.raises(BadInputError) as told:
        Description.read(file)
    assert SECRET not in str(told.value)
