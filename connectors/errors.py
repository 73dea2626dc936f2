"""Errors that only connectors raise, below the tree of `tongban.kernel.errors`."""

from __future__ import annotations

from tongban.kernel.errors import Fatal


class CertificateInvalid(Fatal):
    """The system's TLS certificate is expired, for another host, or of an unknown issuer."""

    code = "fatal.certificate_invalid"
