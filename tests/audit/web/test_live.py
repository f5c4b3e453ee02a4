from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest

from probe.audit.web import Listen, live, serve
from probe.history.values import RunState
from tests.report import example

from .desk import Desk, Metrics, progress

if TYPE_CHECKING:
    from .conftest import Opened

EVENTS = "/audits/nightly/live/events"


class Stream:
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def event(self) -> tuple[str, Any]:
        """The next: its name and value; a comment is called `:`; at the end an empty name."""
        name, value = "", None
        async with asyncio.timeout(5):
            while line := (await self._answer.content.readline()).decode():
                if line == "\n" and name:
                    return name, value
                if line.startswith(":"):
                    name = ":"
                elif line.startswith("event: "):
                    name = line[7:-1]
                elif line.startswith("data: "):
                    value = msgspec.json.decode(line[6:])
        return "", None


@pytest.fixture(autouse=True)
def swift(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_PACE", 0.0)


async def test_a_run_from_its_begin_to_its_end(opened: Opened, desk: Desk) -> None:
    async with opened() as client, client.get(EVENTS) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        assert answer.headers["Cache-Control"] == "no-store"
        stream = Stream(answer)
        assert await stream.event() == ("state", {"done": None})
        desk.tell("nightly", progress=progress("nightly", 17, failing=2, words="line\nbreak \x1b[31m"))
        name, value = await stream.event()
        assert name == "state"
        assert (value["done"], value["total"], value["failing"]) == (17, 200, 2)
        assert value["words"] == "line break \\x1b[31m"
        desk.tell("nightly", progress=None)
        desk.keep("nightly", example.rich().checks, 3)
        name, value = await stream.event()
        assert name == "ended"
        assert value["to"].startswith("/audits/nightly")
        assert await stream.event() == ("", None)


async def test_a_run_that_was_over_before_it_was_seen(opened: Opened, desk: Desk) -> None:
    async with opened() as client, client.get(EVENTS) as answer:
        stream = Stream(answer)
        assert await stream.event() == ("state", {"done": None})
        desk.keep("nightly", example.rich().checks, 3)
        name, value = await stream.event()
        assert (name, value["to"], value["tone"]) == ("ended", "/audits/nightly/runs/4", "deviation")
        assert value["said"].startswith("Run 4 has ended. 9 of 47 checks deviate")


async def test_a_run_that_could_not_be_made_is_told_once(opened: Opened, desk: Desk) -> None:
    async with opened() as client, client.get(EVENTS) as answer:
        stream = Stream(answer)
        assert await stream.event() == ("state", {"done": None})
        desk.lose("nightly", 3, RunState.FAILED, "hosts.txt: there is no such file")
        name, value = await stream.event()
        assert (name, value["said"]) == ("ended", "Run 4 could not be made.")


async def test_silence_is_broken_now_and_then(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_BEAT", 0.02)
    async with opened() as client, client.get(EVENTS) as answer:
        stream = Stream(answer)
        assert (await stream.event())[0] == "state"
        assert (await stream.event())[0] == ":"


async def test_only_so_many_watch_and_who_goes_makes_room(
    opened: Opened, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_MOST", 1)
    monkeypatch.setattr(live, "_BEAT", 0.02)
    async with opened() as client:
        async with client.get(EVENTS) as first:
            await Stream(first).event()
            async with client.get(EVENTS) as second:
                assert second.status == 503
                assert second.headers["Retry-After"] == "30"
            first.close()
        await desk.until_watched(0)
        async with client.get(EVENTS) as third:
            assert third.status == 200
            third.close()


async def test_the_end_of_the_service_ends_the_stream_in_order(desk: Desk) -> None:
    async with aiohttp.ClientSession() as client:
        async with serve(desk, Metrics(), Listen(port=0)) as at:
            stream = Stream(await client.get(f"{at.url.rstrip('/')}{EVENTS}"))
            await stream.event()
        # The body is closed as HTTP closes it: else the client would raise.
        assert await stream.event() == ("", None)
    assert desk.watched == 0


async def test_a_desk_that_cannot_watch(opened: Opened, desk: Desk) -> None:
    async def broken(_: str) -> Any:
        raise RuntimeError("cannot watch")
        yield

    desk.watch = broken  # type: ignore[method-assign]
    async with opened() as client, client.get(EVENTS) as answer:
        assert await Stream(answer).event() == ("", None)


def opened_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_those_who_come_and_go_leave_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every third goes at once, every third after it was told something, every third reads nothing until it goes."""
    monkeypatch.setattr(live, "_BEAT", 0.02)
    monkeypatch.setattr(live, "_WRITE", 0.2)
    async with serve(desk, Metrics(), Listen(port=0)) as at:
        place = at.url.removeprefix("http://").rstrip("/")
        address, port = place.rsplit(":", 1)
        before, descriptors = len(asyncio.all_tasks()), opened_files()
        for _ in range(10):
            writers = []
            for number in range(20):
                reader, writer = await asyncio.open_connection(address, int(port), limit=1)
                writer.write(f"GET {EVENTS} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode())
                if number % 3 == 1:
                    await reader.read(1)
                if number % 3 < 2:
                    writer.transport.abort()
                writers.append(writer)
            desk.tell("nightly", progress=progress("nightly", 17, words="x" * 50_000))
            for writer in writers:
                writer.transport.abort()
        await desk.until_watched(0)
        async with asyncio.timeout(5):
            # Nobody tells when the kernel has let go.
            while len(asyncio.all_tasks()) > before or opened_files() > descriptors:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
