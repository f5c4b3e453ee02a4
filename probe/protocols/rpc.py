"""ONC RPC (RFC 5531): procedure 0 of a program does nothing; asked in a version that there is not, it names its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.model.words import Transport
from probe.protocols.named import Named

if TYPE_CHECKING:
    from collections.abc import Callable

    from probe.protocols.named import Steps

_TCP = "8000 00?? "
_DONE, _NO_PROGRAM, _OTHER_VERSION = "0000 0000", "0000 0001", "0000 0002"


def _called(program: str, version: str, name: str, *, tcp: bool) -> dict[str, object]:
    """A call of procedure 0; over TCP a record of 40 bytes."""
    mark = "8000 0028 " if tcp else ""
    return {"send": {"hex": f"{mark}<{name}:4> 0000 0000 0000 0002 {program} {version} 0000 0000 00*16"}}


def _answer(name: str, outcome: str, *, tcp: bool) -> dict[str, str]:
    """Accepted, without a verifier."""
    return {"hex": f"{_TCP if tcp else ''}<{name}> 0000 0001 0000 0000 0000 0000 0000 0000 {outcome}"}


def _steps(program: str, version: str, *, tcp: bool) -> Steps:
    return [
        _called(program, version, "id", tcp=tcp),
        {
            "expect": [_answer("id", outcome, tcp=tcp) for outcome in (_DONE, _OTHER_VERSION)],
            "unhealthy": _answer("id", _NO_PROGRAM, tcp=tcp),
        },
        _called(program, "0000 0000", "other", tcp=tcp),
        {"expect": _answer("other", _OTHER_VERSION, tcp=tcp)},
    ]


def _tells(name: str) -> Callable[[bytes, Transport], str]:
    def tell(said: bytes, transport: Transport) -> str:
        from scapy.contrib.oncrpc import RPC, RM_Header

        answer = RM_Header(said) if transport is Transport.TCP else RPC(said)
        low, high = (int.from_bytes(bytes(answer)[-8:][at : at + 4], "big") for at in (0, 4))
        return f"{name} answer, {f'version {low}' if low == high else f'versions {low} to {high}'}"

    return tell


NFS = Named(
    port=2049,
    verified="NFS-Ganesha 4.3",
    tcp=_steps("0001 86a3", "0000 0004", tcp=True),
    sends="RPC calls that do nothing (NULL) of NFS 4, and of a version that there is not, each with a random id",
    healthy="an answer to each, whichever versions it names",
    proves="an NFS server is there and reads calls; no export is asked for",
    logs="nothing",
    programs="ganesha.nfsd nfsd unfsd rpc.nfsd",
    tell=_tells("NFS"),
)
RPCBIND = Named(
    port=111,
    verified="rpcbind 1.2.6",
    tcp=_steps("0001 86a0", "0000 0002", tcp=True),
    udp=_steps("0001 86a0", "0000 0002", tcp=False),
    sends="RPC calls that do nothing (NULL) of the port mapper, version 2, and of a version that there is not",
    healthy="an answer to each, with its random id",
    proves="rpcbind is there; what is registered with it is not asked",
    logs="nothing",
    programs="rpcbind portmap systemd",
    tell=_tells("rpcbind"),
)
