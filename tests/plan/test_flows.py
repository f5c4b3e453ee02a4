"""What a flow says: which pairs it is about, when, how badly it is needed, and how much of it is enough."""

from __future__ import annotations

import pytest

from probe.errors import UserError
from probe.model.words import Expect, Need, Phase, Policy

from .laying import closed, lay, reasons, the, ways

HEAD = """
variables:
  rack: {type: text}
  dc: {type: text}
  standby: {type: names}
  tls: {type: boolean, default: true}
  os: {type: text, default: linux}
roles: {web: {}, db: {}, app: {}, gpu: {}}
services:
  sql: {role: db, port: 5432}
  site: {role: web, port: 80}
"""


def flows(*rows: str) -> str:
    return HEAD + "flows:\n" + "".join(f"  - {{{row}}}\n" for row in rows)


class TestBetween:
    def test_leads_both_ways_and_never_within_a_role(self) -> None:
        text = flows("id: b, between: [web, db], to: [sql, site]")
        plan = lay(text, "w1 web", "w2 web", "d db", "x")
        assert ways(plan) == {"w1>d:5432/tcp sql", "w2>d:5432/tcp sql", "d>w1:80/tcp site", "d>w2:80/tcp site"}
        assert "w1>w2:80/tcp site" in closed(plan)

    def test_of_three_roles(self) -> None:
        text = flows("between: [web, db, app], to: [sql, site]")
        assert ways(lay(text, "w web", "d db", "a app")) == {
            "w>d:5432/tcp sql",
            "a>d:5432/tcp sql",
            "d>w:80/tcp site",
            "a>w:80/tcp site",
        }

    def test_a_host_of_both_meets_all(self) -> None:
        plan = lay(flows("between: [web, db], to: sql"), "both web db", "d db", "w web")
        assert ways(plan) == {
            "both>both:5432/tcp sql",
            "both>d:5432/tcp sql",
            "w>both:5432/tcp sql",
            "w>d:5432/tcp sql",
        }


class TestHosts:
    def test_other_is_each_to_every_other(self) -> None:
        plan = lay(flows("from: db, to: sql, hosts: other"), "d1 db", "d2 db", "d3 db")
        pairs = ("d1>d2", "d1>d3", "d2>d1", "d2>d3", "d3>d1", "d3>d2")
        assert ways(plan) == {f"{pair}:5432/tcp sql" for pair in pairs}
        assert closed(plan) == set()

    def test_same_is_each_to_itself_over_its_own_address(self) -> None:
        plan = lay(flows("from: db, to: sql, hosts: same"), "d1 db", "d2 db", "w web")
        assert ways(plan) == {"d1>d1:5432/tcp sql", "d2>d2:5432/tcp sql"}
        check = the(plan, source="d1", target="d1")
        assert (check.itself, check.same_host, check.address) == (True, False, "10.0.0.1")
        assert closed(plan.checks("d1")) == {"d1>d2:5432/tcp sql", "d1>w:80/tcp site"}

    def test_any_looks_for_a_listener_on_the_host_itself(self) -> None:
        check = the(lay(flows("from: db, to: sql"), "d db"))
        assert (check.itself, check.same_host) == (False, True)

    @pytest.mark.parametrize(
        ("first", "second", "itself"),
        [
            ("", "hosts: same", True),
            ("hosts: same", "", True),
            ("", "hosts: same, need: optional", False),  # no more than an option, so it may not fail a run
            ("need: optional", "hosts: same", True),
        ],
    )
    def test_one_row_of_each(self, first: str, second: str, itself: bool) -> None:
        rows = [f"from: db, to: sql{', ' * bool(more)}{more}" for more in (first, second)]
        check = the(lay(flows(*rows), "d db"))
        assert (check.itself, check.need) == (itself, Need.REQUIRED)


