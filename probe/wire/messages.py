"""What coordinator and agent say to each other. Every order has an `id`; its answers carry the same.

Shapes: ports travel as text (`5000-5499,5510-6000`), times in seconds. The plan travels compactly: an aim is a whole
range at one address, and the agent expands it; results come back as runs of equal outcome.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from probe.model.dialogue import Dialogue
from probe.model.ends import Stuck
from probe.model.http import HttpTerms
from probe.model.listening import Listening
from probe.model.observation import Observation, TargetView
from probe.model.path import Path
from probe.model.sight import Arrived, Flow, Sight
from probe.model.swept import Swept
from probe.model.tls import TlsTerms
from probe.model.words import Protocol, Transport
from probe.wire.frames import WireError, frame

VERSION = 5


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """Base of everything that travels."""


# --- coordinator to agent ---------------------------------------------------------------------------------------------


class Greet(Message, frozen=True, kw_only=True, tag="greet", omit_defaults=True):
    """First word of the coordinator. `lease`: without a word from the coordinator for so long, the agent closes
    everything.
    """

    wire: int
    version: str
    run: str
    lease: float


class Ping(Message, frozen=True, kw_only=True, tag="ping", omit_defaults=True):
    """Extends the lease."""

    id: int


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Ports of one address of the target itself; `address` may be a name, or one that the host does not carry (it is
    translated).
    """

    address: str
    transport: Transport
    ports: str
    web: bool = False


class Look(Message, frozen=True, kw_only=True, tag="look", omit_defaults=True):
    """Say what holds these ports; open nothing."""

    id: int
    endpoints: tuple[Endpoint, ...]


class Open(Message, frozen=True, kw_only=True, tag="open", omit_defaults=True):
    """Stand in on those of these ports that are free.

    `key` is this target's for this run; `certificate` and `private_key` are PEM, for HTTPS. `beside`: also where
    something listens on another address of the host (a running service is not joined, one still to come may be).
    """

    id: int
    endpoints: tuple[Endpoint, ...]
    key: bytes
    beside: bool = False
    certificate: bytes = b""
    private_key: bytes = b""


class Close(Message, frozen=True, kw_only=True, tag="close", omit_defaults=True):
    """Close what the order `opened` opened, and say what it received."""

    id: int
    opened: int


