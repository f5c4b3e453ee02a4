"""Who is to blame, in every situation that a rule set, a route, a listener, a name or an agent can make: the table.

All scenes go on at the same time.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from .harness import BOTH
from .routers import at, on
from .scene_asked import ASKED_IN_ITS_PROTOCOL
from .scene_astray import LED_ASTRAY
from .scene_blind import BLIND_AGENTS
from .scene_gone import HOSTS_THAT_ARE_OFF
from .scene_limits import LIMITS
from .scene_names import NAMES, NAMES_OF_SERVICES
from .scene_near import ONE_ROUTER
from .scene_neighbours import NEIGHBOURS
from .scene_noise import NOISY_LINE
from .scene_routes import ONLY_ROUTES
from .scene_running import RUNNING
from .scene_unattended import UNATTENDED
from .scene_way import ONE_FAULT, TWO_FAULTS
from .scene_ways import SEVERAL_WAYS
from .situations import DETOUR, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .harness import Portcheck, Run
    from .situations import Tabled

SCENES = (
    ONE_ROUTER, ONE_FAULT, TWO_FAULTS, SEVERAL_WAYS, NEIGHBOURS, ONLY_ROUTES, NOISY_LINE, BLIND_AGENTS, LED_ASTRAY,
    NAMES, NAMES_OF_SERVICES, RUNNING, ASKED_IN_ITS_PROTOCOL, UNATTENDED, LIMITS,
    *HOSTS_THAT_ARE_OFF,
)  # fmt: skip
ROWS = [pytest.param(scene.name, row, id=str(row)) for scene in SCENES for row in scene.rows]


@pytest.fixture(scope="module")
def runs(portcheck: Portcheck, request: pytest.FixtureRequest) -> Iterator[dict[str, Run]]:
    """Of the scenes that somebody asks for."""
    asked = [item.callspec.params.get("scene") for item in request.session.items if hasattr(item, "callspec")]
    with ExitStack() as stack:
        under_way = {scene.name: scene.begin(portcheck, stack) for scene in SCENES if scene.name in asked}
        yield {name: one.finish() for name, one in under_way.items()}


@pytest.mark.parametrize(("scene", "row"), ROWS)
def test_a_situation(runs: dict[str, Run], scene: str, row: Row, tabled: Tabled) -> None:
    tabled(row, runs[scene])


@pytest.mark.parametrize("scene", [TWO_FAULTS.name])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("family", BOTH)
def test_translation_on_the_way_is_named(runs: dict[str, Run], scene: str, transport: str, family: int) -> None:
    (row,) = Row(scene, "r4 translates", transport, family, "pass").of(runs[scene])
    assert "translat" in row["detail"]
    assert any(at("r4", "b1", family) in each["what"] for each in row["evidence"]), row


@pytest.mark.parametrize("scene", [SEVERAL_WAYS.name])
@pytest.mark.parametrize("family", BOTH)
def test_answers_that_come_another_way_are_not_remarked_on(runs: dict[str, Run], scene: str, family: int) -> None:
    (row,) = Row(scene, "open", "tcp", family, "pass", address=on(6, DETOUR, family)).of(runs[scene])
    routers = {at(router, peer, family) for router in ("r2", "r3") for peer in ("r1", "r4")}
    assert not any(address in str(row["evidence"]) for address in routers), row
