"""Namespace tests: the real command line in networks with real faults.

`lab.py` makes a network, `harness.py` runs portcheck in it. That needs namespaces and nftables: root, or an ordinary
user inside `unshare -Urmn`. Without them the tests are skipped with the reason, or fail if PORTCHECK_REQUIRE_NETNS=1.
Many tests read one run, so under xdist give each file to one worker: `-n 2 --dist loadscope`.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from .harness import Portcheck
from .lab import Lab, chain, command

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.netns)


@pytest.fixture(scope="session", autouse=True)
def _namespaces() -> None:
    """Try what the tests need, once."""
    try:
        _make_run_writable()
        with Lab("a1") as lab:
            lab.nft("r", chain("forward", "drop"))
    except (RuntimeError, OSError) as error:
        reason = f"no network namespaces with nftables here: {error}"
        if os.environ.get("PORTCHECK_REQUIRE_NETNS") == "1":
            pytest.fail(reason)
        pytest.skip(f"{reason} (needs root, or an ordinary user inside `unshare -Urmn`)")


def _make_run_writable() -> None:
    """`ip netns` keeps its names in /run/netns. Inside `unshare -Urmn` we are root, but /run is not ours: cover it.

    The lock: of several xdist workers only the first may do it, or it would hide what the others have made.
    """
    with Path(__file__).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.getuid() == 0 and not os.access("/run", os.W_OK):
            command("mount", "-t", "tmpfs", "tmpfs", "/run")


@pytest.fixture(scope="session")
def portcheck(_namespaces: None, tmp_path_factory: pytest.TempPathFactory) -> Portcheck:
    return Portcheck(tmp_path_factory.mktemp("runs"))
