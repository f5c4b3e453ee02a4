"""`portcheck explain`: one check, measured afresh, with every piece of evidence."""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from probe.cli import settings
from probe.cli.exitcodes import Exit, exit_for
from probe.cli.planning import add_specification, read, wishes
from probe.cli.running import add_identity, carry_out, identity_of
from probe.errors import UserError
from probe.model.ports import PortError, PortSet
from probe.model.words import Transport

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from probe.coordinator.run import Run
    from probe.model.account import Account
    from probe.model.check import Check
    from probe.model.result import CheckResult, Report
    from probe.plan.question import Question
    from probe.report.explanation import Asked, Explanation, Story

_MOST_KNOWN = 20


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="the host that must reach it, as the inventory names it")
    parser.add_argument("target", metavar="TARGET", help="the host that is to be reached")
    parser.add_argument(
        "port", metavar="PORT", type=_port, help="5432, 53/udp or 53/tcp; without a transport whatever the matrix names"
    )
    add_specification(parser)
    parser.add_argument("--json", metavar="FILE", help="write it as JSON, packet by packet; - is stdout")
    parser.add_argument(
        "--pcap", metavar="DIR", help="write the packets' headers to DIR/source.pcap and DIR/target.pcap"
    )
    add_identity(parser)
    settings.apply(parser)


def _port(text: str) -> tuple[int, tuple[Transport, ...]]:
    number, slash, transport = text.partition("/")
    try:
        ports = list(PortSet.parse(number))
        transports = (Transport(transport),) if slash else tuple(Transport)
    except (PortError, ValueError) as error:
        forms = f"{text!r} is not of the form PORT, PORT/tcp or PORT/udp ({error})"
        raise argparse.ArgumentTypeError(f"{forms}; portcheck plan has the ports of each service") from None
    if len(ports) != 1:
        raise argparse.ArgumentTypeError(f"{text!r}: one port is wanted")
    return ports[0], transports


def run(arguments: argparse.Namespace) -> int:
    from probe.coordinator.run import Terms
    from probe.model.words import Phase
    from probe.plan.question import Question, Way

    port, transports = arguments.port
    _check_outputs(arguments)
    matrix, inventory = read(arguments)
    question = Question(matrix, inventory, wishes(arguments), Way(arguments.source, arguments.target, port, transports))
    for name in (arguments.source, arguments.target):
        _require(name, question)
    tls = identity_of(arguments)
    checks = {check.id: check for check in question.all_checks()}
    if not checks:
        print("\n".join(_nothing(question)), file=sys.stderr)
        return Exit.NOTHING_TO_CHECK
    terms = Terms(phase=Phase(arguments.phase), tls=tls, closely=True)
    report, ended = carry_out(question, terms)
    story = _story(question, checks, report, ended)
    _write(story, arguments)
    return exit_for(report)


def _check_outputs(arguments: argparse.Namespace) -> None:
    from probe.report.files import require_writable

    wanted = [arguments.json] if arguments.json else []
    if arguments.pcap:
        importlib.import_module("probe.report.pcap")  # what it needs may be missing: better known now than later
        wanted += [_capture_file(arguments, end) for end in ("source", "target")]
    for path in wanted:
        require_writable(path)


def _require(name: str, question: Question) -> None:
    if name in question.hosts:
        return
    from probe.spec.diagnostics import nearest

    at = next((host.name for host in question.hosts.values() if name in host.addresses), "")
    hint = f"that is an address of {at}" if at else nearest(name, question.hosts)
    raise UserError(f"{question.inventory.source}: there is no host {name!r}" + (f"\n  hint: {hint}" if hint else ""))


