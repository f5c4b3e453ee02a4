"""What the service says to systemd (sd_notify(3)), where systemd has started it."""

from __future__ import annotations

import os
import socket


def notify(**state: object) -> None:
    """Such as `READY=1`, `STATUS="…"`. Nobody there to hear it is no trouble."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if not place.startswith(("/", "@")):
        return
    address = f"\0{place[1:]}" if place.startswith("@") else place
    text = "\n".join(f"{key}={' '.join(str(value).split())}" for key, value in state.items())
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
            sock.sendto(text.encode(), address)
    except OSError:
        pass


def watchdog() -> float | None:
    """Seconds after which it must hear of us, None where it does not wait for that."""
    period = os.environ.get("WATCHDOG_USEC", "")
    mine = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(period) / 1e6 if period.isdecimal() and int(period) and mine else None
