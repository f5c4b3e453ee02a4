"""What Debian has no package of: peers that answer as the protocols' own documents say."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest

from probe.coordinator import selfsigned
from probe.model.check import Check
from probe.model.http import HttpTerms
from probe.model.judge import Situation, judge
from probe.model.matrix import Service
from probe.model.observation import Failure, PortUse, TargetView
from probe.model.ports import PortSet
from probe.model.protocols import WEB, spoken
from probe.model.words import Cause, Expect, Phase, Policy, Protocol, Transport, Verdict
from probe.probes import http
from probe.probes.attempt import Attempt, Terms
from probe.protocols import told
from probe.spec.matrix.named import named, web
from probe.wire.messages import Aim

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from probe.model.observation import Observation

    Hold = Callable[..., Awaitable[Observation]]
    Peer = Callable[..., Awaitable[int]]

pytestmark = pytest.mark.usefixtures("no_blocking")


async def mongod(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """OP_QUERY in, OP_REPLY out (https://www.mongodb.com/docs/manual/legacy-opcodes/)."""
    size = int.from_bytes(await reader.readexactly(4), "little")
    rest = await reader.readexactly(size - 4)
    assert rest[8:12] == (2004).to_bytes(4, "little")
    assert b"admin.$cmd\0" in rest
    assert b"isMaster\0" in rest
    document = b"\x11\0\0\0\x01ok\0" + b"\0\0\0\0\0\0\xf0\x3f" + b"\0"
    body = bytes(8) + bytes(4) + bytes(4) + (1).to_bytes(4, "little") + document
    head = (16 + len(body)).to_bytes(4, "little") + bytes(4) + rest[:4] + (1).to_bytes(4, "little")
    writer.write(head + body)


async def kafka(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """ApiVersions, version 0 (https://kafka.apache.org/protocol.html#The_Messages_ApiVersions)."""
    size = int.from_bytes(await reader.readexactly(4), "big")
    request = await reader.readexactly(size)
    assert request[:4] == b"\0\x12\0\0"
    assert request[8:10] == b"\0\x09"
    body = request[4:8] + b"\0\0" + (1).to_bytes(4, "big") + b"\0\x12\0\0\0\x03"
    writer.write(len(body).to_bytes(4, "big") + body)


async def nsqd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    assert await reader.readexactly(4) == b"  V2"
    assert await reader.readline() == b"IDENTIFY\n"
    size = int.from_bytes(await reader.readexactly(4), "big")
    assert await reader.readexactly(size) == b"{}"
    writer.write(b"\0\0\0\6" + b"\0\0\0\0" + b"OK")


async def nsqlookupd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    assert await reader.readexactly(4) == b"  V1"
    assert await reader.readline() == b"PING\n"
    writer.write(b"\0\0\0\2OK")


async def ceph_mon(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    writer.write(b"ceph v2\n\x10\x00" + bytes(16))


async def pgbouncer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    assert await reader.readexactly(8) == b"\0\0\0\x08\x04\xd2\x16\x2f"
    writer.write(b"N")
    await reader.read(-1)


async def loading(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.write(b"-LOADING Redis is loading the dataset in memory\r\n")


async def locked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.write(b"-NOAUTH Authentication required.\r\n")


async def crowded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    writer.write(b"\x17\0\0\0\xff\x10\x04Too many connections")


async def electing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(4)
    writer.write(b"This ZooKeeper instance is not currently serving requests\n")


async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    writer.write(b"554 no mail for you\r\n")


@pytest.mark.parametrize(
    ("name", "serve", "words"),
    [
        ("mongodb", mongod, "MongoDB answer to isMaster"),
        ("kafka", kafka, "Kafka answer to ApiVersions"),
        ("nsqd", nsqd, "nsqd says OK"),
        ("nsqlookupd", nsqlookupd, "nsqlookupd says OK"),
        ("ceph-mon", ceph_mon, "Ceph banner, 'ceph v2'"),
        ("postgresql", pgbouncer, "PostgreSQL, without TLS"),
        ("redis", locked, "Redis wants a password"),
    ],
)
async def test_a_service_that_is_well(name: str, serve: Any, words: str, peer: Peer, hold: Hold) -> None:
    dialogue = named(name, Transport.TCP)
    assert dialogue is not None
    seen = await hold(await peer(serve), dialogue)
    assert seen.failure is None, seen
    assert told(name, Transport.TCP, seen.said) == words


@pytest.mark.parametrize(
    ("name", "serve"),
    [("redis", loading), ("mysql", crowded), ("zookeeper", electing), ("smtp", refusing)],
)
async def test_a_service_that_is_not_well(name: str, serve: Any, peer: Peer, hold: Hold) -> None:
    dialogue = named(name, Transport.TCP)
    assert dialogue is not None
    seen = await hold(await peer(serve), dialogue)
    assert seen.failure is Failure.UNHEALTHY, seen


# --- in HTTP ----------------------------------------------------------------------------------------------------------

OK, ELASTIC = "200 OK", "X-elastic-product: Elasticsearch"
ANSWERS = {
    "consul": (OK, "X-Consul-Default-Acl-Policy: allow", '"10.0.0.1:8300"'),
    "elasticsearch": (OK, ELASTIC, '{"cluster_name": "es"}'),
    "elasticsearch, 7.10, refusing": (
        "401 Unauthorized",
        'WWW-Authenticate: Basic realm="security" charset="UTF-8"',
        '{"error":{"root_cause":[{"type":"security_exception","reason":"missing authentication credentials"}]}}',
    ),
    "elasticsearch, opensearch, refusing": (
        "401 Unauthorized",
        'WWW-Authenticate: Basic realm="OpenSearch Security"',
        "Unauthorized",
    ),
    "kubelet": ("401 Unauthorized", "", "Unauthorized"),
    "kubernetes-api": (OK, "", '{"gitVersion": "v1.30.0"}'),
    "minio": (OK, "Server: MinIO", ""),
    "nsqd-http": (OK, "", "OK"),
    "nsqlookupd-http": (OK, "", "OK"),
    "prometheus": (OK, "", "Prometheus is Healthy.\n"),
}
UNWELL = {
    "consul": (OK, "X-Consul-Default-Acl-Policy: allow", '""'),
    "nsqd-http": ("500 Internal Server Error", "", "NOK - broken"),
    "etcd": ("503 Service Unavailable", "", '{"health":"false"}'),
    "etcd, in words": (OK, "", '{"health":"false"}'),
    "minio": ("503 Service Unavailable", "Server: MinIO", ""),
    "elasticsearch": ("503 Service Unavailable", "", "No server is available to handle this request."),
}


def word(name: str) -> str:
    """`etcd` of `etcd, in words`."""
    return name.partition(",")[0]


def serving(status: str, header: str, body: str) -> Any:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(1)
        if not first.isalpha():
            return
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{header + chr(13) + chr(10) if header else ''}\r\n"
        writer.write((head + body).encode())
        await writer.drain()

    return serve


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    certificate = selfsigned.make()
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    file.write_bytes(certificate.key_pem + certificate.certificate_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def ask(name: str, port: int) -> tuple[Verdict, Cause | None]:
    """As a run in phase live would, with a listener that may not be named."""
    service = Service(name=name, protocols=(name,))
    how = web(service, spoken(name)[0])
    assert how.http is not None
    terms = HttpTerms(text=how.http.text, regex=how.http.regex, known_by=how.http.known_by)
    aim = Aim(task=1, target=1, address="127.0.0.1", ports=str(port), protocol=WEB[name], path=how.path, http=terms)
    seen, _ = await http.probe(Attempt(aim, "127.0.0.1", port), Terms(number=1, timeout=3.0))
    check = Check(
        id="1", source="a", source_role="a", target="b", target_role="b", address="127.0.0.1",
        transport=Transport.TCP, ports=PortSet.of([port]), protocol=WEB[name], service=name, matrix="m", rule="r",
        expect=Expect.REACH, policy=Policy.ENFORCE, application=name, path=how.path, status=how.status,
    )  # fmt: skip
    judged = judge(Situation(check=check, phase=Phase.LIVE, seen=seen, view=TargetView(use=PortUse.LISTENER)))
    return judged.verdict, judged.cause


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_web_service_that_is_well(name: str, peer: Peer, secured: ssl.SSLContext) -> None:
    tls = secured if WEB[word(name)] is Protocol.HTTPS else None
    assert await ask(word(name), await peer(serving(*ANSWERS[name]), ssl=tls)) == (Verdict.PASS, None)


@pytest.mark.parametrize("name", [name for name in ANSWERS if WEB[word(name)] is Protocol.HTTP_OR_HTTPS])
async def test_a_web_service_behind_tls_is_the_same(name: str, peer: Peer, secured: ssl.SSLContext) -> None:
    assert await ask(word(name), await peer(serving(*ANSWERS[name]), ssl=secured)) == (Verdict.PASS, None)


@pytest.mark.parametrize("name", UNWELL)
async def test_a_web_service_that_is_not_well(name: str, peer: Peer) -> None:
    verdict, cause = await ask(word(name), await peer(serving(*UNWELL[name])))
    assert verdict is Verdict.MISMATCH
    assert cause in (Cause.UNHEALTHY, Cause.HTTP_STATUS)


@pytest.mark.parametrize(
    "answer",
    [(OK, "", "<html>Welcome to nginx!</html>"), ("404 Not Found", "Server: nginx", "404"), ("302 Found", "", "")],
    ids=["200", "404", "302"],
)
@pytest.mark.parametrize("name", WEB)
async def test_another_web_server_is_none_of_them(
    name: str, answer: tuple[str, str, str], peer: Peer, secured: ssl.SSLContext
) -> None:
    tls = secured if WEB[name] is Protocol.HTTPS else None
    found = await ask(name, await peer(serving(*answer), ssl=tls))
    assert found == (Verdict.MISMATCH, Cause.WRONG_SERVICE)
