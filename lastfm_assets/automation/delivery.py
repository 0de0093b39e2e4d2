"""Takes a message to a webhook or a mail server, in bounded time and without telling secrets."""

import contextlib
import json
import re
import smtplib
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from lastfm_assets.errors import BadInputError, LastfmAssetsError, UnavailableError
from lastfm_assets.sources.urls import LOOPBACK, has_cut_password, request_for

SECONDS: Final = 10.0
"""How long one channel may take, name look-up, pauses and repeated tries included."""
PAUSES: Final = (0.5, 1.5)
"""Seconds before the second and the third try."""
_PORTS: Final = {"smtp": 587, "smtps": 465}
_ADDRESS: Final = re.compile(r"[^\s@,;:<>()\[\]\\\"]+@[^\s@,;:<>()\[\]\\\"]+")


@dataclass(frozen=True, slots=True)
class Mail:
    """A plain text message."""

    subject: str
    text: str


def post(url: str, body: Mapping[str, Any], *, seconds: float = SECONDS) -> None:
    """Posts JSON to a webhook; a redirect is not followed, as it may lead anywhere.

    Raises:
        BadInputError: the URL cannot be used, or the server will never take this message.
        UnavailableError: it was not taken within `seconds`, or not in three tries.
    """
    shown = shown_host(url, "LASTFM_ALERT_WEBHOOK")
    request = request_for(url)  # user and password travel in a header
    request.add_header("Content-Type", "application/json")
    request.data = json.dumps(body).encode()
    is_local = urlsplit(url).hostname in LOOPBACK
    proxies = [urllib.request.ProxyHandler({})] if is_local else []
    opener = urllib.request.build_opener(_NoRedirect, *proxies)
    _bounded(lambda left: _post_once(opener, request, shown, left), shown, seconds)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _post_once(
    opener: urllib.request.OpenerDirector,
    request: urllib.request.Request,
    shown: str,
    seconds: float,
) -> None:
    try:
        with opener.open(request, timeout=seconds):
            return
    except urllib.error.HTTPError as answer:
        answer.close()
        said = f"{shown} answered {answer.code}"
        if answer.code >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.code in {
            HTTPStatus.TOO_MANY_REQUESTS,
            HTTPStatus.REQUEST_TIMEOUT,
        }:
            raise UnavailableError(said) from None
        if answer.code < HTTPStatus.BAD_REQUEST:
            said += ", a redirect, which is not followed"
        raise BadInputError(f"{said}; correct LASTFM_ALERT_WEBHOOK") from None
    except urllib.error.URLError as problem:
        raise UnavailableError(f"{shown}: {_kind(problem.reason)}") from None
    except Exception as problem:  # noqa: BLE001 (http.client has many, some repeat the URL)
        raise UnavailableError(f"{shown}: {_kind(problem)}") from None


def send(url: str, recipients: Sequence[str], mail: Mail, *, seconds: float = SECONDS) -> None:
    """Sends a mail; encrypted wherever the server can, and always where a password is sent.

    Args:
        url: `smtps://` (TLS from the start, port 465) or `smtp://` (STARTTLS where offered, port
            587), with user and password percent-encoded; `?from=` names another sender.
        recipients: addresses.
        mail: what to send.
        seconds: how long all of it may take.

    Raises:
        BadInputError: URL or addresses cannot be used, or the server refuses them for good.
        UnavailableError: the server did not take it within `seconds`, or not in three tries.
    """
    shown = shown_host(url, "LASTFM_SMTP_URL")
    parts = urlsplit(url)
    sender = parse_qs(parts.query).get("from", [unquote(parts.username or "")])[0]
    if not _ADDRESS.fullmatch(sender):
        sender = f"lastfm-assets@{parts.hostname}"
    for address in [*recipients, sender]:
        if not _ADDRESS.fullmatch(address):
            raise BadInputError(
                f"{address!r} is not an e-mail address; correct LASTFM_ALERT_EMAIL, addresses "
                "are parted by commas"
            )
    message = EmailMessage()
    message["Subject"] = " ".join(mail.subject.split())
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain="lastfm-assets.invalid")  # spares a name look-up
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    _bounded(lambda left: _send_once(parts, message, shown, left), shown, seconds)