def _nothing(question: Question) -> Iterator[str]:
    """What can be said of a port that the plan has no check of."""
    from probe.model.words import Expect
    from probe.report import unchecked
    from probe.report.text import name

    way = question.way
    yield f"nothing to explain: the plan has no check of {way}"
    if way.source not in question.sources:
        yield f"  {name(way.source)} has no agent (portcheck_agent=none): it is a target only"
        return
    offers = list(question.offers())
    for offer in offers:
        why = offer.reason or "no flow lets the source reach it, and the policy says that it is not probed"
        yield f"  {name(way.target)} offers it as {name(offer.service.name)}: {why}"
    if not offers:
        target = name(way.target)
        yield f"  no service of the matrix has that port on {target}: a run tries it if something listens there"
    known = list(question.between())
    if known:
        yield f"  what the plan checks from {name(way.source)} to {name(way.target)}:"
    several = len({check.address for check in known}) > 1
    for check in known[:_MOST_KNOWN]:
        verb = "must be reachable" if check.expect is Expect.REACH else "must not be reachable"
        rule = f"{name(check.matrix)} {name(check.rule)}"
        at = f" at {name(check.address)}" if several else ""
        yield f"    {check.transport} {name(str(check.ports), 40)}{at}  {verb}: {name(check.service)} ({rule})"
    if len(known) > _MOST_KNOWN:
        yield f"    … and {len(known) - _MOST_KNOWN:,} more: portcheck plan shows all"
    if question.unchecked:
        yield f"  {unchecked.because(question.unchecked)}"


def _story(question: Question, checks: dict[str, Check], report: Report, ended: Run) -> Story:
    from probe.report.explanation import Explanation, Story

    hosts = {host.name: host for host in report.hosts}
    accounts = {(account.id, account.address): account for account in ended.accounts}
    return Story(
        run=report.run,
        source=hosts[question.way.source],
        target=hosts[question.way.target],
        explanations=tuple(
            Explanation(
                row=row,
                asked=tuple(_asked(question, row)),
                account=accounts.get((row.id, row.address)),
                one_of_several=bool(checks[row.id].alternatives),
            )
            for row in report.checks
        ),
    )


def _asked(question: Question, row: CheckResult) -> Iterator[Asked]:
    """The rows of the matrix that ask for it, or the service alone where none does."""
    from probe.report.explanation import Asked

    matrix, service = question.matrix, question.matrix.services[row.service]
    flows = [flow for flow in matrix.flows if flow.matrix == row.matrix and flow.rule in (row.rule, *row.also)]
    for rule, text, cite in [(flow.rule, flow.help, flow.cite or service.cite) for flow in flows] or [
        (row.rule, "", row.cite)
    ]:
        source = matrix.sources.get(cite)
        yield Asked(
            rule=rule,
            matrix=row.matrix,
            help=tuple(filter(None, (text, service.help))),
            title=source.title or source.key if source else cite,
            url=source.url if source else "",
        )


def _write(story: Story, arguments: argparse.Namespace) -> None:
    """Files first: whoever asks for them may not read the text to its end."""
    from probe.report import explanation
    from probe.report.files import write

    if arguments.pcap:
        _write_captures(story.explanations, arguments)
    if arguments.json:
        write(arguments.json, explanation.as_json(story))
    if arguments.json != "-":
        color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        print(explanation.render(story, width=shutil.get_terminal_size().columns, color=color), end="")


def _write_captures(explanations: Iterable[Explanation], arguments: argparse.Namespace) -> None:
    """One file for each end, empty where nobody looked."""
    from probe.report.files import write
    from probe.report.pcap import pcap

    accounts: list[Account] = [one.account for one in explanations if one.account is not None]
    ends = {"source": [one.source for one in accounts], "target": [one.target for one in accounts]}
    for end, found in ends.items():
        # Two checks of one way share its packets.
        sights = dict.fromkeys(sight for packets in found if packets is not None for sight in packets.sights)
        write(_capture_file(arguments, end), pcap(sights))


def _capture_file(arguments: argparse.Namespace, end: str) -> Path:
    return Path(arguments.pcap) / f"{end}.pcap"
