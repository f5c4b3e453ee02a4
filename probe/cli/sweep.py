"""`portcheck sweep`: every port of one address from this machine, with no inventory and no agent."""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import ipaddress
import math
import os
import shutil
import signal
import socket
import sys
from typing import TYPE_CHECKING

from probe.cli import settings
from probe.cli.exitcodes import Exit
from probe.errors import UserError
from probe.model.ports import PortError, PortSet
from probe.model.words import Transport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.model.swept import Swept
    from probe.report.sweep import SweepReport
    from probe.sweep.order import Progress, Sweep

_ALL_PORTS = "1-65535"
_MOST_ADDRESSES = 16


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("address", metavar="ADDRESS", help="numeric, or a name: each of its addresses is swept")
    parser.add_argument(
        "-p", "--ports", type=_ports, metavar="PORTS", default=_ALL_PORTS, help="22,80,5000-6000 (default: all)"
    )
    parser.add_argument("--udp", action="store_true", help="datagrams instead of TCP connections")
    parser.add_argument("--json", metavar="FILE", help="write it as JSON; - is stdout, instead of the table")
    parser.add_argument("--xml", metavar="FILE", help="write it as nmap would, for ndiff and importers; - is stdout")
    parser.add_argument(
        "--max-rate",
        type=_rate,
        metavar="PPS",
        default=0.0,
        help="attempts a second; 0: as many as the way bears (default: what a small firewall bears, docs/sweep.md)",
    )
    parser.add_argument(
        "--timeout", type=_seconds, metavar="SECONDS", default=1.0, help="longest patience for one answer (default: 1)"
    )
    parser.add_argument(
        "--deadline",
        type=_seconds,
        metavar="SECONDS",
        default=600.0,
        help="end it then, whatever is left (default: 600)",
    )
    parser.add_argument("--seed", type=_natural, metavar="N", help="order of the ports; the report names the one used")
    parser.add_argument(
        "--connect", action="store_true", help="ordinary connections even where raw packets may be sent"
    )
    settings.apply(parser)


def _ports(text: str) -> PortSet:
    try:
        return PortSet.parse(text)
    except PortError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _rate(text: str) -> float:
    """0 is no limit, which is infinity for the engines: their 0 is the gentle default."""
    rate = _number(text)
    if not 0 <= rate < 1e9:
        raise argparse.ArgumentTypeError("a number from 0 up is wanted")
    return rate or math.inf


def _seconds(text: str) -> float:
    seconds = _number(text)
    if not 0.01 <= seconds <= 1e6:
        raise argparse.ArgumentTypeError("seconds are wanted, from 0.01 up")
    return seconds


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _natural(text: str) -> int:
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number < 2**63:
        raise argparse.ArgumentTypeError("a number from 0 up is wanted")
    return number


def run(arguments: argparse.Namespace) -> int:
    import secrets

    from probe import __version__
    from probe.report.sweep import SweepReport, inconclusive
    from probe.sweep.order import Sweep, Target

    _check_outputs(arguments)
    order = Sweep(
        targets=tuple(Target(address=address, ports=arguments.ports) for address in _addresses(arguments.address)),
        transport=Transport.UDP if arguments.udp else Transport.TCP,
        rate=arguments.max_rate,
        timeout=arguments.timeout,
        deadline=arguments.deadline,
        seed=secrets.randbelow(2**31) if arguments.seed is None else arguments.seed,
    )
    started = dt.datetime.now(dt.UTC)
    sweeps, interrupted = asyncio.run(_execute(order, "connect" if arguments.connect else ""))
    report = SweepReport(
        name=arguments.address,
        ports=arguments.ports,
        transport=order.transport,
        sweeps=sweeps,
        started=started,
        finished=dt.datetime.now(dt.UTC),
        seed=order.seed,
        version=__version__,
        words=tuple(sys.argv[1:]),
        interrupted=interrupted,
        gentle=not arguments.max_rate,
    )
    _write(report, arguments)
    if interrupted:
        return Exit.INTERRUPTED
    return Exit.INCONCLUSIVE if inconclusive(report) else Exit.CONFORMS


