"""Bytes to frames and back: a preface once, then `length (4 bytes, big-endian) | MessagePack` again and again.

Any bytes either parse or raise WireError. A channel may deliver noise before the preface (a login banner on the far
side of ssh): it is skipped up to NOISE bytes and kept, because it is usually the explanation when no preface comes.
"""

from __future__ import annotations

import struct

PREFACE = b"\nportcheck-wire\n"
NOISE = 16 * 1024
LARGEST = 4 * 1024 * 1024
_LENGTH = struct.Struct(">I")


class WireError(Exception):
    """The other side sent something that is not our language. The text says what, for a person."""


def frame(payload: bytes) -> bytes:
    if not 0 < len(payload) <= LARGEST:
        raise WireError(f"a frame of {len(payload)} bytes cannot be sent: the bound is {LARGEST}")
    return _LENGTH.pack(len(payload)) + payload


class Decoder:
    """Feed it bytes as they come; it hands out whole payloads. `greeted`: the preface has come; `noise` is what came
    before it.
    """

    def __init__(self) -> None:
        self.noise = b""
        self._buffer = bytearray()
        self.greeted = False

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that these bytes complete; raises WireError for what can never become a frame."""
        self._buffer += data
        if not self.greeted and not self._find_preface():
            return []
        payloads, start = [], 0
        while len(self._buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, start)
            if not 0 < length <= LARGEST:
                raise WireError(f"a frame announces {length} bytes; the bound is {LARGEST}")
            end = start + _LENGTH.size + length
            if len(self._buffer) < end:
                break
            payloads.append(bytes(self._buffer[start + _LENGTH.size : end]))
            start = end
        del self._buffer[:start]
        return payloads

    @property
    def in_frame(self) -> bool:
        """Whether the stream would end in the middle of a frame if it ended now."""
        return self.greeted and bool(self._buffer)

    def _find_preface(self) -> bool:
        found = self._buffer.find(PREFACE)
        before = len(self._buffer) if found < 0 else found
        self.noise = bytes(self._buffer[: min(before, NOISE)])
        if found < 0:
            if len(self._buffer) > NOISE + len(PREFACE):
                raise WireError(f"{NOISE} bytes came, and no greeting of a portcheck agent among them")
            return False
        if found > NOISE:
            raise WireError(f"{NOISE} bytes came before the greeting of a portcheck agent")
        del self._buffer[: found + len(PREFACE)]
        self.greeted = True
        return True
