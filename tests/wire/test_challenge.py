"""Only the right key answers, only the right answer counts, and an asker gains nothing by lying about its address."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.wire.challenge import (
    ANSWER_SIZE,
    ASK_SIZE,
    KEY_SIZE,
    MAGIC,
    NONCE_SIZE,
    Reply,
    canonical,
    is_ours,
    make_answer,
    make_ask,
    pair_key,
    read_answer,
    read_ask,
)

KEY, OTHER = bytes(range(KEY_SIZE)), bytes(KEY_SIZE)
NONCE = bytes(range(100, 100 + NONCE_SIZE))
keys = st.binary(min_size=KEY_SIZE, max_size=KEY_SIZE)
nonces = st.binary(min_size=NONCE_SIZE, max_size=NONCE_SIZE)
numbers = st.integers(0, 2**32 - 1)
ports = st.integers(0, 65535)
# An IPv6 address that holds an IPv4 one is printed as the latter: so the kernel means it on a dual-stack socket.
addresses = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).filter(lambda address: address.ipv4_mapped is None).map(str),
)


@given(keys, numbers, nonces, ports, addresses, ports, addresses)
def test_the_right_key_answers(
    target: bytes, number: int, nonce: bytes, port: int, peer: str, peer_port: int, local: str
) -> None:
    key = pair_key(target, number)
    ask = read_ask(make_ask(key, number, nonce, meant=local))
    assert ask is not None
    assert (ask.number, ask.nonce, ask.meant) == (number, nonce, canonical(local))
    assert is_ours(ask, key)
    answer = make_answer(key, ask.nonce, port, (peer, peer_port), local)
    reply = read_answer(key, nonce, answer)
    assert reply == Reply(port, reply.peer, peer_port, reply.local)
    assert _same(reply.peer, peer)
    assert _same(reply.local, local)


def _same(one: str, other: str) -> bool:
    kind = IPv6Address if ":" in other else IPv4Address
    return kind(one) == kind(other)


@given(keys, keys, numbers, numbers)
def test_each_pair_has_a_key_of_its_own(one: bytes, other: bytes, first: int, second: int) -> None:
    same = one == other and first == second
    assert (pair_key(one, first) == pair_key(other, second)) is same
    assert pair_key(one, first) != one


@pytest.mark.parametrize(
    ("key", "nonce"),
    [(OTHER, NONCE), (KEY[::-1], NONCE), (KEY, bytes(NONCE_SIZE)), (pair_key(KEY, 1), NONCE)],
    ids=["other-key", "reversed-key", "other-nonce", "pair-for-target"],
)
def test_any_other_key_or_nonce_does_not_answer(key: bytes, nonce: bytes) -> None:
    answer = make_answer(key, nonce, 80, ("10.0.0.1", 50000), "10.0.0.2")
    assert read_answer(KEY, NONCE, answer) is None


def test_an_ask_under_another_key_is_not_ours() -> None:
    ask = read_ask(make_ask(pair_key(OTHER, 3), 3, NONCE))
    assert ask is not None
    assert not is_ours(ask, pair_key(KEY, 3))


def test_the_number_belongs_to_the_key() -> None:
    """A source that calls itself another finds that its key does not fit."""
    forged = make_ask(pair_key(KEY, 3), 4, NONCE)
    ask = read_ask(forged)
    assert ask is not None
    assert not is_ours(ask, pair_key(KEY, ask.number))


@given(st.integers(0, ANSWER_SIZE * 8 - 1))
def test_no_bit_of_an_answer_may_differ(bit: int) -> None:
    answer = bytearray(make_answer(KEY, NONCE, 443, ("192.0.2.1", 50000), "2001:db8::1"))
    answer[bit // 8] ^= 1 << bit % 8
    assert read_answer(KEY, NONCE, bytes(answer)) is None


@given(st.integers(0, ASK_SIZE * 8 - 1))
def test_no_bit_of_an_ask_may_differ(bit: int) -> None:
    ask = bytearray(make_ask(pair_key(KEY, 1), 1, NONCE))
    ask[bit // 8] ^= 1 << bit % 8
    found = read_ask(bytes(ask))
    assert found is None or not is_ours(found, pair_key(KEY, found.number))


@given(st.binary(max_size=2 * ASK_SIZE))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    assert read_answer(KEY, NONCE, data) is None
    found = read_ask(data)
    assert found is None or (len(data) == ASK_SIZE and data.startswith(MAGIC))


@pytest.mark.parametrize("size", [0, 1, ASK_SIZE - 1, ASK_SIZE + 1])
def test_an_ask_has_one_size(size: int) -> None:
    assert read_ask((make_ask(KEY, 1, NONCE) + b"x")[:size]) is None


def test_an_ask_is_no_shorter_than_an_answer() -> None:
    """Over UDP whoever forges a sender's address must not be able to make us say more than it said."""
    assert len(make_ask(KEY, 1, NONCE)) == ASK_SIZE >= ANSWER_SIZE
    assert len(make_answer(KEY, NONCE, 1, ("1.2.3.4", 5), "::1")) == ANSWER_SIZE


def test_an_ask_is_no_answer_to_itself() -> None:
    """An echo server on the way must not count as a stand-in."""
    assert read_answer(KEY, NONCE, make_ask(KEY, 1, NONCE)) is None


def test_it_begins_like_nothing_else() -> None:
    assert not MAGIC[:1].isascii()  # no letter of HTTP, no 0x16 of TLS


def test_addresses_of_both_families_come_back_as_people_write_them() -> None:
    answer = make_answer(KEY, NONCE, 1, ("::ffff:192.0.2.7", 5), "fe80::1%eth0")
    reply = read_answer(KEY, NONCE, answer)
    assert reply is not None
    assert (reply.peer, reply.local) == ("192.0.2.7", "fe80::1")
