"""What single cells mean: ports, protocols, names, descriptions."""

from __future__ import annotations

import pytest

from probe.spec.importing.columns import Kind, Layout
from probe.spec.importing.reading import Name, Reading, Unsettled, names, ports, read
from probe.spec.importing.tables import Row

ROW = Layout(Kind.SERVICES, target=0, ports=((1, ()),), protocol=2, use=3)
TOGETHER = Layout(Kind.SERVICES, target=0, ports=((1, ()),), use=2)
COLUMNS = ("Role", "Port", "Protocol", "Description")


def reading(*cells: str, where: Layout = ROW) -> Reading:
    return read(Row(1, cells), COLUMNS[: len(cells)], where)


def found(cell: str) -> list[tuple[str, str]]:
    return [(" ".join(group.parts), " ".join(group.protocols)) for group in ports(cell, [])]


@pytest.mark.parametrize(
    ("cell", "groups"),
    [
        ("22", [("22", "")]),
        ("4150, 4151", [("4150 4151", "")]),
        ("30051, 30551, 30051", [("30051 30551", "")]),
        ("80/443", [("80 443", "")]),
        ("80 443", [("80 443", "")]),
        ("80 and 443", [("80 443", "")]),
        ("Ports: 80; 443", [("80 443", "")]),
        *((f"5000{dash}6000", [("5000-6000", "")]) for dash in "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"),
        ("5000 – 6000", [("5000-6000", "")]),
        ("5000 to 6000", [("5000-6000", "")]),
        ("443/tcp", [("443", "tcp")]),
        ("tcp/443", [("443", "tcp")]),
        ("TCP:443", [("443", "tcp")]),
        ("53 (TCP, UDP)", [("53", "tcp udp")]),
        ("53/tcp, 53/udp", [("53", "tcp"), ("53", "udp")]),
        ("TCP 80, 443; UDP 53", [("80 443", "tcp"), ("53", "udp")]),
        ("80, 443/tcp, 53/udp", [("80 443", "tcp"), ("53", "udp")]),
        ("22/ssh", [("22", "ssh")]),
    ],
)
def test_ports(cell: str, groups: list[tuple[str, str]]) -> None:
    assert found(cell) == groups


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("", "there is no port"),
        ("n/a", "there is no port"),
        ("–", "there is no port"),
        ("TCP", "there is no port"),
        ("any", '"any" names no ports'),
        ("All ports", '"All ports" names no ports'),
        ("ephemeral", '"ephemeral" names no ports'),
        ("1024-65536", "port 65536 does not exist"),
        ("0", "port 0 does not exist"),
        ("6000-5000", "runs backwards"),
        ("080", '"080" is no way to write a port'),
        ("1,024-65,535", '"024-65" is no way to write a port'),
        ("1024+", 'the ports "1024\\+" cannot be read'),
        ("> 1024", "cannot be read"),
        ("10.0.0.1", "cannot be read"),
        ("${PORT}", "cannot be read"),
        ("8080 or 8443", '"or" among the ports is not clear'),
        ("not 22", '"not" among the ports is not clear'),
        ("80/tcp, 53/udp, 443", "which protocol belongs to which port"),
        (",".join(map(str, range(1, 60))), "more than 50 ports"),
        ("9" * 3000, "does not exist|cannot be read|neither a port"),
    ],
)
def test_ports_that_are_not_clear(cell: str, reason: str) -> None:
    with pytest.raises(Unsettled, match=reason):
        ports(cell, [])


@pytest.mark.parametrize(
    ("cell", "parts", "question"),
    [
        ("65,535", ("65", "535"), '"65,535" is read as two ports'),
        ("9000 (default)", ("9000",), '"(default)" beside the port is left out'),
    ],
)
def test_ports_that_are_asked_about(cell: str, parts: tuple[str, ...], question: str) -> None:
    asked: list[str] = []
    assert [group.parts for group in ports(cell, asked)] == [parts]
    assert asked == [question]


