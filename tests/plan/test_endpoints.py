"""`at`: services that are reached somewhere else than at their hosts, and parties that are in no inventory."""

from __future__ import annotations

import pytest

from probe.errors import UserError
from probe.model.words import Zone
from probe.plan.offers import EXTERNAL

from .laying import closed, lay, reasons, the, ways

HEAD = "variables:\n  vip: {type: addresses}\n  registries: {type: endpoints, default: []}\nroles: {web: {}, lb: {}}\n"


def one(service: str, **more: str) -> str:
    """A matrix of one service, `s`, that web must reach."""
    text = f"{HEAD}services: {{s: {{{service}}}}}\nflows: [{{id: f, from: web, to: s}}]\n"
    for old, new in more.items():
        text = text.replace(old, new)
    return text


class TestAPartyOutside:
    def test_is_a_target_without_an_agent(self) -> None:
        plan = lay(one('at: "registry.example.com:443", protocol: https'), "w web", "l lb")
        assert ways(plan) == {"w>registry.example.com:443/tcp s"}
        check = the(plan)
        assert (check.address, check.target_role, check.protocol) == ("registry.example.com", EXTERNAL, "https")
        assert plan.sources == ("w", "l")
        host = plan.hosts["registry.example.com"]
        assert (host.addresses, host.zone, host.vars) == (
            ("registry.example.com",),
            Zone.OUTSIDE,
            {"portcheck_agent": "none"},
        )
        assert plan.roles(host.name) == (EXTERNAL,)

    def test_nothing_is_expected_blocked_there(self) -> None:
        """Who else may reach it is not ours to say."""
        text = one("at: registry.example.com, port: 443")
        assert closed(lay(text, "w web", "x", "o zone=outside", strict=True)) == set()

    @pytest.mark.parametrize(
        ("at", "found"),
        [
            ('"a.example:443"', {("a.example", "443")}),
            ("a.example", {("a.example", "5000-5001")}),  # the service's own ports
            ('["a.example:443", "10.9.9.9:80", "[fd00::9]:80", "fd00::8"]',
             {("a.example", "443"), ("10.9.9.9", "80"), ("fd00::9", "80"), ("fd00::8", "5000-5001")}),
            ('["a.example:443", "a.example:80"]', {("a.example", "443"), ("a.example", "80")}),
        ],
    )  # fmt: skip
    def test_one_or_several_with_or_without_a_port(self, at: str, found: set[tuple[str, str]]) -> None:
        plan = lay(one(f"at: {at}, port: 5000-5001"), "w web")
        assert {(check.address, str(check.ports)) for check in plan.all_checks()} == found
        assert len({check.id for check in plan.all_checks()}) == len(found)

    def test_two_services_at_one_host(self) -> None:
        text = one('at: "a.example:443"').replace("services: {", 'services: {t: {at: "a.example:22", protocol: ssh}, ')
        text = text.replace("to: s", "to: [s, t]")
        plan = lay(text, "w web")
        assert ways(plan) == {"w>a.example:443/tcp s", "w>a.example:22/tcp t"}
        assert set(plan.hosts) == {"w", "a.example"}

    def test_a_name_that_is_a_host_of_the_inventory(self) -> None:
        plan = lay(one('at: "l:443"'), "w web", "l lb")
        assert the(plan).target == "external:l"
        assert plan.hosts["l"].roles == ("lb",)
        assert plan.hosts["external:l"].addresses == ("l",)


