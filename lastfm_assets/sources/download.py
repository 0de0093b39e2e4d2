"""One file from a URL, which arrives whole and checked or not at all."""

import hashlib
import http.client
import os
import ssl
import time
import urllib.error
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any, Final, Literal

from lastfm_assets.durable import beside
from lastfm_assets.errors import BadInputError, SourceUnavailableError
from lastfm_assets.sources.hetrec import one_line
from lastfm_assets.sources.urls import answer_to, checked_url, request_for, shown_url

OnProgress = Callable[[int, int | None], None]
"""Told the bytes that are there and the bytes that there will be (None: not announced)."""

MOST_BYTES: Final = 2 << 30
"""The largest public listening archive (Last.fm-360K) has 0.6 GiB."""
_BUSY: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server may take, and how often it is asked."""

    tries: int = 4
    answer_seconds: float = 20.0
    """From the look-up of its name to the first byte of its answer."""
    silence_seconds: float = 30.0
    """Between two pieces of its answer."""
    whole_seconds: float = 7200.0
    """For the whole file, further tries included: a server that sends a byte now and then is
    never silent, and would hold the night's run for ever."""
    pause_seconds: float = 1.0
    """Before the second try; doubled before each further one."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a file's content must hash to."""

    algorithm: Literal["md5", "sha256"]
    digest: str
    """Lower case hex."""


class _Passing(Exception):  # noqa: N818 (not an error yet: a later try may succeed)
    """A failure that another try may not meet."""


def fits(path: Path, checksum: Checksum) -> bool:
    """Whether a file's content has the checksum."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, _hasher(checksum)).hexdigest() == checksum.digest


def download(
    url: str,
    target: Path,
    *,
    checksum: Checksum | None = None,
    accept: Callable[[Path], object] = lambda path: path,
    on_progress: OnProgress = lambda done, total: None,  # noqa: ARG005
    patience: Patience = Patience(),
) -> None:
    """Fetches a URL to a file that appears, whole, in one step; a failure leaves it as it was.

    Args:
        url: https, or http on this machine; `user:password@` is sent as basic authorisation.
        target: the file; its folder is made where it is missing.
        checksum: what the content must fit.
        accept: looks at the whole file before it gets its name, and raises to refuse it.
        on_progress: told after each piece.
        patience: time limits and tries; network errors, cut answers and 5xx are tried again.

    Raises:
        SourceUnavailableError: the server could not be reached or kept failing.
        BadInputError: the URL is refused, or what it answers (404, too long, wrong checksum).
    """
    checked_url(url)
    try:
        with beside(target) as folder:  # which removes what killed downloads have left
            part = folder / target.name
            with part.open("xb") as file:
                _fetch(url, file, on_progress, patience)
            if checksum and not fits(part, checksum):
                raise BadInputError(
                    f"{shown_url(url)}: the file's {checksum.algorithm} is not the expected "
                    f"{checksum.digest}; fetch it by hand and compare, or correct the checksum"
                )
            accept(part)
            part.replace(target)
    except OSError as problem:
        raise _unwritable(target, problem) from None


def _fetch(url: str, file: IO[bytes], on_progress: OnProgress, patience: Patience) -> None:
    """Tries until the whole answer is in the file, on disk."""
    problem = ""
    deadline = time.monotonic() + patience.whole_seconds
    for attempt in range(patience.tries):
        if attempt:
            time.sleep(patience.pause_seconds * 2 ** (attempt - 1))
        file.seek(0)
        file.truncate()
        try:
            _try(url, file, on_progress, patience, deadline)
        except _Passing as failure:
            problem = one_line(failure)
        else:
            file.flush()
            os.fsync(file.fileno())
            return
    raise SourceUnavailableError(
        f"{shown_url(url)} could not be fetched in {patience.tries} tries ({problem}); check the "
        "network and try again, or fetch it elsewhere and set LASTFM_SOURCE to the file"
    )


def _try(
    url: str, file: IO[bytes], on_progress: OnProgress, patience: Patience, deadline: float
) -> None:
    with _answer(url, patience) as response:
        announced = response.headers.get("Content-Length", "")
        # Python reads no number of 4,301 digits, and 20 are too many for any file
        total = int(announced.lstrip("0")[:20] or 0) if announced.isdecimal() else None
        done = 0
        while True:
            if max(done, total or 0) > MOST_BYTES:
                raise BadInputError(
                    f"{shown_url(url)} is longer than {MOST_BYTES >> 30} GiB, expected an archive "
                    "of listening files; check the URL"
                )
            try:
                chunk = response.read1(_CHUNK)  # whatever there is, to look at the clock
            except (OSError, http.client.HTTPException) as problem:
                raise _Passing(f"the answer broke off: {_told(problem)}") from None
            if not chunk:
                break
            file.write(chunk)
            done += len(chunk)
            if time.monotonic() > deadline:
                raise SourceUnavailableError(
                    f"{shown_url(url)} was given up after {patience.whole_seconds:g} seconds and "
                    f"{done} bytes; try again, or fetch it elsewhere and set LASTFM_SOURCE to the "
                    "file"
                )
            on_progress(done, total)
    if total is not None and done != total:
        raise _Passing(f"the answer broke off after {done} of {total} bytes")


def _answer(url: str, patience: Patience) -> http.client.HTTPResponse:
    """The server's answer, or what its failure means."""
    try:
        return answer_to(
            request_for(url),
            answer_seconds=patience.answer_seconds,
            silence_seconds=patience.silence_seconds,
        )
    except (OSError, http.client.HTTPException, UnicodeError) as problem:
        raise _judged(url, problem) from None


def _judged(url: str, problem: BaseException) -> BaseException:
    """What a failed request means: try again, give up, or correct the URL."""
    if isinstance(problem, urllib.error.HTTPError):
        problem.close()
        if problem.code >= HTTPStatus.INTERNAL_SERVER_ERROR or problem.code in _BUSY:
            return _Passing(f"the server answered {problem.code}")
        return BadInputError(
            f"{shown_url(url)}: the server answered {problem.code}, expected the file; check the "
            "URL in LASTFM_SOURCE"
        )
    reason = problem.reason if isinstance(problem, urllib.error.URLError) else problem
    if isinstance(reason, ssl.SSLCertVerificationError):
        return SourceUnavailableError(
            f"{shown_url(url)}: the server's certificate is not trusted "
            f"({one_line(reason.verify_message)}); check the network, or fetch the file elsewhere "
            "and set LASTFM_SOURCE to it"
        )
    if isinstance(reason, (http.client.InvalidURL, UnicodeError)):
        return BadInputError(
            f"{shown_url(url)} has characters that no URL has, expected them as %20 and the like; "
            "correct LASTFM_SOURCE"
        )
    if isinstance(reason, (OSError, http.client.HTTPException, str)):
        return _Passing(_told(reason))
    return problem


def _told(problem: Exception | str) -> str:
    """A failure in words; some exceptions have no text of their own."""
    text = getattr(problem, "strerror", None) or str(problem)
    return one_line(text) or type(problem).__name__


def _hasher(checksum: Checksum) -> Callable[[], Any]:
    return lambda: hashlib.new(checksum.algorithm, usedforsecurity=False)


def _unwritable(target: Path, problem: OSError) -> BadInputError:
    return BadInputError(
        f"{one_line(target)} cannot be written ({one_line(problem.strerror or problem)}), expected "
        "a folder with room in it; make room, or correct its permissions"
    )
