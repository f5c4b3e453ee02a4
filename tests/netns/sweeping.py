"""Sweeps from inside a lab's host, by an engine of one's choice."""

from __future__ import annotations

import json
import select
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from probe.model.ports import PortSet
from probe.model.swept import Swept
from probe.model.words import State

from .lab import COMMAND_SECONDS, Lab, command

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence

MOST_SECONDS = 120
# Prints `asked` once packets leave, then what it found. `cancel`: seconds after which it is cancelled; then it prints
# how many files and tasks are left that were not there before.
SWEEP = """
import asyncio, json, math, os, sys
import msgspec
from probe.model.ports import PortSet
from probe.model.words import Transport
from probe.sweep.order import Sweep, Target
from probe.sweep.sweep import sweep

async def main(targets, engine="packet", cancel=None, rate=None, transport="tcp", mark="", **more):
    order = Sweep(
        targets=tuple(Target(address=address, ports=PortSet.parse(ports)) for address, ports in targets),
        transport=Transport(transport), rate=math.inf if rate is None else rate, mark=mark.encode(), **more,
    )
    told = False
    def tick(progress):
        nonlocal told
        if progress.sent and not told:
            told = True
            print("asked", flush=True)
    # What a loop and its threads keep open anyway is there before.
    await asyncio.get_running_loop().run_in_executor(None, int)
    files = len(os.listdir("/proc/self/fd"))
    task = asyncio.create_task(sweep(order, engine=engine, tick=tick))
    if cancel is not None:
        await asyncio.sleep(cancel)
        task.cancel()
        try:
            await asyncio.wait_for(asyncio.shield(task), 1)
        except asyncio.CancelledError:
            pass
        await asyncio.sleep(0.1)
        print(json.dumps([len(os.listdir("/proc/self/fd")) - files, len(asyncio.all_tasks()) - 1]))
        return
    found = await task
    if not told:
        print("asked", flush=True)
    print(msgspec.json.encode(found).decode())

asyncio.run(main(**json.loads(sys.argv[1])))
"""


class Sweeping:
    """A sweep under way in a host of the lab, from its making."""

    def __init__(
        self, lab: Lab, host: str, targets: Sequence[tuple[str, str]], words: Sequence[str] = (), **order: Any
    ):
        arguments = json.dumps({"targets": targets, **order})
        self.process: subprocess.Popen[str] = lab.start(host, *words, sys.executable, "-c", SWEEP, arguments)

    def asked(self) -> None:
        """Packets leave."""
        self._line("asked")

    def result(self) -> tuple[Swept, ...]:
        stdout, _ = self.process.communicate(timeout=MOST_SECONDS)
        assert self.process.returncode == 0
        found = msgspec.json.decode(stdout.splitlines()[-1], type=tuple[Swept, ...])
        for swept in found:
            _consistent(swept)
        return found

    def _line(self, wanted: str) -> None:
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], COMMAND_SECONDS)
        assert readable
        assert self.process.stdout.readline() == f"{wanted}\n"


def swept(lab: Lab, host: str, address: str, ports: str = "1-65535", **order: Any) -> Swept:
    """One target, swept to its end."""
    [found] = Sweeping(lab, host, [(address, ports)], **order).result()
    return found


def ports(found: Swept, state: State) -> PortSet:
    return PortSet.parse(found.states[state]) if state in found.states else PortSet()


def truth(asked: str, **states: str) -> Mapping[State, str]:
    """The ports asked for by state: those named, the rest closed."""
    named = {State[name.upper()]: PortSet.parse(text) for name, text in states.items()}
    closed = PortSet.parse(asked)
    for some in named.values():
        closed -= some
    return {state: str(some) for state, some in {**named, State.CLOSED: closed}.items() if len(some)}


def half_open(lab: Lab, host: str) -> list[str]:
    """Connections that wait for the end of a handshake."""
    return command("ss", "-N", lab.namespace(host), "-Htn", "state", "syn-recv").splitlines()


def _consistent(found: Swept) -> None:
    """Each port has one state; who rejected is named for those that were."""
    whole = PortSet()
    for text in found.states.values():
        some = PortSet.parse(text)
        assert not len(whole & some)
        whole |= some
    refused = PortSet()
    for rejection in found.rejections:
        refused |= PortSet.parse(rejection.ports)
    named = ports(found, State.REJECTED) | ports(found, State.UNREACHABLE)
    assert not len(named - refused) or found.problem
