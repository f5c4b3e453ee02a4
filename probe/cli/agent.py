"""`portcheck agent`: carry out checks on this host."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from probe.cli.exitcodes import Exit
from probe.errors import UserError

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--stdio", action="store_true", help="serve one coordinator on stdin and stdout, then end")
    way.add_argument("--listen", metavar="ADDR:PORT", help="serve coordinators as a daemon, under mutual TLS")
    way.add_argument("--health", metavar="ADDR:PORT", help="ask the daemon there whether it lives; exit 0 if so")
    parser.add_argument(
        "--identity", metavar="FILE", help="key, certificate and CA of this agent (portcheck pki issue)"
    )
    parser.add_argument(
        "--log", choices=("warning", "info"), help="what goes to stderr (default: warning; info for a daemon)"
    )


def run(arguments: argparse.Namespace) -> int:
    import asyncio
    import logging

    level = arguments.log or ("info" if arguments.listen else "warning")
    logging.basicConfig(stream=sys.stderr, level=level.upper(), format="%(asctime)s %(levelname)s %(message)s")
    if arguments.stdio:
        from probe.agent.stdio import serve

        return asyncio.run(serve())
    if not arguments.identity:
        raise UserError(
            "portcheck agent: --identity FILE is needed: a daemon speaks to nobody it does not know\n"
            "  hint: portcheck pki issue --dir DIR NAME makes one"
        )
    from probe.agent.daemon import check_health, listen

    if arguments.health:
        asyncio.run(check_health(arguments.health, arguments.identity))
    else:
        asyncio.run(listen(arguments.listen, arguments.identity))
    return Exit.CONFORMS
