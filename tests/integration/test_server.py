"""A server as `docs/server` describes it: the units' own commands, on free ports, for real."""

import base64
import contextlib
import dataclasses
import json
import os
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pipeline_world import run_command
from server_world import BIN, Process, free_port, listening, make_certificate, members, running
from server_world import wait_for as wait

pytestmark = pytest.mark.integration

DOCS = Path(__file__).parents[2] / "docs" / "server"
UNITS = sorted(DOCS.glob("*.service"))
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
HEALTH = "{ instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } } }"
LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries {
  name loadStatus locationOrLoadError { __typename } } } } }"""
WHOSE = 'repositoryLocationName: "lastfm_assets", repositoryName: "__repository__"'
RAW = ", ".join(
    f'{{path: ["raw", "{name}"]}}'
    for name in ("artists", "friends", "keys", "source", "tagged_artists", "tags", "user_artists")
)
START_SCHEDULE = f"""mutation {{ startSchedule(scheduleSelector: {{{WHOSE},
  scheduleName: "daily_refresh"}}) {{ __typename ... on ScheduleStateResult {{
  scheduleState {{ status }} }} }} }}"""
LAUNCH = f"""mutation {{ launchRun(executionParams: {{ selector: {{{WHOSE}, jobName: "refresh",
  assetSelection: [{RAW}]}}, runConfigData: {{}} }}) {{
  __typename ... on LaunchRunSuccess {{ run {{ runId }} }}
  ... on PythonError {{ message }} }} }}"""


def start_line(unit: str) -> str:
    """What a unit starts."""
    return line_of(unit, "ExecStart")


def line_of(unit: str, name: str) -> str:
    """What a unit says of something."""
    (line,) = re.findall(rf"^{name}=(.+)$", (DOCS / unit).read_text(), re.MULTILINE)
    return str(line)


@dataclasses.dataclass
class Server:
    """The four processes of the units, in a folder of their own."""

    folder: Path
    ports: Mapping[str, int]
    processes: dict[str, Process]
    environment: Mapping[str, str]
    stack: ExitStack

    def adapted(self, text: str) -> str:
        """Text of a file in docs/server, with the places and ports of this test."""
        for old, port in self.ports.items():
            text = re.sub(rf"\b{old}\b", str(port), text)
        return text.replace("/opt/lastfm/.venv/bin", str(BIN)).replace(
            "/etc/lastfm", str(self.folder / "etc")
        )

    def start(self, unit: str) -> None:
        self.processes[unit] = self.stack.enter_context(
            running(
                shlex.split(self.adapted(start_line(unit))),
                cwd=self.folder,
                log=self.folder / f"{unit}.log",
                environment=self.environment,
            )
        )

    def ask(self, query: str, port: str = "3000") -> Any:
        """What GraphQL answers; None where nobody does yet."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports[port]}/graphql",
            data=json.dumps({"query": query}).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
                return json.load(answer)["data"]
        except OSError:
            return None

    def loaded(self, port: str = "3000") -> bool:
        """Whether the web server has our definitions."""
        said = self.ask(LOCATIONS, port)
        entries = said["workspaceOrError"]["locationEntries"] if said else []
        return [
            (entry["name"], (entry["locationOrLoadError"] or {}).get("__typename"))
            for entry in entries
        ] == [("lastfm_assets", "RepositoryLocation")]

    def healthy(self) -> bool:
        said = self.ask(HEALTH)
        every = said["instance"]["daemonHealth"]["allDaemonStatuses"] if said else []
        required = [one for one in every if one["required"]]
        return len(required) >= 4 and all(one["healthy"] for one in required)

    def run_status(self, run_id: str) -> str:
        said = self.ask(f'{{ runOrError(runId: "{run_id}") {{ ... on Run {{ status }} }} }}')
        return str(said["runOrError"]["status"]) if said else ""

    def ended(self, run_id: str) -> str:
        """How a run ends, once it does."""

        def end() -> str | None:
            status = self.run_status(run_id)
            return status if status in {"SUCCESS", "FAILURE", "CANCELED"} else None

        return str(wait("the run's end", end, 120, every=0.5, logs=self.said))

    def said(self) -> str:
        return "\n".join(f"{unit}: {one.said[-1500:]}" for unit, one in self.processes.items())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "etc").mkdir()
    environment = {
        "DAGSTER_HOME": str(folder / "dagster"),
        "LASTFM_STORE": str(folder / "store"),
        "LASTFM_SOURCE": "sample",
        "PATH": f"{BIN}:/usr/bin:/bin",
    }
    with ExitStack() as stack:
        ports = {name: free_port() for name in ("3000", "3001", "4000")}
        ours = Server(folder, ports, {}, environment, stack)
        workspace = ours.adapted((DOCS / "workspace.yaml").read_text())
        (folder / "etc" / "workspace.yaml").write_text(workspace)
        first = shlex.split(ours.adapted(line_of("lastfm-code.service", "ExecStartPre")))
        subprocess.run(first, check=True, env=os.environ | environment, cwd=folder)
        for unit in ("lastfm-code.service", "lastfm-daemon.service", "lastfm-web.service"):
            ours.start(unit)
        ours.start("lastfm-web-readonly.service")
        for port in ("3000", "3001"):
            wait(f"definitions on {port}", lambda at=port: ours.loaded(at), 150, logs=ours.said)
        wait("a healthy daemon", ours.healthy, 150, logs=ours.said)
        yield ours


