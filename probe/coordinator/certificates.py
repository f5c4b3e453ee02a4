"""Certificates as they came, in DER form, made readable. They are strangers' bytes: whatever they are, this ends."""

from __future__ import annotations

import warnings
from functools import lru_cache
from hashlib import sha256

from cryptography import x509

from probe.model.certificate import Certificate
from probe.text import printable

_MOST_NAMES, _LONGEST = 100, 253


@lru_cache(maxsize=4096)
def read(der: bytes) -> Certificate:
    fingerprint = sha256(der).hexdigest()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd about it is its server's affair
            return _read(der, fingerprint)
    except Exception as error:  # noqa: BLE001  (an odd certificate may provoke any of a library's errors)
        problem = printable(f"{type(error).__name__}: {error}")[:120]
        return Certificate(fingerprint=fingerprint, problem=problem)


def _read(der: bytes, fingerprint: str) -> Certificate:
    certificate = x509.load_der_x509_certificate(der)
    return Certificate(
        subject=_shown(certificate.subject.rfc4514_string()),
        issuer=_shown(certificate.issuer.rfc4514_string()),
        names=_names(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        fingerprint=fingerprint,
    )


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    names = extension.value.get_values_for_type(x509.DNSName)
    addresses = extension.value.get_values_for_type(x509.IPAddress)
    return tuple(_shown(str(name)) for name in [*names, *addresses][:_MOST_NAMES])


def _shown(text: str) -> str:
    return printable(text[:_LONGEST])
