"""What was seen, never an opinion. The expectation is in `check`; only `judge` knows both."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from probe.model.tls import TlsFacts
from probe.model.words import State


class Operation(StrEnum):
    """The step of an attempt that ended it."""

    RESOLVE = "resolve"
    BIND = "bind"
    CONNECT = "connect"
    SEND = "send"
    RECEIVE = "receive"
    TLS = "tls"
    HTTP = "http"
    NONE = "none"


class Failure(StrEnum):
    """Why an attempt ended without what it was after. A closed list: reports and tests grep it."""

    REFUSED = "refused"
    TIMEOUT = "timeout"
    KERNEL_TIMEOUT = "kernel-timeout"
    NO_ROUTE = "no-route"
    HOST_UNREACHABLE = "host-unreachable"
    ICMP = "icmp"
    NOT_PERMITTED = "not-permitted"
    RESET = "reset"
    CLOSED = "closed-by-peer"
    BAD_ANSWER = "bad-answer"
    UNHEALTHY = "unhealthy"  # the right protocol, and in it that all is not well, or not what is to be said
    NOT_RESOLVED = "not-resolved"
    SELF_CONNECT = "self-connect"
    RESOURCES = "resources"
    ADDRESS = "address-not-available"
    OTHER = "other"


class Proof(StrEnum):
    """What an open port proved about who answered, weakest first."""

    NONE = "none"
    ACCEPTED = "accepted"
    ANSWERED = "answered"
    KEYED = "keyed"


class Icmp(msgspec.Struct, frozen=True, kw_only=True):
    """An ICMP error as the error queue tells it; `sender` is the device that wrote it. `family` is 4 or 6."""

    family: int
    type: int
    code: int
    sender: str


class Observation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one attempt saw, and after how many attempts this was the answer.

    `seen_from` is the source's address as the stand-in saw it, `answered_by` the address the stand-in was reached on:
    beside the ones that were dialled they show translation on the way. `said` is the beginning of what a service
    answered that was asked in its own protocol, `location` where a redirect led, or would lead. `tls` is there if a
    handshake told something.
    """

    state: State
    operation: Operation = Operation.NONE
    failure: Failure | None = None
    proof: Proof = Proof.NONE
    icmp: Icmp | None = None
    local: str = ""
    seen_from: str = ""
    answered_by: str = ""
    status: int | None = None
    text: str = ""
    location: str = ""
    said: bytes = b""
    tls: TlsFacts | None = None
    attempts: int = 1


class PortUse(StrEnum):
    """What the target's own agent says of one of its ports."""

    STAND_IN = "stand-in"
    LISTENER = "listener"
    ELSEWHERE = "elsewhere"
    OUTGOING = "outgoing"
    FREE = "free"
    DENIED = "denied"
    UNKNOWN = "unknown"


class Holder(StrEnum):
    """What the process that holds a port is to the protocol that is expected there."""

    SPEAKER = "speaker"  # it is known to speak it
    RELAY = "relay"  # it listens in the place of others: a published port, a tunnel
    BALANCER = "balancer"  # the same, or it speaks HTTP on its own
    ANOTHER = "another"  # it is known to speak another
    UNKNOWN = "unknown"


class TargetView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One port as the target's agent knows it.

    `by` names the process that holds it, `bound` the addresses it is bound to; `detail` says why a stand-in could not
    be opened, or how. `translated`: the host does not carry the address that others dial.
    """

    use: PortUse = PortUse.UNKNOWN
    by: str = ""
    bound: tuple[str, ...] = ()
    detail: str = ""
    translated: bool = False


class Receipts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the target's stand-in saw of this source on this port.

    `answered`: a challenge arrived and was answered. `arrived`: a connection or datagram of this source arrived without
    one. `elsewhere`: the host whose stand-in received the challenge instead. `starved`: the stand-ins came to a limit
    of the host's and may have missed somebody.
    """

    answered: bool = False
    arrived: bool = False
    elsewhere: str = ""
    starved: bool = False
