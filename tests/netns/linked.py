"""Agents of a lab's hosts, ordered about one by one rather than by a run."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from probe.coordinator.channels import open_channel
from probe.coordinator.link import Link
from probe.model.inventory import Host

from .lab import COMMAND_SECONDS, Lab

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from subprocess import Popen

SECONDS = 20


@contextlib.asynccontextmanager
async def agent(lab: Lab, host: str, *words: str) -> AsyncIterator[Link]:
    """The agent of a host, started behind these words."""
    prefix = " ".join([*lab.prefix(host), *words])
    link = Link(await open_channel(Host(name=host, addresses=(), vars={"portcheck_exec": prefix}), None), "run")
    try:
        await link.greet(SECONDS)
        yield link
    finally:
        await link.close()


async def line(process: Popen[str]) -> str:
    """The next that it prints."""
    assert process.stdout is not None
    async with asyncio.timeout(COMMAND_SECONDS):
        return await asyncio.to_thread(process.stdout.readline)