class TestScope:
    @pytest.mark.parametrize(
        ("scope", "targets"),
        [
            ("same: rack", {"d1"}),
            ("different: rack", {"d2"}),
            ("same: dc", {"d1", "d2"}),
            ("same: [rack, dc]", {"d1"}),
            ("{same: dc, different: rack}", {"d2"}),
            ("names: standby", {"d2", "d3"}),
            ("{names: standby, same: dc}", {"d2"}),
            ("named-by: standby", {"d1"}),
        ],
    )
    def test_which_targets(self, scope: str, targets: set[str]) -> None:
        """d3 has no rack and no data centre: it is in none, and so in none that is the same or another."""
        scope = scope if scope.startswith("{") else f"{{{scope}}}"
        hosts = (
            "w web rack=r1 dc=north standby=d2,d3",
            "d1 db rack=r1 dc=north standby=w",
            "d2 db rack=r2 dc=north standby=d1",
            "d3 db",
        )
        plan = lay(flows(f"id: f, from: web, to: sql, scope: {scope}"), *hosts)
        found = {check.target for check in plan.checks("w") if check.expect is Expect.REACH}
        assert found == targets
        assert {check.target for check in plan.checks("w")} == {"d1", "d2", "d3"}  # the others expect a block

    def test_a_value_of_the_whole_inventory(self) -> None:
        plan = lay(flows("from: web, to: sql, scope: {same: dc}"), "w web", "d db dc=south", everywhere={"dc": "north"})
        assert ways(plan) == set()
        assert ways(lay(flows("from: web, to: sql, scope: {same: dc}"), "w web", "d db", values={"dc": "n"}))

    def test_without_any_value_there_is_no_pair(self) -> None:
        for scope in ("same: rack", "different: rack", "names: standby", "named-by: standby"):
            assert ways(lay(flows(f"from: web, to: sql, scope: {{{scope}}}"), "w web", "d db")) == set()

    def test_a_value_that_is_none(self) -> None:
        plan = lay(flows("from: web, to: sql, scope: {names: standby}"), "w web 'standby=a b'", "d db")
        with pytest.raises(UserError, match=r"host 'w': variable 'standby' \(host\): 'a b' is not a name\n  hint: set"):
            list(plan.all_checks())


class TestEnough:
    @pytest.mark.parametrize("enough", ["one", "first"])
    def test_the_ways_of_one_source_are_alternatives(self, enough: str) -> None:
        text = flows(f"id: f, from: web, to: [sql, site], enough: {enough}", "id: g, from: app, to: sql")
        plan = lay(text, "w1 web", "d1 db", "d2 db", "a app")
        groups = {(check.source, check.alternatives) for check in plan.all_checks() if check.expect is Expect.REACH}
        assert len(groups) == 2
        assert {source: bool(group) for source, group in groups} == {"w1": True, "a": False}

    def test_each_source_needs_one_of_its_own(self) -> None:
        plan = lay(flows("id: f, from: web, to: sql, enough: one"), "w1 web", "w2 web", "d1 db", "d2 db")
        groups: dict[tuple[str, ...], set[str]] = {}
        for check in plan.all_checks():
            if check.expect is Expect.REACH:
                groups.setdefault(check.alternatives, set()).add(check.source)
        assert sorted(map(sorted, groups.values())) == [["w1"], ["w2"]]

    @pytest.mark.parametrize(
        ("more", "spared_by"),
        [
            ("", ()),  # g wants it for itself
            (", need: optional", ("shop/f/w",)),  # g would have liked it
            (", enough: one", ("shop/f/w", "shop/g/w")),
            (", enough: one, need: optional", ("shop/f/w",)),
        ],
    )
    def test_a_way_of_two_rows(self, more: str, spared_by: tuple[str, ...]) -> None:
        """It counts for each of them; that another way passes is enough where none of the strongest wants this one."""
        text = flows("id: f, from: web, to: [sql, site], enough: one", f"id: g, from: web, to: sql{more}")
        check = the(lay(text, "w web", "d db"), service="sql", source="w")
        assert check.alternatives == spared_by
        assert check.way_of == tuple(
            group for group in ("shop/f/w", "shop/g/w") if group == "shop/f/w" or "one" in more
        )


class TestExpectBlock:
    def test_is_a_row_of_its_own_whatever_the_policy(self) -> None:
        text = flows("id: never, from: web, to: sql, expect: block, severity: high, remedy: Close it., cite: c")
        text = text.replace("variables:", "sources: {c: {title: t}}\nvariables:") + "policy: {inside: ignore}\n"
        check = the(lay(text, "w web", "d db"))
        assert (check.expect, check.policy, check.rule) == (Expect.BLOCK, Policy.ENFORCE, "never")
        assert (check.severity, check.remedy, check.cite) == ("high", "Close it.", "c")

    def test_several_rows_are_one_check_and_the_strongest_stands_for_them(self) -> None:
        text = flows(
            "id: weak, from: web, to: sql, expect: block, need: recommended",
            "id: strong, from: web, to: sql, expect: block",
        )
        check = the(lay(text, "w web", "d db"), source="w")
        assert (check.rule, check.also, check.need) == ("strong", ("weak",), Need.REQUIRED)

    def test_never_of_a_host_and_itself(self) -> None:
        plan = lay(flows("id: never, from: every-host, to: sql, expect: block"), "d db", "x")
        assert closed(plan) == {"x>d:5432/tcp sql"}

    @pytest.mark.parametrize("order", [1, -1])
    def test_against_a_row_that_wants_it(self, order: int) -> None:
        rows = ["id: want, from: web, to: sql", "id: never, from: app, to: sql, expect: block"]
        text = flows(*rows[::order])
        assert ways(lay(text, "w web", "a app", "d db")) == {"w>d:5432/tcp sql"}
        with pytest.raises(UserError) as caught:
            list(lay(text, "both web app", "d db").all_checks())
        assert str(caught.value) == (
            "never forbids both to reach sql on d (tcp 5432), and another row wants it reached\n"
            "  hint: narrow one of them with when, hosts or scope, or switch it off under overrides"
        )

    def test_against_a_row_for_another_service_on_the_same_port(self) -> None:
        text = flows("id: want, from: web, to: sql", "id: never, from: web, to: old, expect: block").replace(
            "services:", "services:\n  old: {role: db, port: 5430-5440}"
        )
        with pytest.raises(UserError, match=r"never forbids w to reach old on d \(tcp 5432\)"):
            list(lay(text, "w web", "d db").all_checks())


