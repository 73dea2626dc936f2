"""Transport: the only place that opens a socket to a department.

One `exchange` is one HTTP request inside the budget, with size cap and total deadline. Every
exception of requests, urllib3 and ssl becomes one of ours, sorted by whether the request can have
taken effect. No redirect is followed, no proxy or CA variable of the environment is obeyed.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from typing import Any

import requests
import urllib3

from connectors.budget import BudgetKeeper
from connectors.clock import Clock
from connectors.drafts import Answer, Draft
from connectors.errors import AnswerTooLarge
from connectors.protocols.certificates import Tls, tls_refusal
from connectors.protocols.deadline import Deadline, Watched
from connectors.protocols.unpacking import CODINGS, PackingBroken, Unpacking
from tongban.kernel.budgets import Budget
from tongban.kernel.connections import Connection
from tongban.kernel.errors import (
    AnswerUnreadable,
    ConfigInvalid,
    CredentialsMissing,
    DeliveryUnclear,
    RetryLater,
    SystemUnavailable,
)

_CHUNK_BYTES = 1 << 16
_MEGABYTE = 1 << 20
_HEAD_BYTES = 1 << 16  # of an answer that is too large, for the evidence
_NOT_SENT = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.NameResolutionError,
)


class Transport:
    """HTTP to one system, inside its budget."""

    def __init__(
        self, system: str, connection: Connection, keeper: BudgetKeeper, clock: Clock
    ) -> None:
        self.system = system
        self.keeper = keeper
        self._clock = clock
        self._connection = connection
        self._opened: requests.Session | None = None
        self._tls: Tls | None = None
        self.observer: Callable[[Draft, Answer], None] | None = None  # sees, changes nothing

    @property
    def budget(self) -> Budget:
        """The system's budget."""
        return self.keeper.budget

    def _session(self) -> requests.Session:
        """Make the session on the first call: opening a connector touches neither disk nor net."""
        if self._opened is not None:
            return self._opened
        session = requests.Session()
        session.trust_env = False
        session.headers["Accept-Encoding"] = "gzip, deflate"
        extra = self._connection.extra
        session.verify = str(extra["ca_file"]) if extra.get("ca_file") else True
        if extra.get("client_cert_file"):
            key = extra.get("client_key_file")
            certificate = str(extra["client_cert_file"])
            session.cert = (certificate, str(key)) if key else certificate
        size = max(self.budget.concurrent, 1)
        self._tls = Tls(self.budget.tls, size)
        session.mount("https://", self._tls)
        session.mount("http://", Watched(pool_maxsize=size, max_retries=0))
        self._opened = session
        return session

    def exchange(self, draft: Draft) -> Answer:
        """Send one request once and read its answer whole.

        Raises:
            OutsideBudget: Not allowed now; nothing was sent.
            SystemUnavailable: No answer, and nothing was changed there.
            DeliveryUnclear: The answer of a writing request was lost.
            AnswerUnreadable: The answer is larger than allowed, or its compression is broken.
            CertificateInvalid: The server's TLS certificate was refused.
        """
        with self.keeper.call() as seconds:
            try:
                answer = self._in_time(draft, seconds)
            except RetryLater:
                self.keeper.failed()
                raise
            if answer.status < 500:  # noqa: PLR2004 - HTTP
                self.keeper.succeeded()
            else:
                self.keeper.failed()
        if self.observer is not None:
            self.observer(draft, answer)
        return answer

    def _in_time(self, draft: Draft, seconds: float) -> Answer:
        """Send once; the call ends when its time is up, in the header or in the body."""
        answer: Answer | None = None
        with Deadline(seconds) as deadline:
            try:
                answer = self._once(draft, self._clock.monotonic() + seconds, seconds)
            except (RetryLater, AnswerUnreadable):
                if not deadline.is_over:
                    raise
        if answer is None or deadline.is_over:
            raise self._lost(draft, "the answer took longer than allowed")
        return answer

    def _once(self, draft: Draft, deadline: float, seconds: float) -> Answer:
        timeout = (
            min(self.budget.connect_timeout_s, seconds),
            min(self.budget.read_timeout_s, seconds),
        )
        try:
            with self._session().request(
                draft.method,
                draft.target,
                data=draft.body or None,
                headers=draft.headers,
                timeout=timeout,
                stream=True,
                allow_redirects=False,
            ) as response:
                self._check_coding(draft, response)
                body = b"".join(self._read(draft, response, deadline))
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, headers, body)
        except PackingBroken:
            raise AnswerUnreadable(
                f"{self.system}: {draft.what} answers with broken compression, or was cut off",
                system=self.system,
            ) from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as exc:
            raise self._mapped(draft, exc) from None  # foreign texts quote the URL with its query
        except OSError as exc:  # a certificate or key file of the connection
            raise CredentialsMissing(
                f"{self.system}: a certificate or key file of the connection cannot be read; "
                "check its path",
                system=self.system,
            ) from exc
        except (UnicodeError, ValueError):
            raise ConfigInvalid(
                f"{self.system}: {draft.what} has a header or URL that HTTP cannot carry",
                system=self.system,
            ) from None

    def _check_coding(self, draft: Draft, response: requests.Response) -> None:
        """Refuse a compression that nobody asked for and that is not undone."""
        unknown = [word for word in _codings(response) if word not in CODINGS]
        if unknown or len(_codings(response)) > 1:
            raise AnswerUnreadable(
                f"{self.system}: {draft.what} answers in a Content-Encoding that was not asked for "
                f"({len(unknown)} unknown, or several); ask the department for gzip or none",
                system=self.system,
            )

    def _read(self, draft: Draft, response: requests.Response, deadline: float) -> Iterator[bytes]:
        limit = int(self.budget.max_answer_mb * _MEGABYTE)
        declared = response.headers.get("Content-Length", "")
        size = 0
        head: list[bytes] = []
        if declared.isdigit() and int(declared) > limit:
            size = int(declared)
            head.append(next(_pieces(response), b"")[:_HEAD_BYTES])
        else:
            for chunk in _pieces(response):
                if size < _HEAD_BYTES:
                    head.append(chunk)
                size += len(chunk)
                if size > limit:
                    break
                if self._clock.monotonic() > deadline:
                    raise self._lost(draft, "the answer took longer than allowed")
                yield chunk
        if size > limit:
            error = AnswerTooLarge(
                f"{self.system}: {draft.what} answers with more than "
                f"{self.budget.max_answer_mb:g} MB; ask smaller pages or raise max_answer_mb",
                system=self.system,
                size=size,
            )
            error.head = b"".join(head)
            raise error

    def _mapped(self, draft: Draft, exc: Exception) -> Exception:
        """Sort a foreign exception by what the caller must do."""
        chain = list(_causes(exc))
        refused = tls_refusal(
            self.system, chain, was_asked=self._tls is not None and self._tls.was_asked
        )
        if refused is not None:
            return refused
        if _impossible(exc, chain):
            return ConfigInvalid(
                f"{self.system}: {draft.what} has an address or a header that HTTP cannot carry; "
                "correct base_url of the connection, or the declared headers",
                system=self.system,
            )
        not_sent = any(isinstance(cause, (*_NOT_SENT, ssl.SSLError)) for cause in chain)
        reason = _reason(exc, chain)
        return self._unavailable(draft, reason) if not_sent else self._lost(draft, reason)

    def _unavailable(self, draft: Draft, reason: str) -> SystemUnavailable:
        return SystemUnavailable(
            f"{self.system}: {draft.what}: {reason}; nothing was written, try again later",
            system=self.system,
        )

    def _lost(self, draft: Draft, reason: str) -> RetryLater:
        if not draft.writes:
            return self._unavailable(draft, reason)
        return DeliveryUnclear(
            f"{self.system}: {draft.what}: {reason} after the request was sent; it may have taken "
            "effect, send again with the same keys",
            system=self.system,
        )

    def close(self) -> None:
        """Close the pooled connections."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None


def _codings(response: requests.Response) -> list[str]:
    """Compressions of an answer, as its header names them."""
    said = response.headers.get("Content-Encoding", "").lower().replace(",", " ").split()
    return [word for word in said if word != "identity"]


def _pieces(response: requests.Response) -> Iterator[bytes]:
    """The body as it arrives, without its compression.

    Raises:
        PackingBroken: The compression is damaged or ends too early.
    """
    unpacking = Unpacking() if _codings(response) else None
    # read1 returns after one recv, so that a trickling answer meets its deadline
    for chunk in iter(lambda: response.raw.read1(_CHUNK_BYTES, decode_content=False), b""):
        yield from unpacking.feed(chunk) if unpacking else (chunk,)
    if unpacking:
        unpacking.end()


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    """Walk causes, contexts and the reasons that urllib3 wraps."""
    seen: set[int] = set()
    waiting: list[Any] = [exc]
    while waiting:
        cause = waiting.pop()
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        reason = getattr(cause, "reason", None)
        waiting += [cause.__cause__, cause.__context__, reason, *cause.args]


def _impossible(exc: Exception, chain: list[BaseException]) -> bool:
    """Tell whether the request itself cannot exist; a broken header of the answer is another."""
    if any(isinstance(cause, urllib3.exceptions.InvalidHeader) for cause in chain):
        return False
    kinds = (
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidHeader,
        requests.exceptions.InvalidSchema,
        requests.exceptions.MissingSchema,
        urllib3.exceptions.LocationValueError,
    )
    return isinstance(exc, kinds)


def _reason(exc: Exception, chain: list[BaseException]) -> str:
    """Say in our words what happened; foreign texts may quote a URL with its query."""
    if any(isinstance(cause, urllib3.exceptions.NameResolutionError) for cause in chain):
        return "the host name is unknown"
    if isinstance(exc, requests.exceptions.ConnectTimeout):
        return "no connection within the connect timeout"
    if any(isinstance(cause, urllib3.exceptions.NewConnectionError) for cause in chain):
        return "the host refuses the connection"
    if any(isinstance(cause, ssl.SSLError) for cause in chain):
        return "the TLS handshake failed"
    if isinstance(exc, requests.exceptions.Timeout) or any(
        isinstance(cause, urllib3.exceptions.ReadTimeoutError) for cause in chain
    ):
        return "no answer within the read timeout"
    return "the connection broke"
