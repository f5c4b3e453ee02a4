"""`portcheck audit`: runs now and on a schedule, kept, compared and told."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from probe.cli import histories, outputs, reader, settings, waivers
from probe.cli.exitcodes import Exit
from probe.cli.planning import add_arguments, assignments
from probe.cli.running import add_identity
from probe.errors import UserError
from probe.spec.diagnostics import nearest
from probe.text import printable

if TYPE_CHECKING:
    from probe.audit.config import Audit, Config
    from probe.audit.schedule import Schedule
    from probe.audit.service import Made
    from probe.model.change import Changes

# Of several audits made at once, the first of these that one of them stands for.
_WORST = (Exit.INTERNAL, Exit.USAGE, Exit.INTERRUPTED, Exit.DEVIATIONS, Exit.INCONCLUSIVE, Exit.NOTHING_TO_CHECK)
_ANSWERS = {
    "conforms": Exit.CONFORMS,
    "deviations": Exit.DEVIATIONS,
    "interrupted": Exit.INTERRUPTED,
    "nothing to check": Exit.NOTHING_TO_CHECK,
    "inconclusive": Exit.INCONCLUSIVE,
}
_RETENTION = ("days", "runs", "failures_days")
# What is the service's, and no audit's own.
_SHARED = frozenset(
    {
        "certificate",
        "fail_on",
        "history",
        "key",
        "listen",
        "name",
        "once",
        "state",
        "textfile",
        "together",
        "token_file",
    }
    | {"url", *(f"keep_{name}" for name in _RETENTION)}
)


def configure(parser: argparse.ArgumentParser) -> None:
    _add(parser)
    settings.apply(parser, "audit")
    parser.set_defaults(parser=parser)


def _add(parser: argparse.ArgumentParser) -> None:
    # A stand-in answers for a service that has stopped, and holds its port: no audit of what runs may open one unasked.
    add_arguments(parser, phase="live")
    waivers.add_argument(parser)
    outputs.add_arguments(parser)
    add_identity(parser)
    when = parser.add_argument_group("when")
    when.add_argument("--every", metavar="TIME", type=_period, help="such as 6h, 90m or 1d, counted from the first run")
    when.add_argument(
        "--cron", metavar="LINE", help="minute, hour, day, month, weekday: '15 2 * * 1-5' is 2:15 on working days"
    )
    when.add_argument("--timezone", metavar="ZONE", help="of --cron, such as Europe/Berlin (default: this machine's)")
    when.add_argument(
        "--jitter", metavar="TIME", type=_span, help="come up to so much later, by a fixed amount each time"
    )
    when.add_argument(
        "--deadline",
        metavar="TIME",
        type=_span,
        default="12h",
        help="end a run that takes longer, with what it has (default: 12h)",
    )
    when.add_argument("--once", action="store_true", help="one run now, then end: for cron and for timers")
    when.add_argument(
        "--fail-on",
        choices=("deviation", "change", "never"),
        default="deviation",
        help="what --once calls a failure: every deviation (default), only what is new since the last run, or nothing "
        "that was found: then only a run that could not be made",
    )
    kept = parser.add_argument_group("what is kept, and who is told")
    kept.add_argument(
        "--name", metavar="NAME", help="of the audit (default: the inventory's); with portcheck.toml: which"
    )
    kept.add_argument("--history", metavar="PLACE", help="a file, or postgresql://… (docs/history.md)")
    kept.add_argument("--state", metavar="DIR", help="a folder for what waits, and for the last files that were good")
    kept.add_argument("--listen", metavar="ADDR:PORT", help="serve the dashboard and /metrics there")
    kept.add_argument("--certificate", metavar="FILE", help="of the dashboard (PEM); needed where others can reach it")
    kept.add_argument("--key", metavar="FILE", help="of that certificate, if it is not in the same file")
    kept.add_argument("--token-file", metavar="FILE", help="its first line lets people in; needed where others can")
    kept.add_argument("--url", metavar="URL", help="of the dashboard as others call it, for links in alerts")
    kept.add_argument("--textfile", metavar="FILE", help="write metrics there, for node_exporter's textfile collector")
    kept.add_argument(
        "--together", metavar="N", type=_few, default=1, help="runs of different audits at once (default: 1)"
    )
    for name, default, what in (
        ("days", 400, "days for which runs are kept whole (default: 400)"),
        ("runs", 0, "newest runs of each audit that are kept whole (default: all)"),
        ("failures-days", 800, "days for which failures are kept (default: 800)"),
    ):
        kept.add_argument(f"--keep-{name}", metavar="N", type=_count, default=default, help=what)


def run(arguments: argparse.Namespace) -> int:
    import asyncio
    import logging

    from probe.audit import log

    # Whatever a command of cron says is a mail to somebody.
    log.start(logging.WARNING if arguments.once else logging.INFO)
    if arguments.once:
        return asyncio.run(_once(_config(arguments), arguments.fail_on))
    from probe.audit.service import Service

    given = _given(arguments)
    service = Service(_config(arguments), lambda: _config(_again(given)))
    asyncio.run(service.run())
    return Exit.CONFORMS


# --- one run, for cron ------------------------------------------------------------------------------------------------


async def _once(config: Config, fail_on: str) -> int:
    from probe.audit.service import Service

    codes = []
    for made in await Service(config).once():
        with reader.may_go():
            _show(made)
        codes.append(_code(made, fail_on))
    return next((code for code in _WORST if code in codes), Exit.CONFORMS)


def _show(made: Made) -> None:
    from probe.report import changes
    from probe.report.answer import headline

    ended = made.ended
    if ended is None or ended.report is None or ended.changes is None:
        print(f"{made.audit}: {made.answer or 'no run could be made'}")
    else:
        print(f"{made.audit}, run {ended.run.number}: {headline(ended.report)}")
        color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        print(changes.render(ended.changes, width=shutil.get_terminal_size().columns, color=color), end="")
    if made.problem:
        print(f"{made.audit}: {made.problem}", file=sys.stderr)


def _code(made: Made, fail_on: str) -> Exit:
    """Never 0 where nothing was measured, nor for a run that was not made of the files as they are."""
    code = _ANSWERS.get(made.answer, Exit.USAGE)
    report = made.ended.report if made.ended is not None else None
    if made.ended is not None and report is not None and report.summary.coverage and fail_on != "deviation":
        code = _newly(made.ended.changes) if fail_on == "change" else Exit.CONFORMS
    elif code is Exit.DEVIATIONS and fail_on != "deviation":
        code = Exit.USAGE  # no history took it, so nobody knows what is new: what fails is the audit itself
    return Exit.USAGE if code is Exit.CONFORMS and made.problem else code


def _newly(changes: Changes | None) -> Exit:
    from probe.model.change import Turn

    new = changes.of(Turn.NEW, Turn.CHANGED, Turn.FLAPPING, Turn.UNMEASURED) if changes is not None else ()
    rows = [change.now for change in new if change.now is not None]
    if any(row.deviates for row in rows):
        return Exit.DEVIATIONS
    return Exit.INCONCLUSIVE if any(row.unsettled for row in rows) else Exit.CONFORMS


# --- what it is told --------------------------------------------------------------------------------------------------


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the command line itself says: it holds whatever the files say now or later."""
    parser = arguments.parser
    return {
        name: value
        for name, value in vars(arguments).items()
        if name not in ("command", "parser") and value != parser.get_default(name)
    }


