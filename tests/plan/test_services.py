"""What a service says of itself: whose it is, what it speaks, where and when it listens."""

from __future__ import annotations

import pytest

from probe.errors import UserError
from probe.model.words import Expect, Listen, Need, Phase, Policy, Protocol, Transport

from .laying import closed, lay, reasons, the, ways

ROLES = "roles: {web: {}, db: {}, app: {}}\n"


def one(service: str, flow: str = "{id: f, from: web, to: s}") -> str:
    """A matrix of one service, `s`, of the role db if it does not say another, and one flow."""
    role = "" if "role:" in service or "at:" in service else "role: db, "
    return f"{ROLES}services: {{s: {{{role}{service}}}}}\nflows: [{flow}]\n"


def test_of_several_roles_it_is_offered_by_the_hosts_of_each() -> None:
    plan = lay(one("role: [db, app], port: 1"), "w web", "d db", "a app", "both app db", "x")
    assert ways(plan) == {"w>d:1/tcp s", "w>a:1/tcp s", "w>both:1/tcp s"}
    assert {check.target: check.target_role for check in plan.checks("w")} == {"d": "db", "a": "app", "both": "db"}
    assert closed(plan.checks("x")) == {"x>d:1/tcp s", "x>a:1/tcp s", "x>both:1/tcp s"}


class TestProtocols:
    @pytest.mark.parametrize(
        ("protocol", "asked"),
        [
            ("tcp", {("tcp", "tcp", "")}),
            ("[tcp, udp]", {("tcp", "tcp", ""), ("udp", "udp", "")}),
            ("https", {("tcp", "https", "")}),
            ("postgresql", {("tcp", "tcp", "postgresql")}),
            ("dns", {("tcp", "tcp", "dns"), ("udp", "udp", "dns")}),
            ("dns/udp", {("udp", "udp", "dns")}),
            ("[http, syslog]", {("tcp", "http", ""), ("udp", "udp", "syslog")}),
        ],
    )
    def test_one_check_for_each_transport(self, protocol: str, asked: set[tuple[str, str, str]]) -> None:
        plan = lay(one(f"port: 53, protocol: {protocol}"), "w web", "d db", "x")
        reach = [check for check in plan.all_checks() if check.expect is Expect.REACH]
        assert {(check.transport.value, check.protocol.value, check.application) for check in reach} == asked
        blocked = [check for check in plan.all_checks() if check.expect is Expect.BLOCK]
        assert {(check.transport, check.protocol) for check in blocked} == {
            (Transport(transport), Protocol(transport)) for transport, _, _ in asked
        }
        assert len({check.id for check in plan.all_checks()}) == len(reach) + len(blocked)

    @pytest.mark.parametrize(
        ("service", "reason"),
        [
            ("protocol: icmp/8", "ICMP type 8 is no port"),
            ("protocol: vrrp", "IP protocol 112 has no ports"),
            ("protocol: ip/97", "IP protocol 97 has no ports"),
            ("protocol: unix, path: /run/s.sock", "a unix socket is not reached over the network"),
            ("protocol: sctp, port: 38412", "SCTP is not asked for"),
            ("protocol: unstated, port: 7", "the document does not say whether it is TCP or UDP"),
        ],
    )
    def test_one_that_cannot_be_asked_for(self, service: str, reason: str) -> None:
        plan = lay(one(service), "w web", "d db", "x")
        assert list(plan.all_checks()) == []
        assert reasons(plan) == {f"f s: {reason}"}

    def test_beside_one_that_can(self) -> None:
        plan = lay(one("protocol: [udp, sctp], port: 2905"), "w web", "d db")
        assert ways(plan) == {"w>d:2905/udp s"}
        assert [(row.protocol, row.ports, row.reason) for row in plan.unchecked] == [
            ("sctp", "2905", "SCTP is not asked for")
        ]


