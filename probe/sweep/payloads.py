"""What a UDP service is asked so that it answers a stranger: one datagram for each well-known port.

Kind on purpose: each only reads or greets. None writes, logs in, guesses a name or a community, opens a session that
the service would have to remember, or asks for an answer much larger than itself. A service that answers nothing else
stays `open|filtered`. All other ports get an empty datagram. The bytes are made from the protocols' own definitions,
which each line names.
"""

from __future__ import annotations

import struct
from functools import partial
from typing import TYPE_CHECKING

from probe.wire.mark import marked

if TYPE_CHECKING:
    from collections.abc import Callable

_TRANSACTION = 0x7063  # "pc"; an answer is told by the socket that it comes to


def payload(port: int) -> bytes:
    """The datagram for this port, empty where nothing is known of it."""
    return _BY_PORT.get(port, b"")


def payloads(mark: bytes) -> Callable[[int], bytes]:
    """What datagrams carry: a mark and their port, where there is a mark; else what that port understands."""
    return partial(marked, mark) if mark else payload


def _dns(name: str, kind: int, klass: int = 1) -> bytes:
    """A question without the wish for recursion (RFC 1035, 4.1)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", _TRANSACTION, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, klass)


def _rpc(program: int, version: int) -> bytes:
    """A call of procedure 0, which does nothing, without credentials (RFC 5531, 9 and 11)."""
    return struct.pack("!10I", _TRANSACTION, 0, 2, program, version, 0, 0, 0, 0, 0)


def _der(tag: int, *parts: bytes) -> bytes:
    """One element in the distinguished encoding (X.690, 8.1); shorter than 64 KB."""
    content = b"".join(parts)
    size = len(content)
    length = bytes([size]) if size < 0x80 else b"\x81" + bytes([size]) if size < 0x100 else b"\x82" + size.to_bytes(2)
    return bytes([tag]) + length + content


def _integer(value: int, tag: int = 0x02) -> bytes:
    return _der(tag, value.to_bytes(value.bit_length() // 8 + 1))


_SEQUENCE, _STRING, _ENUMERATED = 0x30, 0x04, 0x0A


def _snmp() -> bytes:
    """The discovery of an SNMPv3 engine, for which no user or community is needed (RFC 3412, 6; RFC 3414, 4)."""
    security = _der(_SEQUENCE, _der(_STRING), _integer(0), _integer(0), _der(_STRING), _der(_STRING), _der(_STRING))
    request = _der(0xA0, _integer(_TRANSACTION), _integer(0), _integer(0), _der(_SEQUENCE))
    return _der(
        _SEQUENCE,
        _integer(3),
        _der(_SEQUENCE, _integer(_TRANSACTION), _integer(65507), _der(_STRING, b"\x04"), _integer(3)),
        _der(_STRING, security),
        _der(_SEQUENCE, _der(_STRING), _der(_STRING), request),
    )


def _kerberos() -> bytes:
    """A request for a ticket of a realm that nobody has, by nobody: the answer is an error (RFC 4120, 5.4.1)."""
    realm = _der(0x1B, b"PORTCHECK.INVALID")
    service = _der(_SEQUENCE, _der(0xA0, _integer(2)), _der(0xA1, _der(_SEQUENCE, _der(0x1B, b"krbtgt"), realm)))
    body = _der(
        _SEQUENCE,
        _der(0xA0, _der(0x03, bytes(5))),
        _der(0xA2, realm),
        _der(0xA3, service),
        _der(0xA5, _der(0x18, b"19700101000000Z")),
        _der(0xA7, _integer(_TRANSACTION)),
        _der(0xA8, _der(_SEQUENCE, _integer(18))),
    )
    return _der(0x6A, _der(_SEQUENCE, _der(0xA1, _integer(5)), _der(0xA2, _integer(10)), _der(0xA4, body)))


def _ldap() -> bytes:
    """One short attribute of the root entry, which is open to all (RFC 4511, 4.5.1; RFC 4512, 5.1)."""
    search = _der(
        0x63,
        _der(_STRING),
        _integer(0, _ENUMERATED),
        _integer(0, _ENUMERATED),
        _integer(1),
        _integer(0),
        b"\x01\x01\x00",
        _der(0x87, b"objectClass"),
        _der(_SEQUENCE, _der(_STRING, b"supportedLDAPVersion")),
    )
    return _der(_SEQUENCE, _integer(1), search)


def _ike() -> bytes:
    """A header of a version that does not exist: the answer names the one that does (RFC 7296, 2.5 and 3.1)."""
    return struct.pack("!8s8s4B2I", b"portchck", bytes(8), 0, 0xF0, 34, 0x08, 0, 28)


def _quic() -> bytes:
    """The same of QUIC: a version reserved for this, as long as a first packet must be (RFC 9000, 6.1, 15, 17.2)."""
    head = b"\xc0" + struct.pack("!I", 0x1A2A3A4A) + b"\x08portchck" + b"\x08portchck"
    return head.ljust(1200, b"\0")


_SIP = (
    b"OPTIONS sip:portcheck@portcheck.invalid SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP portcheck.invalid;rport;branch=z9hG4bKportcheck\r\n"
    b"Max-Forwards: 0\r\n"
    b"From: <sip:portcheck@portcheck.invalid>;tag=portcheck\r\n"
    b"To: <sip:portcheck@portcheck.invalid>\r\n"
    b"Call-ID: portcheck@portcheck.invalid\r\n"
    b"CSeq: 1 OPTIONS\r\n"
    b"Content-Length: 0\r\n\r\n"
)
_SSDP = (
    b'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 1\r\nST: upnp:rootdevice\r\n\r\n'
)
# NUL-padded name "*", each half byte a letter from A (RFC 1001, 14.1; RFC 1002, 4.2.17: node status).
_NETBIOS = struct.pack("!6H", _TRANSACTION, 0, 1, 0, 0, 0) + b"\x20CK" + b"A" * 30 + b"\0" + struct.pack("!2H", 33, 1)

_BY_PORT: dict[int, bytes] = {
    7: b"portcheck",  # echo (RFC 862)
    53: _dns("localhost", 1),
    69: struct.pack("!H", 1) + b"portcheck.invalid\0octet\0",  # a file that is not there (RFC 1350)
    88: _kerberos(),
    111: _rpc(100000, 2),
    123: b"\xe3".ljust(48, b"\0"),  # client, version 4 (RFC 5905, 7.3)
    137: _NETBIOS,
    161: _snmp(),
    177: struct.pack("!3HB", 1, 2, 1, 0),  # XDMCP: Query, no names to authenticate by
    389: _ldap(),
    443: _quic(),
    500: _ike(),
    520: struct.pack("!2BH2HIIII", 1, 1, 0, 2, 0, 0x7F000001, 0, 0, 0),  # one route, not the table (RFC 1058, 3.4.1)
    623: b"\x06\x00\xff\x06" + struct.pack("!I4B", 4542, 0x80, 0, 0, 0),  # RMCP: presence ping (DSP0136, 3.2)
    853: _quic(),
    1434: b"\x04MSSQLSERVER\0",  # one instance, not all (MC-SQLR, 2.2.3)
    1900: _SSDP,
    2049: _rpc(100003, 3),
    2123: struct.pack("!2BHIHH", 0x32, 1, 4, 0, 0, 0),  # GTP: echo (3GPP TS 29.060, 7.2.1)
    2152: struct.pack("!2BHIHH", 0x32, 1, 4, 0, 0, 0),
    3478: struct.pack("!2HI", 1, 0, 0x2112A442) + b"portcheckstn",  # STUN: binding (RFC 8489, 5)
    4500: bytes(4) + _ike(),  # not ESP, so IKE (RFC 3948, 2.2)
    4569: struct.pack("!2HI4B", 0x8001, 0, 0, 0, 0, 6, 30),  # IAX2: POKE (RFC 5456, 6.7.1 and 8.1.1)
    5060: _SIP,  # RFC 3261, 11; answered to where it came from (RFC 3581)
    5351: b"\0\0",  # NAT-PMP: the outer address (RFC 6886, 3.2)
    5353: _dns("_services._dns-sd._udp.local", 12),  # RFC 6763, 9; asked as by a plain client (RFC 6762, 6.7)
    5683: struct.pack("!2BH", 0x40, 0, _TRANSACTION),  # CoAP: ping (RFC 7252, 4.3)
    8443: _quic(),
    11211: struct.pack("!4H", _TRANSACTION, 0, 1, 0) + b"version\r\n",  # memcached: protocol.txt, UDP protocol
    64738: struct.pack("!I", 0) + b"portchck",  # Mumble: ping
}