class TestFromVariables:
    def test_each_endpoint_of_a_list(self) -> None:
        text = one('at: "{registries}"')
        plan = lay(text, "w web", everywhere={"registries": ["a.example:443", "[fd00::9]:5000"]})
        assert {(check.address, str(check.ports)) for check in plan.all_checks()} == {
            ("a.example", "443"),
            ("fd00::9", "5000"),
        }
        assert len(ways(lay(text, "w web", values={"registries": "a.example:443,b.example:443"}))) == 2

    def test_none_is_given(self) -> None:
        plan = lay(one('at: ["{registries}", "{vip}:443"]'), "w web")
        assert list(plan.all_checks()) == []
        assert reasons(plan) == {"f s: no endpoint is given: set registries, vip"}
        (row,) = plan.unchecked
        assert row.targets == ("{registries}", "{vip}:443")
        assert set(plan.hosts) == {"w"}

    @pytest.mark.parametrize("vip", ["10.0.0.99", "fd00::99", "vip.example"])
    def test_an_address_with_a_port_behind_it(self, vip: str) -> None:
        check = the(lay(one('at: "{vip}:443", port: 80'), "w web", values={"vip": vip}))
        assert (check.address, str(check.ports)) == (vip, "443")

    def test_one_that_makes_no_endpoint(self) -> None:
        with pytest.raises(UserError, match=r"service 's': at: 'a.example:80:443' is no endpoint: write name:443"):
            lay(one('at: "{registries}:443"'), "w web", values={"registries": "a.example:80"})

    def test_one_without_any_port(self) -> None:
        plan = lay(one('at: "{vip}"'), "w web", values={"vip": "10.0.0.99"})
        assert reasons(plan) == {"f s: 10.0.0.99 has no port"}


class TestWhatEachSourceMeans:
    """Of a party that is nobody's of the inventory."""

    def test_its_own_endpoint(self) -> None:
        plan = lay(one('at: "{registries}"'), "w1 web registries=a.example:443", "w2 web registries=b.example:443", "x")
        assert ways(plan) == {"w1>a.example:443/tcp s", "w2>b.example:443/tcp s"}

    def test_its_own_port(self) -> None:
        text = one('at: far.example, port: "{p}"').replace("variables:", "variables:\n  p: {default: 80}")
        plan = lay(text, "w1 web p=81", "w2 web")
        assert ways(plan) == {"w1>far.example:81/tcp s", "w2>far.example:80/tcp s"}

    def test_none_of_its_own(self) -> None:
        plan = lay(one('at: "{registries}"'), "w1 web registries=a.example:443", "w2 web")
        assert ways(plan) == {"w1>a.example:443/tcp s"}
        assert reasons(plan) == {"f s: no endpoint is given: set registries"}

    def test_one_that_is_named_twice_is_asked_once(self) -> None:
        text = one('at: [a.example, "{registries}"], port: 443')
        plan = lay(text, "w1 web registries=a.example:443", "w2 web")
        assert sorted(check.source for check in plan.all_checks()) == ["w1", "w2"]


class TestAFloatingAddress:
    """With a role: the address is that of hosts that are there, under a variable of their group."""

    TEXT = one('role: lb, at: "{vip}:443", port: 8443')

    def test_is_asked_for_instead_of_its_hosts(self) -> None:
        plan = lay(self.TEXT, "w web", "l1 lb vip=10.0.0.99", "l2 lb vip=10.0.0.99")
        assert ways(plan) == {"w>10.0.0.99:443/tcp s"}
        assert the(plan).target_role == "lb"
        assert plan.roles("10.0.0.99") == ("lb",)
        assert closed(plan) == set()

    def test_of_two_groups_each_has_its_own(self) -> None:
        plan = lay(self.TEXT, "w web", "l1 lb vip=10.0.0.98", "l2 lb vip=10.0.0.99")
        assert ways(plan) == {"w>10.0.0.98:443/tcp s", "w>10.0.0.99:443/tcp s"}

    def test_each_member_has_its_own_port_there(self) -> None:
        text = one('role: lb, at: "{vip}", port: "{p}"').replace("variables:", "variables:\n  p: {default: 80}")
        plan = lay(text, "w web", "l1 lb vip=10.0.0.99 p=81", "l2 lb vip=10.0.0.99")
        assert ways(plan) == {"w>10.0.0.99:81/tcp s", "w>10.0.0.99:80/tcp s"}

    def test_without_hosts_of_the_role_there_is_no_service(self) -> None:
        plan = lay(self.TEXT, "w web", everywhere={"vip": "10.0.0.99"})
        assert (list(plan.all_checks()), plan.unchecked) == ([], ())

    def test_that_nobody_gave(self) -> None:
        assert reasons(lay(self.TEXT, "w web", "l lb")) == {"f s: no endpoint is given: set vip"}

    def test_a_front_port_that_is_not_the_back_port(self) -> None:
        text = self.TEXT.replace("services: {", "services: {back: {role: lb, port: 8443}, ")
        plan = lay(text, "w web", "l lb vip=10.0.0.99")
        assert ways(plan) == {"w>10.0.0.99:443/tcp s"}
        assert closed(plan) == {"w>l:8443/tcp back"}

    def test_that_is_one_of_the_addresses_of_a_host(self) -> None:
        """Then nobody expects it blocked there, whatever the host's own services are."""
        text = self.TEXT.replace("services: {", "services: {back: {role: lb, port: 443}, ")
        plan = lay(text, "w web", "x", "l lb vip=10.0.0.99 address=10.0.0.9,10.0.0.99")
        assert {(check.target, check.address, check.expect.value) for check in plan.checks("w")} == {
            ("10.0.0.99", "10.0.0.99", "reach"),
            ("l", "10.0.0.9", "block"),
        }
        assert {(check.address, check.expect.value) for check in plan.checks("x")} == {
            ("10.0.0.9", "block"),
            ("10.0.0.99", "block"),
        }


