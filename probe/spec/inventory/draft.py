"""An inventory as its files say it: groups, hosts and variables with their places, nothing inherited or judged yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from probe.spec.diagnostics import Diagnostic, Severity, SpecError
from probe.spec.inventory.source import NOWHERE
from probe.text import printable

if TYPE_CHECKING:
    from probe.spec.inventory.source import Origin

ALL, UNGROUPED = "all", "ungrouped"
MAX_HOSTS = 100_000
NO_HOSTS = ("this inventory has no hosts", "name at least one: without hosts there is nothing to check")
# Memberships and assignments that one inventory may ask for. Ten thousand hosts in fifty groups stay far below it.
MAX_STEPS = 1_000_000
# Problems that are shown; a file with more of them has one cause.
MAX_PROBLEMS = 100


def quoted(text: object, limit: int = 60) -> str:
    """A value of the file for a message: on one line, printable, of bounded length."""
    shown = printable(text) if isinstance(text, str) else printable(repr(text))
    shown = shown if len(shown) <= limit else shown[: limit - 1] + "…"
    return f"'{shown}'" if isinstance(text, str) else shown


class Entry:
    """A host or a group: where it was first named, and its own variables with their places."""

    __slots__ = ("name", "origin", "origins", "vars")

    def __init__(self, name: str, origin: Origin) -> None:
        self.name = name
        self.origin = origin
        self.vars: dict[str, Any] = {}
        self.origins: dict[str, Origin] = {}


class Group(Entry):
    """`hosts` and `children` are those the file names directly, in its order."""

    __slots__ = ("children", "hosts", "priority")

    def __init__(self, name: str, origin: Origin) -> None:
        super().__init__(name, origin)
        self.children: dict[str, Origin] = {}
        self.hosts: dict[str, None] = {}
        self.priority = 1


class Draft:
    """What the files fill in, one after the other. It goes on after a problem, so that all are reported at once.

    `name` is the inventory as the user calls it: a file, a directory or `<stdin>`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.groups: dict[str, Group] = {}
        self.hosts: dict[str, Entry] = {}
        self.warnings: dict[Diagnostic, None] = {}
        # By place and message: the same problem counts once, however many hosts inherit it.
        self._errors: dict[tuple[str, int, int, str], Diagnostic] = {}
        self._untold = 0
        self._steps = 0
        for group in (ALL, UNGROUPED):
            self.add_group(group, NOWHERE)
        self.add_child(ALL, UNGROUPED, NOWHERE)

    def error(self, origin: Origin, message: str, hint: str = "") -> None:
        """Note a problem."""
        self._keep(self.diagnostic(origin, message, hint))

    def warn(self, origin: Origin, message: str, hint: str = "") -> None:
        if len(self.warnings) < MAX_PROBLEMS:
            self.warnings[self.diagnostic(origin, message, hint, Severity.WARNING)] = None

    def stop(self, origin: Origin, message: str, hint: str = "") -> SpecError:
        """The error to raise where going on makes no sense; it carries what was found before."""
        problem = self.diagnostic(origin, message, hint)
        self._keep(problem)
        return SpecError({*self._errors.values(), problem})

    def take(self, error: SpecError) -> None:
        """Note the problems that ended the reading of one file; there may be others."""
        for problem in error.diagnostics:
            self._keep(problem)

    def check(self) -> None:
        """Raise SpecError if there was any problem."""
        if self._untold:
            message = f"more than {MAX_PROBLEMS} problems; the first are shown"
            raise SpecError([*self._errors.values(), Diagnostic(file=self.name, message=message)])
        if self._errors:
            raise SpecError(self._errors.values())

    @property
    def failed(self) -> bool:
        return bool(self._errors)

    def add_group(self, name: str, origin: Origin) -> Group:
        group = self.groups.get(name)
        if group is None:
            group = self.groups[name] = Group(name, origin)
        elif group.origin == NOWHERE:
            group.origin = origin
        return group

    def add_host(self, name: str, group: str, port: int | None, origin: Origin) -> None:
        """`port` counts only where the host is named first: so does Ansible."""
        self._step(origin)
        if name not in self.hosts:
            if len(self.hosts) >= MAX_HOSTS:
                raise self.stop(origin, f"this inventory has more than {MAX_HOSTS:,} hosts", "is a range mistyped?")
            host = self.hosts[name] = Entry(name, origin)
            if port:
                host.vars["ansible_port"] = port
                host.origins["ansible_port"] = origin
        self.groups[group].hosts[name] = None

    def add_child(self, parent: str, child: str, origin: Origin) -> None:
        """Both groups exist. Cycles are found later, when all edges are known."""
        self._step(origin)
        if child == UNGROUPED and parent != ALL:
            self.error(
                origin,
                f"the group {UNGROUPED!r} cannot be a child of {quoted(parent)}",
                "it is where hosts without a group are; name a group of your own",
            )
            return
        self.groups[parent].children.setdefault(child, origin)

    def set_group_variable(self, group: str, name: str, value: Any, origin: Origin) -> None:
        self._step(origin)
        if name == "ansible_group_priority":
            try:
                self.groups[group].priority = int(value)
            except (TypeError, ValueError, OverflowError):
                self.error(origin, f"ansible_group_priority is {quoted(value)}, not a whole number")
            return
        self.groups[group].vars[name] = value
        self.groups[group].origins[name] = origin

    def set_host_variable(self, host: str, name: str, value: Any, origin: Origin) -> None:
        """Where a group of the same name is known already, Ansible gives the variable to the group, and so do we."""
        if host in self.groups:
            self.set_group_variable(host, name, value, origin)
            return
        self._step(origin)
        self.hosts[host].vars[name] = value
        self.hosts[host].origins[name] = origin

    def _step(self, origin: Origin) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise self.stop(origin, f"this inventory asks for more than {MAX_STEPS:,} memberships and variables")

    def _keep(self, problem: Diagnostic) -> None:
        key = (problem.file, problem.line, problem.column, problem.message)
        if key in self._errors:
            return
        if len(self._errors) < MAX_PROBLEMS:
            self._errors[key] = problem
        else:
            self._untold += 1

    def diagnostic(
        self, origin: Origin, message: str, hint: str = "", severity: Severity = Severity.ERROR
    ) -> Diagnostic:
        source = origin.source
        if source is None:
            return Diagnostic(file=self.name, severity=severity, message=message, hint=hint)
        line, column = source.locate(origin.container, origin.key)
        return Diagnostic(
            file=source.name,
            line=line,
            column=column,
            severity=severity,
            message=message,
            hint=hint,
            text=source.line(line),
        )
