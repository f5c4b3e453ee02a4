from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from probe.model.conditions import Condition
from probe.model.dialogue import Dialogue, Known, Send
from probe.model.http import HttpDemand
from probe.model.matrix import Flow, Scope, Service
from probe.model.tls import TlsDemand
from probe.model.words import During, Enough, Expect, Hosts, Listen, Need, Severity
from probe.spec import matrix
from probe.spec.matrix.diff import as_json, as_tables, compare
from probe.spec.matrix.files import builtin

if TYPE_CHECKING:
    from probe.model.matrix import Matrix

Cells = tuple[str, ...]


def differ(first: str, second: str, *, texts: bool = False) -> dict[str, list[Cells]]:
    """The rows of the sections in which two bodies of a matrix differ; told the other way round they are mirrored."""
    one, other = (matrix.load_text(f"portcheck: 1\nname: x\n{body}") for body in (first, second))
    found = compare(one, other, texts=texts)
    rows: dict[str, list[Cells]] = {}
    for row in found:
        rows.setdefault(row.section, []).append((*row.subject, row.first, row.second))
    back = compare(other, one, texts=texts)
    assert {row.section for row in back} == set(rows)
    assert len(back) == len(found)
    return rows


def ports(first: str, second: str) -> list[Cells]:
    """Where two lists of services of roles a and b differ."""
    body = "roles: {{a: , b: }}\nvariables: {{tls: {{default: true}}}}\nservices: {{{}}}\nflows: [{{from: a, to: s}}]\n"
    found = differ(body.format(first), body.format(second))
    return found.get("Ports by role", [])


def flows(first: str, second: str) -> list[Cells]:
    """Where two lists of flows differ, to web of role a on 80 and db of role b on 5432 and 5433."""
    body = (
        "roles: {{a: , b: , c: , n: {{on: every-host}}}}\nvariables: {{tls: {{default: true}}, rack: {{type: text}}}}\n"
        "services:\n  web: {{role: a, port: 80}}\n  db: {{role: b, port: [5432, 5433]}}\n"
        "  vip: {{role: b, protocol: vrrp}}\n"
        "flows: [{}]\n"
    )
    return differ(body.format(first), body.format(second)).get("Connections", [])


def test_names_and_the_cut_of_rows_do_not_count() -> None:
    one = "s: {role: [a, b], port: [80, 81], help: x}"
    other = "s: {role: a, port: 80}, t: {role: a, port: 81}, u: {role: b, port: 80-81}"
    assert ports(one, other) == []


def test_a_service_on_another_port() -> None:
    assert ports("s: {role: a, port: 443}", "s: {role: a, port: 5000}") == [("a", "443 tcp", "5000 tcp")]
    # By its name, its protocol, its path, or as the only one of the role.
    moved = [("a", "1 tcp", "2 tcp"), ("a", "5432 postgresql/tcp", "5433 postgresql/tcp")]
    one = "s: {role: a, port: 1}, db: {role: a, port: 5432, protocol: postgresql}"
    other = "s: {role: a, port: 2}, sql: {role: a, port: 5433, protocol: postgresql}"
    assert ports(one, other) == moved
    web = "{role: a, port: %s, protocol: http, path: /metrics}"
    one, other = f"s: {{role: a, port: 9}}, m: {web % 80}", f"s: {{role: a, port: 9}}, n: {web % 81}"
    assert ports(one, other) == [("a", "80 http", "81 http")]
    assert ports("s: {role: a, port: 1}, t: {role: b, port: 8}", "s: {role: a, port: 1}, u: {role: b, port: 9}") == [
        ("b", "8 tcp", "9 tcp")
    ]


def test_services_that_have_nothing_in_common_are_no_move() -> None:
    one = "s: {role: a, port: 1}, t: {role: b, port: 8}, u: {role: b, port: 9}"
    other = "s: {role: a, port: 1}, v: {role: b, port: 7}"
    assert ports(one, other) == [("b", "8 tcp, 9 tcp", ""), ("b", "", "7 tcp")]


