"""Errors that only connectors raise, below the tree of `tongban.kernel.errors`."""

from __future__ import annotations

from tongban.kernel.errors import AnswerUnreadable, AuthenticationRefused, Fatal, PagingBroken


class CertificateInvalid(Fatal):
    """The system's TLS certificate is expired, for another host, or of an unknown issuer."""

    code = "fatal.certificate_invalid"


class CertificateExpired(CertificateInvalid):
    """The system's TLS certificate has ended, or is not valid yet."""

    code = "fatal.certificate_expired"


class CertificateUntrusted(CertificateInvalid):
    """The system's TLS certificate comes from an issuer that we do not know."""

    code = "fatal.certificate_untrusted"


class CertificateOfAnotherHost(CertificateInvalid):
    """The system's TLS certificate is for another host name or address."""

    code = "fatal.certificate_of_another_host"


class OurCertificateRefused(AuthenticationRefused):
    """The system wants a client certificate, and refuses ours or misses it."""

    code = "fatal.our_certificate_refused"


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


class AnswerNotJson(AnswerUnreadable):
    """The answer is cut or otherwise no valid JSON (NDJSON: one of its lines is not)."""

    code = "fatal.answer_not_json"


class AnswerNamesRepeated(AnswerUnreadable):
    """One record has two fields, or one table two columns, of the same name; which one counts?"""

    code = "fatal.answer_names_repeated"


class AnswerNotTable(AnswerUnreadable):
    """The answer is no CSV table: no header, a row of another width, a quote that never ends."""

    code = "fatal.answer_not_table"


class AnswerListMissing(AnswerUnreadable):
    """The list of records is not where it was, and the answer does not look like "no rows"."""

    code = "fatal.answer_list_missing"


class AnswerCountInvalid(AnswerUnreadable):
    """A count in the answer is negative, or no whole number."""

    code = "fatal.answer_count_invalid"


class AnswersMissing(AnswerUnreadable):
    """Not every question of a compare has exactly one answer."""

    code = "fatal.answers_missing"


class AnswerCodeUnknown(AnswerUnreadable):
    """The answer to a compare is a code that the system's YAML does not list."""

    code = "fatal.answer_code_unknown"


class PagingNeverStill(PagingBroken):
    """The list moved during each reading, so that no reading is known to be complete."""

    code = "fatal.paging_never_still"


class PagingRepeats(PagingBroken):
    """A page, cursor or key came a second time; following it would never end."""

    code = "fatal.paging_repeats"


class RowsMissing(PagingBroken):
    """All pages together have fewer rows than the source declares."""

    code = "fatal.rows_missing"


class PageShort(PagingBroken):
    """A page has another number of rows than it declares itself."""

    code = "fatal.page_short"


class TotalChanged(PagingBroken):
    """The declared total of a list that should stand still changed while it was read."""

    code = "fatal.total_changed"


class WindowTooFull(PagingBroken):
    """The shortest window that can be asked has as many rows as the source gives at most."""

    code = "fatal.window_too_full"


class LinkLeavesHost(PagingBroken):
    """The link to the next page leads to another host, where our identity must not go."""

    code = "fatal.link_leaves_host"
