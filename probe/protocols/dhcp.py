"""DHCP (RFC 2131), unicast: DHCPINFORM asks for parameters and takes no lease."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probe.protocols.named import Named

if TYPE_CHECKING:
    from probe.model.words import Transport

_HARDWARE = "02 <hardware:5> 00*10"  # locally administered, and nobody's
# DHCPINFORM; asks for netmask, routers and the server's identifier; padded to 548 bytes, which any answer may have.
_OPTIONS = "63825363 350108 3703010336 ff 00*299"


def _tell(said: bytes, _: Transport) -> str:
    from scapy.layers.dhcp import BOOTP, DHCP, DHCPTypes

    found = [option for option in BOOTP(said)[DHCP].options if isinstance(option, tuple) and len(option) == 2]
    options: dict[str, Any] = dict(found)
    kind = DHCPTypes.get(options.get("message-type", 0), "answer")
    server = options.get("server_id")
    return f"DHCP {kind}{f' of server {server}' if server else ''}"


DHCP = Named(
    port=67,
    verified="ISC dhcpd 4.4.3-P1, dnsmasq 2.90",
    udp=[
        {
            "send": {"hex": f"01 01 06 00 <id:4> 00*4 <own-address> 00*12 {_HARDWARE} 00*192 {_OPTIONS}"},
            "from-port": 68,
        },
        {"expect": {"hex": "02 ??*3 <id>", "length": 240}},
    ],
    sends="DHCPINFORM from port 68, with a random transaction id: for that the agent needs CAP_NET_BIND_SERVICE",
    healthy="an answer with that id",
    proves="a DHCP server is there and serves the source's network; no lease is taken",
    logs="ISC dhcpd: two lines, `DHCPINFORM from …` and `DHCPACK to …`; dnsmasq the same",
    programs="dhcpd dnsmasq kea-dhcp4 udhcpd",
    tell=_tell,
)
