"""Drives the real command line against a lab, and reads what it reports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jsonschema

from probe.resources import folder

from .lab import Lab, eventually

SCHEMA = json.loads((folder("reports") / "report.schema.json").read_text())
DEADLINE_SECONDS = 120
CLOSING_SECONDS = 15
"""How long a port may stay open on a target whose coordinator is gone."""

Roles = Mapping[str, tuple[str, ...]]
Services = Mapping[str, str]
Families = tuple[int, ...]
BOTH = (4, 6)


@dataclass(frozen=True, repr=False)
class Run:
    """A run that has ended."""

    code: int
    report: dict[str, Any]
    stdout: str
    stderr: str

    def rows(self, **wanted: str | None) -> list[dict[str, Any]]:
        """The rows of the report whose fields have these values: `rows(source="a1", service="db")`."""
        found = self.report.get("checks", [])
        return [row for row in found if all(row[field] == value for field, value in wanted.items())]

    def row(self, **wanted: str | None) -> dict[str, Any]:
        """The only such row."""
        rows = self.rows(**wanted)
        assert len(rows) == 1, f"{len(rows)} rows where {wanted}\n{self}"
        return rows[0]

    def outcome(self, **wanted: str | None) -> tuple[str, str | None]:
        """Verdict and cause of the only such row; fails unless the row shows how it was known."""
        row = self.row(**wanted)
        assert row["evidence"] or row["verdict"] == "pass", row
        return row["verdict"], row["cause"]

    def over(self, family: int) -> Run:
        """The same run, with the rows of one family of addresses."""
        rows = [row for row in self.rows() if (":" in row["address"]) == (family == 6)]
        return replace(self, report={**self.report, "checks": rows})

    def verdicts(self, **wanted: str | None) -> set[str]:
        return {row["verdict"] for row in self.rows(**wanted)}

    def __repr__(self) -> str:
        lines = [
            f"{row['source']} → {row['target']} {row['address']} {row['ports']}/{row['protocol']} {row['service']}: "
            f"{row['verdict']} {row['cause']} {row['state']} {row['where']} {row['detail']}"
            for row in self.report.get("checks", [])[:40]
        ]
        return "\n".join([f"exit code {self.code}", *lines, self.stderr[-2000:]])


@dataclass(frozen=True)
class Running:
    """A run under way; `finish` waits for its end."""

    process: subprocess.Popen[str]
    report: Path

    def interrupt(self) -> None:
        """Ctrl-C: the terminal signals the command and all that it started."""
        os.killpg(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        """The coordinator is gone at once; what it started is not told."""
        self.process.kill()

    def finish(self) -> Run:
        try:
            stdout, stderr = self.process.communicate(timeout=DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            stdout, stderr = self.process.communicate()
            raise AssertionError(f"no end within {DEADLINE_SECONDS} s\n{stdout[-2000:]}\n{stderr[-4000:]}") from None
        report = json.loads(self.report.read_text()) if self.report.exists() else {}
        run = Run(self.process.returncode, report, stdout, stderr)
        # What holds for every run, whatever it found.
        assert run.code != 3, run
        assert "Traceback" not in stderr, run
        if report:
            jsonschema.validate(report, SCHEMA)
        return run


def inventory(lab: Lab, roles: Roles, families: Families, variables: Mapping[str, Mapping[str, str]]) -> str:
    """Hosts in the roles they hold, those of the lab reached through their namespaces.

    `variables` add to what is said of a host, or replace it.
    """
    groups: dict[str, list[str]] = {}
    lines = []
    for host, held in roles.items():
        said = {"portcheck_zone": "outside" if host.startswith("x") else "inside"}
        if host in lab.hosts:
            said |= {
                "portcheck_address": ",".join(lab.address(host, family) for family in families),
                "portcheck_exec": " ".join(lab.prefix(host)),
            }
        said |= variables.get(host, {})
        lines.append(" ".join([host, *(f'{name}="{value}"' for name, value in said.items())]))
        for role in held:
            groups.setdefault(role, []).append(host)
    for role, hosts in groups.items():
        lines += ["", f"[{role}]", *hosts]
    return "\n".join(lines) + "\n"


def matrix(roles: Roles, services: Services, policy: Mapping[str, str]) -> str:
    """The role `source` must reach each service (`"http 8080"`) of the role `target`.

    What no flow allows is ignored unless `policy` says more.
    """
    known = sorted({"source", "target"} | {role for held in roles.values() for role in held})
    entries = {name: dict(zip(("protocol", "port"), text.split(), strict=True)) for name, text in services.items()}
    return json.dumps(
        {
            "portcheck": 1,
            "name": "lab",
            "roles": {role: {} for role in known},
            "services": {name: {"role": "target", **entry} for name, entry in entries.items()},
            "flows": [{"from": "source", "to": name} for name in services],
            "policy": {"inside": "ignore", "outside": "ignore", **policy},
        },
        indent=1,
    )


@dataclass(frozen=True)
class Portcheck:
    """`portcheck run`, as a user types it."""

    folder: Path

    def start(
        self,
        lab: Lab,
        roles: Roles,
        services: Services | str,
        *arguments: str,
        phase: str = "pre-install",
        families: Families = (4,),
        policy: Mapping[str, str] | None = None,
        variables: Mapping[str, Mapping[str, str]] | None = None,
    ) -> Running:
        """`services` may be a whole matrix, as text."""
        here = Path(tempfile.mkdtemp(dir=self.folder))
        (here / "hosts.txt").write_text(inventory(lab, roles, families, variables or {}))
        text = services if isinstance(services, str) else matrix(roles, services, policy or {})
        (here / "m.yaml").write_text(text)
        words = [
            "run",
            "--inventory",
            "hosts.txt",
            "--matrix",
            "m.yaml",
            "--phase",
            phase,
            "--json",
            "out.json",
            *arguments,
        ]
        process = subprocess.Popen(
            [sys.executable, "-m", "probe", *words],
            cwd=here,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return Running(process, here / "out.json")

    def __call__(self, lab: Lab, *what: Any, **options: Any) -> Run:
        """A whole run, at whose end no port may be open that was not open before. Arguments as for `start`."""
        before = {host: lab.listening(host) for host in lab.hosts}
        run = self.start(lab, *what, **options).finish()
        closed(lab, before)
        return run


def closed(lab: Lab, before: Mapping[str, frozenset[str]] | None = None) -> None:
    """No port stays open: all that listens on the lab's hosts is what listened before."""

    def left() -> list[str]:
        return [
            f"{host} {port}" for host in lab.hosts for port in lab.listening(host) - (before or {}).get(host, set())
        ]

    eventually(lambda: not left(), CLOSING_SECONDS, lambda: f"still open: {left()[:10]}")


def _environment() -> Mapping[str, str]:
    """The agents' command is found beside this Python; no setting of the caller's leaks in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PORTCHECK_")}
    return {**kept, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def pair(*targets: str) -> Roles:
    """`a1` in the role `source`, the others in the role `target`."""
    return {"a1": ("source",), **dict.fromkeys(targets or ("b1",), ("target",))}
