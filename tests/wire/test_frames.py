"""Any bytes, in any pieces, either become payloads or raise WireError, and the pieces make no difference."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.wire.frames import LARGEST, NOISE, PREFACE, Decoder, WireError, frame

payloads = st.lists(st.binary(min_size=1, max_size=300), max_size=8)
cuts = st.lists(st.integers(1, 50), min_size=1, max_size=20)


def pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    """The data in pieces of these sizes, over and over."""
    found, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        found.append(data[at : at + size])
        at, turn = at + size, turn + 1
    return found


def fed(parts: list[bytes]) -> tuple[list[bytes], str, Decoder]:
    """What came out of a decoder, the error it ended with, and the decoder."""
    decoder, got = Decoder(), []
    try:
        for part in parts:
            got += decoder.feed(part)
    except WireError as error:
        return got, str(error), decoder
    return got, "", decoder


# A login banner that spells half of our greeting is nobody's.
noises = st.binary(max_size=200).filter(lambda noise: (noise + PREFACE).find(PREFACE) == len(noise))


@given(payloads, cuts, noises)
def test_payloads_come_out_as_they_went_in(sent: list[bytes], sizes: list[int], noise: bytes) -> None:
    stream = noise + PREFACE + b"".join(frame(payload) for payload in sent)
    got, error, decoder = fed(pieces(stream, sizes))
    assert (got, error) == (sent, "")
    assert decoder.greeted
    assert not decoder.in_frame
    assert decoder.noise == noise


@given(st.binary(max_size=400), cuts, st.booleans())
def test_garbage_parses_or_raises_one_error(garbage: bytes, sizes: list[int], greeted: bool) -> None:
    stream = (PREFACE if greeted else b"") + garbage
    whole, in_pieces = fed([stream]), fed(pieces(stream, sizes))
    assert whole[1] == in_pieces[1]  # the same end, whichever way it came
    if not whole[1]:
        assert whole[0] == in_pieces[0]
        assert whole[2].in_frame == in_pieces[2].in_frame


@given(st.binary(min_size=1, max_size=50), st.integers(0, 53))
def test_a_stream_cut_in_mid_frame_says_so(payload: bytes, cut: int) -> None:
    data = frame(payload)
    cut = min(cut, len(data) - 1)
    got, error, decoder = fed([PREFACE + data[:cut]])
    assert (got, error) == ([], "")
    assert decoder.in_frame == (cut > 0)


@pytest.mark.parametrize("length", [0, LARGEST + 1, 2**32 - 1])
def test_a_length_out_of_bounds_is_refused_before_anything_is_kept(length: int) -> None:
    with pytest.raises(WireError, match=f"announces {length} bytes"):
        Decoder().feed(PREFACE + struct.pack(">I", length))


@pytest.mark.parametrize("size", [0, LARGEST + 1])
def test_a_payload_out_of_bounds_cannot_be_sent(size: int) -> None:
    with pytest.raises(WireError, match="cannot be sent"):
        frame(bytes(size))


def test_the_largest_payload_passes() -> None:
    payload = bytes(LARGEST)
    assert fed([PREFACE, frame(payload)])[0] == [payload]


@pytest.mark.parametrize("sizes", [[NOISE * 2], [1000], [7, 4096]])
class TestNoise:
    """What a login shell says before the agent speaks."""

    def test_up_to_the_bound_it_is_skipped_and_kept(self, sizes: list[int]) -> None:
        got, error, decoder = fed(pieces(b"x" * NOISE + PREFACE + frame(b"hello"), sizes))
        assert (got, error) == ([b"hello"], "")
        assert decoder.noise == b"x" * NOISE

    def test_past_the_bound_it_is_an_error(self, sizes: list[int]) -> None:
        got, error, decoder = fed(pieces(b"x" * (NOISE + 1) + PREFACE + frame(b"hello"), sizes))
        assert got == []
        assert f"{NOISE} bytes came" in error
        assert len(decoder.noise) <= NOISE

    def test_without_a_greeting_it_ends(self, sizes: list[int]) -> None:
        got, error, _ = fed(pieces(b"y" * NOISE * 2, sizes))
        assert got == []
        assert "no greeting" in error


def test_nothing_but_noise_is_not_yet_a_frame() -> None:
    _, error, decoder = fed([b"Permission denied (publickey).\r\n"])
    assert error == ""
    assert not decoder.greeted
    assert not decoder.in_frame
    assert decoder.noise == b"Permission denied (publickey).\r\n"
