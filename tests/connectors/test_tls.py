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

from connectors.errors import (
    CertificateExpired,
    CertificateInvalid,
    CertificateOfAnotherHost,
    CertificateUntrusted,
    OurCertificateRefused,
)
from connectors.protocols.certificates import Tls
from tests.connectors.serving import read, rest_system
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


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """The authority that both sides trust."""
    return Authority(tmp_path_factory.mktemp("authority"))


def test_an_unknown_issuer_has_its_own_error_and_is_trusted_where_named(office, context):
    """Self-signed: refused before anything is sent; trusted when ca_file names it."""
    with tls_serving(context) as url:
        with pytest.raises(CertificateUntrusted, match="issuer is unknown"):
            read(url)
        assert 1 == len(read(url, extra={"ca_file": str(office[0])}))


def test_an_expired_certificate_has_its_own_error(tmp_path):
    """Also when its issuer is trusted."""
    certificate, key = self_signed(tmp_path, days=-1)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate, key)
    with tls_serving(made) as url, pytest.raises(CertificateExpired, match="expired"):
        read(url, extra={"ca_file": str(certificate)})


def test_a_certificate_of_another_host_has_its_own_error(tmp_path):
    """Its issuer is trusted, the address is not the one."""
    certificate, key = self_signed(tmp_path, address="127.0.0.2")
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate, key)
    with tls_serving(made) as url, pytest.raises(CertificateOfAnotherHost, match="another host"):
        read(url, extra={"ca_file": str(certificate)})


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_mutual_tls_with_an_authority_of_its_own(authority, tmp_path, version):
    """Ours from the right authority is let in; none, a wrong one and an expired one are not."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = made.maximum_version = version
    made.load_cert_chain(*authority.issue(tmp_path / "server"))
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_verify_locations(authority.certificate)
    stranger = Authority(tmp_path / "stranger")
    refused = {
        "none": {},
        "wrong authority": ours(*stranger.issue(tmp_path / "theirs")),
        "expired": ours(*authority.issue(tmp_path / "old", days=-1)),
    }
    trust = {"ca_file": str(authority.certificate)}
    with tls_serving(made) as url:
        good = ours(*authority.issue(tmp_path / "hub"))
        assert 1 == len(read(url, extra=trust | good))
        for name, extra in refused.items():
            with pytest.raises(OurCertificateRefused) as caught:
                read(url, extra=trust | extra)
            assert "client certificate" in str(caught.value), name


def test_the_servers_certificate_of_a_wrong_authority_is_refused(authority, tmp_path):
    """A chain that ends at an authority that the connection does not name."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*Authority(tmp_path / "other").issue(tmp_path / "server"))
    with tls_serving(made) as url, pytest.raises(CertificateUntrusted):
        read(url, extra={"ca_file": str(authority.certificate)})


def test_every_refused_certificate_has_a_code_of_its_own():
    """The operator sees the code first."""
    kinds = (
        CertificateInvalid,
        CertificateExpired,
        CertificateUntrusted,
        CertificateOfAnotherHost,
        OurCertificateRefused,
    )
    assert len(kinds) == len({kind.code for kind in kinds})


def test_the_environment_names_no_other_authority(office, context, monkeypatch):
    """REQUESTS_CA_BUNDLE of a shell must not decide whom the hub trusts."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(office[0]))
    with tls_serving(context) as url, pytest.raises(CertificateUntrusted):
        read(url)


def test_old_protocols_need_a_declaration():
    """`tls: legacy` allows TLS 1.0 and still verifies certificates."""
    old, new = (
        Tls(profile, 1).poolmanager.connection_pool_kw["ssl_context"]
        for profile in ("legacy", "modern")
    )
    assert ssl.TLSVersion.TLSv1_2 == new.minimum_version > old.minimum_version
    assert ssl.CERT_REQUIRED == old.verify_mode == new.verify_mode
    assert old.check_hostname
    assert new.check_hostname


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("profile", ["modern", "legacy"])
def test_an_old_server_is_reached_only_where_declared(office, context, profile):
    """A real TLS 1.1 handshake: refused by default, spoken with `tls: legacy`."""
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    system = rest_system(budget={"tls": profile})
    trust = {"ca_file": str(office[0])}
    with tls_serving(context) as url:
        if profile == "modern":
            with pytest.raises(SystemUnavailable, match="TLS handshake"):
                read(url, system, extra=trust)
        else:
            assert 1 == len(read(url, system, extra=trust))


def ours(certificate, key):
    """The connection's fields for a client certificate."""
    return {"client_cert_file": str(certificate), "client_key_file": str(key)}


def write_pair(folder, certificate, key):
    """Keep a certificate and its key as PEM files."""
    folder.mkdir(exist_ok=True)
    (folder / "c.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "k.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "c.pem", folder / "k.pem"


def named(text):
    """A subject."""
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def builder(subject, key, *, days, address="127.0.0.1"):
    """The part that every certificate here has in common."""
    end = datetime.now(UTC) + timedelta(days=days)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    return (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - timedelta(days=9))
        .not_valid_after(end)
        .add_extension(names, critical=False)
    )


def self_signed(folder, days: int = 1, address: str = "127.0.0.1"):
    """Make a certificate for an address that ends in so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = builder(folder.name, key, days=days, address=address).issuer_name(named(folder.name))
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return write_pair(folder, made.sign(key, hashes.SHA256()), key)


class Authority:
    """A certificate authority."""

    def __init__(self, folder):
        self.certificate, key_file = self_signed(folder if folder.exists() else made_folder(folder))
        self._name = folder.name
        self._key = serialization.load_pem_private_key(key_file.read_bytes(), None)

    def issue(self, folder, days: int = 1):
        """Issue a certificate for 127.0.0.1; gives its file and its key's file."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = builder(folder.name, key, days=days).issuer_name(named(self._name))
        made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        return write_pair(folder, made.sign(self._key, hashes.SHA256()), key)


def made_folder(folder):
    """Make a folder."""
    folder.mkdir()
    return folder
