"""`portcheck pki`: the certificates that agents and coordinator know each other by."""

from __future__ import annotations

import argparse
from datetime import timedelta
from pathlib import Path

from probe.cli.exitcodes import Exit


def configure(parser: argparse.ArgumentParser) -> None:
    """Fill in the arguments of `portcheck pki`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    text = "Make a CA (DIR/ca.pem, DIR/ca.key) and the coordinator's identity (DIR/coordinator.pem)."
    text += " Where a CA exists already, only the identity is made."
    init = actions.add_parser("init", help="make a CA and the coordinator's identity", description=text)
    text = "Make DIR/NAME.pem: key, certificate and CA in one file, for the agent on the host NAME."
    issue = actions.add_parser("issue", help="make an agent's identity", description=text)
    issue.add_argument("name", metavar="NAME", help="the host's name in the inventory")
    issue.add_argument(
        "--address",
        metavar="A",
        action="append",
        default=[],
        help="an IP address or DNS name under which the agent is dialled; may be repeated",
    )
    issue.add_argument(
        "--days", metavar="N", type=_days, default=397, help="how long the certificate is valid (default: %(default)s)"
    )
    for action in (init, issue):
        action.add_argument("--dir", metavar="DIR", type=Path, required=True, help="where the CA is")
        action.add_argument("--force", action="store_true", help="replace what is there")


def run(arguments: argparse.Namespace) -> int:
    """Make what was asked for and say what it is."""
    from probe.coordinator import pki

    folder: Path = arguments.dir
    if arguments.action == "issue":
        made = pki.issue(
            folder, arguments.name, arguments.address, life=timedelta(days=arguments.days), force=arguments.force
        )
        print(f"{made.path}  made out to {', '.join(made.names)}; valid until {made.until:%Y-%m-%d}")
        print("Copy it to that host, readable by the agent's user only, and start there:")
        print(f"  portcheck agent --listen ADDR:PORT --identity {made.path.name}")
        return Exit.CONFORMS
    *authority, coordinator = pki.init(folder, force=arguments.force)
    for made in authority:
        print(f"{made.path}  the CA's certificate; valid until {made.until:%Y-%m-%d}")
        print(f"{folder / 'ca.key'}  the CA's key: who has it can command every agent, so keep it here")
    print(
        f"{coordinator.path}  for portcheck run --identity {coordinator.path}; valid until {coordinator.until:%Y-%m-%d}"
    )
    return Exit.CONFORMS


def _days(text: str) -> int:
    days = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= days <= 3650:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days from 1 to 3650")
    return days
