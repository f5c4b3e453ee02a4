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
    HTTP_OR_HTTPS = "http-or-https"
    TLS = "tls"

    @property
    def transport(self) -> Transport:
        return Transport.UDP if self is Protocol.UDP else Transport.TCP

    @property
    def is_http(self) -> bool:
        """Whether it is asked in HTTP, inside TLS or not."""
        return self in (Protocol.HTTP, Protocol.HTTPS, Protocol.HTTP_OR_HTTPS)

    @property
    def may_be_tls(self) -> bool:
        return self in (Protocol.HTTPS, Protocol.HTTP_OR_HTTPS, Protocol.TLS)


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


class Exposure(StrEnum):
    """Which ports must not be reachable where no flow allows it: those that a service of the target names, those that
    something listens on there too, or all.
    """

    KNOWN = "known"
    LISTENING = "listening"
    ALL = "all"


class Need(StrEnum):
    """Only `required` fails a run. `deprecated`: kept for old peers."""

    REQUIRED = "required"
    RECOMMENDED = "recommended"
    OPTIONAL = "optional"
    DEPRECATED = "deprecated"


class Listen(StrEnum):
    """What has a listener once a service runs: all of its ports, some of them, those of the active member of the role
    alone, one that ends after its first connection, none.
    """

    ALL = "all"
    SOME = "some"
    ACTIVE = "active"
    ONCE = "once"
    NONE = "none"


class Hosts(StrEnum):
    """Which pairs of hosts a flow is about: any, each and every other, each and itself."""

    ANY = "any"
    OTHER = "other"
    SAME = "same"


class Enough(StrEnum):
    """How many of a flow's ways must be free for one source; `first`: the first that works is used."""

    ALL = "all"
    ONE = "one"
    FIRST = "first"


class During(StrEnum):
    """What a way is needed for, if it is not needed for good."""

    INSTALLATION = "installation"
    JOINING = "joining"
    TRANSFER = "transfer"
    UPGRADE = "upgrade"


class Severity(StrEnum):
    """How bad a deviation is, in the words of whoever wrote the matrix; the worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class VariableType(StrEnum):
    PORT = "port"
    PORTS = "ports"
    COUNT = "count"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    TEXT = "text"
    NAMES = "names"
    ADDRESSES = "addresses"
    ENDPOINTS = "endpoints"


class Family(StrEnum):
    IPV4 = "ipv4"
    IPV6 = "ipv6"


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
