"""TFTP (RFC 1350, RFC 2347): a server answers from a port of its own choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.protocols.named import Named

if TYPE_CHECKING:
    from probe.model.words import Transport

# An option that no server knows makes the request longer than its answer.
_PADDING = r"x-padding\0" + "-" * 120 + r"\0"


def _tell(said: bytes, _: Transport) -> str:
    from scapy.layers.tftp import TFTP as Message

    answer = Message(said)
    return f"TFTP error, {answer.sprintf('%TFTP_ERROR.errorcode%')}" if said[1] == 5 else "TFTP data"


TFTP = Named(
    port=69,
    verified="dnsmasq 2.90",
    udp=[
        {"send": rf"\0\x01portcheck-no-such-file-<name:8>\0octet\0{_PADDING}"},
        {"expect": [{"hex": "0005"}, {"hex": "0003 0001"}, {"hex": "0006"}], "any-port": True},
    ],
    sends="a request for a file with a random name, which is not there",
    healthy="an error (`File not found`), from whatever port; a firewall needs to know TFTP to let it back",
    proves="a TFTP server is there and answers this source",
    logs="dnsmasq: one line, `file … not found`; tftpd-hpa: nothing",
    programs="in.tftpd dnsmasq atftpd tftpd",
    tell=_tell,
)
