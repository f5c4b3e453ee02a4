"""Several products on the hosts of one inventory: what one matrix calls something, no other calls something else."""

from __future__ import annotations

from itertools import combinations

import pytest

from probe.spec import matrix

NAMES = ("ceph", "consul", "elasticsearch", "kafka", "kubernetes", "slurm")


def test_they_merge() -> None:
    assert matrix.lint(NAMES) == matrix.lint(["elasticsearch"])


@pytest.mark.parametrize(("one", "other"), list(combinations((*NAMES, "aiware"), 2)))
def test_they_have_nothing_in_common(one: str, other: str) -> None:
    """Two roles of one name would be one role. Prometheus collects metrics for whoever is there."""
    first, second = matrix.load([one]), matrix.load([other])
    names = [
        {*found.roles, *(alias for role in found.roles.values() for alias in role.aliases)} for found in (first, second)
    ]
    assert names[0] & names[1] <= {"prometheus"}
    assert not first.variables.keys() & second.variables.keys()
    assert not first.services.keys() & second.services.keys()
    assert not first.profiles.keys() & second.profiles.keys()
