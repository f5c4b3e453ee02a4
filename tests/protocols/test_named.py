"""Every protocol with a name: what it sends reads as a dialogue, and its page tells people what they want to know."""

from __future__ import annotations

import pytest

from probe.model.observation import Holder
from probe.model.protocols import APPLICATIONS, spoken
from probe.model.words import Transport
from probe.protocols import NAMED, holder, told
from probe.spec.matrix.named import named, read
from probe.spec.matrix.plainly import plainly

WAYS = [
    (name, transport)
    for name, known in NAMED.items()
    for transport, steps in ((Transport.TCP, known.tcp), (Transport.UDP, known.udp))
    if steps
]


@pytest.mark.parametrize("name", NAMED)
def test_a_name_is_a_word_of_the_matrix(name: str) -> None:
    known = NAMED[name]
    asked = {transport for word, transport in WAYS if word == name}
    if name in APPLICATIONS:
        assert asked == set(APPLICATIONS[name])
    else:
        assert known.web
        assert spoken(name)
    assert bool(asked) is not bool(known.web)


@pytest.mark.parametrize("name", NAMED)
def test_people_are_told_about_it(name: str) -> None:
    known = NAMED[name]
    assert all((known.sends, known.healthy, known.proves, known.logs))
    # As the kernel has them; those of classes are longer.
    assert all(len(program) <= 15 or program[0].isupper() for program in known.programs.split())


@pytest.mark.parametrize(("name", "transport"), WAYS)
def test_its_dialogue_reads(name: str, transport: Transport) -> None:
    dialogue = named(name, transport)
    assert dialogue is not None
    assert read(plainly(dialogue)) == dialogue


@pytest.mark.parametrize(("name", "transport"), WAYS)
@pytest.mark.parametrize(
    "said", [b"", b"\0", b"\xff" * 600, bytes(range(256)) * 2, b"HTTP/1.1 400 Bad Request\r\n\r\n"]
)
def test_whatever_comes_is_told_or_not(name: str, transport: Transport, said: bytes) -> None:
    assert isinstance(told(name, transport, said), str)


@pytest.mark.parametrize(
    ("word", "by", "what"),
    [
        ("redis", "redis-server (pid 812)", Holder.SPEAKER),
        ("redis", "nginx (pid 1), redis-server (pid 812)", Holder.SPEAKER),
        ("redis", "haproxy (pid 7)", Holder.BALANCER),
        ("https", "java Elasticsearch (pid 7)", Holder.SPEAKER),
        ("https", "beam.smp rabbit (pid 7)", Holder.UNKNOWN),  # its management has a port for HTTP
        ("redis", "docker-proxy (pid 7)", Holder.RELAY),
        ("prometheus-exporter", "postgres (pid 7)", Holder.ANOTHER),
        ("prometheus-exporter", "mine (pid 7)", Holder.UNKNOWN),
        ("redis", "postgres (pid 7)", Holder.ANOTHER),
        ("redis", "mine (pid 7)", Holder.UNKNOWN),
        ("redis", "java (pid 7)", Holder.UNKNOWN),
        ("redis", "java Kafka (pid 7)", Holder.ANOTHER),
        ("redis", "java Bootstrap (pid 7)", Holder.UNKNOWN),
        ("kafka", "java Kafka (pid 7)", Holder.SPEAKER),
        ("kafka", "java (pid 7)", Holder.UNKNOWN),
        ("smtp", "beam.smp rabbit (pid 7)", Holder.ANOTHER),
        ("smtp", "beam.smp (pid 7)", Holder.UNKNOWN),
        ("smtp", "systemd (pid 1)", Holder.UNKNOWN),
        ("redis", " (pid 7)", Holder.UNKNOWN),
        ("redis", "postgres (pid 7), mine (pid 8)", Holder.UNKNOWN),
        ("redis", "a process of uid 0", Holder.UNKNOWN),
        ("redis", "", Holder.UNKNOWN),
        ("tcp", "redis-server (pid 812)", Holder.UNKNOWN),
        # What is asked in HTTP and has no name of its own.
        ("http", "apache2 (pid 7)", Holder.SPEAKER),
        ("https", "prometheus (pid 7)", Holder.SPEAKER),
        ("https", "nginx (pid 7)", Holder.BALANCER),
        ("http-or-https", "haproxy (pid 7)", Holder.BALANCER),
        ("http", "docker-proxy (pid 7)", Holder.RELAY),
        ("https", "redis-server (pid 7)", Holder.ANOTHER),
        ("http", "java (pid 7)", Holder.UNKNOWN),
        ("http", "node (pid 7)", Holder.UNKNOWN),
        ("http", "unbound (pid 7)", Holder.UNKNOWN),  # DNS over HTTPS
        ("prometheus-exporter", "coredns (pid 7)", Holder.UNKNOWN),
        ("tls", "haproxy (pid 7)", Holder.BALANCER),
        ("tls", "redis-server (pid 7)", Holder.UNKNOWN),
    ],
)
def test_who_holds_the_port(word: str, by: str, what: Holder) -> None:
    assert holder(word, by) is what
