"""A certificate for the HTTPS stand-ins of one run.

The source is told its fingerprint, so nothing else can answer in the target's place.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

STAND_IN = "portcheck-stand-in"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfSigned:
    """`fingerprint` is the SHA-256 of the certificate's DER form, in lower-case hexadecimal without colons."""

    key_pem: bytes
    certificate_pem: bytes
    fingerprint: str


def make(name: str = STAND_IN) -> SelfSigned:
    """A fresh ECDSA P-256 key and a certificate of its own for `name`, good for a day; takes about a millisecond."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return SelfSigned(
        key_pem=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        certificate_pem=certificate.public_bytes(serialization.Encoding.PEM),
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
    )
