"""Who an agent or the coordinator is: one PEM file with key, certificate and CA, and the mutual TLS made of it.

Nothing here but the standard library: the node's side needs no `cryptography`.
"""

from __future__ import annotations

import os
import re
import ssl
import stat
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from probe.errors import UserError

_LARGEST = 64 * 1024
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
# OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python does not name. For the rehearsal only: `load` checks the time by
# itself, so that it can say since when.
_NO_CHECK_TIME = 0x200000
_WRONG_PURPOSE = 26  # X509_V_ERR_INVALID_PURPOSE


class IdentityError(UserError):
    """An identity file that cannot be used. The text names the file, what is wrong with it and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """An identity file that was read and found good.

    `authority` is the CA's certificate as PEM: the only one that a peer's certificate may come from. `names` are what
    the certificate is made out to (DNS names and addresses). An agent `serves`, the coordinator does not. `expires` is
    in seconds since the epoch.
    """

    path: str
    authority: str
    names: tuple[str, ...]
    serves: bool
    expires: float


def load(path: str | os.PathLike[str]) -> Identity:
    """Read an identity file. Raises IdentityError for whatever would make a peer refuse it."""
    shown = os.fspath(path)
    authority = _authority(shown, _read(shown))
    ca = _decoded(shown, authority)
    certificate, serves = _rehearse(shown, authority)
    _check_time(f"{shown}: the CA's certificate", ca)
    _check_time(f"{shown}: the certificate", certificate)
    return Identity(
        path=shown,
        authority=authority,
        names=tuple(value for kind, value in certificate.get("subjectAltName", ()) if kind in {"DNS", "IP Address"}),
        serves=serves,
        expires=ssl.cert_time_to_seconds(certificate["notAfter"]),
    )


def server_context(identity: Identity) -> ssl.SSLContext:
    """TLS for an agent: a client that shows no coordinator's certificate from the same CA is refused."""
    if not identity.serves:
        raise IdentityError(
            f"{identity.path}: this is the coordinator's identity; `portcheck pki issue` makes an agent's"
        )
    context = _context(ssl.PROTOCOL_TLS_SERVER, identity.path, identity.authority)
    # No resumption: each connection shows its certificate anew, so that one that has expired meanwhile is refused.
    context.num_tickets = 0
    return context


def client_context(identity: Identity) -> ssl.SSLContext:
    """TLS for the coordinator: the agent's certificate must be from the same CA and made out to the name dialled."""
    if identity.serves:
        names = ", ".join(identity.names)
        raise IdentityError(
            f"{identity.path}: this is the identity of an agent ({names});"
            " the coordinator's is the coordinator.pem that `portcheck pki init` makes"
        )
    return _context(ssl.PROTOCOL_TLS_CLIENT, identity.path, identity.authority)


def health_context(identity: Identity) -> ssl.SSLContext:
    """TLS from an agent to its own daemon, dialled as `identity.names[0]`, to see that it lives and is itself.

    It shows no certificate (an agent's may not connect), so a daemon completes no more than the handshake with it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=identity.authority)
    return context


def _read(path: str) -> str:
    """The file's text, if nobody but its owner can read it."""
    try:
        # O_NONBLOCK: a named pipe must not hold us up before fstat has told what it is.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise IdentityError(
            f"{path}: there is no such file\n"
            "  hint: `portcheck pki issue` makes an agent's identity, `portcheck pki init` the coordinator's"
        ) from None
    except OSError as error:
        raise IdentityError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        _check_kind(path, status)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(_LARGEST + 1)
        if b"PRIVATE KEY" in content:
            _check_mode(path, status)
    finally:
        os.close(descriptor)
    if len(content) > _LARGEST:
        raise IdentityError(f"{path}: this is no identity file: it is larger than {_LARGEST // 1024} KiB")
    try:
        return content.decode("ascii")
    except UnicodeDecodeError:
        raise IdentityError(f"{path}: this is no identity file: PEM is plain ASCII text") from None


