"""The agent as a process: however its coordinator goes, it goes too, and its ports with it."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from probe.model.words import Transport
from probe.wire.frames import PREFACE, Decoder
from probe.wire.messages import VERSION, Endpoint, Greet, Looked, Open, decode_answer, encode

SECONDS = 10


def open_order(port: int) -> bytes:
    end = Endpoint(address="127.0.0.1", transport=Transport.TCP, ports=str(port))
    greet = Greet(wire=VERSION, version="test", run="r", lease=60)
    return PREFACE + encode(greet) + encode(Open(id=1, endpoints=(end,), key=bytes(32)))


async def until_opened(stdout: asyncio.StreamReader) -> None:
    decoder = Decoder()
    async with asyncio.timeout(SECONDS):
        while True:
            data = await stdout.read(65536)
            assert data, "the agent ended"
            if any(isinstance(decode_answer(payload), Looked) for payload in decoder.feed(data)):
                return


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda agent: agent.stdin.close(), 0),
        (lambda agent: agent.send_signal(signal.SIGTERM), 0),
        (lambda agent: agent.send_signal(signal.SIGINT), 0),
        (lambda agent: agent.send_signal(signal.SIGHUP), 0),
        (lambda agent: agent.stdin.write(b"\0" * 8), 1),
    ],
    ids=["eof", "term", "int", "hup", "garbage"],
)
async def test_it_ends_with_its_coordinator(agent: Any, accepts: Any, free_port: int, end: Any, code: int) -> None:
    agent.stdin.write(open_order(free_port))
    await until_opened(agent.stdout)
    assert await accepts(free_port)
    end(agent)
    async with asyncio.timeout(SECONDS):
        assert await agent.wait() == code
    assert not await accepts(free_port)
    said = (await agent.stderr.read()).decode()
    assert "Traceback" not in said
    assert (said == "") is (code == 0)


_PARENT = """
import subprocess, sys
agent = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=None)
print(agent.pid, file=sys.stderr, flush=True)
while data := sys.stdin.buffer.read1():
    agent.stdin.write(data)
    agent.stdin.flush()
"""


def is_alive(number: int) -> bool:
    """An orphan that nobody has fetched yet is dead."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_its_parent_is_killed(command: list[str], accepts: Any, free_port: int) -> None:
    """Nobody could say goodbye: the pipe's end is all there is."""
    pipe = asyncio.subprocess.PIPE
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PARENT, *command, stdin=pipe, stdout=pipe, stderr=pipe
    )
    assert parent.stdin
    assert parent.stdout
    assert parent.stderr
    parent.stdin.write(open_order(free_port))
    number = int(await parent.stderr.readline())
    await until_opened(parent.stdout)
    assert await accepts(free_port)
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(SECONDS):
        while await accepts(free_port):  # noqa: ASYNC110  (a port sets no event)
            await asyncio.sleep(0.05)
        await parent.stdout.read()  # the agent held the other end of this pipe
        while is_alive(number):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    parent.stdin.close()


async def test_what_is_printed_goes_to_stderr(command: list[str]) -> None:
    """Whatever a library prints must not end up between two frames."""
    code = "import asyncio, probe.agent.session as s\nold = s.hello\n"
    code += "def hello():\n    print('chatter')\n    return old()\ns.hello = hello\n"
    code += "from probe.agent.stdio import serve\nraise SystemExit(asyncio.run(serve()))"
    pipe = asyncio.subprocess.PIPE
    agent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=pipe, stdout=pipe, stderr=pipe)
    out, err = await agent.communicate(b"")
    assert agent.returncode == 0
    assert b"chatter" in err
    assert out.startswith(PREFACE)
    assert b"chatter" not in out


@pytest.mark.parametrize("what", ["/dev/null", __file__])
async def test_without_a_coordinator_it_says_so(command: list[str], what: str) -> None:
    pipe = asyncio.subprocess.PIPE
    with open(what, "rb") as file:  # noqa: ASYNC230, PTH123
        agent = await asyncio.create_subprocess_exec(*command, stdin=file, stdout=pipe, stderr=pipe)
        out, err = await agent.communicate()
    assert agent.returncode == 4
    assert out == b""
    assert b"stdin must be a pipe" in err
    assert b"Traceback" not in err