class TestListen:
    def test_all_some_and_none_are_said_in_the_check(self) -> None:
        for listen in (Listen.ALL, Listen.SOME, Listen.NONE):
            assert the(lay(one(f"port: 1-9, listen: {listen}"), "w web", "d db")).listen is listen

    def test_members_of_which_one_is_active_are_alternatives(self) -> None:
        """For all sources together: the active one itself, in a mesh, meets idle members alone."""
        plan = lay(one("port: 1, listen: active, protocol: [tcp, udp]"), "w1 web", "w2 web", "d1 db", "d2 db")
        groups: dict[tuple[str, ...], set[str]] = {}
        for check in plan.all_checks():
            if check.expect is Expect.REACH:
                groups.setdefault(check.alternatives, set()).add(f"{check.source}>{check.target} {check.transport}")
        pairs = ("w1>d1", "w1>d2", "w2>d1", "w2>d2")
        assert set(map(frozenset, groups.values())) == {
            frozenset(f"{pair} {transport}" for pair in pairs) for transport in ("tcp", "udp")
        }
        assert () not in groups

    def test_the_members_of_each_cluster_have_an_active_one(self) -> None:
        flow = "{id: f, from: web, to: s, scope: {same: cell}}"
        text = "variables:\n  cell: {type: text}\n" + one("port: 1, listen: active", flow)
        plan = lay(text, "w1 web cell=a", "w2 web cell=b", "d1 db cell=a", "d2 db cell=a", "d3 db cell=b")
        groups = {check.target: check.alternatives for check in plan.all_checks() if check.expect is Expect.REACH}
        assert groups["d1"] == groups["d2"] != groups["d3"]

    @pytest.mark.parametrize(
        ("phase", "line", "reason"),
        [
            (Phase.PRE_INSTALL, "d db", ""),
            (Phase.PRE_INSTALL, "d db portcheck_agent=none", "and no agent can stand in for it"),
            (Phase.LIVE, "d db", "only phase pre-install asks for it, from a stand-in"),
            (Phase.AUTO, "d db", "only phase pre-install asks for it, from a stand-in"),
        ],
    )
    def test_once_is_never_touched_where_it_may_run(self, phase: Phase, line: str, reason: str) -> None:
        """A visit would end it. Nor is it asked for from where it should be blocked."""
        plan = lay(one("port: 1, listen: once"), "w web", line, "x", phase=phase)
        if reason:
            assert list(plan.all_checks()) == []
            assert [row.reason.endswith(reason) for row in plan.unchecked] == [True]
        else:
            assert (ways(plan), closed(plan)) == ({"w>d:1/tcp s"}, {"x>d:1/tcp s"})
            assert plan.unchecked == ()


class TestLocal:
    TEXT = one("port: 8125, protocol: udp, bind: local", "{id: own, from: db, to: s}")

    def test_its_own_host_reaches_it_on_loopback(self) -> None:
        plan = lay(self.TEXT, "d1 db", "d2 db")
        reach = [check for check in plan.all_checks() if check.expect is Expect.REACH]
        assert [(check.source, check.target, check.address, check.same_host, check.local) for check in reach] == [
            ("d1", "d1", "127.0.0.1", True, True),
            ("d2", "d2", "127.0.0.1", True, True),
        ]

    @pytest.mark.parametrize("policy", ["advise", "ignore", "enforce"])
    def test_and_nobody_else_may_whatever_the_policy(self, policy: str) -> None:
        plan = lay(self.TEXT + f"policy: {{inside: {policy}}}\n", "d db address=10.0.0.1,fd00::1", "x")
        blocked = [check for check in plan.all_checks() if check.expect is Expect.BLOCK]
        assert {(check.source, check.address, check.policy, check.rule, check.local) for check in blocked} == {
            ("x", "10.0.0.1", Policy.ENFORCE, "services.s", True),
            ("x", "fd00::1", Policy.ENFORCE, "services.s", True),
        }

    def test_hosts_of_its_role_neither(self) -> None:
        assert closed(lay(self.TEXT, "d1 db", "d2 db")) == {"d1>d2:8125/udp s", "d2>d1:8125/udp s"}

    def test_without_a_need_it_is_still_closed(self) -> None:
        plan = lay(self.TEXT.replace("from: db", "from: app"), "d db", "x")
        assert (ways(plan), closed(plan)) == (set(), {"x>d:8125/udp s"})

    def test_a_flow_that_is_for_all_still_means_the_host_itself(self) -> None:
        plan = lay(self.TEXT.replace("from: db", "from: every-host"), "d db", "x")
        assert (ways(plan), closed(plan)) == ({"d>d:8125/udp s"}, {"x>d:8125/udp s"})

    @pytest.mark.parametrize("first", ["local", "wide"])
    def test_one_inside_the_range_of_another_is_still_enforced(self, first: str) -> None:
        rows = {
            "local": "local: {role: db, port: 95, bind: local}",
            "wide": "wide: {role: db, port: 90-99}",
        }
        second = next(name for name in rows if name != first)
        text = f"{ROLES}services: {{{rows[first]}, {rows[second]}}}\nflows: [{{from: app, to: wide}}]\n"
        plan = lay(text, "x", "d db")
        assert {(check.service, str(check.ports), check.policy.value) for check in plan.all_checks()} == {
            ("local", "95", "enforce"),
            ("wide", "90-94,96-99", "advise"),
        }


