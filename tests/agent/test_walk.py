"""A walk's patience: what answers late is found, what never answers is not waited for without end."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from probe.agent import walk as module
from probe.agent.walk import Walker
from probe.model.observation import Failure, Icmp, Observation, Operation, Proof
from probe.model.ports import PortSet
from probe.model.tls import HUNG_UP
from probe.model.words import Protocol, State
from probe.wire.messages import Aim, Outcome, Walk

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("no_blocking")
OPEN = Observation(state=State.OPEN, proof=Proof.ACCEPTED)
REFUSED = Observation(state=State.CLOSED, failure=Failure.REFUSED)
SILENT = Observation(state=State.FILTERED, failure=Failure.TIMEOUT)


def aim(ports: object, task: int = 0, target: int = 1, **more: Any) -> Aim:
    return Aim(
        **{"address": "127.0.0.1", "protocol": Protocol.TCP, "task": task, "target": target} | more, ports=str(ports)
    )


class Walked:
    """What came of a walk. `seen` by task and port; `reports` are the counts that were told on the way."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.reports: list[int] = []
        self.walker: Walker

    async def report(self, outcomes: list[Outcome], settled: int) -> None:
        self.outcomes += outcomes
        self.reports.append(settled)

    @property
    def seen(self) -> dict[tuple[int, int], Observation]:
        found: dict[tuple[int, int], Observation] = {}
        for outcome in self.outcomes:
            for port in PortSet.parse(outcome.ports):
                assert (outcome.task, port) not in found, "a port is reported once"
                found[outcome.task, port] = outcome.seen
        return found


