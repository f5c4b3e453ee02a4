"""What real servers answered (docs/protocols.md has which), and what the documents say of those that none was asked of.

In hexadecimal digits, one text for each answer that a dialogue waits for; `<id>` stands where the server repeats one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Recorded(NamedTuple):
    text: str

    def filled(self, ids: Mapping[str, bytes]) -> bytes:
        return bytes.fromhex(re.sub(r"<([a-z]+)>", lambda found: ids[found[1]].hex(), self.text))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(re.findall(r"<([a-z]+)>", self.text))


def said(*texts: str) -> tuple[Recorded, ...]:
    return tuple(map(Recorded, texts))


def plain(*texts: str) -> tuple[Recorded, ...]:
    return tuple(Recorded(text.encode().hex()) for text in texts)


_ACCEPTED = "00000001 00000000 00000000 00000000"
_DONE, _NO_PROGRAM, _VERSIONS = (f"{_ACCEPTED} 0000000{status}" for status in (0, 1, 2))
_LDAP_RESULT = "300e 020302<id> 65 07 0a01"
ANSWERS: dict[str, tuple[Recorded, ...]] = {
    "amqp/tcp": said("01 0000 000001ed 000a000a 0009 000001c8 0c6361706162696c6974696573 46000000c7"),
    "ceph-mon/tcp": said("63657068207632 0a 1000 0100000000000000 0000000000000000"),
    "chrony/udp": said("0602 0000 0000 0001 0000 0000 0000 0000 <id> 00000000 00000000"),
    "dhcp/udp": said(
        f"02010600 <id> 00000000 0a4d0102 00000000 00000000 00000000 02{'11' * 5} {'00' * 10} {'00' * 192} 63825363"
        f"350105 3604 0a4d0302 0104 ffffff00 0304 0a4d0101 ff {'00' * 38}"
    ),
    "dns/tcp": said("0011 <id> 8185 0001 0000 0000 0000 00 0002 0001"),
    "dns/udp": said("<id> 8185 0001 0000 0000 0001 00 0002 0001 00 0029 04d0 0000 0000 0006 000f 0002 000e"),
    "iscsi/tcp": said(
        f"23 87 0000 00 000017 800102030000 0100 <id> 00000000 00000001 00000002 {'00' * 12}"
        "546172676574506f7274616c47726f75705461673d3100 00"
    ),
    "kafka/tcp": said("00000010 <id> 0000 00000001 0012 0000 0003"),
    "ldap/tcp": said(
        "3028 020302<id> 6421 0400 301d301b0414737570706f727465644c44415056657273696f6e3103040133"
        f" {_LDAP_RESULT} 00 0400 0400"
    ),
    "mongodb/tcp": said(
        "35000000 00000000 <id> 01000000 00000000 0000000000000000 00000000 01000000"
        "11000000 016f6b00 000000000000f03f 00"
    ),
    "mysql/tcp": said(
        "64000000 0a 352e352e352d31302e31312e31392d4d61726961444200 04000000 324e72716421713c 00 fef7 08 0200 ff81",
        "4c000002 ff 1504 2332383030304163636573732064656e696564",
    ),
    "nfs/tcp": said(f"80000018 <id> {_DONE} 00000000", f"80000020 <other> {_VERSIONS} 00000004 00000004"),
    "nsqd/tcp": said("00000006 00000000 4f4b"),
    "nsqlookupd/tcp": said("00000002 4f4b"),
    "ntp/udp": said("240300e6 00000000 00000000 7f7f0101 eeabf97f4d359280 <id> eeabf98081221543 eeabf98082401bfe"),
    "redis/tcp": plain("+PONG\r\n"),
    "rpcbind/tcp": said(f"80000018 <id> {_DONE}", f"80000020 <other> {_VERSIONS} 00000002 00000004"),
    "rpcbind/udp": said(f"<id> {_DONE}", f"<other> {_VERSIONS} 00000002 00000004"),
    "smtp/tcp": plain("220 lab.example ESMTP Exim 4.96 Sat, 21 Nov 2026 11:05:36 +0000\r\n", "221 lab.example\r\n"),
    "snmp/udp": said(
        "306e 020103 3010 0203 02<id> 020300ffe3 040100 020103"
        "0421 301f 0411 80001f88809883193ef67a016b00000000 020101 02010a 0400 0400 0400"
        "3034 0411 80001f88809883193ef67a016b00000000 0400 a81d 020237f0 020100 020100 3011 300f"
        "060a2b060106030f01010400 410101"
    ),
    "ssh/tcp": plain("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n"),
    "tftp/udp": said("0005 0001" + b"file /srv/portcheck-no-such-file not found".hex() + "00"),
    "zookeeper/tcp": plain("Zookeeper version: 3.8.0-{mvngit.commit.id}, built on 2024-12-29 17:54 UTC\nLatency min"),
}
ANSWERS["sunrpc/tcp"], ANSWERS["sunrpc/udp"] = ANSWERS["rpcbind/tcp"], ANSWERS["rpcbind/udp"]
ANSWERS["ldaps/tcp"] = ANSWERS["ldap/tcp"]

HEALTHY_TOO: dict[str, tuple[Recorded, ...]] = {
    "amqp/tcp": said(b"AMQP\0\1\0\0".hex()),
    "ceph-mon/tcp": said(b"ceph v027\0\0\0\0".hex()),
    "dns/udp": said("<id> 8002 0001 0000 0000 0000"),  # SERVFAIL
    "iscsi/tcp": said(
        *(f"23 87 0000 {'00' * 12} <id> {'00' * 16} {status} {'00' * 10}" for status in ("0101", "0201"))
    ),
    "ldap/tcp": said("30840000000f 020302<id> 6508 0a0132 0400 0401 00"),  # may not search
    "mysql/tcp": (),
    "redis/tcp": plain("-NOAUTH Authentication required.\r\n", "-NOPERM no", "-ERR unknown command 'PING'\r\n"),
    "rpcbind/udp": said(f"<id> {_VERSIONS} 00000003 00000004"),
    "smtp/tcp": plain("220-lab.example\r\n220-and more\r\n220 ready\r\n"),
    "ssh/tcp": plain("SSH-1.99-Cisco-1.25\n"),
    "tftp/udp": said("0005 0002 6e6f 00", "0003 0001 6f6b", "0006 6b 00"),
    "zookeeper/tcp": plain("srvr is not executed because it is not in the whitelist.\n"),
}
"""The same to the first question, said otherwise."""
UNWELL: dict[str, tuple[Recorded, ...]] = {
    "iscsi/tcp": said(f"23 87 0000 {'00' * 12} <id> {'00' * 16} 0301 {'00' * 10}"),  # service unavailable
    "ldap/tcp": said(*(f"{_LDAP_RESULT} {code} 0400 0400" for code in ("33", "34"))),
    "mysql/tcp": said("17000000 ff 1004 546f6f206d616e7920636f6e6e656374696f6e73"),
    "nfs/tcp": said(f"80000018 <id> {_NO_PROGRAM}"),
    "redis/tcp": plain(
        "-LOADING wait\r\n",
        "-MASTERDOWN Link\r\n",
        "-MISCONF disk\r\n",
        "-BUSY script\r\n",
        "-DENIED no\r\n",
        "-ERR max number of clients reached\r\n",
    ),
    "rpcbind/udp": said(f"<id> {_NO_PROGRAM}"),
    "smtp/tcp": plain("421 later\r\n", "521 never\r\n", "554 no\r\n"),
    "zookeeper/tcp": plain("This ZooKeeper instance is not currently serving requests\n"),
}
ANOTHER: dict[str, tuple[Recorded, ...]] = {
    "amqp/tcp": said(b"AMQP\0\0\x09\x01".hex(), "01 0000 0000 0010 000a 000b", "02 0000 000001ed 000a000a"),
    "ceph-mon/tcp": plain("ceph v3\n" + "x" * 30, "ceph -s"),
    "chrony/udp": said(f"0601 {'00' * 14} <id> {'00' * 8}"),
    "dhcp/udp": said(f"01010600 <id> {'00' * 300}"),
    "dns/tcp": said("0011 <id> 0100 0001 0000 0000 0000 00 0002 0001"),
    "dns/udp": said("<id> 0100 0001 0000 0000 0000 00 0002 0001"),
    "iscsi/tcp": said(f"23 87 0000 {'00' * 12} <id> {'00' * 16} 1000 {'00' * 10}", f"3f {'00' * 15} <id> {'00' * 40}"),
    "kafka/tcp": said("00000010 <id> 0100 00000001 0012 0000 0003"),
    "ldap/tcp": said("300e 020302<id> 61 07 0a0100 0400 0400"),  # an answer to a bind
    "mongodb/tcp": said(f"35000000 00000000 <id> dd070000 {'00' * 40}"),
    "mysql/tcp": said("64000000 09 352e35 00", "64000001 0a 352e352e352d31302e31312e3139"),
    # A call, one that was not accepted, one of a procedure that there is not.
    "nfs/tcp": said(
        f"80000018 <id> {_ACCEPTED} 00000003",
        f"80000018 <id> 00000000 {'00' * 12}",
        "80000018 <id> 00000001 00000001 00000000",
    ),
    "nsqd/tcp": said("00000006 00000000 4b4f", "0000000e 00000001 455f494e56414c4944"),
    "nsqlookupd/tcp": said("00000002 4b4f", "0000000a 455f494e56414c4944"),
    "ntp/udp": said(f"23 {'00' * 23} <id> {'00' * 16}", f"25 {'00' * 23} <id> {'00' * 16}"),
    "postgresql/tcp": plain("SS", "NN", "X", "H"),
    "redis/tcp": plain("+OK\r\n", "+PONGO\r\n", "-ERR wrong number\r\n", "$4\r\nPONG\r\n"),
    "rpcbind/udp": said("<id> 00000001 00000001 00000000 00000002 00000002", f"<id> 00000000 {'00' * 40}"),
    "smtp/tcp": plain("250 ok\r\n", "220x\r\n", "+OK POP3\r\n"),
    "snmp/udp": said(f"3081 81 020103 3010 0203 02<id> 020300ffe3 040104 020103 {'00' * 80}"),  # our own request
    "ssh/tcp": plain("SSH-2.0-portcheck\r\n", "RFB 003.008\n"),
    "tftp/udp": said("0004 0001", "0001 6100", "0003 0002 6f6b"),
    "zookeeper/tcp": plain("srvr\n", "HTTP/1.1 400 Bad Request\r\n"),
}
"""What comes close to an answer to the first question, and is none."""
LATER: dict[str, tuple[Recorded, ...]] = {
    "mysql/tcp": said("4c000001 ff 1504", "4c000002 0a 1504", "64000000 0a 352e35"),
    "nfs/tcp": said(f"80000018 <other> {_DONE}", f"80000020 <id> {_VERSIONS} 00000004 00000004"),
    "smtp/tcp": plain("220 again\r\n", "500 what\r\n"),
}
"""The same of the last."""
