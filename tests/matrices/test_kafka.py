"""The listeners of Apache Kafka, with KRaft and with ZooKeeper, copied by hand from its documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from probe.spec import matrix

if TYPE_CHECKING:
    from pathlib import Path

HOSTS = """
[kafka_broker]
b1 ansible_host=10.0.0.1
b2 ansible_host=10.0.0.2
[kafka_controller]
q1 ansible_host=10.0.0.3
q2 ansible_host=10.0.0.4
[combined]
a1 ansible_host=10.0.0.5
[kafka_broker:children]
combined
[kafka_controller:children]
combined
[zookeeper]
z1 ansible_host=10.0.0.6
z2 ansible_host=10.0.0.7
[kafka_connect]
w1 ansible_host=10.0.0.8
w2 ansible_host=10.0.0.9
[kafka_client]
c1 ansible_host=10.0.0.10
[kafka_admin]
t1 ansible_host=10.0.0.11
[kafka_monitoring]
m1 ansible_host=10.0.0.12
"""

# listeners: 9092. Connect: 8083, for requests and for those that workers pass on to each other.
BROKERS = """
kafka_client, kafka_admin, kafka_connect > kafka_broker   9092/kafka
kafka_broker                             > kafka_broker   9092/kafka  hosts=other
kafka_admin                              > kafka_connect  8083/http
kafka_connect                            > kafka_connect  8083/http   hosts=other
"""
# controller.quorum.bootstrap.servers: every broker and controller reaches every controller, on 9093.
KRAFT = """
kafka_broker     > kafka_controller  9093/kafka
kafka_controller > kafka_controller  9093/kafka  hosts=other
kafka_admin      > kafka_controller  9093/kafka  need=optional
"""
# zookeeper.connect: 2181. server.N=host:2888:3888: all to the leader, which may be any of them, and election.
ZOOKEEPER = """
kafka_broker > zookeeper  2181/zookeeper
zookeeper    > zookeeper  2888/tcp        listen=active alternative
zookeeper    > zookeeper  3888/tcp        hosts=other
"""
JMX = "kafka_monitoring > kafka_broker, kafka_controller, kafka_connect  9999/tcp\n"


@pytest.mark.parametrize(
    ("values", "table"),
    [
        ({}, BROKERS + KRAFT),
        ({"kafka_metadata": "zookeeper"}, BROKERS + ZOOKEEPER),
        ({"kafka_tls": "true"}, (BROKERS + KRAFT).replace("/kafka", "/kafka/tls")),
        ({"kafka_jmx": "true", "kafka_jmx_port": "9999"}, BROKERS + KRAFT + JMX),
        (
            {"kafka_broker_port": "9092,9094", "kafka_controller_port": "19093", "kafka_connect_port": "18083"},
            (BROKERS + KRAFT).replace("9092", "9092,9094").replace(" 9093", " 19093").replace(" 8083", " 18083"),
        ),
    ],
    ids=["kraft", "zookeeper", "tls", "jmx", "other-ports"],
)
def test_rows(expected: Any, tmp_path: Path, values: dict[str, str], table: str) -> None:
    plan = expected.plan(["kafka"], HOSTS, tmp_path, **values)
    expected.compare(plan, table)
    assert expected.unchecked(plan) == set()


def test_a_combined_server_is_its_own_controller(expected: Any, tmp_path: Path) -> None:
    plan = expected.plan(["kafka"], HOSTS, tmp_path)
    own = {(str(check.ports), check.rule) for check in plan.checks("a1") if check.target == "a1"}
    assert own == {("9093", "broker-to-controller")}


def test_jmx_has_no_default_port(expected: Any, tmp_path: Path) -> None:
    found = expected.unchecked(expected.plan(["kafka"], HOSTS, tmp_path, kafka_jmx="true"))
    assert {(rule, service) for rule, service, _ in found} == {("monitoring-to-jmx", "kafka-jmx")}


@pytest.mark.parametrize("name", ["kraft", "zookeeper"])
def test_profiles(name: str) -> None:
    keeper = {"kraft": "kafka-controller", "zookeeper": "zookeeper"}[name]
    assert matrix.load(["kafka"]).profiles[f"kafka-{name}"].requires == ("kafka-broker", keeper)


def test_lint() -> None:
    assert [str(found) for found in matrix.lint(["kafka"])] == []
