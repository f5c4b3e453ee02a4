"""Every format of every way to end, against files named SPEC.EXIT.FORMAT.

PORTCHECK_UPDATE=1 rewrites them: read the difference before it is committed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from probe.cli.exitcodes import exit_for
from probe.report import html, json, junit, terminal
from probe.resources import folder

if TYPE_CHECKING:
    from probe.model.result import Report

GOLDEN = Path(__file__).parent.parent / "golden"
SAMPLES = folder("reports")
FORMATS = {
    "txt": lambda report: terminal.render(report, width=100, color=False).encode(),
    "json": json.render,
    "xml": junit.render,
    "html": html.render,
}


def expected(reports: dict[str, Report]) -> dict[Path, bytes]:
    """What each file should hold. The page is long: one sample of it is enough."""
    wanted = {
        GOLDEN / f"{spec}.{int(exit_for(report))}.{form}": FORMATS[form](report)
        for spec, report in reports.items()
        for form in ("txt", "json", "xml")
    }
    sample = reports["deviations"]
    wanted |= {
        SAMPLES / f"sample.{suffix}": FORMATS[form](sample)
        for suffix, form in {"txt": "txt", "json": "json", "junit.xml": "xml", "html": "html"}.items()
    }
    return wanted


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