def test_ports_of_a_range_that_only_one_has() -> None:
    assert ports("s: {role: a, port: 10-19}", "s: {role: a, port: 15-24}") == [("a", "10-14 tcp", "20-24 tcp")]
    assert ports("s: {role: a, port: 10-19}", "s: {role: a, port: 12-15}") == [("a", "10-11, 16-19 tcp", "")]


def test_what_is_said_of_a_port() -> None:
    http = "s: {role: a, port: 80, protocol: http, %s}"
    assert ports("s: {role: a, port: 80}", http % "path: /x") == [("a", "80 tcp", "80 http (path /x)")]
    assert ports(http % "status: [200, 401]", http % "status: [401, 200]") == []
    assert ports(http % "path: /a, status: 200", http % "path: /b, status: 200") == [
        ("a", "80 http (path /a)", "80 http (path /b)")
    ]
    assert ports(http % "severity: low", http % "unchecked: No.") == [
        ("a", "80 http (severity low)", "80 http (not checkable: No.)")
    ]
    assert ports(http % "when: tls", http % "bind: local") == [("a", "80 http (if tls)", "80 http (loopback only)")]


def test_both_transports() -> None:
    one, other = "s: {role: a, port: 53, protocol: dns}", "s: {role: a, port: 53, protocol: dns/udp}"
    assert ports(one, other) == [("a", "53 dns/tcp", "")]


def test_ports_that_nobody_knows() -> None:
    assert ports("s: {role: a, port: random}", "s: {role: a, port: random}") == []
    assert ports("s: {role: a, port: random}", "s: {role: a, port: 7}") == [("a", "random tcp", "7 tcp")]
    assert ports("s: {role: a, protocol: icmp/8}", "s: {role: a, protocol: vrrp}") == [("a", "icmp/8", "vrrp")]


def test_what_holds_always_need_not_hold_sometimes() -> None:
    always = "{from: a, to: db}"
    assert flows(always, f"{always}, {{from: a, to: db, when: {{role: c}}}}") == []
    sometimes = "{from: a, to: db, when: {role: c}}"
    assert flows(always, sometimes) == [("b", "5432-5433 tcp", "a", "a (if c)")]
    assert flows(sometimes, "{from: a, to: db, when: tls}, {from: a, to: db, when: {role: c}}") == [
        ("b", "5432-5433 tcp", "a (if c)", "a (if c) or (if tls)")
    ]


def test_flows_in_any_order_and_cut() -> None:
    assert (
        flows("{from: [a, c], to: [web, db]}", "{from: c, to: [db, web]}, {from: a, to: web}, {from: a, to: db}") == []
    )
    condition = "{from: a, to: web, when: {any: [%s]}}"
    assert flows(condition % "tls, {role: c}", condition % "{role: c}, tls") == []
    assert flows("{between: [a, b], to: [web, db]}", "{from: a, to: db}, {from: b, to: web}") == []
    assert flows("{from: n, to: web}", "{from: every-host, to: web}") == []
    assert flows("{between: [a, n], to: web}", "{from: every-host, to: web}") == []


def test_connections_side_by_side() -> None:
    one = "{from: [a, b], to: web}, {from: n, to: db}"
    other = "{from: a, to: web, need: optional}, {from: [c, a], to: db, hosts: other, scope: {same: rack}}"
    assert flows(one, other) == [
        ("a", "80 tcp", "a, b", "a (optional)"),
        (
            "b",
            "5432-5433 tcp",
            "every-host",
            "a (each to the others; same rack), c (each to the others; same rack)",
        ),
    ]
    assert flows("{from: a, to: [web, vip]}", "{from: a, to: web}") == [("b", "vrrp", "a", "")]


