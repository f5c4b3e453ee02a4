"""A certificate as people read it, and what is wrong with a handshake beside what a matrix demands. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

import msgspec

from probe.model.tls import VERSIONS, TlsDemand, TlsFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """`names` are those that it is made out to, DNS names and addresses (RFC 9525); `fingerprint` is the SHA-256 of its
    DER form in lower-case hexadecimal. `problem`: it could not be read, and but for the fingerprint nothing is known.
    Text is a stranger's, already made printable.
    """

    subject: str = ""
    issuer: str = ""
    names: tuple[str, ...] = ()
    not_before: datetime | None = None
    not_after: datetime | None = None
    fingerprint: str = ""
    problem: str = ""


class TlsSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A handshake in a report; the server's own certificate is the first of the chain."""

    version: str
    cipher: str
    chain: tuple[Certificate, ...] = ()


def complaints(
    demand: TlsDemand | None, facts: TlsFacts, chain: Sequence[Certificate], name: str, now: datetime
) -> tuple[str, ...]:
    """What does not meet the demand. `name` is what the certificate must be made out to, where that is demanded."""
    if demand is None:
        return ()
    return tuple(dict.fromkeys(_complaints(demand, facts, chain[0] if chain else None, name, now)))


def _complaints(demand: TlsDemand, facts: TlsFacts, own: Certificate | None, name: str, now: datetime) -> Iterator[str]:
    if demand.minimum and facts.version and _age(facts.version) < _age(demand.minimum):
        yield f"TLS {facts.version} came of it, and at least {demand.minimum} is demanded"
    if facts.distrust and (own is None or own.problem or not _said_below(demand, facts.distrust, own, name, now)):
        yield f"the certificate is not trusted: {facts.distrust}"
    if own is None or own.problem:
        if demand.name or demand.days is not None:
            yield f"the certificate cannot be read: {own.problem}" if own else "no certificate was shown"
        return
    if demand.name and not made_out_to(own.names, name):
        yield f"the certificate is made out to {told(own.names)}, not to {name}"
    if demand.days is not None and own.not_after and own.not_before:
        left = own.not_after - now
        if left < timedelta(0):
            yield f"the certificate has expired on {own.not_after:%Y-%m-%d}"
        elif own.not_before > now:
            yield f"the certificate is valid only from {own.not_before:%Y-%m-%d %H:%M} UTC on"
        elif left < timedelta(days=demand.days):
            days = f"{left.days} day{'' if left.days == 1 else 's'}" if left.days else "less than a day"
            yield f"the certificate expires in {days}, on {own.not_after:%Y-%m-%d}, and {demand.days} are demanded"


def _said_below(demand: TlsDemand, distrust: str, own: Certificate, name: str, now: datetime) -> bool:
    """Whether OpenSSL's reason is one that a demand of our own names better."""
    if "mismatch" in distrust:
        return demand.name and not made_out_to(own.names, name)
    return distrust == "certificate has expired" and demand.days is not None and (own.not_after or now) < now


def made_out_to(names: Iterable[str], wanted: str) -> bool:
    """Whether one of the names is meant (RFC 9525, section 6): a wildcard is a whole first label and stands for one."""
    address = _address(wanted)
    if address is not None:
        return any(_address(name) == address for name in names)
    wanted = wanted.lower().rstrip(".")
    rest = wanted.partition(".")[2]
    given = [name.lower().rstrip(".") for name in names]
    return wanted in given or (bool(rest) and f"*.{rest}" in given)


def told(names: Sequence[str], most: int = 4) -> str:
    """A few names, and how many more there are."""
    shown = ", ".join(names[:most]) or "no name"
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def _age(version: str) -> int:
    return VERSIONS.index(version) if version in VERSIONS else -1


def _address(text: str) -> object:
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None
