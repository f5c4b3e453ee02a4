"""Every format of every way to end, against files named SPEC.EXIT.FORMAT.

PORTCHECK_UPDATE=1 rewrites them: read the difference before it is committed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from probe.cli.exitcodes import exit_for
from probe.report import formats
from probe.resources import folder

if TYPE_CHECKING:
    from probe.model.result import Report

GOLDEN = Path(__file__).parent.parent / "golden"
SAMPLES = folder("reports") / "samples"
# One sample of each format is in the house of the reports, for readers; some formats are short enough for all reports.
SUFFIXES = {
    "text": "txt",
    "json": "json",
    "jsonl": "jsonl",
    "html": "html",
    "junit": "junit.xml",
    "markdown": "md",
    "csv": "csv",
    "nmap": "nmap.xml",
    "prometheus": "prom",
}
EVERY = {"txt": "text", "json": "json", "xml": "junit"}


def made(form: str, report: Report) -> bytes:
    return b"".join(formats.render(form, report))


def expected(reports: dict[str, Report]) -> dict[Path, bytes]:
    """What each file should hold."""
    wanted = {
        GOLDEN / f"{spec}.{int(exit_for(report))}.{suffix}": made(form, report)
        for spec, report in reports.items()
        for suffix, form in EVERY.items()
    }
    sample = reports["deviations"]
    return wanted | {SAMPLES / f"sample.{suffix}": made(form, sample) for form, suffix in SUFFIXES.items()}


def test_every_report_looks_as_agreed(examples: dict[str, Report]) -> None:
    wanted = expected(examples)
    if os.environ.get("PORTCHECK_UPDATE"):
        for path, content in wanted.items():
            path.write_bytes(content)
    there = {path for path in GOLDEN.iterdir() if path.name.partition(".")[0] in examples} | {*SAMPLES.glob("sample.*")}
    assert there == set(wanted), "PORTCHECK_UPDATE=1 writes what is missing; delete what no report has any more"
    different = [path.name for path, content in wanted.items() if path.read_bytes() != content]
    if different:
        pytest.fail(f"PORTCHECK_UPDATE=1 rewrites these, then read the difference: {different}")