@pytest.fixture
def walk(reactor: Any) -> Callable[..., Any]:
    async def walk(*aims: Aim, **more: Any) -> Walked:
        walked = Walked()
        order = Walk(**{"id": 1, "number": 1, "aims": aims, "timeout": 0.3, "deadline": 10.0, **more})
        walked.walker = Walker(reactor, order, walked.report)
        async with asyncio.timeout(12):
            await walked.walker.run()
        return walked

    return walk


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same patience, in less time."""
    monkeypatch.setattr(module, "_STRETCH", (1.0,))


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch, quick: None) -> Callable[..., Counter[int]]:
    """`tries = scripted(script)`: attempts at a port see what `script(port, number of this try)` says."""

    def use(script: Callable[[int, int], Observation]) -> Counter[int]:
        tries: Counter[int] = Counter()

        class Dialler:
            def __init__(self, reactor: Any) -> None:
                self.reactor = reactor

            def start(self, attempt: Any, _: Any, done: Any) -> None:
                tries[attempt.port] += 1
                seen = script(attempt.port, tries[attempt.port])
                asyncio.get_running_loop().call_soon(done, attempt, seen, None)

            def expire(self) -> None: ...
            def abort(self) -> None: ...

        monkeypatch.setattr(module, "Dialler", Dialler)
        return tries

    return use


class TestAgainstAScript:
    async def test_a_round_in_which_we_stood_still_proves_no_silence(self, walk: Any, scripted: Any) -> None:
        def silent(_: int, tries: int) -> Observation:
            until = time.monotonic() + (0.5 if tries == 2 else 0.0)
            while time.monotonic() < until:
                pass
            return SILENT

        tries = scripted(silent)
        await walk(aim("80"))
        assert tries[80] == 4

    async def test_a_device_that_named_itself_once_is_remembered(self, walk: Any, scripted: Any) -> None:
        told = Observation(
            state=State.REJECTED,
            failure=Failure.ICMP,
            icmp=Icmp(family=4, type=3, code=13, sender="10.0.0.254"),
        )
        scripted(lambda _port, tries: told if tries == 1 else SILENT)
        walked = await walk(aim("80"))
        assert [seen.icmp for seen in walked.seen.values()] == [told.icmp]

    async def test_what_answers_is_asked_once(self, walk: Any, scripted: Any) -> None:
        tries = scripted(lambda _port, _try: OPEN)
        walked = await walk(aim("1-500"))
        assert len(walked.seen) == 500
        assert set(tries.values()) == {1}
        assert walked.walker.attempts == 500
        assert walked.reports[-1] == 500
        assert len(walked.outcomes) == 1  # alike: one run of ports

    @pytest.mark.parametrize(("first", "late"), [(REFUSED, 2), (SILENT, 2), (SILENT, 3)], ids=["r2", "s2", "s3"])
    async def test_one_that_answers_only_the_nth_time_is_open(
        self, walk: Any, scripted: Any, first: Observation, late: int
    ) -> None:
        tries = scripted(lambda _port, number: OPEN if number >= late else first)
        seen = (await walk(aim("7"))).seen[0, 7]
        assert (seen.state, seen.attempts) == (State.OPEN, late)
        assert tries[7] == late

    async def test_as_long_as_something_settles_it_goes_on(self, walk: Any, scripted: Any) -> None:
        """A line that lets a few through at a time: no false `filtered`."""
        scripted(lambda port, number: OPEN if number >= port else SILENT)
        walked = await walk(aim("1-5"))
        assert {seen.state for seen in walked.seen.values()} == {State.OPEN}

    async def test_whatever_settles_renews_its_patience(self, walk: Any, scripted: Any) -> None:
        """One quiet round, a port that opens, one more quiet round, and another that opens."""
        scripted(lambda port, number: OPEN if number >= port else SILENT)
        walked = await walk(aim("1,3,5"))
        assert {seen.state for seen in walked.seen.values()} == {State.OPEN}

    @pytest.mark.parametrize(("what", "rounds"), [(REFUSED, 2), (SILENT, 3)], ids=["refused", "silent"])
    async def test_it_ends_after_quiet_rounds(self, walk: Any, scripted: Any, what: Observation, rounds: int) -> None:
        tries = scripted(lambda _port, _try: what)
        walked = await walk(aim("1-20"))
        assert {(seen.failure, seen.attempts) for seen in walked.seen.values()} == {(what.failure, rounds)}
        assert set(tries.values()) == {rounds}

    async def test_targets_do_not_wait_for_each_other(self, walk: Any, scripted: Any) -> None:
        """A dead target costs only its own attempts."""
        tries = scripted(lambda port, _try: OPEN if port < 100 else SILENT)
        await walk(aim("1-50", task=0, target=1), aim("100-110", task=1, target=2))
        assert {tries[port] for port in range(1, 51)} == {1}

    async def test_the_last_thing_seen_is_told(self, walk: Any, scripted: Any) -> None:
        scripted(lambda _port, number: SILENT if number == 1 else REFUSED)
        assert (await walk(aim("7"))).seen[0, 7].failure is Failure.REFUSED

    async def test_two_aims_at_one_port_are_two_findings(self, walk: Any, scripted: Any) -> None:
        scripted(lambda _port, _try: OPEN)
        walked = await walk(aim("5", task=0), aim("5", task=1))
        assert set(walked.seen) == {(0, 5), (1, 5)}


class TestDeadline:
    async def test_what_was_not_settled_is_no_finding(self, walk: Any) -> None:
        """A pace of two a second, half a second: most was never tried."""
        began = time.monotonic()
        walked = await walk(aim("1-50"), rate=2.0, deadline=0.5)
        assert time.monotonic() - began < 3
        assert len(walked.seen) == 50
        failures = Counter(seen.failure for seen in walked.seen.values())
        assert failures[Failure.TIMEOUT] >= 35
        assert all(seen.state is State.ERROR for seen in walked.seen.values() if seen.failure is Failure.TIMEOUT)

    async def test_a_round_that_was_cut_short_is_not_a_quiet_one(self, walk: Any, scripted: Any) -> None:
        """Refused once, and the time ran out in the second round: some were never asked again."""
        tries = scripted(lambda _port, _try: REFUSED)
        walked = await walk(aim("1-40"), rate=40.0, deadline=1.1)
        assert min(tries.values()) == 1  # the first round was whole, the second was not
        assert max(tries.values()) == 2
        assert {(seen.state, seen.failure) for seen in walked.seen.values()} == {(State.ERROR, Failure.TIMEOUT)}

    async def test_silence_ends_by_itself(self, walk: Any, quick: None) -> None:
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen(0)
            port = server.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)):
                seen = (await walk(aim(port))).seen[0, port]
        assert (seen.state, seen.failure, seen.attempts) == (State.FILTERED, Failure.TIMEOUT, 3)


async def test_a_port_that_opens_late_is_open(walk: Any, free_port: int) -> None:
    """A real one: the listener comes while the walk is under way."""

    async def open_late() -> asyncio.Server:
        await asyncio.sleep(0.02)
        return await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", free_port)

    late = asyncio.create_task(open_late())
    # Many closed ports beside it keep the first round busy until it has come.
    walked = await walk(aim(free_port), aim("1-300", task=1), rate=2000.0)
    (await late).close()
    assert walked.seen[0, free_port].state is State.OPEN


class TestNames:
    async def test_each_of_its_addresses_is_dialled(
        self, walk: Any, scripted: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scripted(lambda _port, _try: OPEN)
        self.resolve(monkeypatch, "10.0.0.1", "10.0.0.2", "10.0.0.1")
        walked = await walk(aim("80", address="db.example"))
        assert sorted(outcome.address for outcome in walked.outcomes) == ["10.0.0.1", "10.0.0.2"]

    async def test_one_without_an_address_is_a_finding(self, walk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.resolve(monkeypatch)
        seen = (await walk(aim("80-82", address="nowhere.example"))).seen
        assert {(one.operation, one.failure, one.text) for one in seen.values()} == {
            (Operation.RESOLVE, Failure.NOT_RESOLVED, "Name or service not known")
        }
        assert set(seen) == {(0, 80), (0, 81), (0, 82)}

    async def test_it_is_looked_up_once(self, walk: Any, scripted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """A resolver that is down must not cost its limit for each check."""
        scripted(lambda _port, _try: OPEN)
        asked = self.resolve(monkeypatch, "10.0.0.1")
        await walk(*(aim(port, task=port, address="db.example") for port in range(1, 30)))
        assert asked == ["db.example"]

    @staticmethod
    def resolve(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
        asked: list[str] = []

        async def getaddrinfo(name: str, *_: Any, **__: Any) -> list[Any]:
            asked.append(name)
            if not addresses:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        return asked


async def test_a_prober_that_breaks_costs_its_own_attempt(walk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of a prober must not hang a walk."""
    from probe.probes import udp

    async def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(udp, "probe", broken)
    began = time.monotonic()
    seen = (await walk(aim("7", protocol=Protocol.UDP))).seen[0, 7]
    assert (seen.state, seen.failure) == (State.ERROR, Failure.OTHER)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("once", [True, False], ids=["careful", "rounds"])
async def test_who_hangs_up_on_a_handshake_is_looked_at_again(walk: Any, quick: None, once: bool) -> None:
    """With care: in the first round haste is no finding yet."""
    came: Counter[str] = Counter()

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came["at all"] += 1
        came["with a word"] += bool(await reader.read(1))
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    walked = await walk(aim(port, protocol=Protocol.TLS), timeout=2.0, once=once)
    server.close()
    seen = walked.seen[0, port]
    assert seen.failure in (Failure.CLOSED, Failure.RESET)
    assert seen.text == HUNG_UP
    assert came == ({"at all": 2, "with a word": 1} if once else {"at all": 3, "with a word": 2})
