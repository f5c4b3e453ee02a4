"""What `portcheck audit` is told, by the command line, variables and files, as the service takes it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from probe.cli import histories, outputs, settings
from probe.cli.planning import assignments
from probe.errors import UserError
from probe.spec.diagnostics import SpecError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from probe.audit.config import Audit, Config
    from probe.audit.schedule import Schedule
    from probe.cli.settings import Origin
    from probe.spec.toml import Table

_Read = TypeVar("_Read")
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


_WHEN = ("every", "cron")


def given(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the command line itself says: it holds whatever the files say now or later."""
    parser = arguments.parser
    return {
        name: value
        for name, value in vars(arguments).items()
        if name not in ("command", "parser") and value != parser.get_default(name)
    }


def config(arguments: argparse.Namespace) -> Config:
    """Raises UserError with everything that is wrong in the tables."""
    from probe.audit.config import Config

    alerts = settings.tables("alerts")
    audits = _audits(arguments)
    _check_alerts(alerts, audits)
    return Config(
        audits=audits,
        history=histories.checked(arguments.history or histories.default_place()),
        state=Path(arguments.state or Path(histories.default_place()).parent),
        listen=arguments.listen or "",
        certificate=arguments.certificate or "",
        key=arguments.key or "",
        token_file=arguments.token_file or "",
        url=arguments.url or "",
        textfile=arguments.textfile or "",
        together=arguments.together,
        alerts=alerts,
        retention={name: getattr(arguments, f"keep_{name}") for name in _RETENTION},
    )


def _check_alerts(alerts: Mapping[str, Table], audits: tuple[Audit, ...]) -> None:
    """An alert for an audit that there is not would never be told. Without tables, cron's lines have them."""
    declared = settings.tables("audits")
    if not declared:
        return
    known = {*declared, *(audit.name for audit in audits)}
    problems = [
        table.wrong(f"'audits' names {name!r}, and there is no such audit", nearest(name, known), "audits", number)
        for table in alerts.values()
        if isinstance(table.content.get("audits"), list)
        for number, name in enumerate(table.content["audits"])
        if isinstance(name, str) and name not in known
    ]
    if problems:
        raise SpecError(problems)


def _audits(arguments: argparse.Namespace) -> tuple[Audit, ...]:
    said = given(arguments)
    tables = {} if "inventory" in said else settings.tables("audits")
    if not tables and not arguments.inventory:
        raise UserError(
            "portcheck audit: --inventory FILE is needed, or a table [audits.NAME] in portcheck.toml\n"
            "  hint: portcheck audit --inventory hosts.txt --every 6h"
        )
    if tables and arguments.name and arguments.name not in tables:
        raise UserError(f"--name {arguments.name}: no such audit\n  hint: {nearest(arguments.name, tables)}")
    named: dict[str, Table | None] = {name: tables[name] for name in tables if arguments.name in (None, name)}
    made, problems, crons = [], [], any("cron" in table.content for table in tables.values())
    for name, table in (named or {arguments.name or _name_of(arguments.inventory): None}).items():
        try:
            one = _Asked(name, arguments, said, table)
            made.append((one, one.audit()))
            crons |= one.cron
        except UserError as error:
            problems.append(str(error))
    if not problems and arguments.timezone and not crons:
        origin = None if "timezone" in said else arguments.origins.get("timezone")
        raise _wrong("timezone", origin, *_NO_CRON)
    writers: dict[str, str] = {}
    for one, audit in made:
        for path in (os.path.normpath(path) for path, _ in audit.order.outputs):
            if (other := writers.setdefault(path, audit.name)) != audit.name:
                said_so = f"{path}: two audits cannot write the same file, and {other} does"
                problems.append(str(one.wrong("output", said_so, "name another for each")))
    if problems:
        raise UserError("\n".join(problems))
    return tuple(audit for _, audit in made)


_NO_CRON = ("it is the zone of cron, and no cron says when", "say when by cron, or leave timezone out")


