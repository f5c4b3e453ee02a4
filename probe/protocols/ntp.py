"""NTP (RFC 5905)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.protocols.named import Named

if TYPE_CHECKING:
    from probe.model.words import Transport


def _tell(said: bytes, _: Transport) -> str:
    from scapy.layers.ntp import NTPHeader  # 0.8 s: only for who asks

    stratum = NTPHeader(said).stratum
    unsynchronised = stratum in (0, 16) or said[0] >> 6 == 3
    return f"NTP answer, stratum {stratum}{', not synchronised' if unsynchronised else ''}"


NTP = Named(
    port=123,
    verified="chrony 4.3",
    udp=[
        # The server repeats the client's transmit time: it is as good as an id.
        {"send": {"hex": "23 00*39 <id:8>"}},
        {"expect": {"hex": "?4 ??*23 <id>", "length": 48}},
    ],
    sends="a client's request, 48 bytes, with random bytes for its time",
    healthy="a server's answer to that request, synchronised or not (the stratum is told)",
    proves="an NTP server is there and serves this source",
    logs="nothing",
    programs="chronyd ntpd ntpd-rs openntpd systemd-timesyn",
    tell=_tell,
)
