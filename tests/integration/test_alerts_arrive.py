"""Alerts by real servers: a mail server of its own, and a daemon that watches real runs."""

import email
import email.policy
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from pipeline_world import PLAYS, Ran, almost_the_sample, run_command
from server_world import BIN, Process, Sink, free_port, mail_server, make_certificate, running
from server_world import wait_for as wait

from lastfm_assets.automation.alerts import ALERTED, ALERTED_BY
from lastfm_assets.automation.delivery import Mail, send
from lastfm_assets.automation.instance import prepare_home
from lastfm_assets.errors import BadInputError, UnavailableError

sys.path.insert(0, str(Path(__file__).parents[1] / "automation"))
from alert_world import Receiver, receiving

pytestmark = pytest.mark.integration
pytest.importorskip("aiosmtpd", reason="aiosmtpd, a mail server for tests, is not installed")

MAIL = Mail("lastfm_assets: refresh failed", "the run failed: no disk\n")
TO = ["night@example.org", "day@example.org"]
PASSWORD = "p@ss/w:ord"  # noqa: S105 (of a server that lives for a test)
QUOTED = "p%40ss%2Fw%3Aord"


def read(sink: Sink) -> email.message.EmailMessage:
    (taken,) = sink.mails
    message = email.message_from_bytes(taken.content, policy=email.policy.default)
    assert isinstance(message, email.message.EmailMessage)
    return message


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def trusted(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The server's side of TLS; this process trusts its certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    return context_of(certificate)


def context_of(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


class TestAMailServer:
    def test_takes_a_plain_mail_for_everybody(self) -> None:
        with mail_server() as (port, sink):
            send(f"smtp://127.0.0.1:{port}", TO, MAIL)
        assert sink.mails[0].rcpt_tos == TO
        message = read(sink)
        assert message["Subject"] == "lastfm_assets: refresh failed"
        assert message["From"] == "lastfm-assets@127.0.0.1"
        assert message.get_content_type() == "text/plain"
        assert message.get_content().splitlines() == MAIL.text.splitlines()

    def test_takes_it_by_starttls_with_user_and_password(self, trusted: ssl.SSLContext) -> None:
        with mail_server(password=PASSWORD, starttls=trusted) as (port, sink):
            send(f"smtp://user%40example.org:{QUOTED}@localhost:{port}", TO, MAIL)
        assert read(sink)["From"] == "user@example.org"

    # aiosmtpd does not count TLS from the start as such
    @pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
    def test_takes_it_by_tls_with_user_and_password(self, trusted: ssl.SSLContext) -> None:
        with mail_server(password=PASSWORD, tls=trusted) as (port, sink):
            url = f"smtps://user%40example.org:{QUOTED}@localhost:{port}?from=bot@example.org"
            send(url, TO, MAIL)
        assert read(sink)["From"] == "bot@example.org"

    def test_gets_no_password_without_encryption(self) -> None:
        with (
            mail_server() as (port, sink),
            pytest.raises(BadInputError, match="offers no encryption") as refused,
        ):
            send(f"smtp://user:{QUOTED}@127.0.0.1:{port}", TO, MAIL)
        assert sink.mails == []
        assert "ss" not in str(refused.value).replace("password", "").replace("LASTFM_ASSETS", "")

    def test_must_have_a_certificate_that_is_trusted(self, certificate: tuple[Path, Path]) -> None:
        with (
            mail_server(starttls=context_of(certificate)) as (port, sink),
            pytest.raises(UnavailableError, match="its certificate is not trusted"),
        ):
            send(f"smtp://localhost:{port}", TO, MAIL)
        assert sink.mails == []

    def test_that_refuses_the_password_is_not_asked_again(self, trusted: ssl.SSLContext) -> None:
        with (
            mail_server(password="another", starttls=trusted) as (port, _),  # noqa: S106
            pytest.raises(BadInputError, match="does not take user and password") as refused,
        ):
            send(f"smtp://user%40example.org:{QUOTED}@localhost:{port}", TO, MAIL)
        assert PASSWORD not in str(refused.value)
        assert QUOTED not in str(refused.value)

    def test_that_is_down_is_tried_three_times_and_no_longer(self) -> None:
        started = time.monotonic()
        with pytest.raises(UnavailableError, match="the connection was refused"):
            send(f"smtp://127.0.0.1:{free_port()}", TO, MAIL)
        assert 2.0 <= time.monotonic() - started < 5


@dataclass
class Watched:
    """A daemon that watches an instance, and what the operator was told."""

    home: Path
    store: Path
    daemon: Process
    webhook: Receiver
    sink: Sink

    def refresh(self, **environment: str) -> Ran:
        return run_command("refresh", home=self.home, store=self.store, **environment)

    def told(self, cause_of: dg.DagsterRun) -> dict[str, str]:
        """The tags of a run once the sensor has seen it."""

        def tags() -> dict[str, str] | None:
            with dg.DagsterInstance.from_config(str(self.home)) as instance:
                run = instance.get_run_by_id(cause_of.run_id)
                return dict(run.tags) if run is not None and ALERTED in run.tags else None

        found: dict[str, str] = wait(
            "an alert", tags, 120, every=1, logs=lambda: self.daemon.said[-3000:]
        )
        return found

    def runs(self) -> list[dg.DagsterRun]:
        """In the order in which they began."""
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            return list(reversed(list(instance.get_runs())))


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    home, store = tmp_path / "home", tmp_path / "store"
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    prepare_home()
    with dg.DagsterInstance.get():
        pass  # makes the database, which the daemon and this process must not do at once
    workspace = tmp_path / "workspace.yaml"
    workspace.write_text(
        "load_from:\n  - python_module:\n"
        "      module_name: lastfm_assets.definitions\n      location_name: lastfm_assets\n"
    )
    with ExitStack() as stack:
        webhook = stack.enter_context(receiving())
        port, sink = stack.enter_context(mail_server())
        daemon = stack.enter_context(
            running(
                [str(BIN / "dagster-daemon"), "run", "--workspace", str(workspace)],
                cwd=tmp_path,
                log=tmp_path / "daemon.log",
                environment={
                    "DAGSTER_HOME": str(home),
                    "LASTFM_STORE": str(store),
                    "LASTFM_SOURCE": "sample",
                    "LASTFM_UI_URL": "https://music.example.org/",
                    "LASTFM_ALERT_WEBHOOK": webhook.url,
                    "LASTFM_ALERT_EMAIL": ",".join(TO),
                    "LASTFM_SMTP_URL": f"smtp://127.0.0.1:{port}",
                },
            )
        )
        wait("the sensor's first look", lambda: _sensor_has_looked(home), 120, every=1)
        yield Watched(home, store, daemon, webhook, sink)


def words(line: str) -> list[str]:
    return sorted(line.replace("(", " ").replace(")", " ").replace(",", " ").split())


def _sensor_has_looked(home: Path) -> bool:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        return any(
            state.name == "tell_operator" and getattr(state.instigator_data, "cursor", None)
            for state in instance.all_instigator_state()
        )


def test_the_operator_is_told_once_for_each_cause(watched: Watched, tmp_path: Path) -> None:
    """Of two refreshes that the gate refuses the first; and of one with a broken file."""
    refused = {"LASTFM_SOURCE": "sample", "LASTFM_MIN_PRECISION": "0.9"}
    first = watched.refresh(**refused)
    second = watched.refresh(**refused)
    assert (first.code, second.code) == (1, 1), second.err
    runs = watched.runs()
    assert len(runs) == 2
    assert watched.told(runs[1])[ALERTED_BY] == runs[0].run_id

    (posted,) = watched.webhook.posted
    assert posted["job"] == "refresh"
    assert posted["run_url"] == f"https://music.example.org/runs/{runs[0].run_id}"
    assert posted["text"].startswith("lastfm_assets: refresh refused by the gate\n")
    assert posted["source"] == "sample"
    (failed,) = posted["failed_checks"]
    assert failed["name"] == "best_model_reaches_min_precision"
    assert "0.9" in failed["facts"]
    # the line of the command, its figures in the order in which Dagster stores them
    assert words(first.last_line) == words(f"error: {posted['message']}")
    mail = read(watched.sink)
    assert mail["Subject"] == "lastfm_assets: refresh refused by the gate"
    for part in (posted["run_url"], failed["facts"], posted["message"]):
        assert part in mail.get_content().replace("\n", " ")

    broken = almost_the_sample(tmp_path / "broken")
    (broken / PLAYS).write_bytes(b"userID\tartistID\tweight\n2\tmany\t3\n")
    bad_input = watched.refresh(LASTFM_SOURCE=str(broken))
    assert bad_input.code == 2
    third = watched.runs()[2]
    assert watched.told(third)[ALERTED_BY] == third.run_id
    assert [one["run_id"] for one in watched.webhook.posted] == [runs[0].run_id, third.run_id]
    assert len(watched.sink.mails) == 2
    assert bad_input.last_line == f"error: {watched.webhook.posted[1]['message']}"
    assert watched.webhook.posted[1]["text"].startswith("lastfm_assets: refresh failed\n")
    assert "hooks/" not in watched.daemon.said
