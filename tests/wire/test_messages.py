"""Every message arrives as it was sent; whatever else comes raises WireError and nothing else."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.sight import Sight
from probe.model.words import Transport
from probe.wire import messages
from probe.wire.frames import PREFACE, Decoder, WireError
from probe.wire.messages import Answer, Message, Order, decode_answer, decode_order, encode

ORDERS = [
    messages.Greet,
    messages.Ping,
    messages.Look,
    messages.Open,
    messages.Close,
    messages.Walk,
    messages.Watch,
    messages.Tally,
    messages.Unwatch,
    messages.Trace,
    messages.Sweep,
    messages.Survey,
    messages.Stop,
    messages.Bye,
]
ANSWERS = [
    messages.Hello,
    messages.Pong,
    messages.Looked,
    messages.Closed,
    messages.Results,
    messages.Walked,
    messages.Watching,
    messages.Watched,
    messages.Tallied,
    messages.Traced,
    messages.Sweeping,
    messages.SweptAll,
    messages.Surveyed,
    messages.Refused,
]
# What the other end reads as 64 bits, and text that UTF-8 can hold.
st.register_type_strategy(int, st.integers(-(2**63), 2**64 - 1))
st.register_type_strategy(str, st.text(st.characters(codec="utf-8"), max_size=12))
st.register_type_strategy(float, st.floats(allow_nan=False))


def some(kind: type[msgspec.Struct]) -> st.SearchStrategy:
    """Messages of this kind with any fields."""
    fields = {field.name: st.from_type(field.type) for field in msgspec.structs.fields(kind)}
    return st.builds(kind, **fields)


for kind in vars(messages).values():
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        st.register_type_strategy(kind, some)


def sent(message: Message) -> bytes:
    """The payload that a decoder hands out for it."""
    (payload,) = Decoder().feed(PREFACE + encode(message))
    return payload


def test_the_lists_here_are_complete() -> None:
    assert set(ORDERS) == set(Order.__args__)
    assert set(ANSWERS) == set(Answer.__args__)


@given(st.one_of([some(kind) for kind in ORDERS]))
def test_orders_arrive_as_they_were_sent(order: Order) -> None:
    assert decode_order(sent(order)) == order


@given(st.one_of([some(kind) for kind in ANSWERS]))
def test_answers_arrive_as_they_were_sent(answer: Answer) -> None:
    assert decode_answer(sent(answer)) == answer


def test_all_that_a_capture_may_hold_fits_into_one_frame() -> None:
    longest = "2001:db8:1111:2222:3333:4444:5555:6666"
    sight = Sight(
        at=1e9 + 0.1, out=True, transport=Transport.TCP, source=longest, source_port=65535, target=longest,
        target_port=65535, ttl=255, flags="FSRPAU", size=65535, seq=2**32 - 1, ack=2**32 - 1, interface="x" * 15,
        icmp=(255, 255), sender=longest,
    )  # fmt: skip
    assert encode(messages.Watched(id=2**31, sights=(sight,) * messages.MOST_SIGHTS, sure=True))


@given(st.binary(max_size=200))
@pytest.mark.parametrize("decode", [decode_order, decode_answer])
def test_any_bytes_parse_or_raise_one_error(decode, payload: bytes) -> None:
    with contextlib.suppress(WireError):
        assert isinstance(decode(payload), Message)


@given(st.one_of([some(kind) for kind in (*ORDERS, *ANSWERS)]), st.data())
@pytest.mark.parametrize("decode", [decode_order, decode_answer])
def test_a_damaged_message_parses_or_raises_one_error(decode, message: Message, data: st.DataObject) -> None:
    payload = bytearray(sent(message))
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(WireError):
        assert isinstance(decode(bytes(payload)), Message)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "truncated"),
        (b"\x80", "type"),  # an empty map: no tag
        (b"\x91" * 5000 + b"\xc0", "recursion|Expected"),
        (b"\x83\xa4type\xa4ping\xa2id\x01\xa4mood" + b"\x91" * 100_000 + b"\xc0", "recursion"),
        (msgspec.msgpack.encode({"type": "ping", "id": "one"}), "int"),
        (msgspec.msgpack.encode({"type": "launch"}), "launch"),
        (msgspec.msgpack.encode({"type": "hello"}), "Invalid value"),  # an answer, not an order
        (msgspec.msgpack.encode({"type": "ping", "id": 1}) + b"\0", "trailing"),
        (b"\x82\xa4type\xa4ping\xa2id\xc1", "malformed"),
        (b"\x83\xa4type\xa5greet\xa4wire\x01\xa7version\xa2\xff\xfe", "utf-8"),
    ],
)
def test_nonsense_is_told_apart(payload: bytes, why: str) -> None:
    with pytest.raises(WireError, match=f"(?i){why}"):
        decode_order(payload)


def test_a_field_of_tomorrow_does_not_hurt() -> None:
    assert decode_order(msgspec.msgpack.encode({"type": "ping", "id": 7, "mood": "good"})) == messages.Ping(id=7)


def test_what_is_default_does_not_travel() -> None:
    """A plan of ten thousand aims is small because of this."""
    aim = messages.Aim(task=1, target=2, address="10.0.0.2", ports="22", protocol=messages.Protocol.TCP)
    assert len(encode(messages.Walk(id=1, number=1, aims=(aim,)))) < 110