class TestTheUnits:
    def test_are_taken_by_systemd(self, tmp_path: Path) -> None:
        if shutil.which("systemd-analyze") is None:
            pytest.skip("systemd-analyze is not installed")
        for unit in UNITS:
            text = unit.read_text().replace("/opt/lastfm/.venv/bin", str(BIN))
            (tmp_path / unit.name).write_text(text)
        names = [str(tmp_path / unit.name) for unit in UNITS]
        ended = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", *names],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
        about_ours = [line for line in ended.stderr.splitlines() if "lastfm" in line]
        assert about_ours == []
        assert ended.returncode == 0, ended.stderr

    def test_bind_to_loopback_and_give_nothing_away(self) -> None:
        assert len(UNITS) == 5
        for unit in UNITS:
            text = unit.read_text()
            assert "0.0.0.0" not in text  # noqa: S104
            assert "User=lastfm" in text
            for rule in ("NoNewPrivileges=true", "ProtectSystem=strict", "PrivateTmp=true"):
                assert rule in text


class TestTheServer:
    def test_is_reached_from_the_machine_itself_alone(self, server: Server) -> None:
        found = listening([process.popen.pid for process in server.processes.values()])
        assert {port for _, port in found} >= set(server.ports.values())
        assert {address for address, _ in found} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}

    def test_lets_operators_change_what_readers_cannot(self, server: Server) -> None:
        refused = server.ask(START_SCHEDULE, "3001")["startSchedule"]
        assert refused == {"__typename": "UnauthorizedError"}
        assert server.ask(LAUNCH, "3001")["launchRun"] == {"__typename": "UnauthorizedError"}
        taken = server.ask(START_SCHEDULE)["startSchedule"]
        assert taken["scheduleState"] == {"status": "RUNNING"}

    def test_survives_a_code_server_that_goes_and_comes_back(self, server: Server) -> None:
        unit = "lastfm-code.service"
        server.processes[unit].kill()
        wait("a loss that is noticed", lambda: not self._launched(server), 60)
        server.start(unit)
        run_id = wait("a run", lambda: self._launched(server), 120, every=1, logs=server.said)
        assert server.ended(run_id) == "SUCCESS", server.said()
        assert server.healthy()

    def test_notes_a_run_that_was_killed_and_tries_it_again(self, server: Server) -> None:
        leader = server.processes["lastfm-code.service"].popen.pid
        before = members(leader)
        run_id = wait("a run", lambda: self._launched(server), 60, every=1)
        started = {"STARTING", "STARTED"}
        wait("its start", lambda: server.run_status(run_id) in started, 60, every=0.05)
        for process in wait("its process", lambda: members(leader) - before, 30, every=0.05):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        assert server.ended(run_id) == "FAILURE"
        retries = f"""{{ runsOrError(filter: {{tags: [{{key: "dagster/parent_run_id",
          value: "{run_id}"}}]}}) {{ ... on Runs {{ results {{ runId }} }} }} }}"""
        (again,) = wait(
            "another try",
            lambda: server.ask(retries)["runsOrError"]["results"],
            90,
            every=1,
            logs=server.said,
        )
        assert server.ended(again["runId"]) == "SUCCESS"

    def test_is_switched_by_the_commands_of_the_page(self, server: Server) -> None:
        """As README.md here has operators do it."""

        def dagster(*arguments: str) -> str:
            workspace = str(server.folder / "etc" / "workspace.yaml")
            ended = subprocess.run(
                [str(BIN / "dagster"), *arguments, "-w", workspace],
                capture_output=True,
                text=True,
                check=False,
                env=os.environ | dict(server.environment),
                cwd=server.folder,
            )
            assert ended.returncode == 0, ended.stderr
            return ended.stdout

        dagster("schedule", "stop", "daily_refresh")
        assert "daily_refresh [STOPPED]" in dagster("schedule", "list")
        dagster("schedule", "start", "daily_refresh")
        assert "daily_refresh [RUNNING]" in dagster("schedule", "list")

    @staticmethod
    def _launched(server: Server) -> str | None:
        said = server.ask(LAUNCH)
        launched = said["launchRun"] if said else {}
        return launched["run"]["runId"] if "run" in launched else None

    def test_shows_the_runs_of_the_command_line(self, server: Server) -> None:
        ran = run_command(
            *("refresh", "--select", "raw"),
            home=Path(server.environment["DAGSTER_HOME"]),
            store=Path(server.environment["LASTFM_STORE"]),
            LASTFM_SOURCE="sample",
        )
        assert ran.code == 0, ran.err
        said = server.ask(
            "{ runsOrError(limit: 1) { ... on Runs { results { jobName status } } } }"
        )
        assert said["runsOrError"]["results"] == [{"jobName": "refresh", "status": "SUCCESS"}]


