"""The tests run against the wheel where `.ci/run` says so, and the wheel holds what portcheck needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import probe
from probe import resources

CHECKOUT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    os.environ.get("PORTCHECK_INSTALLED") != "1", reason="only `.ci/run` installs the wheel; this is the checkout"
)


def test_it_is_the_installed_package_that_is_tested():
    package = Path(probe.__file__).parent
    assert package != CHECKOUT / "probe"
    assert package.parent.name == "site-packages"


def test_a_process_started_here_finds_the_installed_package_too():
    command = [sys.executable, "-c", "import probe; print(probe.__file__)"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == probe.__file__


@pytest.mark.parametrize("name", ["matrices", "reports"])
def test_the_data_files_are_in_the_wheel(name: str):
    folder = resources.folder(name)
    assert folder.is_relative_to(Path(probe.__file__).parent)
    there = {path.name for path in (CHECKOUT / name).iterdir()}
    assert {path.name for path in folder.iterdir()} == there


def test_so_is_the_page_that_reports_show_parts_of():
    page = resources.folder("docs") / "verdicts.md"
    assert page.is_relative_to(Path(probe.__file__).parent)
    assert page.read_bytes() == (CHECKOUT / "docs" / "verdicts.md").read_bytes()
