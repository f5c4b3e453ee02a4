"""The hand-made reports of example.py, as fixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from . import example as made

if TYPE_CHECKING:
    from probe.model.result import Report


@pytest.fixture(scope="session")
def example() -> Any:
    """The module itself, for tests that build rows of their own."""
    return made


@pytest.fixture(scope="session")
def rich() -> Report:
    report: Report = made.rich()
    return report


@pytest.fixture(scope="session")
def waived() -> Report:
    report: Report = made.waived()
    return report


@pytest.fixture(scope="session")
def examples() -> dict[str, Report]:
    reports: dict[str, Report] = made.examples()
    return reports


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `one` runs for each way in which a run can end."""
    if "one" in metafunc.fixturenames:
        reports = made.examples()
        metafunc.parametrize("one", reports.values(), ids=reports)
