"""Errors that only connectors raise, below the tree of `tongban.kernel.errors`."""

from __future__ import annotations

from tongban.kernel.errors import AnswerUnreadable, Fatal


class CertificateInvalid(Fatal):
    """The system's TLS certificate is expired, for another host, or of an unknown issuer."""

    code = "fatal.certificate_invalid"


class AnswerCharsetWrong(AnswerUnreadable):
    """The answer's bytes do not fit the declared charset."""

    code = "fatal.answer_charset_wrong"


class AnswerNotXml(AnswerUnreadable):
    """The answer is cut or otherwise no well-formed XML, or is nested too deep."""

    code = "fatal.answer_not_xml"


class AnswerHasDtd(AnswerUnreadable):
    """The answer carries a DTD, and with it perhaps entities that grow; it was not parsed."""

    code = "fatal.answer_has_dtd"


class AnswerTooLarge(AnswerUnreadable):
    """The answer is larger than the budget allows; only its head was read and kept.

    Attributes:
        head: First bytes, for the evidence; they do not travel with a pickled error.
    """

    code = "fatal.answer_too_large"
    head: bytes = b""


class AnswerIsWebPage(AnswerUnreadable):
    """A web page came instead of an answer: maintenance, a proxy, or a wrong path."""

    code = "fatal.answer_is_web_page"


class AnswerNoEnvelope(AnswerUnreadable):
    """The answer is XML but no SOAP envelope with something in its Body."""

    code = "fatal.answer_no_envelope"


class AnswerReferencesBroken(AnswerUnreadable):
    """References inside the answer (href, attachment) lead nowhere, in circles, or grow it."""

    code = "fatal.answer_references_broken"


class AnswerSignatureWrong(AnswerUnreadable):
    """The answer's XML signature is missing, does not verify, or leaves the Body out."""

    code = "fatal.answer_signature_wrong"
