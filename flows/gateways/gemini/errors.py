"""What goes wrong between us and Gemini, as errors of our own tree: one line each, the API key never in it.

What an answer says is read in `gemini.answers`; the calls themselves stand in `gemini.client`.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2

from assets.domain.errors import (
    GeminiAccessError,
    GeminiAmbiguousError,
    GeminiDownloadError,
    GeminiError,
    GeminiQuotaError,
    GeminiRefusedError,
    GeminiSpendingError,
    GeminiTransientError,
)
from flows.gateways.gemini.answers import AnsweredError
from flows.gateways.gemini.page_calls import CallError

MAX_MESSAGE_CHARACTERS = 300
_REFUSED_STATUS = frozenset({400, 413, 415, 422})
_ACCESS_STATUS = frozenset({401, 403, 404})
# A 400 that is about us and not about the request: taken for a refusal it would count against every record.
_ACCESS_WORDS = re.compile(
    r"api[ _-]?key|API_KEY_INVALID|location is not supported|user location|billing|PERMISSION_DENIED|credentials?\b",
    re.I,
)
# These only where Google speaks to people: in the details of an error they can stand for anything.
_ACCOUNT_WORDS = re.compile(r"\bprojects?\b|\bquotas?\b|\b(account|consumer)\b|\bsuspended\b|terms of service", re.I)
# Google's own spending limits. How it words them is not documented (facts of November 2026): these go by the words that
# its pages about them use, and only with a status that can mean a refusal to spend.
_SPENDING_STATUS = frozenset({400, 402, 403, 429})
_PREPAID_WORDS = re.compile(
    r"pre-?pa(y|id)|credit balance|(balance|credits?) (is|are|has|have) (empty|been|run|deplet)", re.I
)
_MONTHLY_WORDS = re.compile(
    r"until the (1st|first)|monthly (spend|spending|billing) ?(cap|limit)|paused.*spend|spend.*paused", re.I
)
_WINDOW_WORDS = re.compile(
    r"spend.*\b(10|ten)[ -]minute|\b(10|ten)[ -]minute.*spend|spend(ing)?[ -](rate[ -])?(limit|cap)", re.I
)
_PREPAID = "the prepaid balance is empty: add credit to the billing account in Google AI Studio, then run again"
_MONTHLY = (
    "the billing account's monthly cap is reached; Google pauses all projects until the 1st: wait, or have the cap "
    "raised in Google AI Studio"
)
_WINDOW = (
    "Google's spending limit of 10 minutes is reached: a later pass goes on by itself; limits.usd_per_10_minutes and "
    "limits.tier say how much is sent"
)
# Raised while the connection is made, before a byte of the request is written (httpcore's connect phase).
_NOTHING_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
# What comes of it when an answer with status 200 makes no sense: no JSON, no upload URL, no ``file``, "not
# finalized", an impossible value (pydantic's ValidationError is a ValueError).
_SENSELESS = (KeyError, TypeError, ValueError, AttributeError, IndexError)


class Translator:
    """Turns what a call raises into errors of ours. ``api_key``: what no message may hold."""

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key

    @contextmanager
    def call(self, doing: str) -> Iterator[None]:
        """For a call that may be made again: ``doing`` begins the message. Raises GeminiTransientError,
        GeminiRefusedError, GeminiAccessError, and GeminiError for any other 4xx."""
        with self._translated(doing, self._plain):
            yield

    @contextmanager
    def create(self, doing: str) -> Iterator[None]:
        """For the POST of a job. What is not certain is GeminiAmbiguousError. GeminiTransientError only if no
        connection was made: then no byte of the request was sent, so there can be no job."""
        with self._translated(doing, self._of_create):
            yield

    @contextmanager
    def generate(self, doing: str) -> Iterator[None]:
        """For a request that is answered at once, likewise: GeminiAmbiguousError where it may have been answered, and
        be billed."""
        with self._translated(doing, self._of_generate):
            yield

    @contextmanager
    def download(self, doing: str, received_bytes: Callable[[], int]) -> Iterator[None]:
        """For a download: GeminiDownloadError once the answer had begun."""

        def translate(doing: str, error: Exception) -> GeminiError:
            begun = received_bytes() > 0 or isinstance(error, httpx2.ReadError | httpx2.RemoteProtocolError)
            if begun and not isinstance(error, AnsweredError):
                return GeminiDownloadError(
                    f"{doing}: ended early after {received_bytes()} bytes ({self._said(error)}); trying again helps"
                )
            return self._plain(doing, error)

        with self._translated(doing, translate):
            yield

    @contextmanager
    def _translated(self, doing: str, translate: Callable[[str, Exception], GeminiError]) -> Iterator[None]:
        try:
            yield
        except (
            AnsweredError,
            CallError,
            httpx2.HTTPError,
            httpx2.InvalidURL,
            TimeoutError,
            *_SENSELESS,
        ) as error:
            # Not "from error": the key stands in the headers of the request that hangs on the exception.
            raise translate(doing, error) from None

    def _plain(self, doing: str, error: Exception) -> GeminiError:
        said = self._said(error)
        if not isinstance(error, AnsweredError):
            return GeminiTransientError(f"{doing}: {said}; trying again helps")
        status = error.code
        spending = self._of_spending(doing, error)
        if spending is not None and spending.needs_person:
            return spending
        message = f"{doing}: HTTP {status}, {said}"
        if status in (408, 429) or status >= 500 or status < 400 or _is_lost_upload(error):
            return GeminiTransientError(f"{message}; trying again helps", status=status)
        if status in _ACCESS_STATUS or (status == 400 and _is_of_the_account(error)):
            return GeminiAccessError(f"{message}; check GEMINI_API_KEY, its project, and the name", status=status)
        if status in _REFUSED_STATUS:
            return GeminiRefusedError(f"{message}; this request will never be taken as it is", status=status)
        return GeminiError(f"{message}; see Gemini's documentation of this status", status=status)

    def _of_create(self, doing: str, error: Exception) -> GeminiError:
        return self._of_post(doing, error, "nothing was created", "the job may exist, look for its display name")

    def _of_generate(self, doing: str, error: Exception) -> GeminiError:
        return self._of_post(doing, error, "nothing was answered", "it may have been answered, and be billed")

    def _of_post(self, doing: str, error: Exception, nothing: str, perhaps: str) -> GeminiError:
        if isinstance(error, _NOTHING_SENT):
            return GeminiTransientError(f"{doing}: no connection, nothing was sent ({self._said(error)})")
        if isinstance(error, AnsweredError) and (spending := self._of_spending(doing, error)) is not None:
            return spending
        if isinstance(error, AnsweredError) and error.code == 429:
            return GeminiQuotaError(f"{doing}: HTTP 429, {self._said(error)}; {nothing}", status=429)
        plain = self._plain(doing, error)
        if isinstance(plain, GeminiTransientError):
            status = f"HTTP {plain.status}, " if plain.status else ""
            return GeminiAmbiguousError(f"{doing}: {status}{self._said(error)}; {perhaps}", status=plain.status)
        return plain

    def _of_spending(self, doing: str, error: AnsweredError) -> GeminiSpendingError | None:
        """What it means if Google will not let the project spend. A limit of 10 minutes passes by itself, so that but
        for a create it is a 429 like any other."""
        said = str(error)
        if error.code not in _SPENDING_STATUS:
            return None
        about = f"HTTP {error.code}, {self._said(error)}"
        for words, meaning in ((_PREPAID_WORDS, _PREPAID), (_MONTHLY_WORDS, _MONTHLY)):
            if words.search(said):
                return GeminiSpendingError(f"{doing}: {meaning} ({about})", status=error.code, needs_person=True)
        if error.code == 429 and _WINDOW_WORDS.search(said):
            return GeminiSpendingError(f"{doing}: {_WINDOW} ({about})", status=429, needs_person=False)
        return None

    def redacted(self, text: str) -> str:
        """Without the key."""
        return text.replace(self._api_key, "[API key]")

    def _said(self, error: Exception) -> str:
        """What the error says, in one line of bounded length, without the key."""
        if isinstance(error, AnsweredError):
            text = str(error.message or error.status or "no message")
        elif isinstance(error, httpx2.TimeoutException | TimeoutError):
            text = f"no answer in time ({type(error).__name__})"
        elif isinstance(error, _SENSELESS):
            text = f"an answer that makes no sense ({type(error).__name__}: {error})"
        else:
            text = str(error) or type(error).__name__
        # Of a service, or of whatever stands between: it is shown in terminals.
        one_line = " ".join(self.redacted(text).split()).rstrip(".")
        text = "".join(each if each.isprintable() else "?" for each in one_line)
        return text if len(text) <= MAX_MESSAGE_CHARACTERS else text[: MAX_MESSAGE_CHARACTERS - 3] + "..."


def _is_of_the_account(error: AnsweredError) -> bool:
    return bool(_ACCESS_WORDS.search(str(error)) or _ACCOUNT_WORDS.search(f"{error.status} {error.message}"))


def _is_lost_upload(error: AnsweredError) -> bool:
    """Whether a chunk was refused because its upload session is gone: a fresh upload helps."""
    return error.is_of_chunk and error.code in (404, 409, 410, 412)
