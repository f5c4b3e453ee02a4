"""The words of the trade, each a closed list. Files, reports and code use these and no others."""

from enum import StrEnum


class Transport(StrEnum):
    TCP = "tcp"
    UDP = "udp"


class Protocol(StrEnum):
    """What is spoken on a port."""

    TCP = "tcp"
    UDP = "udp"
    HTTP = "http"
    HTTPS = "https"

    @property
    def transport(self) -> Transport:
        return Transport.UDP if self is Protocol.UDP else Transport.TCP


class Zone(StrEnum):
    INSIDE = "inside"
    OUTSIDE = "outside"


class Phase(StrEnum):
    AUTO = "auto"
    PRE_INSTALL = "pre-install"
    LIVE = "live"


class Expect(StrEnum):
    REACH = "reach"
    BLOCK = "block"


class Policy(StrEnum):
    """What a deviation from `block` is worth; `reach` rows are always `enforce` unless their need is less than
    required.
    """

    ENFORCE = "enforce"
    ADVISE = "advise"
    IGNORE = "ignore"


class Need(StrEnum):
    REQUIRED = "required"
    RECOMMENDED = "recommended"
    OPTIONAL = "optional"


class Listen(StrEnum):
    """How many ports of a service have a listener once it runs."""

    ALL = "all"
    SOME = "some"
    NONE = "none"


class State(StrEnum):
    """A port as observed; nmap's words where it has one."""

    OPEN = "open"
    CLOSED = "closed"
    FILTERED = "filtered"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"
    OPEN_FILTERED = "open|filtered"
    ERROR = "error"


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105  (a verdict, not a password)
    BLOCKED = "blocked"
    DOWN = "down"
    MISMATCH = "mismatch"
    EXPOSED = "exposed"
    INCONCLUSIVE = "inconclusive"


class Cause(StrEnum):
    """Why; the closed list that docs/verdicts.md explains."""

    SOURCE_FIREWALL = "source-firewall"
    NO_ROUTE = "no-route"
    NETWORK = "network"
    TARGET_FIREWALL = "target-firewall"
    RETURN_PATH = "return-path"
    PAYLOAD = "payload"
    MTU = "mtu"
    NOT_LISTENING = "not-listening"
    BOUND_ELSEWHERE = "bound-elsewhere"
    OVERLOAD = "overload"
    PORT_TAKEN = "port-taken"
    WRONG_SERVICE = "wrong-service"
    TLS = "tls"
    HTTP_STATUS = "http-status"
    UNHEALTHY = "unhealthy"
    INTERCEPTED = "intercepted"
    DNS = "dns"
    LISTENING = "listening"
    STAND_IN = "stand-in"
    NO_AGENT = "no-agent"
    AGENT_LOST = "agent-lost"
    RESOURCES = "resources"
    CONFLICTING_EVIDENCE = "conflicting-evidence"
    TIMEOUT = "timeout"
