"""The datagrams, read by somebody else's dissectors."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from scapy.layers.dns import DNS
from scapy.layers.kerberos import KRB_AS_REQ, Kerberos
from scapy.layers.ldap import CLDAP, LDAP_SearchRequest
from scapy.layers.netbios import NBNSNodeStatusRequest
from scapy.layers.ntp import NTPHeader
from scapy.layers.tftp import TFTP, TFTP_RRQ

from probe.sweep.payloads import _BY_PORT, payload, payloads
from probe.sweep.segments import MOST_PAYLOAD
from probe.wire.messages import MOST_MARK


def test_a_port_of_nobody_gets_an_empty_datagram() -> None:
    assert payload(4711) == b""
    # Whatever these are sent is written to a log or to a database.
    assert all(payload(port) == b"" for port in (162, 514, 2055, 6343, 8125))


def test_a_mark_takes_the_place_of_what_a_port_understands() -> None:
    assert payloads(b"")(53) == payload(53)
    assert payloads(b"mark")(53) == b"mark\x00\x35"
    assert 2 + MOST_MARK <= MOST_PAYLOAD


@pytest.mark.parametrize("port", _BY_PORT)
def test_each_fits_unfragmented(port: int) -> None:
    assert 0 < len(payload(port)) <= MOST_PAYLOAD


@pytest.mark.parametrize(
    ("port", "name", "kind"), [(53, b"localhost.", 1), (5353, b"_services._dns-sd._udp.local.", 12)]
)
def test_dns(port: int, name: bytes, kind: int) -> None:
    read = DNS(payload(port))
    assert (read.qr, read.opcode, read.rd, read.ancount) == (0, 0, 0, 0)
    [question] = read.qd
    assert (question.qname, question.qtype, question.qclass) == (name, kind, 1)


def test_ntp() -> None:
    read = NTPHeader(payload(123))
    assert (read.version, read.mode, len(payload(123))) == (4, 3, 48)


def test_tftp_reads_what_is_not_there() -> None:
    read = TFTP(payload(69))
    assert read[TFTP_RRQ].filename == b"portcheck.invalid"
    assert read[TFTP_RRQ].mode == b"octet"


def test_netbios() -> None:
    read = NBNSNodeStatusRequest(payload(137)[12:])
    assert read.QUESTION_NAME.rstrip(b"\0 ") == b"*"
    assert read.QUESTION_TYPE == 0x21


def test_kerberos() -> None:
    read = Kerberos(payload(88)).root
    assert isinstance(read, KRB_AS_REQ)
    assert read.reqBody.realm.val == b"PORTCHECK.INVALID"
    assert [etype.val for etype in read.reqBody.etype] == [18]


def test_ldap_asks_for_one_attribute_of_the_root() -> None:
    read: Any = CLDAP(payload(389)).protocolOp
    assert isinstance(read, LDAP_SearchRequest)
    assert read.baseObject.val == b""
    assert int(read.scope.val) == 0
    assert [attribute.type.val for attribute in read.attributes] == [b"supportedLDAPVersion"]


def test_snmp_is_the_discovery_of_an_engine() -> None:
    """Version 3, reportable, no security, no engine, no user, nothing asked: by hand, scapy reads versions 1 and 2."""
    data = payload(161)
    assert data[:2] == bytes([0x30, len(data) - 2])
    assert data[2:5] == b"\x02\x01\x03"
    assert b"\x04\x01\x04\x02\x01\x03" in data
    assert b"\x04\x10\x30\x0e\x04\x00\x02\x01\x00\x02\x01\x00\x04\x00\x04\x00\x04\x00" in data
    assert data.endswith(b"\x30\x00")


@pytest.mark.parametrize(("port", "program", "version"), [(111, 100000, 2), (2049, 100003, 3)])
def test_rpc_calls_the_procedure_that_does_nothing(port: int, program: int, version: int) -> None:
    words = struct.unpack("!10I", payload(port))
    assert words[1:] == (0, 2, program, version, 0, 0, 0, 0, 0)


@pytest.mark.parametrize("port", [443, 853, 8443])
def test_quic_asks_for_a_version_that_is_reserved_for_that(port: int) -> None:
    data = payload(port)
    assert data[0] & 0xC0 == 0xC0
    assert int.from_bytes(data[1:5]) & 0x0F0F0F0F == 0x0A0A0A0A
    assert len(data) >= 1200


@pytest.mark.parametrize("port", [500, 4500])
def test_ike_says_how_long_it_is(port: int) -> None:
    header = payload(port).removeprefix(bytes(4)) if port == 4500 else payload(port)
    assert int.from_bytes(header[24:28]) == len(header) == 28
    assert header[17] >> 4 == 15