class _Asked:
    """One audit as it was asked for: what the command line says, over its table, over what all share."""

    def __init__(self, name: str, arguments: argparse.Namespace, said: dict[str, Any], table: Table | None) -> None:
        """`table` is None for that of the command line. Raises UserError."""
        self._name, self._table = name, table
        found, origins = self._fitted(arguments.parser) if table is not None else ({}, {})
        # Who says when, says it alone.
        layers = [dict.fromkeys(_WHEN) | layer if layer.keys() & {*_WHEN} else layer for layer in (found, said)]
        unsaid = vars(arguments) | layers[0]
        self._arguments = argparse.Namespace(**(unsaid | layers[1]))
        self._origins = {
            option: origin for option, origin in (arguments.origins | origins).items() if option not in layers[1]
        }
        self.cron = bool(unsaid["cron"] or said.get("cron"))
        if "timezone" in found and not self.cron:
            raise self.wrong("timezone", *_NO_CRON)

    def _fitted(self, parser: argparse.ArgumentParser) -> settings.Fitted:
        assert self._table is not None  # noqa: S101  (the only caller has one)
        shared = [key for key in self._table.content if key.replace("-", "_") in _SHARED]
        if shared:
            raise SpecError(
                self._table.wrong(f"{key} is not for one audit", "it belongs under [audit]", key, value=False)
                for key in shared
            )
        return settings.fitted(parser, self._table)

    def wrong(self, option: str, what: str, hint: str) -> UserError:
        """With that option, where it was said; or with the audit as a whole."""
        if option in self._origins or self._table is None:
            return _wrong(option, self._origins.get(option), what, hint)
        return SpecError([self._table.wrong(f"{option}: {what}" if option else what, hint)])

    def audit(self) -> Audit:
        from probe.audit.config import Audit, check_name, seed_for
        from probe.audit.order import Order
        from probe.audit.schedule import duration
        from probe.plan import only

        arguments = self._arguments
        if not arguments.inventory or arguments.inventory == "-":
            raise self.wrong("inventory", "a file is needed, which each run reads anew", "inventory = 'hosts.txt'")
        self._read("only", only.parse, arguments.only or "")
        order = Order(
            audit=self._read("", check_name, self._name),
            inventory=arguments.inventory,
            matrix=tuple(name for name in arguments.matrix or () if name),
            phase=arguments.phase,
            exposure=arguments.exposure,
            only=arguments.only or "",
            values=self._read("set", assignments, arguments.set or []),
            profile=arguments.profile or "",
            strict=arguments.strict,
            rate=arguments.max_rate,
            identity=arguments.identity or "",
            waivers=arguments.waivers or "",
            outputs=self._files(),
            seed=arguments.seed if arguments.seed is not None else seed_for(self._name),
        )
        deadline = duration(arguments.deadline).total_seconds()
        return Audit(order=order, schedule=self._schedule(), deadline=deadline)

    def _read(self, option: str, read: Callable[[Any], _Read], value: object) -> _Read:
        try:
            return read(value)
        except UserError as error:
            what, _, hint = str(error).removeprefix(f"--{option}: ").partition("\n  hint: ")
            raise self.wrong(option, what, hint) from None

    def _files(self) -> tuple[tuple[str, str], ...]:
        """Each report goes there, too, in the place of the one before."""
        arguments = self._arguments
        named = [one.path if isinstance(one, outputs.Output) else one for one in arguments.output or ()]
        wanted = self._read("output", outputs.wanted, arguments)
        # The table is wanted by default.
        if "-" in (*named, arguments.json, arguments.html, arguments.junit) or ("-", "text") not in wanted:
            raise self.wrong("output", "an audit writes its reports to files", "name some with --output FILE")
        return tuple((path, form) for path, form in wanted if path != "-")

    def _schedule(self) -> Schedule | None:
        from probe.audit.schedule import Every, Schedule, cron, duration, every

        arguments = self._arguments
        if arguments.once:
            return None
        if bool(arguments.every) is bool(arguments.cron):
            hint = "--every 6h, or --cron '15 2 * * 1-5', or one run now with --once"
            if arguments.every:
                raise self.wrong("cron", "every says when as well: it is one or the other", hint)
            raise self.wrong("", "when? Neither every nor cron is said", hint)
        when = every(arguments.every) if arguments.every else cron(arguments.cron, arguments.timezone or _here())
        jitter = duration(arguments.jitter or "0s")
        if isinstance(when, Every) and jitter >= when.period:
            raise self.wrong("jitter", f"{arguments.jitter} is not less than every {arguments.every}", "make it less")
        return Schedule(audit=self._name, when=when, jitter=jitter)


def _wrong(option: str, origin: Origin | None, what: str, hint: str) -> UserError:
    """Where a file says it, or by the name of the option."""
    if origin is not None:
        return SpecError([origin.wrong(what, hint)])
    place = f"--{option.replace('_', '-')}" if option else "portcheck audit"
    return UserError(f"{place}: {what}" + (f"\n  hint: {hint}" if hint else ""))


def _name_of(inventory: str) -> str:
    stem = Path(inventory).stem
    return "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in stem)[:64]


def _here() -> str:
    """This machine's time zone, as the IANA database calls it."""
    named = os.environ.get("TZ", "").removeprefix(":")
    found = named or os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]
    return "UTC" if found in ("", "Etc/UTC", "Universal", "Zulu") else found
