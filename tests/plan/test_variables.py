"""Variables in a plan: who wins, what they come to, and what is done about a port that nobody knows."""

from __future__ import annotations

import pytest

from probe.errors import UserError

from .laying import closed, lay, reasons, the, ways

ONE = """
variables:
  p: {default: 7000}
roles: {web: {}, db: {}}
services: {sql: {role: db, port: "{p}"}}
flows: [{from: web, to: sql}]
"""
COUNTED = """
variables:
  base: {type: port, default: 9000}
  osds: {type: count, default: 0}
roles: {web: {}, db: {}}
services:
  first: {role: db, port: "{base + 10000}"}
  each: {role: db, port: "{base}-{base + osds - 1}"}
  peers: {role: db, port: "{base + 100}-{base + 100 + hosts(web)}"}
flows: [{from: web, to: [first, each, peers]}]
"""


class TestWhoWins:
    @pytest.mark.parametrize(
        ("line", "everywhere", "values", "port", "origin"),
        [
            ("d db", {}, {}, "7000", "default"),
            ("d db", {"p": 7001}, {}, "7001", "group all"),
            ("d db p=7002", {"p": 7001}, {}, "7002", "host"),
            ("d db p=7002", {"p": 7001}, {"p": "7003"}, "7003", "--set"),
        ],
        ids=["default", "all", "host", "set"],
    )
    def test_in_checks_and_settings(
        self, line: str, everywhere: dict[str, int], values: dict[str, str], port: str, origin: str
    ) -> None:
        plan = lay(ONE, "w web", line, everywhere=everywhere, values=values)
        assert ways(plan) == {f"w>d:{port}/tcp sql"}
        assert ("p", port, origin) in {(one.name, one.value, one.origin) for one in plan.settings() if "d" in one.hosts}

    def test_settings_say_which_hosts_have_which_value(self) -> None:
        text = """
variables:
  p: {default: 7000}
  tls: {type: boolean, default: true}
  nets: {type: addresses}
  rack: {type: text}
roles: {web: {}, db: {}}
services: {sql: {role: db, port: "{p}", at: "vip.example:443"}}
flows: [{from: web, to: sql}]
"""
        plan = lay(text, "d1 db p=7001", "w web", "d2 db", everywhere={"nets": "10.0.0.0/8,fd00::/8", "tls": "no"})
        assert [(one.name, one.value, one.origin, one.hosts) for one in plan.settings()] == [
            ("p", "7000", "default", ("w", "d2")),
            ("p", "7001", "host", ("d1",)),
            ("tls", "false", "group all", ("d1", "w", "d2")),
            ("nets", "10.0.0.0/8, fd00::/8", "group all", ("d1", "w", "d2")),
            ("rack", "", "", ("d1", "w", "d2")),
        ]

    def test_a_value_that_no_row_needs_may_be_anything(self) -> None:
        """Inventories use names for something else; only who needs it is told."""
        plan = lay(ONE, "w web p=stage", "d db")
        assert ways(plan) == {"w>d:7000/tcp sql"}
        (unused,) = (one for one in plan.settings() if one.hosts == ("w",))
        assert (unused.origin, "'stage'" in unused.value) == ("not used", True)
        with pytest.raises(UserError, match=r"'sql' on host 'd': variable 'p' \(host\): 'stage' is neither"):
            lay(ONE, "w web", "d db p=stage")


class TestArithmetic:
    @pytest.mark.parametrize(
        ("line", "ports"),
        [
            ("d db osds=3", {"first": "19000", "each": "9000-9002", "peers": "9100-9102"}),
            ("d db osds=1 base=80", {"first": "10080", "each": "80", "peers": "180-182"}),
            ("d db", {"first": "19000", "peers": "9100-9102"}),  # no daemon, no port
        ],
    )
    def test_for_each_target(self, line: str, ports: dict[str, str]) -> None:
        plan = lay(COUNTED, "w1 web", "w2 web", line)
        assert {check.service: str(check.ports) for check in plan.checks("w1")} == ports
        assert plan.unchecked == ()

    def test_a_service_without_ports_is_neither_reached_nor_blocked(self) -> None:
        plan = lay(COUNTED, "w web", "x", "d db")
        assert "each" not in {check.service for check in plan.all_checks()}

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("d db base=60000", "service 'first' on host 'd': {base + 10000} comes to 70000: ports go from 1 to 65535"),
            ("d db base=80,81", "service 'first' on host 'd': variable 'base' (host): must be one port, not 80-81"),
            ("d db osds=-1", "service 'each' on host 'd': variable 'osds' (host): must be a whole number from 0 up"),
        ],
    )
    def test_what_comes_to_no_port(self, line: str, said: str) -> None:
        with pytest.raises(UserError) as caught:
            lay(COUNTED, "w web", line)
        assert str(caught.value).startswith(said)
        assert "\n  hint: set it with --set " in str(caught.value)

    def test_hosts_that_include_a_role_count(self) -> None:
        text = """
roles: {head: {includes: worker}, worker: {}, db: {}}
services: {s: {role: db, port: "{100 + hosts(worker)}"}}
flows: [{from: worker, to: s}]
"""
        assert ways(lay(text, "h head", "w worker", "d db")) == {"h>d:102/tcp s", "w>d:102/tcp s"}