class TestWhen:
    @pytest.mark.parametrize(
        ("when", "pairs"),
        [
            ("tls", {"w>d1", "g>d1"}),
            ("{not: tls}", {"w>d2", "g>d2"}),
            ("{variable: os, is: windows}", {"w>d2", "g>d2"}),
            ("{variable: os, is: [windows, linux]}", {"w>d1", "w>d2", "g>d1", "g>d2"}),
            ("{source: {role: gpu}}", {"g>d1", "g>d2"}),
            ("{source: {not: {role: gpu}}}", {"w>d1", "w>d2"}),
            ("{source: {variable: os, is: bsd}}", {"w>d1", "w>d2"}),
            ("{target: {role: app}}", {"w>d2", "g>d2"}),
            ("{target: {role: gpu}}", set()),  # there is one, but no target is
            ("{role: gpu}", {"w>d1", "w>d2", "g>d1", "g>d2"}),
            ("{all: [tls, {source: {role: gpu}}]}", {"g>d1"}),
            ("{any: [{not: tls}, {source: {role: gpu}}]}", {"w>d2", "g>d1", "g>d2"}),
        ],
    )
    def test_which_pairs(self, when: str, pairs: set[str]) -> None:
        hosts = ("w web os=bsd", "g web gpu", "d1 db", "d2 db app tls=no os=windows")
        plan = lay(flows(f"from: web, to: sql, when: {when}"), *hosts)
        assert {way.split(":")[0] for way in ways(plan)} == pairs
        everything = {"w>d1", "w>d2", "g>d1", "g>d2"}
        assert {way.split(":")[0] for way in closed(plan) if way[0] in "wg" and ">d" in way} == everything - pairs

    @pytest.mark.parametrize("present", [True, False])
    def test_a_role_that_may_be_in_the_inventory(self, present: bool) -> None:
        hosts = ("w web", "d db", *(["a app"] if present else []))
        for when, holds in (("{role: app}", present), ("{not: {role: app}}", not present)):
            assert bool(ways(lay(flows(f"from: web, to: sql, when: {when}"), *hosts))) is holds


class TestFamily:
    HOSTS = ("w web", "d db address=10.0.0.9,fd00::9")

    @pytest.mark.parametrize(
        ("when", "address"),
        [
            ("{family: ipv6}", "fd00::9"),
            ("{not: {family: ipv6}}", "10.0.0.9"),
            ("{all: [tls, {family: ipv4}]}", "10.0.0.9"),
        ],
    )
    def test_only_the_addresses_of_one(self, when: str, address: str) -> None:
        plan = lay(flows(f"from: web, to: sql, when: {when}"), *self.HOSTS)
        found = {check.address: check.expect for check in plan.checks("w")}
        assert {each for each, expect in found.items() if expect is Expect.REACH} == {address}
        assert len(found) == 2  # the other is expected to be blocked

    @pytest.mark.parametrize("when", ["{family: ipv6}", "{not: {family: ipv6}}", "{all: [tls, {family: ipv4}]}"])
    def test_of_a_name_nobody_knows(self, when: str) -> None:
        """Neither asked for nor expected to be blocked."""
        plan = lay(flows(f"id: f, from: web, to: sql, when: {when}"), "w web", "d db address=d.example")
        assert list(plan.checks("w")) == []
        assert reasons(plan) == {"f sql: the row is about one IP family, and d.example is a name"}

    @pytest.mark.parametrize(
        ("when", "reached"),
        [("{any: [tls, {family: ipv6}]}", True), ("{all: [{not: tls}, {family: ipv6}]}", False)],
    )
    def test_of_a_name_where_it_makes_no_difference(self, when: str, reached: bool) -> None:
        plan = lay(flows(f"id: f, from: web, to: sql, when: {when}"), "w web", "d db address=d.example")
        assert (bool(ways(plan)), bool(closed(plan.checks("w")))) == (reached, not reached)
        assert plan.unchecked == ()

    def test_a_row_that_cannot_be_asked_and_is_about_no_address_is_not_there(self) -> None:
        text = flows("id: f, from: web, to: sql, when: {family: ipv6}, unchecked: by hand")
        assert lay(text, "w web", "d db").unchecked == ()
        assert reasons(lay(text, "w web", "d db address=fd00::9")) == {"f sql: by hand"}


