"""iSCSI (RFC 7143, sections 11.12 and 11.13): a login for discovery alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.protocols.named import Named

if TYPE_CHECKING:
    from probe.model.words import Transport

_KEYS = b"InitiatorName=iqn.2001-04.com.example:portcheck\0SessionType=Discovery\0AuthMethod=None\0"
_DATA = (_KEYS + bytes(-len(_KEYS) % 4)).hex()
_CLASSES = {0: "success", 1: "elsewhere", 2: "this initiator may not"}


def _tell(said: bytes, _: Transport) -> str:
    return f"iSCSI login answer, {_CLASSES.get(said[36], f'status {said[36]:02x}{said[37]:02x}')}"


ISCSI = Named(
    port=3260,
    verified="tgt 1.0.85, with and without targets",
    tcp=[
        {"send": {"hex": f"43 87 0000 00 {len(_KEYS):06x} 80 <isid:3> 00*4 <id:4> 0000 0000 0000 0001 00*20 {_DATA}"}},
        {
            "expect": {"hex": "23 ??*15 <id> ??*16 0?"},
            "unhealthy": {"hex": "23 ??*15 <id> ??*16 03"},
        },
    ],
    sends="a login for discovery, with a random task tag; no target is named",
    healthy="a login answer with that tag: done, moved elsewhere, or refused for this initiator",
    proves="an iSCSI target daemon is there and reads logins; the session ends with the connection",
    logs="tgt: nothing; others: a login. tgt without targets resets the connection, which is `unhealthy`",
    programs="tgtd iscsid ietd scst",
    tell=_tell,
)
