"""What goes out over UDP, RPC and LDAP, beside what scapy builds from the protocols' own words: each request is its
very bytes. And none is shorter than what it draws.
"""

from __future__ import annotations

from typing import Any

import pytest

from probe.model.dialogue import Send
from probe.model.words import Transport
from probe.probes.fitting import filled, fresh_ids
from probe.protocols import NAMED
from probe.spec.matrix.named import named

from .recorded import ANSWERS

OWN = "10.77.1.2"


def sent(name: str, transport: Transport) -> tuple[list[bytes], dict[str, bytes]]:
    """What it says to a server, and the ids in that."""
    dialogue = named(name, transport)
    assert dialogue is not None
    ids = fresh_ids(dialogue, OWN)
    return [filled(step.parts, ids) for step in dialogue.steps if isinstance(step, Send)], ids


def number(ids: dict[str, bytes], name: str = "id") -> int:
    return int.from_bytes(ids[name], "big")


def dns(ids: dict[str, bytes], transport: Transport) -> list[Any]:
    from scapy.layers.dns import DNS, DNSQR, DNSRROPT, EDNS0TLV

    padding = DNSRROPT(rclass=512, z=0, rdata=[EDNS0TLV(optcode=12, optdata=bytes(480))])  # RFC 7830
    question = DNS(id=number(ids), rd=1, qd=[DNSQR(qname=".", qtype="NS")], an=[], ns=[])
    if transport is Transport.UDP:
        question.ar = [padding]
        return [question]
    return [len(bytes(question)).to_bytes(2, "big") + bytes(question)]


def ntp(ids: dict[str, bytes], _: Transport) -> list[Any]:
    from scapy.layers.ntp import NTPHeader

    head = {"poll": 0, "stratum": 0, "id": "0.0.0.0", "orig": 0, "recv": 0}
    return [bytes(NTPHeader(mode="client", **head))[:40] + ids["id"]]


def dhcp(ids: dict[str, bytes], _: Transport) -> list[Any]:
    from scapy.layers.dhcp import BOOTP, DHCP

    options = ["message-type", "inform"], ["param_req_list", [1, 3, 54]], "end"
    hardware = b"\2" + ids["hardware"]
    message = BOOTP(op="BOOTREQUEST", xid=number(ids), ciaddr=OWN, chaddr=hardware) / DHCP(
        options=[option if isinstance(option, str) else tuple(option) for option in options]
    )
    return [bytes(message).ljust(548, b"\0")]


def tftp(ids: dict[str, bytes], _: Transport) -> list[Any]:
    from scapy.layers.tftp import TFTP, TFTP_RRQ, TFTP_Option, TFTP_Options

    option = TFTP_Option(oname=b"x-padding", value=b"-" * 120)
    file = b"portcheck-no-such-file-" + ids["name"].hex().encode()
    return [TFTP(op="RRQ") / TFTP_RRQ(filename=file, mode=b"octet") / TFTP_Options(options=[option])]


def snmp(ids: dict[str, bytes], _: Transport) -> list[Any]:
    """Version 3 (RFC 3412, section 6; RFC 3414, section 2.4) around the requests that scapy has of version 2."""
    from scapy.asn1.asn1 import ASN1_Codecs
    from scapy.asn1fields import ASN1F_INTEGER, ASN1F_PACKET, ASN1F_SEQUENCE, ASN1F_STRING
    from scapy.asn1packet import ASN1_Packet
    from scapy.layers.snmp import SNMPget, SNMPvarbind

    def packet(*fields: Any) -> Any:
        values = {"ASN1_codec": ASN1_Codecs.BER}
        return type("Packet", (ASN1_Packet,), values | {"ASN1_root": ASN1F_SEQUENCE(*fields)})()

    variables = [SNMPvarbind(oid="1.3.6.1.2.1.1.3.0") for _ in range(5)]
    get = SNMPget(id=0x37F0, varbindlist=variables)
    security = packet(
        ASN1F_STRING("engine", b""), ASN1F_INTEGER("boots", 0), ASN1F_INTEGER("since", 0),
        ASN1F_STRING("user", b""), ASN1F_STRING("authentication", b""), ASN1F_STRING("privacy", b""),
    )  # fmt: skip
    head = packet(
        ASN1F_INTEGER("id", 0x020000 + number(ids)), ASN1F_INTEGER("most", 65507), ASN1F_STRING("flags", b"\4"),
        ASN1F_INTEGER("model", 3),
    )  # fmt: skip
    scoped = packet(
        ASN1F_STRING("engine", b""), ASN1F_STRING("context", b""), ASN1F_PACKET("pdu", get, SNMPget)
    )  # fmt: skip
    return [
        packet(
            ASN1F_INTEGER("version", 3), ASN1F_PACKET("head", head, type(head)),
            ASN1F_STRING("security", bytes(security)), ASN1F_PACKET("scoped", scoped, type(scoped)),
        )
    ]  # fmt: skip