class TestPortsThatNobodyKnows:
    TEXT = """
variables:
  mountd: {type: port, default: random}
  stats: {default: unstated}
roles: {web: {}, db: {}}
services:
  mount: {role: db, port: "{mountd}", protocol: [tcp, udp]}
  stats: {role: db, port: "{stats}"}
  both: {role: db, port: "{mountd}-{mountd + 1}"}
  literal: {role: db, port: random}
flows: [{id: all, from: web, to: [mount, stats, both, literal]}]
"""

    def test_are_carried_with_the_reason(self) -> None:
        plan = lay(self.TEXT, "w web", "x", "d db")
        assert list(plan.all_checks()) == []
        random, unstated = "the port is chosen at random at each start", "the document does not say which port"
        assert reasons(plan) == {
            f"all mount: {random}; set mountd to check it",
            f"all stats: {unstated}; set stats to check it",
            f"all both: {random}; set mountd to check it",
            f"all literal: {random}",
        }

    def test_a_row_of_them(self) -> None:
        plan = lay(self.TEXT, "w web", "x", "d1 db", "d2 db")
        row = next(row for row in plan.unchecked if row.service == "mount")
        assert (row.rule, row.matrix, row.sources, row.targets) == ("all", "shop", ("web",), ("db",))
        assert (row.protocol, row.ports) == ("tcp", "{mountd}")
        assert [row.protocol for row in plan.unchecked if row.service == "mount"] == ["tcp", "udp"]  # once, not by host

    def test_become_checks_where_they_are_set(self) -> None:
        plan = lay(self.TEXT, "w web", "d1 db mountd=20048", "d2 db", values={"stats": "8125"})
        assert ways(plan) == {
            "w>d1:20048/tcp mount",
            "w>d1:20048/udp mount",
            "w>d1:8125/tcp stats",
            "w>d2:8125/tcp stats",
            "w>d1:20048-20049/tcp both",
        }
        assert {row.service for row in plan.unchecked} == {"mount", "both", "literal"}  # of d2

    def test_are_nothing_where_no_flow_leads(self) -> None:
        plan = lay(self.TEXT, "x", "d db")
        assert plan.unchecked == ()


@pytest.mark.parametrize(
    ("row", "wanted", "value", "is_there"),
    [
        ("{type: boolean, default: false}", "true", "yes", True),
        ("{type: boolean, default: true}", "true", "off", False),
        ("{choices: [vxlan, geneve, none], default: none}", "[vxlan, geneve]", "geneve", True),
        ("{choices: [vxlan, geneve, none], default: vxlan}", "[vxlan, geneve]", "none", False),
        ("{type: count, default: 0}", "3", "03", True),
        ("{type: text, default: linux}", "linux", "windows", False),
    ],
)
def test_a_condition_sees_the_targets_value_as_its_type_says(row: str, wanted: str, value: str, is_there: bool) -> None:
    text = f"""
variables: {{v: {row}}}
roles: {{web: {{}}, db: {{}}}}
services: {{sql: {{role: db, port: 1}}}}
flows: [{{from: web, to: sql, when: {{variable: v, is: {wanted}}}}}]
"""
    plan = lay(text, "w web", f"d db v={value}")
    assert bool(ways(plan)) is is_there
    assert bool(closed(plan)) is not is_there


def test_a_condition_on_a_variable_without_a_value() -> None:
    text = ONE.replace("p: {default: 7000}", "p: {default: 7000}\n  tls: {type: boolean}").replace(
        "to: sql", "to: sql, when: tls"
    )
    with pytest.raises(UserError, match=r"host 'd': variable 'tls' has no value\n  hint: set it with --set tls=VALUE"):
        list(lay(text, "w web", "d db").all_checks())
    assert the(lay(text, "w web", "d db tls=true")).service == "sql"
