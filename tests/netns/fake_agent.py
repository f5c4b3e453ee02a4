"""Agents that misbehave: `fake_agent.py MODE portcheck agent --stdio`.

Where a mode needs an agent's true words, it runs the command it was given.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from probe.wire import messages
from probe.wire.frames import PREFACE

Command = list[str]
FOR_EVER = 3600


def say(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def true_words(command: Command) -> bytes:
    """The preface and the first frame of a real agent, which answers the greeting that we were sent."""
    with subprocess.Popen(command, stdout=subprocess.PIPE) as agent:
        assert agent.stdout is not None
        said = agent.stdout.read(len(PREFACE) + 4)
        said += agent.stdout.read(int.from_bytes(said[-4:], "big"))
        agent.kill()
    return said


def flood(data: bytes) -> None:
    while True:
        say(data)


def stop_in_mid_frame(command: Command) -> None:
    say(true_words(command)[:-1])
    time.sleep(FOR_EVER)


def repeat(command: Command) -> None:
    words = true_words(command)
    say(words)
    flood(words.removeprefix(PREFACE) * 100)


def other_version(command: Command) -> None:
    messages.VERSION += 1
    from probe.cli.main import main

    sys.exit(main(command[1:]))


def chatter(command: Command) -> None:
    """A real agent behind a talkative login."""
    os.write(2, b"Authorised use only.\n" * 1000)
    say(b"Welcome to Example Linux 12\nLast login: Mon\n")
    os.execvp(command[0], command)


def silent_after(data: bytes) -> None:
    say(data)
    time.sleep(FOR_EVER)


MODES = {
    "silent": lambda _: silent_after(b""),
    "garbage": lambda _: silent_after(os.urandom(4096)),
    "garbage-after-greeting": lambda _: silent_after(PREFACE + b"\0\0\0\x20" + os.urandom(0x20)),
    "announces-too-much": lambda _: silent_after(PREFACE + b"\xff\xff\xff\xff"),
    "floods": lambda _: flood(bytes(65536)),
    "repeats": repeat,
    "stops-in-mid-frame": stop_in_mid_frame,
    "ends-in-mid-frame": lambda command: say(true_words(command)[:-1]),
    "ends-after-hello": lambda command: say(true_words(command)),
    "killed": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "other-version": other_version,
    "login-banner": chatter,
}

if __name__ == "__main__":
    try:
        MODES[sys.argv[1]](sys.argv[2:])
    except BrokenPipeError:
        pass
