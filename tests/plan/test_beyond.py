"""What the plan does not speak of: who tries which ports, and what is always allowed."""

from __future__ import annotations

from typing import Any

import pytest

from probe.errors import UserError
from probe.model.ports import PortSet
from probe.model.words import Expect, Exposure, Policy, Transport
from probe.plan.beyond import EVERY_PORT, Beyond
from probe.plan.only import parse

from .laying import lay

TCP, UDP = Transport.TCP, Transport.UDP
MATRIX = """
roles: {web: {}, db: {}, cache: {}, partner: {zone: outside}}
services:
  sql: {role: db, port: 5432}
  clock: {role: db, port: 123, protocol: udp}
  admin: {role: db, port: 8081, bind: local}
  once: {role: db, port: 9999, listen: once}
flows:
  - {from: web, to: [sql, clock, once]}
  - {from: db, to: admin}
policy: {inside: advise, outside: enforce}
"""
HOSTS = ("w1 web", "w2 web", "d1 db", "c1 cache", "x1 zone=outside")


def beyond(*hosts: str, text: str = MATRIX, **wishes: Any) -> Beyond:
    wishes.setdefault("exposure", Exposure.LISTENING)
    return Beyond(lay(text, *(hosts or HOSTS), **wishes))


def ports(text: str) -> PortSet:
    return PortSet.parse(text)


def tried(found: Beyond, target: str, text: str, transport: Transport = TCP, address: str = "10.0.0.3") -> set[str]:
    """`w1 22,80`: who tries what first."""
    tasks = found.samples(target, (address, transport), ports(text), alive=lambda _: True)
    return {f"{task.source} {task.ports}" for _, task in tasks}


def test_what_a_service_names_is_left_to_the_plan() -> None:
    found = beyond()
    assert found.forbidden("w1", "d1", ("10.0.0.3", TCP), ports("22,5432,8081,9999")) == ports("22")
    assert found.forbidden("w1", "d1", ("10.0.0.3", UDP), ports("123,5432")) == ports("5432")
    # To this one they are forbidden, and the plan has its own rows for it.
    assert found.forbidden("c1", "d1", ("10.0.0.3", TCP), ports("22,5432")) == ports("22")


def test_a_host_does_not_try_itself() -> None:
    assert not beyond().forbidden("d1", "d1", ("10.0.0.3", TCP), EVERY_PORT)


def test_nor_one_machine_under_two_names() -> None:
    found = beyond("w1 web", "d1 db", "d2 cache address=10.0.0.2")
    assert not found.forbidden("d2", "d1", ("10.0.0.2", TCP), EVERY_PORT)


def test_what_is_meant_for_the_machine_under_its_other_name_is_meant() -> None:
    found = beyond("w1 web", "d1 db", "c1 cache address=10.0.0.2")
    assert found.forbidden("w1", "c1", ("10.0.0.2", TCP), ports("22,5432")) == ports("22")


def test_one_of_each_kind_is_asked_first() -> None:
    found = tried(beyond(), "d1", "22,80")
    assert len(found) == 3
    assert found >= {"c1 22,80", "x1 22,80"}
    assert found & {"w1 22,80", "w2 22,80"}


def test_who_it_is_holds_for_a_seed_and_a_living_one_is_preferred() -> None:
    hosts = (*(f"w{number} web" for number in range(1, 20)), "d1 db address=10.9.9.9")

    def sample(seed: int, alive: Any) -> str:
        tasks = beyond(*hosts, seed=seed).samples("d1", ("10.9.9.9", TCP), ports("22"), alive=alive)
        return next(task.source for _, task in tasks)

    assert len({sample(seed, lambda _: True) for seed in range(20)}) > 3
    assert sample(7, lambda _: True) == sample(7, lambda _: True)
    assert sample(7, lambda name: name == "w13") == "w13"


def test_the_others_of_the_kind_follow() -> None:
    found = beyond()
    tasks = [task for _, task in found.samples("d1", ("10.0.0.3", TCP), ports("22"), alive=lambda _: True)]
    (web,) = (task for task in tasks if task.source in {"w1", "w2"})
    assert [task.source for task in found.others(web)] == [{"w1": "w2", "w2": "w1"}[web.source]]


def test_a_kind_whose_hosts_may_reach_different_ports_sends_as_many_as_it_takes() -> None:
    text = MATRIX.replace("to: [sql, clock, once]}", "to: sql, scope: {same: rack}}").replace(
        "services:", "variables: {rack: {type: text}}\nservices:"
    )
    found = beyond("w1 web rack=a", "w2 web rack=b", "d1 db rack=a", text=text)
    # To w2 the database is forbidden, and that is a row of the plan; what neither may is tried by one.
    assert len(tried(found, "d1", "22,5432")) == 1
    found = beyond("w1 web", "w2 web", "d1 db 'portcheck_allow=22 from w1, 23 from w2'")
    assert tried(found, "d1", "22-24") in ({"w1 23-24", "w2 22"}, {"w1 23", "w2 22,24"})


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("{inside: ignore, outside: enforce}", {"x1"}), ("{inside: advise, outside: ignore}", {"w1", "c1"})],
)
def test_what_is_ignored_is_not_tried(policy: str, expected: set[str]) -> None:
    text = MATRIX.replace("{inside: advise, outside: enforce}", policy)
    found = beyond("w1 web", "c1 cache", "d1 db", "x1 zone=outside", text=text)
    assert {line.split()[0] for line in tried(found, "d1", "22")} == expected


