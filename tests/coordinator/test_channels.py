"""How an agent is reached: command lines from Ansible's variables, and what a command's end is called."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from probe.coordinator import channels as module
from probe.coordinator.channels import ChannelError, ExecChannel, command_for, describe, open_channel
from probe.errors import UserError
from probe.model.inventory import Host

AGENT = "portcheck agent --stdio"
SSH = "ssh -T -o BatchMode=yes -o ConnectTimeout=10"


def host(name: str = "db-1", **values: Any) -> Host:
    return Host(name=name, addresses=("10.0.0.1",), vars=values)


@pytest.mark.parametrize(
    ("values", "command"),
    [
        ({}, f"{SSH} -- db-1 '{AGENT}'"),
        ({"ansible_host": "10.0.0.9"}, f"{SSH} -- 10.0.0.9 '{AGENT}'"),
        ({"ansible_ssh_host": "10.0.0.8", "ansible_host": "10.0.0.9"}, f"{SSH} -- 10.0.0.8 '{AGENT}'"),
        ({"ansible_port": 2222, "ansible_user": "ops"}, f"{SSH} -p 2222 -l ops -- db-1 '{AGENT}'"),
        ({"ansible_ssh_port": 22, "ansible_port": 2222}, f"{SSH} -p 22 -- db-1 '{AGENT}'"),
        ({"ansible_ssh_private_key_file": "/k/id"}, f"{SSH} -i /k/id -- db-1 '{AGENT}'"),
        (
            {"ansible_ssh_common_args": "-o ProxyCommand='ssh -W %h:%p jump'"},
            f"{SSH} -o 'ProxyCommand=ssh -W %h:%p jump' -- db-1 '{AGENT}'",
        ),
        ({"ansible_connection": "ansible.builtin.ssh"}, f"{SSH} -- db-1 '{AGENT}'"),
        ({"ansible_connection": "local"}, f"{sys.executable} -m probe agent --stdio"),
        ({"ansible_connection": "docker"}, f"docker exec -i db-1 {AGENT}"),
        (
            {"ansible_connection": "community.docker.docker", "ansible_host": "c7", "ansible_user": "app"},
            f"docker exec -i -u app c7 {AGENT}",
        ),
        ({"ansible_connection": "kubectl"}, f"kubectl exec -i db-1 -- {AGENT}"),
        (
            {
                "ansible_connection": "kubernetes.core.kubectl",
                "ansible_kubectl_namespace": "prod",
                "ansible_kubectl_pod": "db-0",
                "ansible_kubectl_container": "main",
            },
            f"kubectl -n prod exec -i -c main db-0 -- {AGENT}",
        ),
        ({"portcheck_exec": "ip netns exec n1"}, f"ip netns exec n1 {AGENT}"),
        (
            {"portcheck_exec": "'/my tools/x' -x", "ansible_connection": "local"},
            f"'/my tools/x' -x {AGENT}",
        ),
        ({"portcheck_exec": "sudo -n", "ansible_connection": "winrm"}, f"sudo -n {AGENT}"),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, dict) else "",
)
def test_the_command(values: dict[str, Any], command: str) -> None:
    import shlex

    assert shlex.join(command_for(host(**values))) == command


def test_a_host_cannot_smuggle_options() -> None:
    """The name of a host is data, whatever it begins with."""
    command = command_for(host("-oProxyCommand=touch /tmp/x"))
    assert command.index("--") < command.index("-oProxyCommand=touch /tmp/x")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"ansible_connection": "winrm"}, r"host 'db-1': ansible_connection=winrm is not one .* portcheck_exec=PREFIX"),
        ({"portcheck_exec": "sh -c 'oops"}, "host 'db-1': portcheck_exec: No closing quotation: sh -c 'oops"),
        ({"ansible_ssh_extra_args": '"'}, "host 'db-1': ansible_ssh_extra_args: No closing quotation"),
    ],
)
def test_variables_that_make_no_way(values: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        command_for(host(**values))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"portcheck_agent": "none"}, ""),
        ({"portcheck_agent": "https://10.0.0.1:7411"}, "https://10.0.0.1:7411"),
        ({"portcheck_exec": "sudo"}, "sudo portcheck agent --stdio"),
    ],
)
def test_in_a_few_words(values: dict[str, Any], words: str) -> None:
    assert describe(host(**values)) == words


async def test_a_daemon_needs_an_identity() -> None:
    with pytest.raises(ChannelError, match="a daemon needs --identity"):
        await open_channel(host(portcheck_agent="https://10.0.0.1:7411"), None)


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def is_alive(number: int) -> bool:
    """An orphan that nobody has fetched yet is dead."""
    try:
        return " Z " not in Path(f"/proc/{number}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def all_of(channel: ExecChannel) -> bytes:
    said = b""
    async with asyncio.timeout(5):
        while data := await channel.receive():
            said += data
    return said


class TestACommand:
    async def test_speaks_and_hears(self) -> None:
        channel = await ExecChannel.start("cat", ["cat"])
        await channel.send(b"hello")
        assert await channel.receive() == b"hello"
        await channel.close()
        assert channel._process.returncode == 0

    async def test_its_last_words_and_code_are_kept(self) -> None:
        channel = await ExecChannel.start("x", shell("echo first; echo 'no such host' >&2; exit 7"))
        assert await all_of(channel) == b"first\n"
        await channel.close()
        assert channel.last_words() == "no such host; exit code 7"

    async def test_a_flood_of_words_is_bounded(self) -> None:
        channel = await ExecChannel.start("x", shell("head -c 300000 /dev/zero | tr '\\0' x >&2; printf END >&2"))
        assert await all_of(channel) == b""
        await channel.close()
        words = channel.last_words()
        assert words.endswith("END")
        assert len(words) <= module._LAST_WORDS

    async def test_one_that_does_not_exist(self) -> None:
        with pytest.raises(ChannelError, match="/no/such/program: No such file or directory"):
            await ExecChannel.start("x", ["/no/such/program"])

    async def test_one_that_has_ended_takes_nothing(self) -> None:
        channel = await ExecChannel.start("x", ["true"])
        assert await all_of(channel) == b""
        with pytest.raises(ChannelError, match="the command ended"):
            await channel.send(bytes(4_000_000))
        await channel.close()

    async def test_one_that_died_at_once_leaves_no_word_of_asyncio(self) -> None:
        """Python 3.11.2 tells on stderr of what was not written, where nobody asks."""
        channel = await ExecChannel.start("x", ["sleep", "600"])
        os.kill(channel._process.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):  # it may have been fetched; the loop is not to hear of it yet
            os.waitid(os.P_PID, channel._process.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222
        with contextlib.suppress(ChannelError):
            await channel.send(b"greet")
        await channel.close()
        assert not channel._process._protocol._stdin_closed._log_traceback

    async def test_finds_this_portcheck_where_no_other_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/usr/bin:/bin")
        channel = await ExecChannel.start("x", shell("echo $PATH"))
        assert str(Path(sys.executable).parent) in (await all_of(channel)).decode()
        await channel.close()

    @pytest.mark.parametrize(
        "script",
        ["exec sleep 600", "trap '' TERM; while :; do sleep 0.1; done", "exec yes", "exec 0<&-; exec sleep 600"],
        ids=["sleeps", "ignores-term", "babbles", "deaf"],
    )
    async def test_whatever_it_does_it_ends(self, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_GRACE", 0.2)
        channel = await ExecChannel.start("x", shell(script))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        await channel.close()
        assert time.monotonic() - began < 3
        assert channel._process.returncode is not None

    async def test_its_children_end_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A prefix may be a script that starts something and waits."""
        monkeypatch.setattr(module, "_GRACE", 0.2)
        channel = await ExecChannel.start("x", shell("sleep 600 & echo $!; wait"))
        child = int(await channel.receive())
        try:
            await channel.close()
            async with asyncio.timeout(5):  # it lets go of its files before it is gone
                while is_alive(child):  # noqa: ASYNC110  (nothing tells)
                    await asyncio.sleep(0.01)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            channel._process._transport.close()
