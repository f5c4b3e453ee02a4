"""What a path shows."""

from __future__ import annotations

import pytest

from probe.model.path import ByFlow


@pytest.mark.parametrize(
    ("through", "lost", "mixed", "bad"),
    [(8, 8, 0, True), (10, 4, 2, True), (16, 0, 0, False), (15, 1, 0, False), (0, 16, 0, False), (3, 3, 10, False)],
)
def test_flows_that_never_get_through_beside_others_that_do_came_by_a_bad_hop(
    through: int, lost: int, mixed: int, bad: bool
) -> None:
    assert ByFlow(through, lost, mixed).bad_hop is bad
