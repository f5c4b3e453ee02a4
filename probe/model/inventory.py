"""Hosts and groups, whatever file they came from."""

from __future__ import annotations

from typing import Any

import msgspec

from probe.model.words import Zone


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """A machine of the inventory.

    `addresses` is what others dial: literals, or names that each source resolves itself. `roles` are the names of all
    groups the host is in (parents included, `all` and `ungrouped` left out) and of `portcheck_roles`, as written: a
    matrix may know them by another name. `vars` are the merged variables, the host's own over its groups'; `origins`
    says in a few words where each comes from: `host`, `group web`, `group web, group_vars/web.yml`. `external`: not of
    the inventory, a place that a matrix names.
    """

    name: str
    addresses: tuple[str, ...]
    roles: tuple[str, ...] = ()
    zone: Zone = Zone.INSIDE
    vars: dict[str, Any] = {}
    origins: dict[str, str] = {}
    external: bool = False


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """`groups` maps each group to its hosts, children's included; `children` to the groups directly below it.

    `vars` are those of the group `all`.
    """

    source: str
    hosts: dict[str, Host]
    groups: dict[str, tuple[str, ...]] = {}
    children: dict[str, tuple[str, ...]] = {}
    vars: dict[str, Any] = {}
