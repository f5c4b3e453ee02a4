"""The CA of one installation of portcheck, and the certificates it issues.

An agent's certificate may only serve and the coordinator's may only connect (extended key usage), so that TLS itself
refuses an agent that tries to command another. Keys are ECDSA P-256 and lie unencrypted in files of mode 0600.
"""

from __future__ import annotations

import ipaddress
import os
import re
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from probe.errors import UserError
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CA_LIFE = timedelta(days=3650)
LIFE = timedelta(days=397)
# Clocks differ a little: a certificate is good from an hour ago.
_BACKDATE = timedelta(hours=1)

_COORDINATOR = "coordinator"
_RESERVED = ("ca", _COORDINATOR)
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_LONGEST_COMMON_NAME = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A file that was made. `names` are what the certificate is made out to."""

    path: Path
    names: tuple[str, ...]
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Authority:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def init(folder: Path, *, force: bool = False) -> tuple[Issued, ...]:
    """Make the CA and the coordinator's identity, or only the latter where a CA exists already.

    Returns what was made, the identity last. `force` replaces both: whatever the old CA issued is void then.
    """
    ca, key, coordinator = (folder / name for name in ("ca.pem", "ca.key", "coordinator.pem"))
    with _speaking_plainly(folder):
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError
        # Only the last part of the path: a parent that is not there is more likely misspelt than meant.
        folder.mkdir(mode=0o700, exist_ok=True)
        has_ca, has_coordinator = ca.exists() or key.exists(), coordinator.exists()
    if has_ca and not force:
        if has_coordinator:
            raise UserError(
                f"{folder}: a CA is there already\n"
                f"  hint: `portcheck pki issue --dir {folder} NAME` makes an agent's certificate\n"
                f"  hint: to renew the coordinator's, remove {coordinator} and run this again\n"
                "  hint: --force makes a new CA; each agent then needs a new certificate"
            )
        return (_issue_coordinator(_load_authority(folder), coordinator, force=False),)
    if has_coordinator and not force:
        raise UserError(
            f"{coordinator}: is there already, but its CA is not\n  hint: move it away, or replace it with --force"
        )
    authority = _make_authority()
    _write(key, _pem(authority.key), 0o600, force=force)
    _write(ca, _pem(authority.certificate), 0o644, force=force)
    made = Issued(path=ca, names=(), until=authority.certificate.not_valid_after_utc)
    return (made, _issue_coordinator(authority, coordinator, force=force))


def issue(
    folder: Path, name: str, addresses: Sequence[str] = (), *, life: timedelta = LIFE, force: bool = False
) -> Issued:
    """Make NAME.pem for an agent, made out to its name and `addresses` (IP addresses or DNS names).

    Its life ends with the CA's at the latest.
    """
    if name.lower() in _RESERVED:
        raise UserError(
            f"{name!r} is taken: {folder / 'ca.pem'} and {folder / 'coordinator.pem'} are made by `portcheck pki init`"
        )
    names = _alternative_names(name, addresses)
    if life <= timedelta(0):
        raise UserError("--days: a certificate must be valid for at least 1 day")
    return _sign(
        _load_authority(folder), folder / f"{name}.pem", names, ExtendedKeyUsageOID.SERVER_AUTH, life, force=force
    )


def _issue_coordinator(authority: _Authority, path: Path, *, force: bool) -> Issued:
    return _sign(authority, path, (x509.DNSName(_COORDINATOR),), ExtendedKeyUsageOID.CLIENT_AUTH, LIFE, force=force)


def _make_authority() -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # Two installations' CAs have two names: a certificate of the wrong one is then called what it is.
    subject = _common_name(f"portcheck CA {identifier.digest.hex()[:8]}")
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    return _Authority(key=key, certificate=certificate)


def _sign(
    authority: _Authority,
    path: Path,
    names: Sequence[x509.GeneralName],
    usage: x509.ObjectIdentifier,
    life: timedelta,
    *,
    force: bool,
) -> Issued:
    """Make a key and its certificate, and write both with the CA's certificate into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    until = min(now + life, authority.certificate.not_valid_after_utc)
    shown = tuple(str(name.value) for name in names)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_common_name(shown[0]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(max(now - _BACKDATE, authority.certificate.not_valid_before_utc))
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    _write(path, _pem(key) + _pem(certificate) + _pem(authority.certificate), 0o600, force=force)
    return Issued(path=path, names=shown, until=certificate.not_valid_after_utc)


def _load_authority(folder: Path) -> _Authority:
    """The CA of this folder, if it can still issue."""
    ca, key_path = folder / "ca.pem", folder / "ca.key"
    with _speaking_plainly(folder):
        if not folder.is_dir():
            raise UserError(
                f"{folder}: there is no such directory\n"
                f"  hint: `portcheck pki init --dir {folder}` makes it, with a CA in it"
            )
        missing = [path for path in (ca, key_path) if not path.exists()]
        if len(missing) == 2:
            raise UserError(f"{folder}: there is no CA in it\n  hint: `portcheck pki init --dir {folder}` makes one")
        if missing:
            raise UserError(
                f"{missing[0]}: this part of the CA is not there; certificates are issued where both parts are\n"
                f"  hint: put it back, or make a new CA with `portcheck pki init --dir {folder} --force`"
            )
        if stat.S_IMODE(key_path.stat().st_mode) & 0o077:
            raise UserError(f"{key_path}: the CA's key, and others may read it\n  hint: chmod 600 {key_path}")
    try:
        with _speaking_plainly(ca):
            certificate = x509.load_pem_x509_certificate(ca.read_bytes())
    except ValueError:
        raise UserError(f"{ca}: this is no certificate in PEM form, or it is damaged") from None
    try:
        with _speaking_plainly(key_path):
            key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
    except (ValueError, TypeError):
        raise UserError(
            f"{key_path}: this is no private key in PEM form without a passphrase, or it is damaged"
        ) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise UserError(f"{key_path}: this is not the key of the certificate in {ca}")
    _check_authority(ca, certificate)
    return _Authority(key=key, certificate=certificate)


def _check_authority(path: Path, certificate: x509.Certificate) -> None:
    try:
        certificate.verify_directly_issued_by(certificate)
        may_issue = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (InvalidSignature, TypeError, ValueError, x509.ExtensionNotFound):
        may_issue = False
    if not may_issue:
        raise UserError(f"{path}: this is not the certificate of a CA of `portcheck pki init`")
    now = datetime.now(UTC)
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if ends <= now:
        raise UserError(
            f"{path}: the CA expired on {ends:%Y-%m-%d}\n"
            "  hint: `portcheck pki init --force` makes a new one; each agent then needs a new certificate"
        )
    if begins > now:
        raise UserError(
            f"{path}: the CA is valid only from {begins:%Y-%m-%d}; this machine's clock says {now:%Y-%m-%d}"
        )


def _alternative_names(name: str, addresses: Sequence[str]) -> tuple[x509.GeneralName, ...]:
    """Name first, then each address, none twice."""
    if not name:
        raise UserError("the agent's name is empty; take the host's name in the inventory")
    names = [
        _general_name(name, f"{printable(name)!r} cannot be an agent's name: it becomes a file's name and a DNS name")
    ]
    names += [
        _general_name(address, f"--address {printable(address)!r} is neither an IP address nor a DNS name")
        for address in addresses
    ]
    return tuple(dict.fromkeys(names))


def _general_name(text: str, complaint: str) -> x509.GeneralName:
    try:
        # A scope (fe80::1%eth0) means something on one machine only, and no certificate can hold it.
        return x509.IPAddress(ipaddress.ip_address(text if "%" not in text else ""))
    except ValueError:
        pass
    labels = text.split(".")
    # 10.0.0.300 is a slip, not a name: no top-level domain is a number.
    if (
        len(text) > 253
        or not all(_LABEL.fullmatch(label) for label in labels)
        or (len(labels) > 1 and labels[-1].isdigit())
    ):
        raise UserError(f"{complaint} (letters, digits, `-` and `_`, in parts of 63 at most, with dots between)")
    return x509.DNSName(text)


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:_LONGEST_COMMON_NAME])])


