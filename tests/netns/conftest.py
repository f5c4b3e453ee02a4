"""Namespace tests: the real command line in networks with real faults.

`lab.py` makes a network, `harness.py` runs portcheck in it. That needs namespaces and nftables: root, or an ordinary
user inside `unshare -Urmn`. Without them the tests are skipped with the reason, or fail if PORTCHECK_REQUIRE_NETNS=1.
Many tests read one run, so under xdist give each file to one worker: `-n 2 --dist loadscope`.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tabulate import tabulate

from .harness import Portcheck
from .lab import Lab, chain, command
from .situations import told

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from _pytest.terminal import TerminalReporter

    from .harness import Run
    from .situations import Row, Tabled

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.netns)


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    _situations(terminalreporter)
    _protocols(terminalreporter)


def _protocols(terminalreporter: TerminalReporter) -> None:
    """The table of protocols and servers: what each is found to be when it is asked in each."""
    found = {
        cell
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        for name, cell in report.user_properties
        if name == "protocol"
    }
    if found:
        servers = sorted({server for _, server, _ in found})
        cells = {(protocol, server): verdict for protocol, server, verdict in found}
        rows = [
            (protocol, *(cells.get((protocol, server), "") for server in servers))
            for protocol in sorted({protocol for protocol, _, _ in found})
        ]
        terminalreporter.section(f"{len(rows)} protocols by {len(servers)} servers")
        terminalreporter.write_line(tabulate(rows, ("asked in", *servers), tablefmt="simple"))


def _situations(terminalreporter: TerminalReporter) -> None:
    """The table of situations: each test of one has recorded its name, what it expects and what it found.

    As properties of the tests these come from xdist's workers too.
    """
    rows = [
        (*found, mark)
        for outcome, mark in (("passed", ""), ("failed", "WRONG"))
        for report in terminalreporter.getreports(outcome)
        for name, found in report.user_properties
        if name == "situation"
    ]
    if rows:
        wrong = sum(row[-1] != "" for row in rows)
        terminalreporter.section(f"{len(rows)} situations, {wrong} wrong")
        terminalreporter.write_line(tabulate(sorted(rows), ("situation", "expected", "found", ""), tablefmt="simple"))


@pytest.fixture
def tabled(record_property: Callable[[str, object], None]) -> Tabled:
    """Enter a row in the table of situations, with what the run found; fails where that is not what was expected."""

    def enter(row: Row, run: Run) -> list[dict[str, Any]]:
        reported = row.of(run)
        assert reported, f"no row for {row}\n{run}"
        found = ", ".join(sorted({told(each) for each in reported}))
        record_property("situation", (str(row), row.expected, found))
        assert found in row.expected.split("|"), reported
        assert all(each["evidence"] or each["verdict"] == "inconclusive" for each in reported), reported
        return reported

    return enter


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
