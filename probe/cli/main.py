"""The `portcheck` command. Each subcommand is a module of this package with `add(subparsers)`; it is imported only
when it is called.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from typing import TYPE_CHECKING

from probe import __version__
from probe.cli import reader
from probe.cli.exitcodes import Exit
from probe.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Name, module, one line for --help. The module has `configure(parser)` and `run(arguments) -> int`.
COMMANDS = {
    "run": "check every required and every forbidden way between the hosts of an inventory",
    "explain": "one check, measured afresh and told with all its evidence: packets at both ends, path, what to do",
    "plan": "what `run` would check; no packet is sent",
    "sweep": "every port of one address, from this machine; no inventory needed",
    "report": "a kept report once more, in any format",
    "waivers": "lint a file of deviations that are accepted for a time; print its schema",
    "matrix": "list, show, lint, compare and draft specifications; print their schema",
    "diff": "what changed between two runs: new, fixed, still there, newly not measured",
    "history": "list, show, export and prune the runs that audits have kept",
    "protocols": "what the services of a matrix can be asked in, and how",
    "inventory": "show and lint an inventory as portcheck reads it",
    "agent": "carry out checks on this host, for a coordinator",
    "audit": "run now and on a schedule, keep history, tell what changed; dashboard and metrics",
    "pki": "make the certificates that agents and coordinator know each other by",
}
# What the extra `coordinator` brings; a node has none of it.
_COORDINATORS = frozenset({"cronsim", "cryptography", "jinja2", "ruamel", "scapy", "tabulate"})


def parser_for(command: str | None) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """The whole parser with only the called command's own arguments filled in, so that `--help` stays quick, and that
    command's part of it.
    """
    parser = argparse.ArgumentParser(
        prog="portcheck",
        description="Live network port conformance: which required port is blocked, which open port should not be, "
        "and who is to blame.",
        epilog="Exit codes: 0 conforms, 1 deviations, 2 interrupted, 3 internal error, 4 usage, matrix or inventory "
        "error, 5 nothing to check, 6 inconclusive.",
    )
    parser.add_argument("--version", action="version", version=f"portcheck {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    called = parser
    for name, summary in COMMANDS.items():
        child = subparsers.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == command:
            importlib.import_module(f"probe.cli.{name}").configure(child)
            called = child
    return parser, called


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. Expected errors become one message on stderr, never a traceback."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        # A terminal that knows no ✗, or a file name that is no text, must not cost the rest.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _run(words)
        sys.stdout.flush()
    except UserError as error:
        print(error, file=sys.stderr)
        return Exit.USAGE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        reader.gone()
        return Exit.CONFORMS
    except Exception as error:
        if os.environ.get("PORTCHECK_DEBUG"):
            raise
        return _explain(_innermost(error))
    return code


def _explain(error: BaseException) -> int:
    """One message for what no command expected."""
    missing = error.name.partition(".")[0] if isinstance(error, ModuleNotFoundError) and error.name else ""
    if isinstance(error, UserError):
        print(error, file=sys.stderr)
    elif missing in _COORDINATORS:
        print(f"portcheck: {missing} is not installed: this is an agent's installation", file=sys.stderr)
        print("  hint: pip install 'portcheck[all]' where the coordinator runs", file=sys.stderr)
    else:
        print(f"portcheck: internal error: {type(error).__name__}: {error}", file=sys.stderr)
        print("  this is a defect of portcheck; PORTCHECK_DEBUG=1 shows where", file=sys.stderr)
        return Exit.INTERNAL
    return Exit.USAGE


def _innermost(error: BaseException) -> BaseException:
    """What a group of tasks failed of, without the group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _run(words: list[str]) -> int:
    command = next((word for word in words if not word.startswith("-")), None)
    parser, called = parser_for(command if command in COMMANDS else None)
    try:
        parsed, unknown = parser.parse_known_args(words)
        if unknown:
            called.error(f"unknown arguments: {' '.join(unknown)}")
    except SystemExit as stop:
        # argparse says 2 for usage; here 2 means interrupted.
        return Exit.USAGE if stop.code else Exit.CONFORMS
    code: int = importlib.import_module(f"probe.cli.{parsed.command}").run(parsed)
    return code
