"""Every error that Tongban raises on purpose, sorted by what the caller must do.

    TongbanError
    ├── RetryLater            the same call may succeed later; nothing was written
    │   ├── SystemUnavailable     no answer, or 5xx, before the request took effect
    │   ├── RateLimited           the system asked for a pause
    │   ├── OutsideBudget         the call is not allowed now (hours, rows, breaker)
    │   ├── DeliveryUnclear       the answer was lost; repeat with the same key
    │   ├── LeaseHeld             another worker holds this dataset
    │   └── DatabaseUnavailable   PostgreSQL did not answer
    ├── Fatal                 a person must change something first
    │   ├── ConfigInvalid         a YAML, contract, mapping or setting is wrong (file:line)
    │   ├── CredentialsMissing    no connection of that name, or a field of it is missing
    │   ├── AuthenticationRefused the system knows us not
    │   ├── InterfaceChanged      WSDL hash or interface differs from the pinned one
    │   ├── AnswerUnreadable      charset, XML or JSON broken, or an HTML page; page kept
    │   ├── SystemRefused         the system's own error code
    │   ├── PagingBroken          repeated cursor, short page, shifting total
    │   ├── UnexpectedlyEmpty     zero rows where there are never zero
    │   ├── BatchRefused          dirty limit passed or structural drift; nothing written
    │   ├── FencedOff             a newer worker took this lease over
    │   ├── KeyUnknown            an envelope names a key that is not in the ring
    │   ├── EnvelopeBroken        a ciphertext was changed or belongs elsewhere
    │   ├── EvidenceBroken        the log's chain does not verify
    │   ├── PortTaken             another process listens on a port that we need
    │   └── StackBroken           PostgreSQL, sandbox or Airflow did not start
    └── RowRejected           this row only; the batch goes on

Messages say who or where, what happened (expected against found, never a field's value) and
what to do. `context` carries ids, counts and paths; never a field's value. Errors pickle.
"""

from __future__ import annotations

from typing import ClassVar


class TongbanError(Exception):
    """Root of every error we raise on purpose; `code` is stable, documented and unique."""

    code: ClassVar[str] = "tongban.error"

    def __init__(self, message: str = "", /, **context: object) -> None:
        super().__init__(message)
        self.context = context

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with the context, since errors cross Airflow's process border."""
        return (_rebuild, (type(self), self.args, self.context))


def _rebuild(
    kind: type[TongbanError], args: tuple[str, ...], context: dict[str, object]
) -> TongbanError:
    """Make the error again on the other side of a process border."""
    return kind(*args, **context)


class RetryLater(TongbanError):
    """The same call may succeed later; nothing was written."""

    code = "retry.later"


class SystemUnavailable(RetryLater):
    """The system did not answer, or answered 5xx, before our request took effect."""

    code = "retry.system_unavailable"


class RateLimited(RetryLater):
    """The system asked us to pause; `context["retry_after_s"]` says how long when it said so."""

    code = "retry.rate_limited"


class OutsideBudget(RetryLater):
    """The system's budget (hours, rate, rows, breaker) forbids the call now."""

    code = "retry.outside_budget"


class DeliveryUnclear(RetryLater):
    """The request may have taken effect but the answer was lost; repeat with the same key."""

    code = "retry.delivery_unclear"


class LeaseHeld(RetryLater):
    """Another worker holds the lease of this system and dataset."""

    code = "retry.lease_held"


class DatabaseUnavailable(RetryLater):
    """PostgreSQL did not answer or closed the connection; the transaction left nothing."""

    code = "retry.database_unavailable"


class Fatal(TongbanError):
    """A person must change something first; trying again alone cannot help."""

    code = "fatal"


class ConfigInvalid(Fatal):
    """A YAML file, a contract, a mapping or a setting is wrong; the message has file:line."""

    code = "fatal.config_invalid"


class CredentialsMissing(Fatal):
    """There is no connection of that name, or a field that the protocol needs is missing."""

    code = "fatal.credentials_missing"


class AuthenticationRefused(Fatal):
    """The system refused our identity (password, signature, certificate, clock)."""

    code = "fatal.authentication_refused"


class InterfaceChanged(Fatal):
    """The interface differs from the pinned description (WSDL hash, unknown operation)."""

    code = "fatal.interface_changed"


class AnswerUnreadable(Fatal):
    """The answer is not what its protocol says: wrong charset, broken XML or JSON, an HTML page."""

    code = "fatal.answer_unreadable"


class SystemRefused(Fatal):
    """The system understood us and answered with an error code of its own."""

    code = "fatal.system_refused"


class PagingBroken(Fatal):
    """Pages repeat a cursor, are shorter than declared, or their total cannot be reached."""

    code = "fatal.paging_broken"


class UnexpectedlyEmpty(Fatal):
    """Zero rows came where the catalog says that there are never zero."""

    code = "fatal.unexpectedly_empty"


class BatchRefused(Fatal):
    """The batch passed its dirty limit or drifted in structure; nothing of it was written."""

    code = "fatal.batch_refused"


class FencedOff(Fatal):
    """A newer worker took the lease over; this one must not write any more."""

    code = "fatal.fenced_off"


class KeyUnknown(Fatal):
    """An envelope names a key id that the key ring does not hold."""

    code = "fatal.key_unknown"


class EnvelopeBroken(Fatal):
    """A ciphertext was changed, cut, or belongs to another dataset, field or record."""

    code = "fatal.envelope_broken"


class EvidenceBroken(Fatal):
    """The evidence log does not verify: an entry was changed, dropped or reordered."""

    code = "fatal.evidence_broken"


class PortTaken(Fatal):
    """Another process listens on a port that we need."""

    code = "fatal.port_taken"


class StackBroken(Fatal):
    """A process of the local stack did not start; the message names its log file."""

    code = "fatal.stack_broken"


class RowRejected(TongbanError):
    """This row only; the batch goes on."""

    code = "row.rejected"