def test_a_service_that_moved_is_told_once() -> None:
    body = "roles: {a: , b: }\nservices: {s: {role: b, port: %s}}\nflows: [{from: %s, to: s}]\n"
    assert differ(body % (443, "a"), body % (5000, "a")) == {"Ports by role": [("b", "443 tcp", "5000 tcp")]}
    assert differ(body % (443, "a"), body % (5000, "b")) == {
        "Ports by role": [("b", "443 tcp", "5000 tcp")],
        "Connections": [("b", "443 / 5000 tcp", "a", "b")],
    }
    udp = body.replace("port: %s", "port: %s, protocol: udp")
    assert differ(body % (443, "a"), udp % (53, "b"))["Connections"] == [("b", "443 tcp / 53 udp", "a", "b")]


def test_what_must_be_blocked_is_no_connection() -> None:
    body = "roles: {a: , b: }\nservices: {s: {role: b, port: 1}}\nflows: [{from: a, to: s}, {from: b, to: s%s}]\n"
    assert differ(body % "", body % ", expect: block") == {
        "Connections": [("b", "1 tcp", "b", "")],
        "Must never be reachable": [("b", "1 tcp", "", "b")],
    }


def test_roles_under_other_names() -> None:
    one = (
        "roles: {web: {aliases: [front]}, db: }\nservices: {s: {role: web, port: 1, when: {not: {role: web}}}}\n"
        "flows: [{between: [web, db], to: s, when: {source: {role: db}}}]\nprofiles: {p: {requires: [web]}}\n"
    )
    other = one.replace("web: {aliases: [front]}", "front: {includes: db}").replace("web", "front")
    assert differ(one, other) == {
        "Roles": [("web", "web; also called front; includes none", "front; no other name; includes db")]
    }


def test_a_name_that_could_mean_two_roles_means_neither() -> None:
    body = "services: {s: {role: db, port: 1}}\nflows: [{from: db, to: s}]\n"
    one = "roles: {web: {aliases: [front]}, page: {aliases: [site]}, db: }\n" + body
    other = "roles: {all-web: {aliases: [front, site]}, db: }\n" + body
    assert differ(one, other) == {"Roles": [("web", "web", ""), ("page", "page", ""), ("all-web", "", "all-web")]}


def test_endpoints_under_other_names() -> None:
    body = 'roles: {a: }\nservices: {%s: {at: "h.example:443"}}\nflows: [{from: a, to: %s}]\n'
    assert differ(body % ("hub", "hub"), body % ("registry", "registry")) == {}


def test_endpoints_elsewhere() -> None:
    body = 'roles: {a: }\nservices: {hub: {at: "%s"}}\nflows: [{from: a, to: hub}]\n'
    assert differ(body % "h.example:443", body % "g.example:443") == {
        "Ports by role": [("hub", "443 tcp (at h.example:443)", "443 tcp (at g.example:443)")]
    }


def test_variables_profiles_and_policy() -> None:
    body = (
        "roles: {a: }\nservices: {s: {role: a, port: 1}}\nflows: [{from: a, to: s}]\n"
        "variables: {v: {%s}, w%s: {default: true}}\nprofiles: {p%s: {requires: [a]}}\npolicy: {inside: %s}\n"
    )
    one, other = body % ("default: 1", "", "", "ignore"), body % ("type: port", "2", "2", "enforce")
    assert differ(one, other) == {
        "Variables": [("v", "1; ports", "none; port"), ("w", "true", ""), ("w2", "", "true")],
        "Profiles": [("p", "a", ""), ("p2", "", "a")],
        "Open, but allowed by no flow": [("inside", "ignore", "enforce")],
    }


def test_texts_only_where_they_are_asked_for() -> None:
    body = (
        "variables: {v: {default: 1, help: %s v}}\nroles: {a: {help: %s r}}\n"
        "services: {s: {role: a, port: 1, help: %s s}}\nflows: [{from: a, to: s, help: %s f, remedy: %s m}]\n"
        "profiles: {p: {requires: [a], help: %s p}}\n"
    )
    one, other = body % (("one",) * 6), body % (("two",) * 6)
    assert differ(one, other) == {}
    assert differ(one, other, texts=True) == {
        "Roles": [("a", "one r", "two r")],
        "Ports by role": [("a", "1 tcp (one s)", "1 tcp (two s)")],
        "Connections": [("a", "1 tcp", "a (one f; remedy: one m)", "a (two f; remedy: two m)")],
        "Variables": [("v", "one v", "two v")],
        "Profiles": [("p", "one p", "two p")],
    }


