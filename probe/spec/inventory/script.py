"""Inventory scripts: an executable file is run as Ansible runs it, with `--list`, and with `--host` where need be.

No shell is involved. What a script prints and how long it takes is bounded.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import stat
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from probe.spec.inventory import jsontext, listing
from probe.spec.inventory.directory import mode
from probe.spec.inventory.reading import MAX_BYTES, decode
from probe.spec.inventory.source import Source, Syntax, refuse

if TYPE_CHECKING:
    from probe.spec.diagnostics import SpecError
    from probe.spec.inventory.draft import Draft
    from probe.spec.inventory.reading import Intake

# For all runs of one script together.
MAX_SECONDS = 300.0
# Of what a script writes to stderr, the end says most.
_STDERR_LENGTH = 500
_STDERR_LINES = 5


def is_executable(path: str) -> bool:
    """Whether a path is that of an executable file. Raises SpecError where that cannot be known."""
    kind = mode(Path(path))
    return kind is not None and stat.S_ISREG(kind) and os.access(path, os.X_OK)


def read(draft: Draft, intake: Intake, path: str) -> bool:
    """Run an executable file and read what it prints.

    False if the system finds no program in it: there are mounts on which every file is executable, and Ansible reads
    such a file as text. Raises SpecError for a script that fails.
    """
    script = _Script(draft, intake, path)
    listed = script.run("--list")
    if listed is None:
        return False
    value = jsontext.load(draft, listed)
    if not isinstance(value, dict):
        raise draft.stop(listed.at(0, 0), "a JSON object of groups is expected")
    hosts = listing.fill(draft, listed, value)
    if listing.META not in value:
        for host in hosts:
            answer = script.run("--host", host)
            if answer is not None and answer.text.strip():
                listing.host_variables(draft, host, jsontext.load(draft, answer), answer.at(0, 0))
    return True


class _Output(NamedTuple):
    code: int
    stdout: bytes
    stderr: str


class _Script:
    def __init__(self, draft: Draft, intake: Intake, path: str) -> None:
        self.draft = draft
        self.intake = intake
        self.path = path
        self.deadline = time.monotonic() + MAX_SECONDS

    def run(self, *options: str) -> Source | None:
        """What it prints for these options; None if it is no program."""
        name = " ".join((self.path, *options))
        try:
            output = _run([str(Path(self.path).absolute()), *options], self.deadline)
        except OSError as error:
            if error.errno == errno.ENOEXEC:
                return None
            hint = "is the program there that its first line names? Where it is no script, take the executable bit off"
            raise refuse(self.path, f"this inventory script cannot be run: {error.strerror}", hint) from None
        except ValueError as error:
            # A host whose name holds a NUL.
            raise refuse(self.path, f"this inventory script cannot be run: {error}") from None
        except _Excess as excess:
            raise refuse(name, f"this inventory script {excess}") from None
        if output.code:
            raise _failure(name, output)
        self.intake.admit(output.stdout)
        source = Source(name, decode(name, output.stdout), Syntax.JSON)
        if output.stderr:
            self.draft.warn(source.at(0, 0), f"this inventory script says: {output.stderr}")
        return source


def _failure(name: str, output: _Output) -> SpecError:
    how = f"ended with exit code {output.code}" if output.code > 0 else f"was ended by signal {-output.code}"
    said = f"it says: {output.stderr}" if output.stderr else "it says nothing on stderr"
    return refuse(name, f"this inventory script {how}", said)


class _Excess(Exception):
    """A script went beyond a bound."""


def _run(command: list[str], deadline: float) -> _Output:
    """Raises OSError where the program cannot be started, and _Excess."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A group of its own: what it has started can be ended with it.
        start_new_session=True,
    ) as process:
        try:
            stdout, stderr = _collect(process, deadline)
            code = process.wait(max(deadline - time.monotonic(), 0.0))
        except BaseException as error:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise _late() from None
            raise
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    return _Output(code, stdout, " | ".join(lines[-_STDERR_LINES:])[-_STDERR_LENGTH:])


def _collect(process: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, bytes]:
    """All of stdout, and the end of stderr."""
    assert process.stdout is not None  # noqa: S101  (both are pipes)
    assert process.stderr is not None  # noqa: S101
    stdout, stderr = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, stdout)
        selector.register(process.stderr, selectors.EVENT_READ, stderr)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                raise _late()
            for key, _ in selector.select(left):
                chunk = os.read(key.fd, 1 << 16)
                key.data.extend(chunk)
                if not chunk:
                    selector.unregister(key.fileobj)
            if len(stdout) > MAX_BYTES:
                raise _Excess(f"prints more than {MAX_BYTES >> 20} MiB, which no inventory is")
            del stderr[: -4 * _STDERR_LENGTH]
    return bytes(stdout), bytes(stderr)


def _late() -> _Excess:
    return _Excess(f"does not end: it had {MAX_SECONDS:.0f} s, for all its runs together")
