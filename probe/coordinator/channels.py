"""Channels: two-way streams of bytes to an agent. Nothing above this module knows which kind it has.

An exec channel runs a command and speaks over its stdin and stdout: this machine, any prefix, ssh, docker, kubectl. A
daemon channel is a WebSocket under mutual TLS. Both end within a few seconds, whatever the other side does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from probe.errors import UserError
from probe.wire.frames import LARGEST

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence

    import aiohttp

    from probe.model.inventory import Host

_CHUNK = 256 * 1024
_LAST_WORDS = 2000
_GRACE = 2.0


class ChannelError(Exception):
    """The agent cannot be reached, or no more. The text says why, for a person."""


class Channel(Protocol):
    """`receive` gives the next bytes, empty at the end; both raise ChannelError."""

    @property
    def name(self) -> str: ...

    async def send(self, data: bytes) -> None: ...

    async def receive(self) -> bytes: ...

    async def close(self) -> None: ...

    def last_words(self) -> str:
        """What the far side said beside the stream: the best explanation there is when it ends."""


class ExecChannel:
    """A running command."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process
        self._said = bytearray()
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, name: str, command: Sequence[str]) -> ExecChannel:
        # The coordinator's own folder of programs goes last, so that `ip netns exec NAME portcheck` finds this
        # portcheck where no other is installed.
        path = os.pathsep.join([os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)])
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, "PATH": path},
                start_new_session=True,  # Ctrl-C is for the coordinator, which then ends its agents in order
            )
        except OSError as error:
            raise ChannelError(f"{command[0]}: {error.strerror or error}") from error
        return cls(name, process)

    async def _listen(self) -> None:
        assert self._process.stderr is not None  # noqa: S101  (asked for above)
        while data := await self._process.stderr.read(4096):
            self._said += data
            del self._said[:-_LAST_WORDS]

    async def send(self, data: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101
        try:
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        except OSError as error:
            raise ChannelError("the command ended") from error

    async def receive(self) -> bytes:
        assert self._process.stdout is not None  # noqa: S101
        return await self._process.stdout.read(_CHUNK)

    async def close(self) -> None:
        """The end of stdin is the agent's sign to end; then less and less polite, to all that the command started."""
        assert self._process.stdin is not None  # noqa: S101
        self._process.stdin.close()
        for push in (None, signal.SIGTERM, signal.SIGKILL):
            if push is not None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, push)  # the session that `start` made
            try:
                async with asyncio.timeout(_GRACE):
                    await self._drain()
                    await self._process.wait()
                break
            except TimeoutError:
                continue
        # What was not taken by one that died at once is known; asyncio would tell of it on stderr.
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_GRACE):
                await self._process.stdin.wait_closed()
        self._listening.cancel()

    async def _drain(self) -> None:
        """A process that still writes must not hang on a full pipe while it ends."""
        assert self._process.stdout is not None  # noqa: S101
        while await self._process.stdout.read(_CHUNK):
            pass

    def last_words(self) -> str:
        words = self._said.decode("utf-8", errors="replace").strip()
        code = self._process.returncode
        ending = f"exit code {code}" if code else ""
        return "; ".join(part for part in (words, ending) if part)