def _send_once(parts: SplitResult, message: EmailMessage, shown: str, seconds: float) -> None:
    try:
        server = _connection(parts, seconds)
        try:
            _log_in(server, parts, shown)
            server.send_message(message)
            with contextlib.suppress(
                Exception
            ):  # taken is taken: no second mail for a lost goodbye
                server.quit()
        finally:
            server.close()
    except LastfmAssetsError:
        raise
    except smtplib.SMTPAuthenticationError:
        raise BadInputError(
            f"{shown} does not take user and password; correct LASTFM_SMTP_URL"
        ) from None
    except smtplib.SMTPResponseException as answer:
        for_good = answer.smtp_code >= HTTPStatus.INTERNAL_SERVER_ERROR  # 5xx in SMTP: never
        kind = BadInputError if for_good else UnavailableError
        raise kind(f"{shown} answered {answer.smtp_code}") from None
    except smtplib.SMTPRecipientsRefused as refused:
        raise BadInputError(
            f"{shown} takes none of {len(refused.recipients)} recipients; correct "
            "LASTFM_ALERT_EMAIL"
        ) from None
    except Exception as problem:  # noqa: BLE001 (ssl, socket and smtplib have many)
        raise UnavailableError(f"{shown}: {_kind(problem)}") from None


def _connection(parts: SplitResult, seconds: float) -> smtplib.SMTP:
    host, port = str(parts.hostname), parts.port or _PORTS[parts.scheme]
    if parts.scheme == "smtps":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(
            host, port, local_hostname="lastfm-assets", timeout=seconds, context=context
        )
    return smtplib.SMTP(host, port, local_hostname="lastfm-assets", timeout=seconds)


def _log_in(server: smtplib.SMTP, parts: SplitResult, shown: str) -> None:
    server.ehlo()
    encrypted = parts.scheme == "smtps"
    if not encrypted and server.has_extn("starttls"):
        server.starttls(context=ssl.create_default_context())
        server.ehlo()
        encrypted = True
    if parts.username is None:
        return
    if not encrypted:
        raise BadInputError(
            f"{shown} offers no encryption (STARTTLS), so that the password would be readable on "
            "its way; use smtps:// in LASTFM_SMTP_URL"
        )
    server.login(unquote(parts.username), unquote(parts.password or ""))


def shown_host(url: str, variable: str) -> str:
    """Scheme and host of a secret URL, which is all that may be told of it.

    Raises:
        BadInputError: it has no host or no valid port.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadInputError(f"{variable} is set, but cannot be read as a URL") from None
    if has_cut_password(parts._replace(query="") if "from" in parse_qs(parts.query) else parts):
        raise BadInputError(
            f"{variable} is set, but has an @ behind its host; write %2F, %3F, %23, %40 for / ? # "
            "@ in a password or a path"
        )
    if not parts.hostname or not parts.hostname.isprintable() or " " in parts.hostname:
        raise BadInputError(f"{variable} is set, but names no host; expected scheme://host/...")
    return f"{parts.scheme}://{parts.hostname}" + (f":{port}" if port else "")


def _bounded(attempt: Callable[[float], None], shown: str, seconds: float) -> None:
    """Tries up to three times, and gives up when `seconds` have passed, whatever hangs.

    The tries run in a thread of their own: a timeout of the socket starts anew with every byte,
    and the look-up of a name has none.
    """
    ended: list[LastfmAssetsError | None] = []
    deadline = time.monotonic() + seconds

    def tries() -> None:
        problem: LastfmAssetsError | None = None
        for pause in (0.0, *PAUSES):
            time.sleep(pause)
            left = deadline - time.monotonic()
            if left <= 0:
                break
            try:
                attempt(left)
            except UnavailableError as passing:
                problem = passing
            except LastfmAssetsError as lasting:
                problem = lasting
                break
            else:
                problem = None
                break
        ended.append(problem)

    worker = threading.Thread(target=tries, daemon=True, name="alert")
    worker.start()
    worker.join(seconds)
    if not ended:
        raise UnavailableError(f"{shown} did not answer within {seconds:g} s")
    if ended[0] is not None:
        raise ended[0]


def _kind(problem: object) -> str:
    """What went wrong in words that hold nothing of a URL."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return "its certificate is not trusted"
    if isinstance(problem, ssl.SSLError):
        return "no encrypted connection could be made"
    if isinstance(problem, TimeoutError):
        return "it did not answer in time"
    if isinstance(problem, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(problem, socket.gaierror):
        return "no such host is known"
    return f"the connection failed ({type(problem).__name__})"