def _key_usage(*, certificates: bool) -> x509.KeyUsage:
    """What a key signs: certificates and revocations, or handshakes."""
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(value: ec.EllipticCurvePrivateKey | x509.Certificate) -> bytes:
    if isinstance(value, x509.Certificate):
        return value.public_bytes(serialization.Encoding.PEM)
    return value.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, mode: int, *, force: bool) -> None:
    """Make the file; one that is there stays, unless `force` replaces it at once and whole."""
    target = path.with_name(f".{path.name}.{os.getpid()}") if force else path
    with _speaking_plainly(path):
        # O_EXCL follows no link and opens nothing that somebody put there before us.
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, mode)
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            if force:
                target.replace(path)
        except BaseException:
            target.unlink(missing_ok=True)
            raise


@contextmanager
def _speaking_plainly(path: Path) -> Iterator[None]:
    """What the file system says, as a message with a way out."""
    try:
        yield
    except FileExistsError:
        raise UserError(f"{path}: is there already, and is never overwritten without --force") from None
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such directory: {path.parent}") from None
    except NotADirectoryError:
        raise UserError(f"{path}: a part of this path is a file, not a directory") from None
    except PermissionError:
        raise UserError(
            f"{path}: permission denied; run this as the user who owns {path.parent}, or name another --dir"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
