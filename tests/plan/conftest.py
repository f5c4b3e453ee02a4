"""A small matrix and a small inventory; tests change what they are about."""

from __future__ import annotations

from typing import Any

import pytest

from probe.model.inventory import Host, Inventory
from probe.model.matrix import EVERY_HOST, OUTSIDE, Flow, Matrix, Profile, Role, Service, Variable
from probe.model.words import Need, Policy, Zone
from probe.plan import Plan, Wishes


def _flow(number: int, sources: str, services: str, **more: Any) -> Flow:
    return Flow(
        rule=f"flows[{number}]",
        sources=tuple(sources.split()),
        services=tuple(services.split()),
        matrix="shop",
        **more,
    )


def _host(name: str, *roles: str, **more: Any) -> Host:
    more.setdefault("addresses", (f"10.0.0.{1 + sum(name.encode()) % 250}",))
    return Host(name=name, roles=roles, **more)


def _matrix(**changes: Any) -> Matrix:
    fields: dict[str, Any] = {
        "names": ("shop",),
        "variables": {"db_port": Variable(name="db_port", default=5432), "admin": Variable(name="admin", default=9000)},
        "roles": {
            "agent": Role(name="agent", every_host=True),
            "web": Role(name="web", aliases=("front", "www")),
            "db": Role(name="db"),
            "cache": Role(name="cache"),
        },
        "services": {
            "ssh": Service(name="ssh", roles=("agent",), port="22", matrix="shop"),
            "site": Service(name="site", roles=("web",), port="80,443", protocols=("http",), matrix="shop"),
            "sql": Service(name="sql", roles=("db",), port="{db_port}", matrix="shop"),
            "clock": Service(name="clock", roles=("db",), port="123", protocols=("udp",), matrix="shop"),
        },
        "flows": (
            _flow(0, "web", "sql"),
            _flow(1, EVERY_HOST, "ssh", need=Need.OPTIONAL),
            _flow(2, OUTSIDE, "site"),
            _flow(3, "web db", "site", need=Need.RECOMMENDED),
        ),
        "policy": {Zone.INSIDE: Policy.ADVISE, Zone.OUTSIDE: Policy.ENFORCE},
        "profiles": {"small": Profile(name="small", requires=("web", "db"))},
    }
    return Matrix(**{**fields, **changes})


def _inventory(*hosts: Host, groups: dict[str, tuple[str, ...]] | None = None) -> Inventory:
    hosts = hosts or (_host("w1", "web"), _host("d1", "db"))
    return Inventory(source="hosts.txt", hosts={host.name: host for host in hosts}, groups=groups or {})


class Builder:
    """Short names for what the tests are made of."""

    flow, host, matrix, inventory = map(staticmethod, (_flow, _host, _matrix, _inventory))

    @staticmethod
    def plan(*hosts: Host, matrix: Matrix | None = None, **wishes: Any) -> Plan:
        return Plan(matrix or _matrix(), _inventory(*hosts), Wishes(**wishes))


@pytest.fixture(scope="session")
def make() -> type[Builder]:
    return Builder
