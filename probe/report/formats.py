"""Every format of a report, by its name: the one place that knows them all."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol, cast

import msgspec

from probe.errors import UserError
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from probe.model.result import Report


class Format(msgspec.Struct, frozen=True):
    """`module` is imported when the format is asked for, and not before: some bring large libraries."""

    module: str
    extensions: tuple[str, ...]
    purpose: str


FORMATS = {
    "text": Format("probe.report.plain", (".txt",), "the table of the terminal"),
    "json": Format("probe.report.json", (".json",), "everything, for programs"),
    "jsonl": Format("probe.report.jsonl", (".jsonl",), "the same, an object a line"),
    "html": Format("probe.report.html", (".html", ".htm"), "one page for people, to mail and to archive"),
    "junit": Format("probe.report.junit", (".xml",), "test results for CI servers"),
    "markdown": Format("probe.report.markdown", (".md",), "a summary for a CI job's page"),
    "csv": Format("probe.report.csv", (".csv",), "a row for each check, for spreadsheets"),
    "nmap": Format("probe.report.nmaprun", (".nmap.xml",), "the targets' ports, for readers of nmap's XML"),
    "prometheus": Format("probe.report.prometheus", (".prom",), "numbers for node_exporter and push gateways"),
}


class _Module(Protocol):
    def render(self, report: Report) -> bytes | Iterable[bytes]:
        """The report, whole, or line by line where it may be too long for memory."""


def render(name: str, report: Report) -> Iterable[bytes]:
    """The report in that format, in one piece or many. `name` is a key of FORMATS."""
    module = cast(_Module, importlib.import_module(FORMATS[name].module))
    made = module.render(report)
    return (made,) if isinstance(made, bytes) else made


def by_extension(path: str) -> str:
    """The format that a file's name stands for; `-` is text. Of several that fit the longest, so that `a.nmap.xml` is
    nmap's. Raises UserError where none does.
    """
    if path == "-":
        return "text"
    known = {extension: name for name, form in FORMATS.items() for extension in form.extensions}
    fitting = [extension for extension in known if path.lower().endswith(extension)]
    if not fitting:
        listed = ", ".join(known)
        raise UserError(
            f"{printable(path)}: which format? The name does not say it\n"
            f"  hint: end it in one of {listed}, or put --format NAME before --output"
        )
    return known[max(fitting, key=len)]