def _check_outputs(arguments: argparse.Namespace) -> None:
    from probe.report.files import require_writable

    wanted = [path for path in (arguments.json, arguments.xml) if path]
    if wanted.count("-") > 1:
        raise UserError("only one of --json and --xml can go to stdout")
    for path in wanted:
        require_writable(path)


def _addresses(name: str) -> Sequence[str]:
    """What it resolves to, in the order in which this machine would try them; raises UserError."""
    from probe.text import printable

    shown = printable(name[:200])
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        hint = "one address or one name is wanted; of a network each address must be named, or use portcheck run"
        raise UserError(
            f"{shown}: this machine knows no address of that name: {why}"
            + (f"\n  hint: {hint}" if "/" in name or "," in name else "")
        ) from None
    addresses = list(dict.fromkeys(_plain(str(peer[0])) for *_, peer in found))
    for address in addresses:
        _require_one_machine(address, shown)
    if len(addresses) > _MOST_ADDRESSES:
        raise UserError(
            f"{shown} has {len(addresses)} addresses, and at most {_MOST_ADDRESSES} are swept at once\n"
            f"  hint: name one of them: {addresses[0]}"
        )
    return addresses


def _plain(address: str) -> str:
    """`::ffff:10.0.0.1` is IPv4."""
    mapped = getattr(ipaddress.ip_address(address), "ipv4_mapped", None)
    return str(mapped or address)


def _require_one_machine(address: str, shown: str) -> None:
    """Nothing is sent to whole groups of machines."""
    numeric = ipaddress.ip_address(address)
    if numeric.is_multicast or address == "255.255.255.255":
        raise UserError(f"{shown}: {address} is the address of many machines; a sweep is of one")
    if numeric.version == 6 and numeric.is_link_local and "%" not in address:
        raise UserError(f"{shown}: which link is meant?\n  hint: name the interface too: {address}%eth0")
    if numeric.is_unspecified:
        loopback = "::1" if numeric.version == 6 else "127.0.0.1"
        raise UserError(f"{shown}: {address} is no machine's address\n  hint: this machine itself is {loopback}")


async def _execute(order: Sweep, engine: str) -> tuple[tuple[Swept, ...], bool]:
    """The sweep, and whether it was interrupted. One Ctrl-C ends it with what is known, a second one the process."""
    from probe.report.progress import Progress as Line
    from probe.sweep.sweep import sweep

    line = Line()
    loop = asyncio.get_running_loop()
    interrupted, began = False, loop.time()

    def stop() -> None:
        nonlocal interrupted
        interrupted = True
        line.close()
        print("interrupted: ending with what is known so far (again to end at once)", file=sys.stderr)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    def tick(progress: Progress) -> bool:
        if not interrupted:
            seconds = loop.time() - began
            line.update(progress.settled, progress.asked, 0, f"{progress.sent:,} sent in {seconds:.0f} s")
        return interrupted

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        return await sweep(order, engine=engine, tick=tick), interrupted
    finally:
        line.close()


def _write(report: SweepReport, arguments: argparse.Namespace) -> None:
    """Files first: whoever asks for them may not read the table to its end."""
    from probe.report import nmapxml, sweepjson
    from probe.report import sweep as terminal
    from probe.report.files import write

    troubles = []
    for path, format_ in sorted(((arguments.json, sweepjson), (arguments.xml, nmapxml)), key=lambda one: one[0] == "-"):
        if path:
            try:
                write(path, format_.render(report))
            except UserError as error:
                troubles.append(str(error))
    if "-" not in (arguments.json, arguments.xml):
        color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        print(terminal.render(report, width=shutil.get_terminal_size().columns, color=color), end="")
    if troubles:
        raise UserError("\n".join(troubles))