def _check_kind(path: str, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IdentityError(f"{path}: this is a directory; name the identity file in it, NAME.pem or coordinator.pem")
    if not stat.S_ISREG(status.st_mode):
        raise IdentityError(f"{path}: this is no ordinary file")


def _check_mode(path: str, status: os.stat_result) -> None:
    # What root hands to a service (systemd credentials, Kubernetes secrets) comes through the group. Our own files
    # never need to.
    open_to_others = 0o077 if status.st_uid == os.geteuid() else 0o037
    if status.st_mode & open_to_others:
        raise IdentityError(
            f"{path}: holds a private key, and others may read or change it (mode {stat.S_IMODE(status.st_mode):04o})\n"
            f"  hint: chmod 600 {path}"
        )


def _authority(path: str, text: str) -> str:
    """The CA's part of the file, after checking that all three parts are there."""
    blocks = [(match[1], match[0]) for match in _BLOCK.finditer(text)]
    keys = [(label, block) for label, block in blocks if label.endswith("PRIVATE KEY")]
    certificates = [block for label, block in blocks if label == "CERTIFICATE"]
    if any("ENCRYPTED" in label or "ENCRYPTED" in block for label, block in keys):
        raise IdentityError(
            f"{path}: the private key is protected by a passphrase, which nobody is there to type; store it without"
        )
    for number, what in (
        (len(keys), "private key"),
        (len(certificates), "certificate"),
        (len(certificates) - 1, "certificate of the CA"),
    ):
        if number < 1:
            raise IdentityError(
                f"{path}: there is no {what} in it; an identity file holds key, certificate and the CA's certificate"
            )
    return "\n".join(certificates[1:]) + "\n"


def _context(protocol: int, path: str, authority: str) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority)
    try:
        # A passphrase is never asked for at a terminal.
        context.load_cert_chain(path, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise IdentityError(f"{path}: the private key does not belong to the certificate") from None
        raise IdentityError(f"{path}: the private key or the certificate is damaged ({_reason(error)})") from None
    except OSError as error:
        raise IdentityError(f"{path}: cannot be read: {error.strerror}") from None
    return context


def _decoded(path: str, authority: str) -> dict[str, Any]:
    """The CA's certificate, decoded."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=authority)
    except ssl.SSLError as error:
        raise IdentityError(f"{path}: the certificate of the CA is damaged ({_reason(error)})") from None
    decoded = context.get_ca_certs()
    if not decoded:
        raise IdentityError(f"{path}: the second certificate is not that of a CA; the order is key, certificate, CA")
    return decoded[0]


def _rehearse(path: str, authority: str) -> tuple[dict[str, Any], bool]:
    """Shake hands with ourselves, in memory, as a peer would with us.

    Returns the decoded certificate, and whether it may serve (if not, it may command).
    """
    for serves in (True, False):
        ends = [_context(side, path, authority) for side in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT)]
        server, client = ends
        client.check_hostname = False
        verifier = client if serves else server
        (server if serves else client).verify_mode = ssl.CERT_NONE
        verifier.verify_flags |= _NO_CHECK_TIME
        try:
            certificate = _shake_hands(server, client, verifier)
        except ssl.SSLCertVerificationError as error:
            if error.verify_code == _WRONG_PURPOSE:
                continue
            raise IdentityError(
                f"{path}: the certificate is not from the CA in the same file ({error.verify_message})"
            ) from None
        except ssl.SSLError as error:
            raise IdentityError(f"{path}: the certificate cannot be used ({_reason(error)})") from None
        return certificate, serves
    raise IdentityError(
        f"{path}: the certificate is for neither an agent nor a coordinator; `portcheck pki` makes both"
    )


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, verifier: ssl.SSLContext) -> dict[str, Any]:
    """The certificate that `verifier` was shown by the other side."""
    upstream, downstream = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(downstream, upstream), server.wrap_bio(upstream, downstream, server_side=True)]
    # TLS 1.3 takes three flights; a fourth turn lets both sides see the last.
    for _turn in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
    watching = ends[0] if verifier is client else ends[1]
    return dict(watching.getpeercert() or {})


def _check_time(what: str, certificate: dict[str, Any]) -> None:
    now = time.time()
    begins, ends = (ssl.cert_time_to_seconds(certificate[key]) for key in ("notBefore", "notAfter"))
    if now > ends:
        raise IdentityError(f"{what} has expired: it was valid until {_date(ends)}; issue a new one")
    if now < begins:
        raise IdentityError(f"{what} is valid only from {_date(begins)}; this machine's clock says {_date(now)}")


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "unreadable").replace("_", " ").lower()
