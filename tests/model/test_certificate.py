"""What a handshake told, beside what a matrix demands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from probe.model.certificate import Certificate, complaints, made_out_to, told
from probe.model.tls import TlsDemand, TlsFacts

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
GOOD = Certificate(
    subject="CN=a",
    names=("a.example", "*.b.example", "10.0.0.2", "2001:db8::2"),
    not_before=NOW - timedelta(days=30),
    not_after=NOW + timedelta(days=20),
    fingerprint="00" * 32,
)
FACTS = TlsFacts(version="1.2", cipher="X", chain=(b"der",))


def wrong(demand: dict[str, Any], name: str = "a.example", facts: TlsFacts = FACTS, *chain: Certificate) -> list[str]:
    return list(complaints(TlsDemand(**demand), facts, chain or (GOOD,), name, NOW))


@pytest.mark.parametrize(
    "demand",
    [{}, {"name": True}, {"days": 0}, {"days": 20}, {"minimum": "1.0"}, {"minimum": "1.2"}, {"trust": True}],
    ids=str,
)
def test_what_is_met(demand: dict[str, Any]) -> None:
    assert wrong(demand) == []


def test_nothing_is_demanded() -> None:
    assert complaints(None, TlsFacts(distrust="x"), (), "", NOW) == ()


@pytest.mark.parametrize(
    ("demand", "sentence"),
    [
        ({"minimum": "1.3"}, "TLS 1.2 came of it, and at least 1.3 is demanded"),
        ({"days": 21}, "the certificate expires in 20 days, on 2026-07-05, and 21 are demanded"),
    ],
)
def test_what_is_not_met(demand: dict[str, Any], sentence: str) -> None:
    assert wrong(demand) == [sentence]


def test_expired_and_not_yet_valid() -> None:
    old = Certificate(names=("a",), not_before=NOW - timedelta(2), not_after=NOW - timedelta(1))
    young = Certificate(names=("a",), not_before=NOW + timedelta(1), not_after=NOW + timedelta(9))
    soon = Certificate(names=("a",), not_before=NOW - timedelta(1), not_after=NOW + timedelta(1, 60))
    assert wrong({"days": 0}, "a", FACTS, old) == ["the certificate has expired on 2026-06-14"]
    assert wrong({"days": 0}, "a", FACTS, young) == ["the certificate is valid only from 2026-06-16 12:00 UTC on"]
    assert wrong({"days": 0}, "a", FACTS, soon) == []
    today = Certificate(names=("a",), not_before=NOW - timedelta(1), not_after=NOW + timedelta(0, 60))
    assert wrong({"days": 2}, "a", FACTS, today)[0].startswith("the certificate expires in less than a day, on 2026")
    assert wrong({"days": 2}, "a", FACTS, soon)[0].startswith("the certificate expires in 1 day, on 2026-06-16")


def test_another_name() -> None:
    (sentence,) = wrong({"name": True}, "c.example")
    assert sentence == "the certificate is made out to a.example, *.b.example, 10.0.0.2, 2001:db8::2, not to c.example"
    assert wrong({"name": True}, "x", FACTS, Certificate()) == ["the certificate is made out to no name, not to x"]


def test_everything_at_once() -> None:
    old = Certificate(names=("b",), not_before=NOW - timedelta(2), not_after=NOW - timedelta(1))
    facts = TlsFacts(version="1.0", distrust="self-signed certificate")
    found = wrong({"name": True, "trust": True, "days": 7, "minimum": "1.2"}, "a", facts, old)
    assert [sentence.split()[0:3] for sentence in found] == [
        ["TLS", "1.0", "came"],
        ["the", "certificate", "is"],
        ["the", "certificate", "is"],
        ["the", "certificate", "has"],
    ]


def test_no_certificate_to_look_at() -> None:
    odd = Certificate(problem="ValueError: no")
    assert wrong({"days": 0}, "a", FACTS, odd) == ["the certificate cannot be read: ValueError: no"]
    assert complaints(TlsDemand(name=True), FACTS, (), "a", NOW) == ("no certificate was shown",)
    assert wrong({"minimum": "1.2"}, "a", FACTS, odd) == []


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        *((name, True) for name in ("a.example", "A.Example", "a.example.", "x.b.example", "10.0.0.2")),
        *((name, False) for name in ("b.example", "x.y.b.example", "c", "", "10.0.0.3", "example", "*.a.example")),
        ("2001:db8:0::2", True),
        ("2001:db8::2%eth0", True),
    ],
)
def test_who_is_meant(wanted: str, meant: bool) -> None:
    assert made_out_to(GOOD.names, wanted) is meant


def test_no_wildcard_stands_for_an_address_or_a_part_of_a_label() -> None:
    assert not made_out_to(["*.0.0.2", "*"], "10.0.0.2")
    assert not made_out_to(["*", "a*.example"], "abc.example")


def test_many_names_are_not_all_shown() -> None:
    assert told(["a", "b", "c", "d", "e", "f"]) == "a, b, c, d and 2 more"
