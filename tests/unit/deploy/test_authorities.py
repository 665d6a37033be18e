"""The certificate authorities of a build: one file each, found by name."""

from __future__ import annotations

import os
import shutil
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from studysync.aws import cold_start
from tools.package_authorities import AUTHORITIES, write_authorities


@pytest.mark.skipif(shutil.which("openssl") is None, reason="builds have the bundle where there is no openssl")
def test_an_authority_is_found_by_its_name(tmp_path: Path) -> None:
    """OpenSSL verifies a server with the folder alone, and every certificate of a bundle is in it."""
    authority, key = _certificate("An  Authority Ä", None)
    server, server_key = _certificate("api.test", (authority, key))
    bundle = tmp_path / "bundle.pem"
    others = Path(certifi.where()).read_text(encoding="utf-8").split("\n# Issuer:")[:9]
    bundle.write_text("\n".join([*others, authority.public_bytes(Encoding.PEM).decode()]), encoding="utf-8")
    found = write_authorities(bundle, tmp_path / "found")
    assert found == len(list((tmp_path / "found").iterdir())) == bundle.read_text().count("BEGIN CERTIFICATE")

    chain = tmp_path / "server.pem"
    pem = server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain.write_bytes(pem + server.public_bytes(Encoding.PEM))
    assert _handshake(chain, ssl.create_default_context(capath=tmp_path / "found"))
    assert not _handshake(chain, ssl.create_default_context(cafile=certifi.where()))


def test_functions_look_where_builds_put_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A process with an authorities folder beside `studysync` uses it, unless a bundle is configured."""
    folder = tmp_path / AUTHORITIES
    folder.mkdir(parents=True)
    monkeypatch.setattr(cold_start, "__file__", str(tmp_path / "studysync" / "aws" / "cold_start.py"))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/own.pem")
    cold_start.use_bundled_certificates()
    assert "SSL_CERT_DIR" not in os.environ
    monkeypatch.delenv("SSL_CERT_FILE")
    cold_start.use_bundled_certificates()
    assert os.environ.pop("SSL_CERT_DIR") == str(folder)


# What newer versions of Python and OpenSSL require in certificates.
_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


def _authority_key(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _certificate(
    name: str, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(
            issuer[0].subject if issuer else subject, subject, key.public_key(), x509.random_serial_number()
        )
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_authority_key(issuer[1] if issuer else key), critical=False)
    )
    if issuer is None:
        usage = dict.fromkeys(_USAGES, False) | {"key_cert_sign": True, "crl_sign": True}
        builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
    else:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


def _handshake(server: Path, client: ssl.SSLContext) -> bool:
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(server)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname="api.test")
    theirs = served.wrap_bio(to_server, to_client, server_side=True)
    for side in (ours, theirs, ours, theirs):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError:
            return False
    return True
