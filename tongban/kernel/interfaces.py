"""The closed vocabulary with which a system's YAML describes its interface.

Authentication, success layers, paging, windows and calls are data here; `connectors/`
gives them effect. A word that is not in this file cannot be written in a system's YAML, and
nothing here opens a socket or knows a department by name.

Text in calls may hold placeholders in braces; `{name?}` drops its key when there is no value:
    {since} {until}           the window's bounds in the window's format
    {page} {row} {cursor} {size}   where the next page starts and how long it is
    {after:FIELD}             the last row's value of a key field (key-set paging)
    {records} {batch_id}      the batch that is pushed; the id is the same for the same batch
    {record}                  the one record of a call with `batch: 1`, which may also use:
    {guid} {op} {version} {digest} {data}   one record of it (`"...": "{data}"` spreads its fields)
    {login} {secret:NAME} {timestamp} {nonce} {token}   our identity, in `auth` only
    {now:FORMAT}              the present moment, Asia/Shanghai
A mapping with the single key `$json` or `$xml` travels as text in that format.
"""

from __future__ import annotations

import codecs
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from tongban.kernel.budgets import Strict
from tongban.kernel.words import Words, as_tuple

Meaning = Literal["empty", "busy", "rate_limited", "authentication", "refused"]
"""What a code of the department's means to us: no rows, try later, pause, identity, refusal."""


class Layer(Strict):
    """One success layer: optionally open a part of the answer, then check a code in it.

    Attributes:
        open: Path of the part that the next layers and all record paths are relative to.
        read_as: How that part is written: an inner document, or text in JSON or XML.
        check: Path of the code, relative to the opened part; null for no check.
        equals: Codes that mean success.
        message: Path of the explanation; it is kept out of our messages, only its length is told.
        codes: Meaning of other codes; whatever is not listed is `refused`. `"": empty`: an answer
            without the code, such as `{}`, has no rows.
    """

    open: str | None = None
    read_as: Literal["document", "json", "xml"] = Field(default="document", alias="as")
    check: str | None = None
    equals: Words = ()
    message: str | None = None
    codes: dict[str, Meaning] = Field(default_factory=dict)


class SignedValues(Strict):
    """Where the values of a signature travel.

    Attributes:
        place: HTTP headers, fields of a form, query parameters, or parts of the SOAP message.
        values: Name to template; `{signature}` may stand only here.
    """

    place: Literal["headers", "form", "query", "message"] = Field(alias="in")
    values: dict[str, str]


class NoAuth(Strict):
    """The system asks for no identity."""

    kind: Literal["none"] = "none"


class Basic(Strict):
    """HTTP Basic with the connection's login and password."""

    kind: Literal["basic"]


class ApiKey(Strict):
    """A constant key in a header or in the query."""

    kind: Literal["api_key"]
    place: Literal["headers", "query"] = Field(default="headers", alias="in")
    name: str = "X-API-Key"
    secret: str = "password"  # noqa: S105 - names a field of the connection
    prefix: str = ""


class FieldsAuth(Strict):
    """Account and password as plain fields of every call, beside what it asks.

    Attributes:
        place: Parts of the message (SOAP, or a JSON or XML body), fields of a form, query, headers.
        values: Name to template of our identity, nested where the message is:
            {login} {secret:NAME} {timestamp} {nonce} {now:FORMAT}.
    """

    kind: Literal["fields"]
    place: Literal["message", "form", "query", "headers"] = Field(default="message", alias="in")
    values: dict[str, Any] = Field(min_length=1)


class WsSecurityUsername(Strict):
    """WS-Security UsernameToken in the SOAP header, with a fresh nonce and creation time.

    Attributes:
        password: How it travels.
        timestamp_s: Validity of a Timestamp beside the token; null for none.
        must_understand: The server must refuse the call when it does not know the header.
    """

    kind: Literal["ws_security_username"]
    password: Literal["digest", "text"] = "digest"  # noqa: S105 - a password type
    timestamp_s: float | None = Field(default=None, gt=0)
    must_understand: bool = False


class WsSecurityX509(Strict):
    """WS-Security X.509 signature (RSA-SHA256) over Body and Timestamp of the envelope.

    Attributes:
        key: Field of the connection with the private key's file, or the key itself, in PEM.
        certificate: Field of the connection with our certificate's file, or itself, in PEM.
        timestamp_s: Validity of the Timestamp.
        sign: What is signed beside Body and Timestamp, where it is there.
        must_understand: The server must refuse the call when it does not know the header.
        verify: Answers must be signed too, over their Body, by the server's certificate.
        server_certificate: Field of the connection with that certificate.
    """

    kind: Literal["ws_security_x509"]
    key: str = "private_key_file"
    certificate: str = "certificate_file"
    timestamp_s: float = Field(default=300.0, gt=0)
    sign: tuple[Literal["username_token", "certificate"], ...] = ()
    must_understand: bool = False
    verify: bool = False
    server_certificate: str = "server_certificate_file"


