"""The module expected.py, for the tests of this folder."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def expected() -> Any:
    spec = importlib.util.spec_from_file_location("matrices_expected", Path(__file__).with_name("expected.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
