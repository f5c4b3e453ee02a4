"""What a sweep of one address found: every port has exactly one state."""

from __future__ import annotations

import msgspec

from probe.model.words import State, Transport


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """An ICMP error that settled ports, with its type, code and sender. No sender and 0, 0: this host itself, whose
    own rules or routes let nothing leave.
    """

    sender: str
    type: int
    code: int
    ports: str


class Swept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One address and transport. Ports are text (`22,80-90`).

    `states` has each port asked for exactly once. `sometimes`: ports that answered some attempts and left others of
    the same pace without a word, or answered differently; their state is the last certain one. `sent` packets (or
    connections begun), `answers` to them; `loss` as estimated from what answered only later (0..1); `residual` the
    probability, per port, that a port called filtered would have answered; `pace` the highest attempts a second that
    the path was given. `limited`: ports that stayed silent where somebody limits the ICMP errors, so that they may as
    well be rejected (UDP: closed), or are called unreachable because all others were. `everything`: something answers
    on every port asked, also on one that nobody could have opened. `problem`: why the sweep ended early; what it left
    then is `error`.
    """

    address: str
    transport: Transport
    states: dict[State, str]
    rejections: tuple[Rejection, ...] = ()
    sometimes: str = ""
    limited: str = ""
    everything: bool = False
    sent: int = 0
    answers: int = 0
    rounds: int = 0
    loss: float = 0.0
    residual: float = 0.0
    pace: float = 0.0
    seconds: float = 0.0
    engine: str = ""
    problem: str = ""