class TestAddress:
    TEXT = "variables:\n  net: {type: addresses}\n" + one('port: 6800, address: "{net}"')

    @pytest.mark.parametrize(
        ("net", "addresses"),
        [
            ("10.2.0.0/16", {"10.2.0.1"}),
            ("10.0.0.0/8", {"10.1.0.1", "10.2.0.1"}),
            ("10.2.0.0/16,fd00::/8", {"10.2.0.1", "fd00::1"}),
            ("10.1.0.1", {"10.1.0.1"}),
            ("10.3.0.1", {"10.3.0.1"}),  # one that the inventory does not list
            ("store.example", {"store.example"}),
        ],
    )
    def test_it_listens_there_only(self, net: str, addresses: set[str]) -> None:
        plan = lay(self.TEXT, "w web", f"d db address=10.1.0.1,10.2.0.1,fd00::1 net={net}", "x")
        for source in ("w", "x"):
            assert {check.address for check in plan.checks(source)} == addresses
        assert (len(ways(plan)), len(closed(plan))) == (1, 1)

    @pytest.mark.parametrize("line", ["d db address=10.1.0.1,fd00::1", 'd db address=10.1.0.1,fd00::1 net=""'])
    def test_where_none_is_said_it_listens_on_all(self, line: str) -> None:
        plan = lay(self.TEXT, "w web", line)
        assert {check.address for check in plan.checks("w")} == {"10.1.0.1", "fd00::1"}

    def test_a_host_that_has_no_such_address(self) -> None:
        plan = lay(self.TEXT, "w web", "d db net=172.16.0.0/12", "x")
        assert list(plan.all_checks()) == []
        assert reasons(plan) == {"f s: d has no address that net names"}

    def test_each_host_has_its_own(self) -> None:
        plan = lay(self.TEXT, "w web", "d1 db net=10.0.0.0/8", "d2 db net=10.7.7.7")
        assert {(check.target, check.address) for check in plan.checks("w")} == {("d1", "10.0.0.2"), ("d2", "10.7.7.7")}

    def test_one_that_is_no_address(self) -> None:
        with pytest.raises(UserError, match=r"service 's' on host 'd': variable 'net' \(host\): 'a b' is not an addre"):
            lay(self.TEXT, "w web", 'd db "net=a b"')


class TestWhen:
    TEXT = "variables:\n  tls: {type: boolean, default: true}\n" + one("port: 8443, when: tls")

    def test_it_is_there_only_then(self) -> None:
        """Else its port is not even named."""
        plan = lay(self.TEXT, "w web", "d1 db", "d2 db tls=no", "x")
        assert ways(plan) == {"w>d1:8443/tcp s"}
        assert closed(plan) == {"x>d1:8443/tcp s", "d2>d1:8443/tcp s"}
        assert plan.unchecked == ()

    @pytest.mark.parametrize(
        ("when", "there"),
        [
            ("{role: web}", True),
            ("{role: app}", False),
            ("{not: {role: app}}", True),
            ("{target: {role: db}}", True),
            ("{target: {role: web}}", False),
            ("{all: [tls, {role: app}]}", False),
            ("{any: [{role: app}, tls]}", True),
        ],
    )
    def test_what_it_may_depend_on(self, when: str, there: bool) -> None:
        text = self.TEXT.replace("when: tls", f"when: {when}")
        assert bool(ways(lay(text, "w web", "d db"))) is there


def test_unchecked_for_a_reason_of_its_own() -> None:
    plan = lay(one("port: 1, unchecked: only at boot, help: loader"), "w web", "d db", "x")
    assert list(plan.all_checks()) == []
    (row,) = plan.unchecked
    assert (row.reason, row.ports, row.help, row.need) == ("only at boot", "1", "loader", Need.REQUIRED)


def test_severity_remedy_path_and_status_go_into_the_check() -> None:
    service = "port: 80, protocol: http, path: /up, status: [200, 204], severity: critical, remedy: Start it."
    plan = lay(one(service), "w web", "d db", "x")
    (reach,) = (check for check in plan.all_checks() if check.expect is Expect.REACH)
    assert (reach.path, reach.status, reach.severity, reach.remedy) == ("/up", (200, 204), "critical", "Start it.")
    (block,) = (check for check in plan.all_checks() if check.expect is Expect.BLOCK)
    assert (block.severity, block.remedy) == ("critical", "Start it.")
