"""Every host's agent in one run: reached all at once, lost one by one, and what to say of each in the report."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from probe.coordinator.channels import ChannelError, describe, open_channel
from probe.coordinator.link import AgentLost, Link
from probe.model.result import AgentInfo
from probe.model.words import Cause

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Mapping

    from probe.model.inventory import Host
    from probe.wire.messages import Hello

_GREETING = 30.0
_FAREWELL = 15.0


class Agents:
    """`reach` first; `link` gives the living ones. Raises UserError for a host whose variables make no way to it."""

    def __init__(self, hosts: Mapping[str, Host], run: str, tls: ssl.SSLContext | None) -> None:
        self._hosts = hosts
        self._run = run
        self._tls = tls
        self._ways = {name: describe(host) for name, host in hosts.items()}
        self._links: dict[str, Link] = {}
        self._problems: dict[str, str] = {}

    async def reach(self, names: Iterable[str]) -> None:
        """All at once; who cannot be reached is a problem of its own rows."""
        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(self._reach(name))

    async def _reach(self, name: str) -> None:
        if self.agentless(name):
            return
        try:
            async with asyncio.timeout(_GREETING):
                channel = await open_channel(self._hosts[name], self._tls)
            self._links[name] = Link(channel, self._run)
            await self._links[name].greet(_GREETING)
        except TimeoutError:
            self._problems[name] = f"no connection within {_GREETING:.0f} s (reached by: {self._ways[name]})"
        except (ChannelError, AgentLost) as error:
            self._problems[name] = f"{error} (reached by: {self._ways[name]})"

    async def leave(self) -> None:
        """End all of them; takes a few seconds at most."""
        if self._links:
            farewells = [asyncio.create_task(link.close()) for link in self._links.values()]
            await asyncio.wait(farewells, timeout=_FAREWELL)

    def link(self, name: str) -> tuple[Link, Hello] | None:
        """The living agent of this host, and what it said of itself."""
        link = self._links.get(name)
        if link is None or link.hello is None or link.lost is not None:
            return None
        return link, link.hello

    def agentless(self, name: str) -> bool:
        """Whether this host has no agent on purpose."""
        return not self._ways[name]

    def blame(self, name: str, problem: str) -> None:
        """This agent lives, but did not do what it was asked."""
        self._problems.setdefault(name, problem)

    def problem(self, name: str) -> tuple[Cause, str] | None:
        """Why this host's agent cannot speak; None if it can."""
        if self.agentless(name):
            why = "" if self._hosts[name].external else " (portcheck_agent=none)"
            return Cause.NO_AGENT, f"{name} has no agent{why}, and only an agent could tell"
        words = self.words(name)
        if not words:
            return None
        link = self._links.get(name)
        if link is None or link.hello is None:
            return Cause.NO_AGENT, f"no agent on {name}: {words}"
        return Cause.AGENT_LOST, f"the agent of {name} was lost: {words}"

    def words(self, name: str) -> str:
        """The same without the host's name; empty if all is well."""
        link = self._links.get(name)
        lost = link.lost if link is not None else None
        return self._problems.get(name) or (str(lost) if lost is not None else "")

    def carried(self) -> dict[str, frozenset[str]]:
        """The addresses that each host has, as far as its agent told."""
        known = {name: link.hello for name, link in self._links.items() if link.hello is not None}
        return {name: frozenset(hello.addresses) for name, hello in known.items()}

    def info(self, name: str) -> AgentInfo | None:
        link = self._links.get(name)
        if link is None or link.hello is None:
            return None
        return AgentInfo(version=link.hello.version, capabilities=link.hello.capabilities, channel=link.channel)
