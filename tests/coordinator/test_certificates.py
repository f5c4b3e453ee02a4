"""Certificates made readable, and strangers' bytes that are none."""

from __future__ import annotations

import ssl
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.coordinator.certificates import read


def der(path: Any, number: int = 0) -> bytes:
    texts = path.read_text().split("-----BEGIN CERTIFICATE-----")[1:]
    return ssl.PEM_cert_to_DER_cert("-----BEGIN CERTIFICATE-----" + texts[number])


def test_what_it_says(authority: Any) -> None:
    data = der(authority.issue("a.example", "*.b.example", "192.0.2.1", "2001:db8::1"))
    found = read(data)
    assert (found.subject, found.issuer, found.problem) == ("CN=a.example", "CN=Test Root", "")
    assert found.names == ("a.example", "*.b.example", "192.0.2.1", "2001:db8::1")
    assert found.fingerprint == sha256(data).hexdigest()
    assert found.not_after is not None
    assert found.not_before is not None
    assert 90 < (found.not_after - found.not_before).days < 92


def test_one_without_names(authority: Any) -> None:
    assert read(der(authority.issue(file="nameless"))).names == ()


def test_a_name_that_would_speak_to_a_terminal(authority: Any) -> None:
    found = read(der(authority.issue("a\x1b[2J.example", file="hostile")))
    assert "\x1b" not in str(found)
    assert found.fingerprint


def test_a_name_without_end(authority: Any) -> None:
    found = read(der(authority.issue(*(f"n{number}.example" for number in range(500)), file="many")))
    assert len(found.names) == 100


@pytest.mark.parametrize("data", [b"", b"\x30\x03\x02\x01\x05", b"\xff" * 1000], ids=["none", "other", "noise"])
def test_what_is_none(data: bytes) -> None:
    found = read(data)
    assert found.problem
    assert found.fingerprint == sha256(data).hexdigest()


@given(place=st.integers(0, 400), byte=st.integers(0, 255))
def test_a_certificate_with_a_wrong_byte(authority: Any, place: int, byte: int) -> None:
    data = bytearray(der(authority.root))
    data[place % len(data)] = byte
    found = read(bytes(data))
    assert str(found).isprintable()