def _again(given: dict[str, Any]) -> argparse.Namespace:
    """The arguments with the files as they are now. Raises UserError."""
    parser = argparse.ArgumentParser(add_help=False)
    configure(parser)
    arguments = parser.parse_args([])
    for name, value in given.items():
        setattr(arguments, name, value)
    return arguments


def _config(arguments: argparse.Namespace) -> Config:
    """Raises UserError with everything that is wrong in the tables."""
    from probe.audit.config import Config

    tables = settings.tables("alerts")
    audits = tuple(_audits(arguments))
    _check_alerts(tables, audits)
    _check_url(arguments.url or "")
    return Config(
        audits=audits,
        history=arguments.history or histories.default_place(),
        state=Path(arguments.state or Path(histories.default_place()).parent),
        listen=arguments.listen or "",
        certificate=arguments.certificate or "",
        key=arguments.key or "",
        token_file=arguments.token_file or "",
        url=arguments.url or "",
        textfile=arguments.textfile or "",
        together=arguments.together,
        place=next((place.partition(":")[0] for place, _ in tables.values()), "portcheck.toml"),
        alerts={name: table for name, (_, table) in tables.items()},
        retention={name: getattr(arguments, f"keep_{name}") for name in _RETENTION},
    )


def _check_alerts(tables: dict[str, tuple[str, dict[str, Any]]], audits: tuple[Audit, ...]) -> None:
    """An alert for an audit that there is not would never be told. Without tables, cron's lines have them."""
    declared = settings.tables("audits")
    if not declared:
        return
    known = {*declared, *(audit.name for audit in audits)}
    problems = [
        f"{place}: 'audits' names {printable(name)!r}, and there is no such audit\n  hint: {nearest(name, known)}"
        for place, table in tables.values()
        if isinstance(table.get("audits"), list)
        for name in table["audits"]
        if isinstance(name, str) and name not in known
    ]
    if problems:
        raise UserError("\n".join(problems))


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = not url or (parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0)
    except ValueError:
        usable = False
    if not usable:
        raise UserError(
            f"--url {printable(url)}: alerts could not link to this\n"
            "  hint: the dashboard as a browser is told, such as https://audit.example:8443 ('url' under [audit])"
        )


