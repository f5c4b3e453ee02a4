"""DNS (RFC 1035; over TCP RFC 7766)."""

from __future__ import annotations

from probe.model.words import Transport
from probe.protocols.named import Named

# The name servers of the root: every resolver knows them, and who is none says so. Over UDP the question is padded
# (RFC 6891, RFC 7830) to the 512 bytes that the answer may have.
_PADDING = "00 0029 0200 0000 0000 01e4 000c 01e0 00*480"
_NAMES = {"ok": "no error", "name-error": "NXDOMAIN", "server-failure": "SERVFAIL", "format-error": "FORMERR",
          "not-implemented": "NOTIMP"}  # fmt: skip


def _tell(said: bytes, transport: Transport) -> str:
    from scapy.layers.dns import DNS as Message  # 0.8 s: only for who asks

    code = Message(said if transport is Transport.UDP else said[2:]).sprintf("%DNS.rcode%")
    return f"DNS answer, {_NAMES.get(code, code.upper())}"


DNS = Named(
    port=53,
    verified="dnsmasq 2.90",
    udp=[
        {"send": {"hex": f"<id:2> 0100 0001 0000 0000 0001 00 0002 0001 {_PADDING}"}},
        {"expect": {"hex": "<id> 8?", "length": 12}},
    ],
    tcp=[
        {"send": {"hex": "0011 <id:2> 0100 0001 0000 0000 0000 00 0002 0001"}},
        {"expect": {"hex": "???? <id> 8?", "length": 14}},
    ],
    sends="a question for the name servers of the root, with a random id; over UDP padded to 512 bytes",
    healthy="an answer with that id, whatever its code: REFUSED and SERVFAIL are answers too",
    proves="a DNS server is there and reads questions; over UDP and TCP separately",
    logs="nothing, but where queries are logged",
    programs="named dnsmasq unbound coredns pdns_server pdns_recursor systemd-resolve knotd nsd consul kresd",
    tell=_tell,
)
