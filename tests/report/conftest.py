"""The hand-made reports of example.py, as fixtures."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

    from probe.model.result import Report


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("report_example", Path(__file__).with_name("example.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_EXAMPLE = _load()


@pytest.fixture(scope="session")
def example() -> Any:
    """The module itself, for tests that build rows of their own."""
    return _EXAMPLE


@pytest.fixture(scope="session")
def rich() -> Report:
    report: Report = _EXAMPLE.rich()
    return report


@pytest.fixture(scope="session")
def examples() -> dict[str, Report]:
    reports: dict[str, Report] = _EXAMPLE.examples()
    return reports


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `one` runs for each way in which a run can end."""
    if "one" in metafunc.fixturenames:
        reports = _EXAMPLE.examples()
        metafunc.parametrize("one", reports.values(), ids=reports)
