"""TLS over real sockets: certificates are verified both ways, old protocols only where declared."""

from __future__ import annotations

import ipaddress
import ssl
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connectors.errors import CertificateInvalid
from connectors.protocols.transport import LegacyTls
from tests.connectors.serving import read
from tongban.kernel.errors import SystemUnavailable


class Silent(BaseHTTPRequestHandler):
    """Answers one empty page."""

    def do_GET(self):
        """Answer."""
        body = b'{"rows":[]}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Stay silent."""


class Quiet(HTTPServer):
    """Does not print failed handshakes."""

    def handle_error(self, *_):
        """Stay silent."""


@contextmanager
def tls_serving(context):
    """Serve HTTPS until the block ends."""
    server = Quiet(("127.0.0.1", 0), Silent)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    """Make the office's certificate and key."""
    return self_signed(tmp_path_factory.mktemp("office"))


@pytest.fixture
def context(office):
    """Make the office's TLS settings."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*office)
    return made


def test_an_unknown_issuer_has_its_own_error_and_is_trusted_where_named(office, context):
    """Self-signed: refused before anything is sent; trusted when ca_file names it."""
    with tls_serving(context) as url:
        with pytest.raises(CertificateInvalid, match="certificate was refused"):
            read(url)
        assert 1 == len(read(url, extra={"ca_file": str(office[0])}))


def test_an_expired_certificate_has_its_own_error(tmp_path):
    """Also when its issuer is trusted."""
    certificate, key = self_signed(tmp_path, days=-1)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate, key)
    with tls_serving(made) as url, pytest.raises(CertificateInvalid):
        read(url, extra={"ca_file": str(certificate)})


def test_mutual_tls(office, context, tmp_path):
    """Without our certificate no handshake, with it an answer; the environment changes nothing."""
    certificate, key = self_signed(tmp_path)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificate)
    trust = {"ca_file": str(office[0])}
    ours = {"client_cert_file": str(certificate), "client_key_file": str(key)}
    with tls_serving(context) as url:
        with pytest.raises(SystemUnavailable):
            read(url, extra=trust)
        assert 1 == len(read(url, extra=trust | ours))


def test_old_protocols_need_a_declaration():
    """`tls: legacy` allows TLS 1.0 and still verifies certificates."""
    settings = LegacyTls().poolmanager.connection_pool_kw["ssl_context"]
    assert ssl.create_default_context().minimum_version > settings.minimum_version
    assert ssl.CERT_REQUIRED == settings.verify_mode


def self_signed(folder, days: int = 1):
    """Make a certificate for 127.0.0.1 that ends in so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, folder.name)])
    end = datetime.now(UTC) + timedelta(days=days)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(end - timedelta(days=9))
        .not_valid_after(end)
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "c.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "k.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "c.pem", folder / "k.pem"