def _audits(arguments: argparse.Namespace) -> list[Audit]:
    given = _given(arguments)
    tables = {} if "inventory" in given else settings.tables("audits")
    if not tables:
        if not arguments.inventory:
            raise UserError(
                "portcheck audit: --inventory FILE is needed, or a table [audits.NAME] in portcheck.toml\n"
                "  hint: portcheck audit --inventory hosts.txt --every 6h"
            )
        name = arguments.name or _name_of(arguments.inventory)
        return [_audit(name, arguments, "portcheck audit")]
    if arguments.name and arguments.name not in tables:
        raise UserError(f"--name {arguments.name}: no such audit\n  hint: {nearest(arguments.name, tables)}")
    audits, problems = [], []
    for name, (place, table) in tables.items():
        if arguments.name and name != arguments.name:
            continue
        try:
            audits.append(_audit(name, _laid_over(arguments, given, table, place), place))
        except UserError as error:
            problems.append(str(error))
    files = [path for audit in audits for path, _ in audit.order.outputs]
    problems += [f"{path}: two audits cannot write the same file" for path in sorted({*files}) if files.count(path) > 1]
    if problems:
        raise UserError("\n".join(problems))
    return audits


def _laid_over(
    arguments: argparse.Namespace, given: dict[str, Any], table: dict[str, Any], place: str
) -> argparse.Namespace:
    """The arguments as they are for one audit: what the command line says, over its table, over what all share."""
    shared = [key for key in table if key.replace("-", "_") in _SHARED]
    if shared:
        raise UserError(f"{place}: {shared[0]} is not for one audit\n  hint: it belongs under [audit]")
    found = settings.fitted(arguments.parser, table, place)
    if {"every", "cron"} & found.keys():
        found = {"every": None, "cron": None, "timezone": arguments.timezone} | found
    return argparse.Namespace(**{**vars(arguments), **found, **given})


def _audit(name: str, arguments: argparse.Namespace, place: str) -> Audit:
    from probe.audit.config import Audit, check_name, seed_for
    from probe.audit.order import Order
    from probe.audit.schedule import duration

    if not arguments.inventory or arguments.inventory == "-":
        raise UserError(
            f"{place}: inventory: a file is needed, which each run reads anew\n  hint: inventory = 'hosts.txt'"
        )
    seed = arguments.seed if arguments.seed is not None else seed_for(name)
    order = Order(
        audit=check_name(name),
        inventory=arguments.inventory,
        matrix=tuple(name for name in arguments.matrix or () if name),
        phase=arguments.phase,
        exposure=arguments.exposure,
        only=arguments.only or "",
        values=assignments(arguments.set or []),
        profile=arguments.profile or "",
        strict=arguments.strict,
        rate=arguments.max_rate,
        identity=arguments.identity or "",
        waivers=arguments.waivers or "",
        outputs=_files(arguments, place),
        seed=seed,
    )
    deadline = duration(arguments.deadline).total_seconds()
    return Audit(order=order, schedule=_schedule(name, arguments, place), deadline=deadline)


def _files(arguments: argparse.Namespace, place: str) -> tuple[tuple[str, str], ...]:
    """Each report goes there, too, in the place of the one before."""
    named = [one.path if isinstance(one, outputs.Output) else one for one in arguments.output or ()]
    wanted = outputs.wanted(arguments)
    # The table is wanted by default.
    if "-" in (*named, arguments.json, arguments.html, arguments.junit) or ("-", "text") not in wanted:
        raise UserError(f"{place}: an audit writes its reports to files\n  hint: name some with --output FILE")
    return tuple((path, form) for path, form in wanted if path != "-")


def _schedule(name: str, arguments: argparse.Namespace, place: str) -> Schedule | None:
    from probe.audit.schedule import Every, Schedule, cron, duration, every

    if arguments.once:
        return None
    if bool(arguments.every) is bool(arguments.cron):
        said = "both every and cron say when" if arguments.every else "when? Neither every nor cron is said"
        raise UserError(f"{place}: {said}\n  hint: --every 6h, or --cron '15 2 * * 1-5', or one run now with --once")
    try:
        when = every(arguments.every) if arguments.every else cron(arguments.cron, arguments.timezone or _here())
    except UserError as error:
        raise UserError(f"{place}: {error}") from None
    jitter = duration(arguments.jitter or "0s")
    if isinstance(when, Every) and jitter >= when.period:
        raise UserError(f"{place}: jitter {arguments.jitter} is not less than every {arguments.every}")
    return Schedule(audit=name, when=when, jitter=jitter)


def _name_of(inventory: str) -> str:
    stem = Path(inventory).stem
    return "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in stem)[:64]


def _here() -> str:
    """This machine's time zone, as the IANA database calls it."""
    named = os.environ.get("TZ", "").removeprefix(":")
    found = named or os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]
    return "UTC" if found in ("", "Etc/UTC", "Universal", "Zulu") else found


def _span(text: str) -> str:
    return _checked(text, "duration")


def _period(text: str) -> str:
    return _checked(text, "every")


def _checked(text: str, reader: str) -> str:
    from probe.audit import schedule

    try:
        getattr(schedule, reader)(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error).replace("\n  hint: ", ": ")) from None
    return text


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 6:
        raise argparse.ArgumentTypeError("a number from 0 to 999999 is wanted")
    return int(text)


def _few(text: str) -> int:
    number = _count(text)
    if not 1 <= number <= 64:
        raise argparse.ArgumentTypeError("a number from 1 to 64 is wanted")
    return number
