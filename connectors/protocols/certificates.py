"""Certificates: how TLS is spoken, and which of both sides' certificates was refused and why.

Reads what OpenSSL found out and verifies nothing itself. Old protocols and ciphers are allowed only
to the system whose YAML says so; certificates are always verified.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any, Literal

from urllib3.util.ssl_ import create_urllib3_context

from connectors.errors import (
    CertificateExpired,
    CertificateInvalid,
    CertificateOfAnotherHost,
    CertificateUntrusted,
    OurCertificateRefused,
)
from connectors.protocols.deadline import Watched
from tongban.kernel.errors import TongbanError

_CERTIFICATE_REQUEST = 13  # RFC 8446 section 4, RFC 5246 section 7.4
_LEGACY_RENEGOTIATION = 0x4  # SSL_OP_LEGACY_SERVER_CONNECT; not named by ssl before 3.12

# X509_V_ERR_* of OpenSSL, x509_vfy.h
_NOT_NOW = frozenset({9, 10})  # not yet valid, has expired
_OTHER_HOST = frozenset({62, 64})  # host name mismatch, address mismatch
_UNKNOWN_ISSUER = frozenset({2, 18, 19, 20, 21, 27})  # no issuer, self-signed, not trusted

# Alerts with which a server speaks about our certificate, RFC 8446 section 6.2
_ABOUT_OURS = (
    "CERTIFICATE_REQUIRED",
    "BAD_CERTIFICATE",
    "UNSUPPORTED_CERTIFICATE",
    "CERTIFICATE_REVOKED",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_UNKNOWN",
    "UNKNOWN_CA",
    "ACCESS_DENIED",
)


class Tls(Watched):
    """Speaks TLS 1.2 and newer, or down to 1.0 with old ciphers for `tls: legacy`.

    Attributes:
        was_asked: The server asked for our certificate in some handshake. Where it does not like
            what it gets, it may close before we can read its alert; then this is what we know.
    """

    def __init__(self, profile: Literal["modern", "legacy"], size: int) -> None:
        self._profile = profile
        self.was_asked = False
        super().__init__(pool_maxsize=size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make pools with our context; whom it trusts is set by the session."""
        context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
        if self._profile == "legacy":
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.set_ciphers("DEFAULT@SECLEVEL=0")
            context.options |= _LEGACY_RENEGOTIATION
        if hasattr(context, "_msg_callback"):
            setattr(context, "_msg_callback", self._listen)  # noqa: B010 - not in its type
        super().init_poolmanager(*args, ssl_context=context, **kwargs)

    def _listen(self, *message: Any) -> None:
        """Notice a CertificateRequest among the messages of a handshake."""
        if message[4] == _CERTIFICATE_REQUEST and message[1] == "read":
            self.was_asked = True


def tls_refusal(
    system: str, chain: Iterable[BaseException], *, was_asked: bool
) -> TongbanError | None:
    """Make the error for a refused certificate, or None when it was something else.

    Args:
        system: Whose server it is.
        chain: An exception with all its causes.
        was_asked: The server asked for our certificate.
    """
    for cause in chain:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _theirs(system, cause.verify_code)
        if isinstance(cause, ssl.SSLError) and _is_about_ours(cause, was_asked=was_asked):
            return OurCertificateRefused(
                f"{system}: the server refuses our client certificate, or misses it; check "
                "client_cert_file and client_key_file of the connection and when they end",
                system=system,
            )
    return None


def _is_about_ours(error: ssl.SSLError, *, was_asked: bool) -> bool:
    reason = error.reason or ""
    if "ALERT" in reason and reason.endswith(_ABOUT_OURS):
        return True
    closed = isinstance(error, ssl.SSLEOFError) or reason.endswith("HANDSHAKE_FAILURE")
    return was_asked and closed


def _theirs(system: str, code: int) -> CertificateInvalid:
    start = f"{system}: the server's TLS certificate was refused"
    if code in _NOT_NOW:
        return CertificateExpired(
            f"{start}: it has expired or is not valid yet; nothing was sent, the department must "
            "renew it",
            system=system,
        )
    if code in _OTHER_HOST:
        return CertificateOfAnotherHost(
            f"{start}: it is for another host; nothing was sent, correct the connection's address",
            system=system,
        )
    if code in _UNKNOWN_ISSUER:
        return CertificateUntrusted(
            f"{start}: its issuer is unknown; nothing was sent, name the issuer's certificate as "
            "ca_file in the connection",
            system=system,
        )
    return CertificateInvalid(
        f"{start} (reason {code} of OpenSSL); nothing was sent", system=system, reason=code
    )