@pytest.mark.parametrize(
    ("use", "protocols", "rest"),
    [
        ("HTTP/HTTPS, can be changed", "http https", "can be changed"),
        ("TCP - Access to /cache", "tcp", "Access to /cache"),
        ("HTTP: Used for file storage", "http", "Used for file storage"),
        ("HTTP & TCP, NSQ", "http tcp", "NSQ"),
        ("HTTP, TCP: eventing", "http tcp", "eventing"),
        ("TCP", "tcp", ""),
        ("TCP, redis", "tcp", "redis"),
        ("HTTP – metrics", "http", "metrics"),
        # A word of the sentence is left in it.
        ("TCP access to the cache", "tcp", "TCP access to the cache"),
        ("HTTP-based access", "", "HTTP-based access"),
        ("HTTP/2 access", "", "HTTP/2 access"),
        ("https://example.com", "", "https://example.com"),
        ("tcpdump", "", "tcpdump"),
    ],
)
def test_protocols_before_a_description(use: str, protocols: str, rest: str) -> None:
    row = reading("db", "1", use, where=TOGETHER)
    assert (" ".join(row.groups[0].protocols), row.help) == (protocols, rest)


def test_a_column_for_both_needs_nothing_between() -> None:
    row = reading("nsq", "1", "HTTP, TCP Used for queuing", where=TOGETHER._replace(combined=True))
    assert (row.groups[0].protocols, row.help) == (("http", "tcp"), "Used for queuing")


@pytest.mark.parametrize(
    ("port", "cell", "protocols", "asked"),
    [
        ("80", "HTTP", "http", 0),
        ("80", "HTTP, TCP", "http tcp", 0),
        ("53", "TCP/UDP", "tcp udp", 0),
        ("80", "http or https", "http https", 0),
        ("443/tcp", "HTTPS", "https", 0),
        ("53/udp", "DNS", "dns/udp", 0),
        ("53/udp", "TCP", "udp", 0),
        ("514", "proprietary", "tcp", 1),
        ("514", "TCP, proprietary", "tcp", 1),
    ],
)
def test_protocols_of_their_column(port: str, cell: str, protocols: str, asked: int) -> None:
    row = reading("db", port, cell, "TCP: what for")
    assert (" ".join(row.groups[0].protocols), row.help, len(row.questions)) == (protocols, "TCP: what for", asked)


def test_protocols_without_ports() -> None:
    with pytest.raises(Unsettled, match='"ICMP" has no ports'):
        reading("db", "8", "ICMP", "")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("DB", [Name("DB")]),
        ("app, db", [Name("app"), Name("db")]),
        ("Web and app / db & es", [Name("Web"), Name("app"), Name("db"), Name("es")]),
        ("services (app, api)", [Name("services", "app, api")]),
        ("LB (agent), db", [Name("LB", "agent"), Name("db")]),
        ("10.0.0.0/16", [Name("10.0.0.0/16")]),
        ("*", [Name("*")]),
        ("**db**, db", [Name("db")]),
        ("(agent)", [Name("agent")]),
        ("", []),
        (" , ", []),
    ],
)
def test_names(cell: str, expected: list[Name]) -> None:
    assert list(names(cell)) == expected


@pytest.mark.parametrize(
    ("use", "question"),
    [
        ("If no LB node is in the cluster, expose this", "this has a condition"),
        ("Only with TLS", "this has a condition"),
        ("the port can be changed", "a variable would let it"),
    ],
)
def test_descriptions_that_are_asked_about(use: str, question: str) -> None:
    (asked,) = reading("db", "1", "tcp", use).questions
    assert question in asked


def test_outgoing_connections_are_asked_about() -> None:
    row = read(
        Row(1, ("db", "1", "Outbound")),
        ("Role", "Port", "Direction"),
        ROW._replace(protocol=None, use=None, others=(2,)),
    )
    assert row.others == ("Direction: Outbound",)
    assert "outgoing connections" in row.questions[0]
