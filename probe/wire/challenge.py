"""The keyed challenge that proves who answered.

The coordinator gives each target a key of its own for the run. A source gets only the key of its pair (`pair_key`),
so no host can answer for another. The source sends `ask`: a fresh nonce under the pair's key. A stand-in says nothing
to a peer whose ask does not verify; else it answers with a code over nonce, the port it listens on, and both
addresses as it sees them. The code is keyed BLAKE2s (RFC 7693), 128 bits; it costs a quarter of HMAC-SHA-256.

An ask is no shorter than an answer, so that over UDP a forged sender address gains nothing.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from hashlib import blake2s
from hmac import compare_digest
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

import msgspec

MAGIC = b"\xf1PC1"
"""Neither a letter (HTTP) nor 0x16 (TLS) at its start: one look tells which tongue a peer speaks."""
KEY_SIZE = 32
NONCE_SIZE = 16

_CODE_SIZE = 16
_ASK = struct.Struct(">4sI16s16sH16s")
_ANSWER = struct.Struct(">4sHH16s16s16s")
_NUMBER = struct.Struct(">I")
_WANTED = struct.Struct(">H16s")
MOST_BULK = 16384
ASK_SIZE, ANSWER_SIZE = _ASK.size, _ANSWER.size
_MAPPED = b"\0" * 10 + b"\xff\xff"


class Ask(msgspec.Struct, frozen=True):
    """A challenge as it arrived, not yet verified. `number` is the source's in this run. `bulk`: so many bytes follow,
    and are wanted behind the answer (over TCP: does large data pass?). `meant` is the address that was
    dialled, so that whoever else receives it can tell.
    """

    number: int
    nonce: bytes
    code: bytes
    bulk: int = 0
    meant: str = ""


class Reply(msgspec.Struct, frozen=True):
    """A verified answer: the port the stand-in listens on, and the connection as it sees it."""

    port: int
    peer: str
    peer_port: int
    local: str


def pair_key(target_key: bytes, number: int) -> bytes:
    """The key that one source shares with one target."""
    return blake2s(_NUMBER.pack(number), key=target_key, person=b"pair").digest()


def make_ask(key: bytes, number: int, nonce: bytes, bulk: int = 0, *, meant: str = "::") -> bytes:
    """`bulk` up to MOST_BULK; `meant` is the numeric address that is dialled."""
    wanted = _WANTED.pack(bulk, _packed(meant))
    return _ASK.pack(MAGIC, number, nonce, _code(key, b"ask", nonce + wanted), bulk, _packed(meant))


def read_ask(data: bytes) -> Ask | None:
    """None for what is no challenge at all."""
    if len(data) != ASK_SIZE or not data.startswith(MAGIC):
        return None
    _, number, nonce, code, bulk, meant = _ASK.unpack(data)
    return Ask(number, nonce, code, bulk, _printed(meant))


def is_ours(ask: Ask, key: bytes) -> bool:
    """Whether the ask was made under this pair's key."""
    wanted = _WANTED.pack(ask.bulk, _packed(ask.meant))
    return ask.bulk <= MOST_BULK and compare_digest(ask.code, _code(key, b"ask", ask.nonce + wanted))


def make_answer(key: bytes, nonce: bytes, port: int, peer: tuple[str, int], local: str) -> bytes:
    body = _ANSWER.pack(MAGIC, port, peer[1], _packed(peer[0]), _packed(local), b"")[:-_CODE_SIZE]
    return body + _code(key, b"answer", nonce + body)


def read_answer(key: bytes, nonce: bytes, data: bytes) -> Reply | None:
    """None unless this is the answer to that nonce under that key."""
    if len(data) != ANSWER_SIZE or not compare_digest(
        data[-_CODE_SIZE:], _code(key, b"answer", nonce + data[:-_CODE_SIZE])
    ):
        return None
    _, port, peer_port, peer, local, _ = _ANSWER.unpack(data)
    return Reply(port, _printed(peer), peer_port, _printed(local))


def canonical(address: str) -> str:
    """A numeric address as receipts and answers spell it; OSError for what is none."""
    return _printed(_packed(address))


def _code(key: bytes, purpose: bytes, text: bytes) -> bytes:
    return blake2s(text, key=key, digest_size=_CODE_SIZE, person=purpose).digest()


@lru_cache(maxsize=4096)
def _packed(address: str) -> bytes:
    if ":" in address:
        return inet_pton(AF_INET6, address.partition("%")[0])
    return _MAPPED + inet_pton(AF_INET, address)


@lru_cache(maxsize=4096)
def _printed(packed: bytes) -> str:
    if packed.startswith(_MAPPED):
        return inet_ntop(AF_INET, packed[12:])
    return inet_ntop(AF_INET6, packed)