class TestDuring:
    @pytest.mark.parametrize("during", ["installation", "joining", "transfer", "upgrade"])
    @pytest.mark.parametrize("phase", Phase)
    def test_live_neither_asks_nor_expects_it_blocked(self, during: str, phase: Phase) -> None:
        plan = lay(flows(f"id: f, from: web, to: sql, during: {during}"), "w web", "d db", phase=phase)
        found = {check.expect for check in plan.checks("w")}
        if phase is Phase.LIVE:
            assert found == set()
            assert reasons(plan) == {f"f sql: it is needed during {during} only, and phase live does not ask for it"}
        else:
            assert found == {Expect.REACH}
            assert plan.unchecked == ()

    def test_another_row_still_asks(self) -> None:
        text = flows("id: f, from: web, to: sql, during: upgrade", "id: g, from: web, to: sql, need: optional")
        check = the(lay(text, "w web", "d db", phase=Phase.LIVE), source="w")
        assert (check.rule, check.also, check.need) == ("g", (), Need.OPTIONAL)


class TestNeed:
    @pytest.mark.parametrize("need", Need)
    def test_is_said_in_the_check(self, need: Need) -> None:
        plan = lay(flows(f"from: web, to: sql, need: {need}"), "w web", "d db")
        assert the(plan, source="w").need is need  # reached, and so not expected to be blocked

    def test_the_strongest_of_several(self) -> None:
        order = ("deprecated", "optional", "recommended", "required")
        rows = [f"id: {need}, from: web, to: sql, need: {need}" for need in order]
        check = the(lay(flows(*rows), "w web", "d db"), source="w")
        assert (check.rule, check.also) == ("required", ("recommended", "optional", "deprecated"))


class TestSourcePort:
    @pytest.mark.parametrize("port", ["32768-60999", "1024-65535", "1-65535", "[1-40000, 40001-65535]"])
    def test_one_that_an_agent_may_have(self, port: str) -> None:
        plan = lay(flows(f"from: web, to: sql, source-port: {port}"), "w web", "d db")
        assert (len(ways(plan)), plan.unchecked) == (1, ())

    @pytest.mark.parametrize("port", ["123", "1-1023", "32769-60999", "32768-60998"])
    def test_one_that_it_cannot_be_sure_of(self, port: str) -> None:
        plan = lay(flows(f"id: f, from: web, to: sql, source-port: {port}"), "w web", "d db")
        assert list(plan.checks("w")) == []  # it is allowed, so that no block is expected
        assert reasons(plan) == {f"f sql: the source sends from port {port}, and an agent from a port that is free"}


def test_unchecked_for_a_reason_of_its_own() -> None:
    text = flows("id: f, from: web, to: sql, unchecked: only by serial line, need: optional, help: boot")
    plan = lay(text, "w web", "d db", "x")
    assert list(plan.checks("w")) == []
    (row,) = plan.unchecked
    assert (row.reason, row.sources, row.targets, row.ports) == ("only by serial line", ("web",), ("db",), "5432")
    assert (row.need, row.help) == (Need.OPTIONAL, "boot")
    assert lay(text, "d db", "x").unchecked == ()  # no pair of hosts


def test_severity_and_remedy_of_the_flow_win_over_those_of_the_service() -> None:
    text = flows(
        "id: own, from: web, to: sql, severity: info, remedy: Ask the network team.", "id: bare, from: app, to: sql"
    ).replace("port: 5432", "port: 5432, severity: high, remedy: Start it.")
    plan = lay(text, "w web", "a app", "d db")
    said = {check.rule: (check.severity, check.remedy) for check in plan.all_checks() if check.service == "sql"}
    assert said["own"] == ("info", "Ask the network team.")
    assert said["bare"] == ("high", "Start it.")


def test_the_hosts_of_a_plan_are_those_of_the_inventory_and_the_endpoints_that_can_be_asked() -> None:
    text = flows("from: web, to: [far, many]").replace(
        "services:", 'services:\n  far: {at: "far.example:1"}\n  many: {at: "*.example:1"}'
    )
    assert list(lay(text, "w web", "x zone=outside").hosts) == ["w", "x", "far.example"]