@dataclasses.dataclass
class Proxy:
    """The proxy in front of a server."""

    https: int
    trusts: ssl.SSLContext

    def ask(
        self,
        path: str = "/server_info",
        *,
        host: str = "lastfm.example.org",
        body: str = "",
        **headers: str,
    ) -> tuple[int, dict[str, str]]:
        """Status and headers of an answer."""
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.https}{path}",
            data=body.encode() or None,
            headers={"Host": host} | {name.replace("_", "-"): is_ for name, is_ in headers.items()},
        )
        try:
            with urllib.request.urlopen(request, timeout=20, context=self.trusts) as answer:  # noqa: S310
                return answer.status, dict(answer.headers)
        except urllib.error.HTTPError as answer:
            answer.close()
            return answer.code, dict(answer.headers)


LOGIN = {"Authorization": "Basic " + base64.b64encode(b"ada:right word").decode()}
READ = "lastfm-read.example.org"


@pytest.fixture(scope="module")
def proxy(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    if NGINX is None:
        pytest.skip("nginx is not installed")
    folder = tmp_path_factory.mktemp("nginx")
    etc = server.folder / "etc"
    (etc / "tls").mkdir()
    certificate, _ = make_certificate(etc / "tls")
    hashed = subprocess.run(
        ["openssl", "passwd", "-apr1", "right word"],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    )
    (etc / "operators.htpasswd").write_text(f"ada:{hashed.stdout}")
    https, http = free_port(), free_port()
    text = server.adapted((DOCS / "nginx.conf").read_text())
    text = text.replace("listen 443", f"listen 127.0.0.1:{https}")
    text = text.replace("listen 80", f"listen 127.0.0.1:{http}")
    places = "\n".join(
        f"  {name}_temp_path {folder / name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"pid {folder / 'pid'};\nerror_log {folder / 'error.log'};\nuser root;\nevents {{}}\n"
        f"http {{\n  access_log off;\n{places}\n{text}\n}}\n"
    )
    command = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    with running(command, cwd=folder, log=folder / "out.log", environment={}) as process:
        ours = Proxy(https, ssl.create_default_context(cafile=str(certificate)))

        def answers() -> bool:
            try:
                return ours.ask()[0] == 401
            except OSError:
                return False

        wait(f"nginx\n{process.said}", answers, 20)
        yield ours


class TestTheProxy:
    def test_asks_operators_for_a_password(self, proxy: Proxy) -> None:
        wrong = {"Authorization": "Basic " + base64.b64encode(b"ada:wrong").decode()}
        assert proxy.ask()[0] == 401
        assert proxy.ask(**wrong)[0] == 401
        assert proxy.ask(**LOGIN)[0] == 200

    def test_lets_readers_in_and_lets_them_change_nothing(self, proxy: Proxy) -> None:
        assert proxy.ask(host=READ)[0] == 200
        json_body = {"Content_Type": "application/json"}
        report = "/report_asset_materialization/raw/artists"
        assert proxy.ask(report, host=READ, body="{}", **json_body)[0] == 401
        assert proxy.ask(report, body="{}", **json_body, **LOGIN)[0] == 200

    def test_refuses_what_another_page_sends(self, proxy: Proxy) -> None:
        query = json.dumps({"query": HEALTH})
        json_body = {"Content_Type": "application/json"}
        here = "https://lastfm.example.org"
        taken = proxy.ask("/graphql", body=query, Origin=here, **json_body, **LOGIN)
        foreign = proxy.ask("/graphql", body=query, Origin="https://evil.org", **json_body, **LOGIN)
        assert (taken[0], foreign[0]) == (200, 403)
        assert proxy.ask("/graphql?query=%7B__typename%7D", **LOGIN)[0] == 405

    def test_forbids_frames(self, proxy: Proxy) -> None:
        for headers in (proxy.ask(**LOGIN)[1], proxy.ask()[1], proxy.ask(host=READ)[1]):
            assert headers["X-Frame-Options"] == "DENY"
            assert headers["X-Content-Type-Options"] == "nosniff"

    def test_lets_a_log_be_followed(self, proxy: Proxy) -> None:
        """GraphQL subscriptions are WebSockets: the proxy hands the upgrade on."""
        status, headers = upgraded(proxy, Origin="https://lastfm.example.org", **LOGIN)
        assert status == 101, headers
        assert upgraded(proxy, Origin="https://evil.org", **LOGIN)[0] == 403
        assert upgraded(proxy, Origin="https://lastfm.example.org")[0] == 401


def upgraded(proxy: Proxy, **headers: str) -> tuple[int, str]:
    """Status of an answer to a request for a WebSocket."""
    asked = {
        "Host": "lastfm.example.org",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(b"0123456789abcdef").decode(),
        "Sec-WebSocket-Protocol": "graphql-ws",
    } | headers
    lines = [f"{name}: {value}" for name, value in asked.items()]
    with (
        socket.create_connection(("127.0.0.1", proxy.https), timeout=20) as raw,
        proxy.trusts.wrap_socket(raw, server_hostname="127.0.0.1") as sock,
    ):
        sock.sendall("\r\n".join(["GET /graphql HTTP/1.1", *lines, "", ""]).encode())
        started = time.monotonic()
        said = b""
        while b"\r\n\r\n" not in said and time.monotonic() - started < 20:
            part = sock.recv(4096)
            if not part:
                break
            said += part
    return int(said.split(b" ", 2)[1]), said.decode(errors="replace")