class DaemonChannel:
    """A WebSocket to a daemon."""

    def __init__(self, name: str, session: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.name = name
        self._session = session
        self._socket = socket

    @classmethod
    async def start(cls, url: str, tls: ssl.SSLContext) -> DaemonChannel:
        import aiohttp

        session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        try:
            socket = await session.ws_connect(f"{url}/v1/session", ssl=tls, max_msg_size=LARGEST + 1024, heartbeat=10.0)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            await session.close()
            raise ChannelError(_daemon_trouble(error)) from error
        except BaseException:
            await session.close()
            raise
        return cls(url, session, socket)

    async def send(self, data: bytes) -> None:
        try:
            await self._socket.send_bytes(data)
        except (OSError, RuntimeError) as error:
            raise ChannelError("the connection ended") from error

    async def receive(self) -> bytes:
        import aiohttp

        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.BINARY:
            data: bytes = message.data
            return data
        if message.type is aiohttp.WSMsgType.TEXT:
            raise ChannelError("the daemon sent text where frames belong")
        return b""

    async def close(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                await self._socket.close()
        await self._session.close()

    def last_words(self) -> str:
        return ""


_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED
_WHICH_CA = "is --identity the coordinator.pem of the CA that this agent knows?"


def _daemon_trouble(error: Exception) -> str:
    """Why a daemon cannot be reached, in words; aiohttp's own name objects of Python."""
    import ssl

    import aiohttp

    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
    match cause:
        case ssl.SSLCertVerificationError() if cause.verify_code == _EXPIRED:
            return "its certificate has expired; portcheck pki issue makes a new one"
        case ssl.SSLCertVerificationError():
            return (
                f"its certificate is not good: {cause.verify_message}; "
                "was it issued by the CA of --identity, for this address?"
            )
        case aiohttp.WSServerHandshakeError():
            return f"it answered HTTP {cause.status}, not as an agent does"
        case ssl.SSLError():
            return f"TLS failed: {cause.reason or cause}; {_WHICH_CA}"
        case aiohttp.ServerDisconnectedError() | ConnectionResetError() | aiohttp.ClientOSError():
            return f"it ended the connection at once; {_WHICH_CA}"
        case OSError():
            return os.strerror(cause.errno) if cause.errno else str(cause)
        case _:
            return str(cause)


def describe(host: Host) -> str:
    """How this host's agent is reached, in a few words; empty where it has none on purpose."""
    agent = host.vars.get("portcheck_agent")
    if agent == "none":
        return ""
    return str(agent) if agent else " ".join(command_for(host))


async def open_channel(host: Host, tls: ssl.SSLContext | None) -> Channel:
    """Reach a host's agent as its variables say; raises ChannelError, or UserError if the variables make no sense."""
    agent = host.vars.get("portcheck_agent")
    if agent:
        if tls is None:
            raise ChannelError("a daemon needs --identity DIR/coordinator.pem (portcheck pki init)")
        return await DaemonChannel.start(str(agent).rstrip("/"), tls)
    command = command_for(host)
    return await ExecChannel.start(shlex.join(command), command)


def command_for(host: Host) -> list[str]:
    """The command that starts an agent on this host. The variables are Ansible's own where it has them."""
    values = host.vars
    agent = ["portcheck", "agent", "--stdio"]
    prefix = values.get("portcheck_exec")
    if prefix:
        return [*_words(host, "portcheck_exec", prefix), *agent]
    connection = str(values.get("ansible_connection", "ssh")).rpartition(".")[2]
    match connection:
        case "local":
            return [sys.executable, "-m", "probe", *agent[1:]]
        case "ssh" | "smart" | "paramiko" | "paramiko_ssh":
            return [*_ssh(host, values), shlex.join(agent)]
        case "docker":
            user = values.get("ansible_user") or values.get("ansible_docker_user")
            return ["docker", "exec", "-i", *(["-u", str(user)] if user else []), _remote(host), *agent]
        case "kubectl":
            space, container = values.get("ansible_kubectl_namespace"), values.get("ansible_kubectl_container")
            pod = str(values.get("ansible_kubectl_pod") or _remote(host))
            return [
                "kubectl",
                *(["-n", str(space)] if space else []),
                "exec",
                "-i",
                *(["-c", str(container)] if container else []),
                pod,
                "--",
                *agent,
            ]
        case _:
            raise UserError(
                f"host {host.name!r}: ansible_connection={connection} is not one that portcheck can use "
                "(local, ssh, docker, kubectl); portcheck_exec=PREFIX reaches any other"
            )


def _ssh(host: Host, values: Mapping[str, object]) -> list[str]:
    """The system's ssh, which brings the user's own configuration, agent and jump hosts. It must never wait for a
    password.
    """
    command = ["ssh", "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
    port = values.get("ansible_ssh_port") or values.get("ansible_port")
    user = values.get("ansible_ssh_user") or values.get("ansible_user")
    key = values.get("ansible_ssh_private_key_file") or values.get("ansible_private_key_file")
    if port:
        command += ["-p", str(port)]
    if user:
        command += ["-l", str(user)]
    if key:
        command += ["-i", str(Path(str(key)).expanduser())]
    for name in ("ansible_ssh_common_args", "ansible_ssh_extra_args"):
        if values.get(name):
            command += _words(host, name, values[name])
    return [*command, "--", _remote(host)]


def _remote(host: Host) -> str:
    remote = host.vars.get("ansible_ssh_host") or host.vars.get("ansible_host") or host.name
    return str(remote)


def _words(host: Host, variable: str, value: object) -> list[str]:
    try:
        return shlex.split(str(value))
    except ValueError as error:
        raise UserError(f"host {host.name!r}: {variable}: {error}: {value}") from None
