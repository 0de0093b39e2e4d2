"""Which URLs may be fetched, how they are shown, and where a server may send us on to."""

import base64
import http.client
import threading
import urllib.request
from typing import IO, Any, Final
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from lastfm_assets.errors import BadInputError
from lastfm_assets.sources.hetrec import one_line

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
"""The machine itself: the one host that may be asked without encryption."""


def checked_url(url: str) -> SplitResult:
    """The parts of a URL that may be fetched.

    Raises:
        BadInputError: it is neither https nor http on this machine itself, has no host, or may
            have a part of its password elsewhere.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BadInputError(
            "the URL cannot be read, expected https://host/archive.zip; correct LASTFM_SOURCE"
        ) from None
    if has_cut_password(parts):
        raise BadInputError(
            "the URL has an @ behind its host, as where a password holds one of / ? #; write "
            "%2F, %3F, %23 for these, and %40 for that @, in LASTFM_SOURCE"
        )
    if not host or parts.scheme not in {"https", "http"}:
        raise BadInputError(
            f"{one_line(parts.scheme)}://{one_line(host)} was found, expected "
            "https://host/archive.zip; correct LASTFM_SOURCE"
        )
    if parts.scheme == "http" and host not in LOOPBACK:
        raise BadInputError(
            f"{shown_url(url)} is not encrypted, expected https (http is for 127.0.0.1 alone); "
            "correct LASTFM_SOURCE"
        )
    return parts


def has_cut_password(parts: SplitResult) -> bool:
    """Whether an @ stands behind the host: a / ? # in a password ends the host before it.

    What was left of the password would be asked for, and shown, as a host, a port or a path.
    """
    return any("@" in part for part in (parts.path, parts.query, parts.fragment))


def shown_url(url: str) -> str:
    """A URL without user, password, query and fragment, which may hold secrets."""
    parts = urlsplit(url)
    return one_line(urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", "")))


def opener_for(url: str) -> urllib.request.OpenerDirector:
    """What opens a URL: by the machine's proxy settings, but not to reach the machine itself."""
    is_local = urlsplit(url).hostname in LOOPBACK
    proxies = [urllib.request.ProxyHandler({})] if is_local else []
    return urllib.request.build_opener(_SameHostOnly, *proxies)


def request_for(url: str) -> urllib.request.Request:
    """The request for a URL; its user and password travel in a header, not in the address."""
    parts = urlsplit(url)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="")
    headers = {"User-Agent": "lastfm-assets", "Accept-Encoding": "identity"}
    if parts.username is not None:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(secret).decode()
    return urllib.request.Request(bare.geturl(), headers=headers)  # noqa: S310 (checked_url)


def answer_to(
    request: urllib.request.Request, *, answer_seconds: float, silence_seconds: float
) -> http.client.HTTPResponse:
    """A server's answer, within the time allowed for it even if the name's look-up hangs.

    Args:
        request: see `request_for`.
        answer_seconds: for all that comes before the answer's content; a server that sends a byte
            of its headers now and then is never silent.
        silence_seconds: between two pieces, those of the content included.

    Raises:
        TimeoutError: it was not there in time.
        OSError, http.client.HTTPException, UnicodeError: the request failed, as urllib tells it.
        BadInputError: the server sends us to where the user did not choose to go.
    """
    outcome: list[http.client.HTTPResponse | BaseException] = []
    is_late = threading.Event()

    def ask() -> None:
        try:
            response = opener_for(request.full_url).open(request, timeout=silence_seconds)
        except BaseException as problem:  # noqa: BLE001 (raised again by the caller)
            outcome.append(problem)
        else:
            outcome.append(response)
            if is_late.is_set():
                response.close()

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(answer_seconds)
    if not outcome:
        is_late.set()
        raise TimeoutError(f"no answer within {answer_seconds:g} seconds")
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


class _SameHostOnly(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to where the user already chose to go."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The request to follow a redirect with, or a refusal."""
        try:
            _check_redirect(req.full_url, newurl)
        except BadInputError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_redirect(url: str, new_url: str) -> None:
    old, new = urlsplit(url), checked_url(new_url)
    is_upgrade = (old.scheme, new.scheme) == ("http", "https")
    is_same = is_upgrade or (old.scheme, old.port) == (new.scheme, new.port)
    if old.hostname != new.hostname or not is_same:
        raise BadInputError(
            f"{shown_url(url)} redirects to {shown_url(new_url)}; expected to stay on one host; "
            "set LASTFM_SOURCE to the final URL if you trust it"
        )
