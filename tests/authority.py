"""A certificate authority for tests: certificates as they should be, and each of the ways in which they are not."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Authority:
    """`root` is the file of its own certificate; `issue` returns a file with key, certificate and what vouches for it.

    `through` is an intermediate of this authority's, which stands in the files of what it issues.
    """

    folder: Path
    name: str = "Test Root"
    through: Authority | None = None
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        above = self.through
        issuer, signer = (above.certificate.subject, above.key) if above else (_name(self.name), self.key)
        self.certificate = self._sign(_name(self.name), self.key, issuer, signer, -1, 3650, is_authority=True)
        self.root = self.folder / f"{self.name.replace(' ', '-').lower()}.pem"
        self.root.write_bytes(_pem(self.certificate))

    def intermediate(self) -> Authority:
        return Authority(self.folder, "Test Intermediate", through=self)

    def issue(self, *names: str, valid: tuple[float, float] = (-1, 90), file: str = "") -> Path:
        """A certificate made out to these names and addresses; `valid` from and until so many days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(names[0] if names else "nobody")
        made = self._sign(subject, key, self.certificate.subject, self.key, *valid, names=names)
        path = self.folder / f"{file or '-'.join(names).replace('*', 'any').replace(':', '_') or 'nobody'}.pem"
        chain = [_pem(self.certificate)] if self.through else []
        path.write_bytes(b"".join([_key(key), _pem(made), *chain]))
        return path

    @staticmethod
    def _sign(
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        issuer: x509.Name,
        signer: ec.EllipticCurvePrivateKey,
        start: float,
        end: float,
        names: tuple[str, ...] = (),
        *,
        is_authority: bool = False,
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        day = dt.timedelta(days=1)
        serial = x509.random_serial_number()
        builder = x509.CertificateBuilder(
            issuer, subject, key.public_key(), serial, now + start * day, now + end * day
        ).add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_general, names))), critical=False)
        return builder.sign(signer, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
