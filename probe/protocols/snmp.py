"""SNMPv3 (RFC 3412, RFC 3414, section 4): an engine is asked who it is, which needs no credentials."""

from __future__ import annotations

from probe.protocols.named import Named

# A get request of five variables: what is asked for does not count, and makes the request longer than its answer.
_VARIABLE = "300c 0608 2b06010201010300 0500 "
_REQUEST = f"a052 020237f0 020100 020100 3046 {_VARIABLE * 5}"
_FLAGS = "020300ffe3 040104 020103"  # 65,507 bytes, reportable, the user-based security model
_SECURITY = "0410 300e 0400 020100 020100 0400 0400 0400"
_ANSWER = "020103 30 ?? 0203 02 <id>"
_NO_ECHO = r"(?s:(?!.{10,40}\x04\x01\x04\x02\x01\x03))"  # the flags of our own request

SNMP = Named(
    port=161,
    verified="net-snmp 5.9.3",
    udp=[
        {"send": {"hex": f"308181 020103 3010 0203 02 <id:2> {_FLAGS} {_SECURITY} 3058 0400 0400 {_REQUEST}"}},
        {"expect": [{"hex": f"30 {size} {_ANSWER}", "regex": _NO_ECHO} for size in ("??", "81 ??", "82 ????")]},
    ],
    sends="SNMPv3 engine discovery, with a random message id",
    healthy="a report with that id",
    proves="an SNMP agent is there and speaks version 3; communities of versions 1 and 2c are not tried",
    logs="net-snmp: nothing, or `Connection from UDP: …` where it logs those",
    programs="snmpd snmptrapd bsnmpd",
    tell=lambda _, __: "SNMPv3 report",
)