def test_nothing_is_asked_where_all_is_ignored() -> None:
    text = MATRIX.replace("{inside: advise, outside: enforce}", "{inside: ignore, outside: ignore}")
    assert beyond(text=text).targets == ()


def test_a_role_says_that_nothing_else_may_be_open() -> None:
    text = MATRIX.replace("db: {}", "db: {policy: enforce}").replace("inside: advise", "inside: ignore")
    found = beyond("w1 web", "d1 db", text=text)
    assert found.targets == ("d1",)
    (task,) = (task for _, task in found.samples("d1", ("10.0.0.2", TCP), ports("22"), alive=lambda _: True))
    (check,) = found.checks(task)
    assert (check.policy, check.rule, check.expect) == (Policy.ENFORCE, "policy.inside", Expect.BLOCK)


def test_a_port_keeps_its_id_whatever_else_is_open() -> None:
    def ids(text: str, **wishes: Any) -> dict[str, str]:
        found = beyond(**wishes)
        tasks = [task for _, task in found.samples("d1", ("10.0.0.3", TCP), ports(text), alive=lambda _: True)]
        return {f"{check.source} {check.ports}": check.id for task in tasks for check in found.checks(task)}

    few, many = ids("22", seed=3), ids("22,80,443", seed=3)
    assert few.items() <= many.items()
    assert len(set(many.values())) == len(many)
    assert ids("22", seed=3, exposure=Exposure.ALL) == few


def test_only_a_part() -> None:
    found = beyond(only=parse("source=x1 port=22"))
    assert tried(found, "d1", "22,80") == {"x1 22"}
    assert tried(beyond(only=parse("target=w1")), "d1", "22,80") == set()
    assert beyond(only=parse("target=d1")).targets == ("d1",)
    assert beyond(only=parse("service=sql")).targets == ()
    assert tried(beyond(only=parse("port!=22 source=x1")), "d1", "22,80") == {"x1 80"}


def test_whom_the_matrix_allows() -> None:
    found = beyond()
    assert found.allowed("d1", TCP, 5432) == ("web",)
    assert found.allowed("d1", TCP, 22) == ()
    assert found.named("d1", TCP) == ports("5432,8081,9999")


def test_a_floating_address_of_the_host_is_named() -> None:
    text = MATRIX.replace("services:", "services:\n  front: {role: db, at: '10.0.0.3:443'}").replace(
        "flows:", "flows:\n  - {from: outside, to: front}"
    )
    found = beyond(text=text)
    assert found.forbidden("x1", "d1", ("10.0.0.3", TCP), ports("22,443")) == ports("22")
    assert found.allowed("d1", TCP, 443) == ("outside",)


class TestWhatIsAlwaysAllowed:
    def list_of(self, found: Beyond, target: str = "d1") -> set[str]:
        return {f"{one.transport} {one.ports or '-'} from {one.who}" for one in found.standing[target]}

    def test_untold(self) -> None:
        found = beyond("w1 web ansible_connection=local", "w2 web", "d1 db ansible_port=2222")
        assert self.list_of(found) == {"tcp - from any", "tcp 2222 from coordinator"}
        assert found.forbidden("w1", "d1", ("10.0.0.3", TCP), ports("22,2222")) == ports("22")
        assert found.forbidden("w2", "d1", ("10.0.0.3", TCP), ports("22,2222")) == ports("22,2222")

    def test_the_port_of_a_daemon(self) -> None:
        found = beyond("w1 web", "d1 db portcheck_agent=https://d1.example:7743 address=10.0.0.3")
        assert found.forbidden("w1", "d1", ("10.0.0.3", TCP), ports("7743-7744")) == ports("7744")

    def test_and_what_its_host_says_that_it_is(self) -> None:
        """Behind translation the port of the address is another."""
        found = beyond("w1 web", "d1 db portcheck_agent=https://d1.example:443 address=10.0.0.3")
        found.know_agent("d1", ports("7743"))
        assert found.forbidden("w1", "d1", ("10.0.0.3", TCP), ports("442-443,7743")) == ports("442")

    @pytest.mark.parametrize(
        ("entry", "free"),
        [
            ("22", "80"), ("22 from any", "80"), ("22 from web", "80"), ("22 from every-host", "80"),
            ("22 from w1", "80"), ("22 from outside", "22,80"), ("22 from cache", "22,80"), ("22/udp", "22,80"),
            ("22,80", ""), ("22-90/tcp", ""), ("none", "22,80"),
        ],
    )  # fmt: skip
    def test_in_the_inventorys_words(self, entry: str, free: str) -> None:
        found = beyond("w1 web", "c1 cache", "d1 db", "x1 zone=outside", everywhere={"portcheck_allow": entry})
        left = found.forbidden("w1", "d1", ("10.0.0.3", TCP), ports("22,80"))
        assert str(left) == free

    def test_a_list_of_yaml(self) -> None:
        found = beyond(*HOSTS, everywhere={"portcheck_allow": ["agent", 161, "514/udp from web"]})
        assert self.list_of(found) == {"tcp - from any", "tcp 161 from any", "udp 514 from web"}

    def test_slips_are_told_all_at_once(self) -> None:
        with pytest.raises(UserError) as told:
            beyond(*HOSTS, everywhere={"portcheck_allow": "99999, 22 from nobody, 5/sctp, ssh from coordinator"})
        text = str(told.value)
        assert "'99999': port 99999 does not exist" in text
        assert "'nobody' is no role, group or host" in text
        assert "'sctp' is neither tcp nor udp" in text
        assert "hint: write for example" in text
