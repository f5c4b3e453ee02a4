"""Capture files rebuilt from headers, read back by scapy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.utils import rdpcap

from probe.model.sight import Sight
from probe.model.words import Transport
from probe.report.pcap import pcap
from probe.witness.packets import read

if TYPE_CHECKING:
    from pathlib import Path

TCP, UDP = Transport.TCP, Transport.UDP
FOUR, SIX = ("10.0.0.1", 40000, "10.0.0.2", 5432), ("fd00::1", 40000, "fd00::2", 5432)
COOKED_BYTES = 16
AT = 1_790_000_000.25


def packet(transport: Transport = TCP, ends: tuple[str, int, str, int] = FOUR, **more: Any) -> Sight:
    return Sight(**{"at": AT, "out": True, "ttl": 61, **more}, transport=transport, **_ends(ends))


def _ends(ends: tuple[str, int, str, int]) -> dict[str, Any]:
    return dict(zip(("source", "source_port", "target", "target_port"), ends, strict=True))


PACKETS = [
    packet(flags="S", seq=2**32 - 1),
    packet(flags="PA", seq=7, ack=8, size=500),
    packet(ends=SIX, flags="RA", out=False),
    packet(UDP, size=30),
    packet(UDP, SIX, size=1400),
    packet(icmp=(3, 13), sender="10.0.9.9", out=False, seq=9),
    packet(UDP, icmp=(11, 0), sender="10.0.9.9"),
    packet(ends=SIX, icmp=(1, 1), sender="fd00::9", seq=9),
    packet(UDP, SIX, icmp=(3, 0), sender="fd00::9"),
    packet(UDP, SIX, icmp=(2, 0), sender="fd00::9"),
]


@pytest.mark.parametrize("sight", PACKETS, ids=repr)
def test_what_is_written_reads_as_the_packet_that_was_seen(sight: Sight, tmp_path: Path) -> None:
    """By scapy, and by the parser of our own captures."""
    (tmp_path / "x.pcap").write_bytes(pcap([sight]))
    (found,) = rdpcap(str(tmp_path / "x.pcap"))
    assert (float(found.time), found.pkttype == 4) == (AT, sight.out)
    assert read(bytes(found)[COOKED_BYTES:], AT, out=sight.out) == sight


def test_scapy_summarises_it(tmp_path: Path) -> None:
    (tmp_path / "x.pcap").write_bytes(pcap(PACKETS))
    said = [found.summary() for found in rdpcap(str(tmp_path / "x.pcap"))]
    assert "TCP 10.0.0.1:40000 > 10.0.0.2:postgresql S" in said[0]
    assert "ICMP 10.0.9.9 > 10.0.0.1 dest-unreach communication-prohibited / IPerror / TCPerror" in said[5]
    assert "fd00::9 > fd00::1" in said[7]


def test_what_is_left_out_counts_in_the_length_on_the_wire(tmp_path: Path) -> None:
    (tmp_path / "x.pcap").write_bytes(pcap([packet(UDP, size=1000)]))
    (found,) = rdpcap(str(tmp_path / "x.pcap"))
    assert found.wirelen == COOKED_BYTES + 20 + 8 + 1000
    assert found["IP"].len == 20 + 8 + 1000


def test_in_the_order_of_time(tmp_path: Path) -> None:
    (tmp_path / "x.pcap").write_bytes(pcap([packet(at=AT + at, ttl=at) for at in (3, 1, 2)]))
    assert [found["IP"].ttl for found in rdpcap(str(tmp_path / "x.pcap"))] == [1, 2, 3]


IMPOSSIBLE: list[dict[str, Any]] = [
    {"ends": ("localhost", 1, "10.0.0.2", 2)},
    {"ends": ("fe80::1%lo", 1, "fe80::2", 2)},
    {"ends": ("10.0.0.1", 1, "fd00::2", 2)},
    {"ends": ("10.0.0.1", 65536, "10.0.0.2", 2)},
    {"at": float("inf")},
    {"at": float("nan")},
    {"at": -1.0},
    {"ttl": 256},
    {"seq": -1},
    {"size": 1 << 20},
    {"flags": "SX"},
    {"icmp": (9, 0), "sender": "10.0.0.3"},
    {"icmp": (3, 256), "sender": "10.0.0.3"},
    {"icmp": (3, 1), "sender": "router.example"},
    {"icmp": (3, 1), "sender": "fd00::3"},
]


@pytest.mark.parametrize("fields", IMPOSSIBLE, ids=repr)
def test_what_no_packet_can_have_been_is_left_out(fields: dict[str, Any]) -> None:
    assert pcap([packet(**fields)]) == pcap([])


NUMBERS = st.integers(-1, 2**33)


@given(
    st.builds(
        Sight,
        at=st.floats(),
        out=st.booleans(),
        transport=st.sampled_from(Transport),
        source=st.sampled_from(["10.0.0.1", "fd00::1", ""]) | st.text(max_size=5),
        source_port=NUMBERS,
        target=st.sampled_from(["10.0.0.2", "fd00::2", ""]),
        target_port=NUMBERS,
        ttl=NUMBERS,
        size=NUMBERS,
        seq=NUMBERS,
        ack=NUMBERS,
        flags=st.text("FSRPAUx", max_size=3),
        icmp=st.none() | st.tuples(NUMBERS, NUMBERS),
        sender=st.sampled_from(["10.0.0.3", "fd00::3", ""]),
    )
)
def test_whatever_an_agent_says_makes_a_file(sight: Sight) -> None:
    assert pcap([sight])