class Aim(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A range of ports at one address, as one source is to try it.

    `key` is the key of this pair for stand-ins, empty where the real service is asked. `target` numbers the target
    host: limits are held for each. `http`, `tls` and `dialogue` are for the service itself, `fingerprint` is a
    stand-in's. `bulk`: so many bytes go with the challenge, and as many are wanted back.
    """

    task: int
    target: int
    address: str
    ports: str
    protocol: Protocol
    key: bytes = b""
    path: str = "/"
    http: HttpTerms = HttpTerms()
    tls: TlsTerms = TlsTerms()
    fingerprint: str = ""
    bulk: int = 0
    dialogue: Dialogue | None = None


class Walk(Message, frozen=True, kw_only=True, tag="walk", omit_defaults=True):
    """Try all of this. `number` is the source's own in challenges; `bind` the address to dial from, empty for the
    kernel's choice.

    `window` bounds the attempts begun a moment ago, `per_target` those of each target, `most` all that are in flight;
    `rate` the attempts a second (0: not limited); `deadline` the whole walk. `once`: one careful round, whatever it
    settles. `follow`: so many of the ways that fail at first are followed hop by hop meanwhile.
    """

    id: int
    number: int
    aims: tuple[Aim, ...]
    bind: str = ""
    window: int = 512
    most: int = 2048
    per_target: int = 256
    rate: float = 0.0
    timeout: float = 1.0
    deadline: float = 600.0
    seed: int = 0
    once: bool = False
    follow: int = 0


class Watch(Message, frozen=True, kw_only=True, tag="watch", omit_defaults=True):
    """Look at the packets of these flows on the interfaces, from now until Unwatch, or for so many seconds."""

    id: int
    flows: tuple[Flow, ...]
    seconds: float = 60.0


class Tally(Message, frozen=True, kw_only=True, tag="tally", omit_defaults=True):
    """Note at which ports of these flows packets come in, from now until Unwatch, or for so many seconds.

    Only what asks counts: TCP's first packet of a connection, a datagram. `mark`: datagrams count only if they carry
    what a Sweep with this mark sends, so that what the host's own questions are answered is not taken for a way in; the
    flows' ports are then those that they were sent to. `inside`: note too what the host's own rules let in.
    """

    id: int
    flows: tuple[Flow, ...]
    seconds: float = 60.0
    mark: bytes = b""
    inside: bool = False


class Unwatch(Message, frozen=True, kw_only=True, tag="unwatch", omit_defaults=True):
    """End the capture or the tally that the order `watch` began, and say what passed."""

    id: int
    watch: int


class Trace(Message, frozen=True, kw_only=True, tag="trace", omit_defaults=True):
    """Follow the way to the first port of each aim, hop by hop; `bind` and `timeout` as in Walk. Silence is asked
    `tries` times; `flows` source ports are told apart; `sorting`: by whether they get through.
    `rationed`: neither; each way has one attempt at each distance, when devices will answer it.
    """

    id: int
    number: int
    aims: tuple[Aim, ...]
    bind: str = ""
    timeout: float = 1.0
    tries: int = 2
    flows: int = 2
    sorting: bool = False
    rationed: bool = False


class SweepTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Ports of one numeric address."""

    address: str
    ports: str


class Sweep(Message, frozen=True, kw_only=True, tag="sweep", omit_defaults=True):
    """Ask all these ports, and find the state of each. One sweep at a time: another waits for its turn.

    `rate` bounds the packets a second in all (0: the engine's own gentle pace); `timeout` is the patience of the last
    round; `deadline` the whole sweep, waiting included; `bind` the address to send from, empty for the kernel's
    choice. `mark` (at most MOST_MARK bytes): each UDP datagram carries it and then its port in two bytes, big-endian,
    in place of what that port would understand. `rounds`: at most so many (0: as long as the loss seen says that an
    answer may have been lost).
    """

    id: int
    targets: tuple[SweepTarget, ...]
    transport: Transport
    rate: float = 0.0
    timeout: float = 1.0
    deadline: float = 600.0
    seed: int = 0
    bind: str = ""
    mark: bytes = b""
    rounds: int = 0


class Survey(Message, frozen=True, kw_only=True, tag="survey", omit_defaults=True):
    """Say what listens on this host."""

    id: int


class Stop(Message, frozen=True, kw_only=True, tag="stop", omit_defaults=True):
    """End that walk or sweep now. A walk reports what there is."""

    id: int
    order: int


class Bye(Message, frozen=True, kw_only=True, tag="bye", omit_defaults=True):
    """The run is over: close everything, end."""


# --- agent to coordinator ---------------------------------------------------------------------------------------------


class Hello(Message, frozen=True, kw_only=True, tag="hello", omit_defaults=True):
    """First word of the agent. `files`: how many files it may open at once. `addresses`: those of its host that others
    may dial.
    """

    wire: int
    version: str
    python: str
    capabilities: tuple[str, ...]
    files: int
    addresses: tuple[str, ...] = ()


class Pong(Message, frozen=True, kw_only=True, tag="pong", omit_defaults=True):
    id: int


class Held(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Ports of one address that are in the same hands."""

    address: str
    transport: Transport
    ports: str
    view: TargetView


class Looked(Message, frozen=True, kw_only=True, tag="looked", omit_defaults=True):
    """Answers Look and Open."""

    id: int
    held: tuple[Held, ...]


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What reached a stand-in from the source of this number: ports where it was answered, or ports where the challenge
    was under another target's key (it was sent to the address `meant`). `address` is the target's own, as the order
    named it.
    """

    number: int
    address: str
    transport: Transport
    answered: str = ""
    foreign: str = ""
    meant: str = ""


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A connection or datagram that reached a stand-in without a challenge. Counted, not listed, past a bound."""

    address: str
    transport: Transport
    port: int
    peer: str


class Closed(Message, frozen=True, kw_only=True, tag="closed", omit_defaults=True):
    """Answers Close. `starved`: the stand-ins came to a limit of the host's and may have missed somebody."""

    id: int
    receipts: tuple[Receipt, ...] = ()
    arrivals: tuple[Arrival, ...] = ()
    starved: bool = False


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Ports of one aim whose last attempt saw the same. `address` is the one dialled (a name may have several)."""

    task: int
    address: str
    ports: str
    seen: Observation
    elapsed_ms: float = 0.0
    rtt_ms: float | None = None


class Results(Message, frozen=True, kw_only=True, tag="results", omit_defaults=True):
    """A part of a walk's outcomes; each port of an aim is reported once. `settled` counts ports so far, for
    progress.
    """

    id: int
    outcomes: tuple[Outcome, ...] = ()
    settled: int = 0


class Followed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The path of a way that failed at first."""

    task: int
    address: str
    port: int
    path: Path


class Walked(Message, frozen=True, kw_only=True, tag="walked", omit_defaults=True):
    """The walk is over. `attempts`: how many were made in all."""

    id: int
    attempts: int
    paths: tuple[Followed, ...] = ()


class Watching(Message, frozen=True, kw_only=True, tag="watching", omit_defaults=True):
    """Answers Watch: the capture has begun, or why it may not."""

    id: int
    problem: str = ""


MOST_SIGHTS = 12_000
"""So many packets fit into one frame, whatever they are."""
MOST_MARK = 32
"""So many bytes a mark may have: the witness compares them all in the kernel."""


class Watched(Message, frozen=True, kw_only=True, tag="watched", omit_defaults=True):
    """Answers Unwatch. `sure`: what is not among the sights did not pass. `full`: TCP ports whose accept queue was
    full then, or as the capture began. `stuck`: addresses of those peers that this host cannot send to; `near`:
    those towards which the next machine is known to be there.
    """

    id: int
    sights: tuple[Sight, ...] = ()
    sure: bool = False
    full: str = ""
    stuck: dict[str, Stuck] = {}
    near: tuple[str, ...] = ()


class Tallied(Message, frozen=True, kw_only=True, tag="tallied", omit_defaults=True):
    """Answers Unwatch of a tally. `arrived` at an interface; `sure`: where none is told of, none came in. `passed`:
    the host's own INPUT rules let it in; `surely_passed` as `sure`, of those.
    """

    id: int
    arrived: tuple[Arrived, ...] = ()
    sure: bool = False
    passed: tuple[Arrived, ...] = ()
    surely_passed: bool = False


class Traced(Message, frozen=True, kw_only=True, tag="traced", omit_defaults=True):
    """Answers Trace: the path of each task."""

    id: int
    paths: dict[int, Path] = {}


class Sweeping(Message, frozen=True, kw_only=True, tag="sweeping", omit_defaults=True):
    """A word on a sweep under way: of `asked` ports so many are settled, and so many packets were sent. At its end,
    what was found at each target: in the order's order, in as many words as it takes.
    """

    id: int
    asked: int = 0
    settled: int = 0
    sent: int = 0
    found: tuple[Swept, ...] = ()


class SweptAll(Message, frozen=True, kw_only=True, tag="swept-all", omit_defaults=True):
    """The sweep is over, and all that it found was told; nothing of it if it was stopped."""

    id: int


class Surveyed(Message, frozen=True, kw_only=True, tag="surveyed", omit_defaults=True):
    """Answers Survey. Stand-ins of this agent are left out. `complete`: nothing else listens here."""

    id: int
    sockets: tuple[Listening, ...] = ()
    complete: bool = False


class Refused(Message, frozen=True, kw_only=True, tag="refused", omit_defaults=True):
    """An order that this agent does not carry out, and why."""

    id: int
    reason: str


Work = Look | Open | Close | Walk | Watch | Tally | Unwatch | Trace | Sweep | Survey
"""Orders that take a while, and have one answer at their end."""
Order = Greet | Ping | Stop | Bye | Work
Answer = (
    Hello
    | Pong
    | Looked
    | Closed
    | Results
    | Walked
    | Watching
    | Watched
    | Tallied
    | Traced
    | Sweeping
    | SweptAll
    | Surveyed
    | Refused
)

_encoder = msgspec.msgpack.Encoder()
_orders: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)
_answers: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)
_M = TypeVar("_M")


def encode(message: Message) -> bytes:
    return frame(_encoder.encode(message))


def decode_order(payload: bytes) -> Order:
    return _decode(_orders, payload)


def decode_answer(payload: bytes) -> Answer:
    return _decode(_answers, payload)


def _decode(decoder: msgspec.msgpack.Decoder[_M], payload: bytes) -> _M:
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"a frame does not read as a message: {error}") from error