def rpc(program: int, version: int) -> Any:
    def build(ids: dict[str, bytes], transport: Transport) -> list[Any]:
        from scapy.contrib.oncrpc import RPC, RPC_Call

        calls = [
            bytes(RPC(xid=number(ids, name), mtype="CALL")
                  / RPC_Call(program=program, pversion=asked, procedure=0, aflavor="AUTH_NULL", alength=0, vlength=0))
            for name, asked in (("id", version), ("other", 0))
        ]  # fmt: skip
        marked = transport is Transport.TCP
        return [(0x8000_0000 | len(call)).to_bytes(4, "big") + call if marked else call for call in calls]

    return build


def ldap(ids: dict[str, bytes], _: Transport) -> list[Any]:
    from scapy.layers.ldap import LDAP, LDAP_Filter, LDAP_FilterPresent, LDAP_SearchRequest
    from scapy.layers.ldap import LDAP_SearchRequestAttribute as Attribute

    head = {"messageID": 0x020000 + number(ids)}
    search = LDAP_SearchRequest(
        baseObject=b"", scope=0, derefAliases=0, sizeLimit=1, timeLimit=5, attrsOnly=False,
        filter=LDAP_Filter(filter=LDAP_FilterPresent(present=b"objectClass")),
        attributes=[Attribute(type=b"supportedLDAPVersion")],
    )  # fmt: skip
    # Scapy puts a NULL into the NULL that an unbind is (RFC 4511, section 4.3).
    unbind = b"\x30\7\2\3\2" + ids["id"] + b"\x42\0"
    return [LDAP(**head, protocolOp=search), unbind]


BUILT = {
    ("dns", "udp"): dns,
    ("dns", "tcp"): dns,
    ("ntp", "udp"): ntp,
    ("dhcp", "udp"): dhcp,
    ("tftp", "udp"): tftp,
    ("snmp", "udp"): snmp,
    ("rpcbind", "udp"): rpc(100000, 2),
    ("rpcbind", "tcp"): rpc(100000, 2),
    ("nfs", "tcp"): rpc(100003, 4),
    ("ldap", "tcp"): ldap,
}


@pytest.mark.parametrize(("name", "transport"), BUILT)
def test_it_is_what_scapy_builds(name: str, transport: str) -> None:
    for _ in range(20):  # whatever the ids
        requests, ids = sent(name, Transport(transport))
        assert requests == [bytes(one) for one in BUILT[name, transport](ids, Transport(transport))]


def test_which_ports_count() -> None:
    """DHCP answers to port 68 alone, and TFTP from a port of its own choice; all others as they are asked."""
    ways = [(name, named(name, Transport.UDP)) for name, known in NAMED.items() if known.udp]
    rules = {name: (way.source_port, way.any_port) for name, way in ways if way is not None}
    assert {name: rule for name, rule in rules.items() if rule != (0, False)} == {
        "dhcp": (68, False),
        "tftp": (0, True),
    }


@pytest.mark.parametrize("name", [name for name, known in NAMED.items() if known.udp])
def test_over_udp_no_answer_is_longer_than_what_draws_it(name: str) -> None:
    """Those of the real servers; a stranger whose address was forged is sent no more than the forger sent."""
    requests, ids = sent(name, Transport.UDP)
    answers = [one.filled(ids) for one in ANSWERS[f"{name}/udp"]]
    assert len(requests) == len(answers)
    assert all(len(request) >= len(answer) for request, answer in zip(requests, answers, strict=True))