def test_tables_and_json() -> None:
    body = "roles: {a: }\nservices: {s: {role: a, port: 1}}\nflows: [{from: %s, to: s}]\n"
    one, other = (matrix.load_text(f"portcheck: 1\nname: x\n{body % source}") for source in ("a", "outside"))
    found = compare(one, other)
    (table,) = as_tables(found, ("old", "new"))
    assert (table.title, table.columns) == ("Connections", ("Target", "Port", "old", "new"))
    assert table.rows == [("a", "1 tcp", "a", "outside")]
    assert as_json(compare(one, one), ("old", "new"))["differences"] == []
    row = {"section": "Connections", "target": "a", "port": "1 tcp", "first": "a", "second": "outside"}
    expected = {"schema": "portcheck.matrix-diff/1", "first": "old", "second": "new", "differences": [row]}
    assert as_json(found, ("old", "new")) == expected


SERVICE: dict[str, object] = {
    "roles": ("partner",),
    "port": "12345",
    "protocols": ("sctp",),
    "status": (599,),
    "http": HttpDemand(host="z.example"),
    "tls": TlsDemand(minimum="1.3"),
    "dialogue": Dialogue(steps=(Send((Known(b"hi"),)),)),
    "listen": Listen.ONCE,
    "count": "7",
    "local": True,
    "address": "partners",
    "at": ("z.example:1",),
    "when": Condition(role="head"),
    "unchecked": "why",
    "severity": Severity.INFO,
}
FLOW: dict[str, object] = {
    "sources": ("partner", "head"),
    "services": ("gossip",),
    "between": True,
    "hosts": Hosts.SAME,
    "scope": Scope(same=("vip",)),
    "enough": Enough.ONE,
    "expect": Expect.BLOCK,
    "when": Condition(role="head"),
    "during": During.UPGRADE,
    "need": Need.RECOMMENDED,
    "source_port": "7",
    "unchecked": "why",
    "severity": Severity.INFO,
}
# Ids, matrices and cites do not count; texts only where asked for; a path is for web services alone.
UNCOUNTED = {"name", "rule", "matrix", "cite", "help", "remedy", "path"}


def test_no_change_goes_unseen() -> None:
    """Each row of a matrix with one field changed says something else."""
    one = matrix.load([str(Path(__file__).parents[2] / "cli" / "tables" / "everything.yaml")])
    assert {*SERVICE, *UNCOUNTED} == set(Service.__struct_fields__) | {"rule"}
    assert {*FLOW, *UNCOUNTED} == set(Flow.__struct_fields__) | {"name", "path"}
    unseen = [
        f"{name}: {field}"
        for name, row in one.services.items()
        for field, value in SERVICE.items()
        if value != getattr(row, field) and not (field == "port" and all(":" in at for at in row.at))
        if not compare(one, replace(one, services={**one.services, name: replace(row, **{field: value})}))
    ]
    for number, row in enumerate(one.flows):
        before, after = one.flows[:number], one.flows[number + 1 :]
        changed = [
            (field, replace(row, **{field: value})) for field, value in FLOW.items() if value != getattr(row, field)
        ]
        unseen += [
            f"{row.rule}: {field}"
            for field, other in changed
            if not compare(one, replace(one, flows=(*before, other, *after)))
        ]
        unseen += [] if compare(one, replace(one, flows=(*before, *after))) else [row.rule]
    assert unseen == []


@pytest.fixture(scope="module")
def built_in() -> dict[str, Matrix]:
    return {name: matrix.load([name]) for name in builtin()}


def test_each_says_what_it_says(built_in: dict[str, Matrix]) -> None:
    assert [name for name, loaded in built_in.items() if compare(loaded, loaded, texts=True)] == []


def test_any_two_can_be_compared(built_in: dict[str, Matrix]) -> None:
    for one, other in combinations(built_in.values(), 2):
        assert compare(one, other)
        assert compare(other, one)