class TestWhatIsNoOneAddress:
    @pytest.mark.parametrize(
        ("at", "reason"),
        [
            ("*.example.com:443", "*.example.com stands for many names: name one to check it"),
            ("10.0.0.0/8:443", "10.0.0.0/8 is a network: name one address in it to check it"),
            ("239.1.2.3:5000", "239.1.2.3 is a multicast address"),
            ("[ff02::1]:5000", "ff02::1 is a multicast address"),
            ("[fd00::/8]:443", "fd00::/8 is a network: name one address in it to check it"),
        ],
    )
    def test_is_not_checkable(self, at: str, reason: str) -> None:
        plan = lay(one(f'at: "{at}"'), "w web")
        assert list(plan.all_checks()) == []
        assert reasons(plan) == {f"f s: {reason}"}
        assert set(plan.hosts) == {"w"}  # it can be asked for nothing, so it is no host of the run

    def test_beside_one_that_is(self) -> None:
        plan = lay(one('at: ["*.example.com:443", "a.example.com:443"]'), "w web")
        assert ways(plan) == {"w>a.example.com:443/tcp s"}
        assert [row.targets for row in plan.unchecked] == [("*.example.com",)]


class TestWhen:
    """The condition is asked of the hosts that have the role, or of everybody's variables where there is none."""

    TEXT = HEAD.replace("roles:", "  ha: {type: boolean, default: false}\nroles:") + (
        'services: {s: {role: lb, at: "{vip}:443", when: ha}}\nflows: [{id: f, from: web, to: s}]\n'
    )

    @pytest.mark.parametrize(
        ("line", "everywhere", "found"),
        [
            ("l lb vip=10.0.0.99", {}, "nothing"),
            ("l lb vip=10.0.0.99 ha=yes", {}, "check"),
            ("l lb ha=yes", {}, "reason"),
            ("l lb", {}, "nothing"),
            ("l lb ha=no", {"ha": True}, "nothing"),
            ("l lb", {"ha": True}, "reason"),
        ],
    )
    def test_of_its_hosts(self, line: str, everywhere: dict[str, object], found: str) -> None:
        plan = lay(self.TEXT, "w web", line, everywhere=everywhere)
        assert (len(ways(plan)), len(plan.unchecked)) == {"nothing": (0, 0), "check": (1, 0), "reason": (0, 1)}[found]

    def test_of_a_party_outside(self) -> None:
        text = self.TEXT.replace("role: lb, ", "")
        lines = ("w web", "l lb ha=yes")
        assert not ways(lay(text, *lines, everywhere={"vip": "10.0.0.99"}))
        assert ways(lay(text, *lines, everywhere={"vip": "10.0.0.99", "ha": True}))
