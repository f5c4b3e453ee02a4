"""The ports that this machine's own connections start from: firewalls expect a sweep's attempts there too."""

from __future__ import annotations

from pathlib import Path

_USUAL = (32768, 60999)


def own_ports() -> tuple[int, int]:
    """The lowest and the highest (ip-sysctl: ip_local_port_range, which holds for both families)."""
    try:
        low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split())
    except (OSError, ValueError):
        return _USUAL
    return low, high
