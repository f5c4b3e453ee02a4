"""NTP (RFC 5905)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.protocols.named import Named

if TYPE_CHECKING:
    from probe.model.words import Transport

# The server repeats the client's transmit time: it is as good as an id.
_OURS = "?4 ??*23 <id>"
# No time to be had from it: the leap indicator is 3 (section 7.3), the stratum 0 or 16. But who is told to ask less
# often (section 7.4, RATE) has met a server that serves.
_NO_TIME = r"(?![\s\S]{12}RATE)(?:[\xc0-\xff]|[\s\S][\x00\x10])"


def _tell(said: bytes, _: Transport) -> str:
    from scapy.layers.ntp import NTPHeader  # 0.8 s: only for who asks

    stratum, code = NTPHeader(said).stratum, said[12:16]
    if stratum == 0 and code.isalpha() and code.isascii():
        return f"NTP answer, kiss of death {code.decode()}"
    unsynchronised = stratum in (0, 16) or said[0] >> 6 == 3
    return f"NTP answer, stratum {stratum}{', not synchronised' if unsynchronised else ''}"


NTP = Named(
    port=123,
    verified="chrony 4.3",
    udp=[
        {"send": {"hex": "23 00*39 <id:8>"}},
        {
            "expect": {"hex": _OURS, "length": 48},
            "unhealthy": {"hex": _OURS, "length": 48, "regex": _NO_TIME},
        },
    ],
    sends="a client's request, 48 bytes, with random bytes for its time",
    healthy="a server's answer to that request, with the time (the stratum is told), or `RATE` (ask less often)",
    proves="an NTP server is there and serves this source; one that is not synchronised, or refuses (`DENY`, `RSTR`), "
    "is unhealthy",
    logs="nothing",
    programs="chronyd ntpd ntpd-rs openntpd systemd-timesyn",
    tell=_tell,
)