class Signed(Strict):
    """A hash or signature over a canonical text that is declared here.

    Attributes:
        algorithm: Plain hash, keyed hash, or RSA PKCS#1 v1.5 signature.
        key: Field of the connection with the secret or, for RSA, with the key file's path.
        text: Template of the canonical text. Beside the identity: {method} {path} {query} (sorted,
            RFC 3986), {body_sha256} {body_sm3} (lower hex), {form} (sorted name=value joined by &,
            without `unsigned`).
        unsigned: Form fields that {form} leaves out.
        encoding: How the result is written.
        timestamp: Format of {timestamp}.
        send: Where identity, timestamp, nonce and signature travel.
    """

    kind: Literal["signed"]
    algorithm: Literal["sha256", "sm3", "md5", "hmac_sha256", "hmac_sha1", "hmac_sm3", "rsa_sha256"]
    key: str | None = None
    text: str
    unsigned: tuple[str, ...] = ()
    encoding: Literal["hex", "HEX", "base64"] = "hex"
    timestamp: str = "epoch_ms"
    nonce_length: int = Field(default=32, ge=8, le=64)
    send: SignedValues


class OAuth2ClientCredentials(Strict):
    """OAuth2 client credentials; the token is renewed before its end, and once after a 401."""

    kind: Literal["oauth2_client_credentials"]
    token_path: str
    client_in: Literal["basic", "form"] = "basic"
    scope: str | None = None
    refresh_before_s: float = Field(default=5.0, ge=0)


Auth = Annotated[
    NoAuth
    | Basic
    | ApiKey
    | FieldsAuth
    | WsSecurityUsername
    | WsSecurityX509
    | Signed
    | OAuth2ClientCredentials,
    Field(discriminator="kind"),
]


Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _inside(name: str) -> str:
    if name.startswith("/") or ".." in name.split("/") or "\\" in name:
        raise ValueError("a pinned file stands below connectors/wsdl/; name it from there")
    return name


Pinned = Annotated[str, AfterValidator(_inside)]


class Soap(Strict):
    """A pinned WSDL and how to speak it; the address comes from the connection.

    Attributes:
        wsdl: File below connectors/wsdl/.
        sha256: Lower hex digest of that file; another digest stops every call.
        imports: Files that it imports, below the same folder, with their digests.
        locations: What the WSDL calls an import → name of the pinned file, where they differ.
        version: SOAP version of the envelope.
        service: Service of the WSDL, when it has several.
        port: Port of that service, when it has several.
        fault_code: Path of the department's own code below a fault's detail; `faults` maps it.
        headers: SOAP headers of every request: `{namespace}Name` → content, a mapping of elements
            of the same namespace (`@name` is an attribute) or a text. Beside constants: the
            placeholders of our identity ({login} {secret:NAME} {timestamp} {nonce} {now:FORMAT}).
    """

    wsdl: Pinned
    sha256: Digest
    imports: dict[Pinned, Digest] = Field(default_factory=dict)
    locations: dict[str, Pinned] = Field(default_factory=dict)
    version: Literal["1.1", "1.2"] = "1.1"
    service: str | None = None
    port: str | None = None
    fault_code: str | None = None
    headers: dict[str, Any] = Field(default_factory=dict)


class Csv(Strict):
    """How a table of text is written.

    Attributes:
        delimiter: Between two cells.
        header: Names of the columns where the table does not begin with them.
    """

    delimiter: str = Field(default=",", min_length=1, max_length=1)
    header: tuple[str, ...] = ()


class Interface(Strict):
    """One way into a system: path, charset, identity, success layers.

    Attributes:
        path: Joined to the connection's base URL; calls add their own path to it.
        charset: Of requests and answers; answers are decoded strictly, whatever they claim.
        headers: Constant headers.
        auth: Applied in order; usually one.
        success: Layers from the outside in.
        statuses: HTTP status to meaning where the system uses them on purpose.
        faults: SOAP fault code or subcode, with or without prefix, to meaning.
        soap: The WSDL when this is a SOAP service.
        answers: Format of REST answers; `auto` tells JSON from XML by the first letter. NDJSON and
            CSV have no envelope: `records` is "" and a total can only come by `header:NAME`. A
            JSON document in their place is read through the success layers.
        csv: How CSV is written, in both directions.
    """

    path: str = ""
    charset: str = "utf-8"
    headers: dict[str, str] = Field(default_factory=dict)
    auth: Annotated[tuple[Auth, ...], BeforeValidator(as_tuple)] = ()
    success: tuple[Layer, ...] = ()
    statuses: dict[int, Meaning] = Field(default_factory=dict)
    faults: dict[str, Meaning] = Field(default_factory=dict)
    soap: Soap | None = None
    answers: Literal["auto", "json", "xml", "ndjson", "csv"] = "auto"
    csv: Csv = Csv()

    @field_validator("charset")
    @classmethod
    def _known_charset(cls, value: str) -> str:
        try:
            codecs.lookup(value)
        except LookupError:
            raise ValueError(f"unknown charset {value!r}; expected UTF-8, GB18030, GBK …") from None
        return value


class Call(Strict):
    """One request of a system.

    Attributes:
        interface: Name below `interfaces`; may be left out when there is only one.
        operation: SOAP operation.
        method: HTTP method (REST).
        path: Added to the interface's path.
        query: Query parameters.
        form: Fields of an urlencoded body.
        body: JSON document, or the parts of the SOAP message.
        headers: Headers of this call, such as `Idempotency-Key: "{batch_id}"`.
        send_as: How a REST body is written. XML: its only key is the root element. NDJSON and CSV:
            its only key holds the list of records. MTOM (SOAP): base64 values travel as parts.
    """

    interface: str | None = None
    operation: str | None = None
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    path: str = ""
    query: dict[str, Any] = Field(default_factory=dict)
    form: dict[str, Any] = Field(default_factory=dict)
    body: dict[str, Any] | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    send_as: Literal["json", "xml", "ndjson", "csv", "mtom"] = "json"
