"""The rows of "Ports required by aiWARE run modes", copied by hand from the page, beside those of the matrix.

Nothing here is derived from the YAML: a row that is lost, added or changed there fails.
"""

from __future__ import annotations

import pytest

from probe.model.expand import ports_of
from probe.model.matrix import Condition, Flow, Matrix, Service
from probe.model.words import Listen, Need, Policy, Protocol, Zone
from probe.spec import matrix

LB = Condition(role="lb")
NO_LB = Condition(negated=LB)
QUEUE = "Message queuing for AI Data and AI Processing services and Applications."
NFS = "Shared storage via NFS. Particularly /cache and /cache/N where {} is a NFS partition number."
THROUGH_LB = "If aiWARE instance has an LB/Services run mode, then all connections to controller are through LB"
API_ACCESS = "aiWARE Data uses LB for API access to aiWARE Data and other services."

# Run Mode | Port | Protocol | Description. The nsq row ("4150, 4151, 4160, 4161 | HTTP, TCP") is four: what speaks HTTP
# there and what does not.
PORTS = [
    ("agent", "8000", "http", "Prometheus metrics collection."),
    ("services", "8443", "https", "Load balancer (LB) manages the communication to applications and APIs."),
    ("automate", "5000-6000", "http", "Proxies connections to Automate Studio. Ports randomly generated."),
    ("controller", "9000", "http", "The API that nodes use for status, monitoring, alerting, and updates."),
    ("controller", "8001", "http", "Prometheus metrics and performance collection."),
    ("db", "5432", "tcp", "PostgreSQL database for AI Data and AI Processing persistent data."),
    ("db", "9187", "http", "Prometheus metrics collection."),
    ("es", "9200", "http", "Elastic search (ES) index of persistent data. Application search indexes."),
    ("engine", "9580", "http", "Progress updates from engines to the agent proxy."),
    ("lb", "8443", "https", "Load balancer that manages communication with applications and APIs"),
    ("lb", "8080", "http", "Load balancer for applications and APIs that do not require SSL"),
    ("minio", "10000", "http", "Persistent storage of imported and processed content. Application object storage."),
    ("nfs", "2049", "tcp", NFS.format("N")),
    ("nsq", "4150", "tcp", QUEUE),
    ("nsq", "4151", "http", QUEUE),
    ("nsq", "4160", "tcp", QUEUE),
    ("nsq", "4161", "http", QUEUE),
    ("prometheus", "9090", "tcp", "Prometheus metrics collection."),
    ("prometheus", "9091", "http", "Pushgateway for metrics collection."),
    ("prometheus", "9093", "http", "Alert Manager."),
    (
        "redis",
        "6379",
        "tcp",
        "Caching and other temporary data storage of sessions, and searches. Application data storage.",
    ),
    ("registry", "443", "http", "Docker registry server hosting Docker engine and service images."),
    ("registry", "9111", "http", "Prometheus metrics collection."),
    ("storage", "30051,30551", "http", "Secure file storage for engine and agent I/O, logging, and caching."),
]

# Source | Target run mode | Port | Protocols | condition | use | table. The order is the page's.
CONNECTIONS = [
    (
        "agent",
        "controller",
        "9000",
        "http",
        NO_LB,
        (
            "Agent also communicates with controller to handle specific tasks for that instance such as launching "
            "engine containers."
        ),
        "agent",
    ),
    (
        "agent",
        "registry",
        "443",
        "http",
        None,
        (
            "Used for pulling Docker images. The agent attempts the following registry servers: Registry nodes, "
            "registry central, specified registry on the service or engine."
        ),
        "agent",
    ),
    ("agent", "nfs", "2049", "tcp", None, NFS.format("'N'"), "agent"),
    ("agent", "storage", "30051,30551", "http", None, "Used for file storage", "agent"),
    # "LB (agent) | 8443", which is two connections: to the LB, and from there to the controller.
    ("agent", "lb", "8443", "https", LB, THROUGH_LB, "to-controller"),
    ("lb", "controller", "9000", "http", None, THROUGH_LB, "to-controller"),
    (
        "controller",
        "automate",
        "5000-6000",
        "http",
        None,
        "Used for proxying HTTP connections to Automate Studio.",
        "run-modes",
    ),
    ("controller", "redis", "6379", "tcp", None, "Used for Redis.", "run-modes"),
    ("controller", "nsq", "4150-4151,4160-4161", "tcp http", None, "Used for queuing", "run-modes"),
    ("controller", "prometheus", "9090", "tcp", None, "", "run-modes"),
    ("controller", "minio", "10000", "http", None, "Access to stored content", "run-modes"),
    (
        "engine",
        "controller",
        "9000",
        "http",
        None,
        (
            "If the controller websocket is listening for a task update, the engine instance POSTs the job and task "
            "status along with engine output to the controller that is listening for that task."
        ),
        "run-modes",
    ),
    ("engine", "minio", "10000", "http", None, "Used for uploading processed content.", "run-modes"),
    ("prometheus", "agent", "8000", "http", None, "Used for agent /metrics.", "run-modes"),
    ("prometheus", "controller", "9000", "http", NO_LB, "Used for node discovery and alerting.", "run-modes"),
    (
        "services",
        "redis",
        "6379",
        "tcp",
        None,
        (
            "aiWARE Data uses redis to store sessions, in progress searches and other items. Services/applications may "
            "use Redis as well in separate databases."
        ),
        "run-modes",
    ),
    (
        "services",
        "es",
        "9200",
        "http",
        None,
        "aiWARE Data persists index data in elastic search. Services/applications can use ES indices as well.",
        "run-modes",
    ),
    (
        "services",
        "db",
        "5432",
        "tcp",
        None,
        "aiWARE Data uses separate databases to persist information. Services/applications can use DB as well.",
        "run-modes",
    ),
    (
        "services",
        "nsq",
        "4150-4151,4160-4161",
        "tcp http",
        None,
        "aiWARE Data uses NSQ for eventing messages. Services/applications may use NSQ as well",
        "run-modes",
    ),
    ("services", "minio", "10000", "http", None, "aiWARE Data uses Min.io for Object Storage.", "run-modes"),
    # "Services (core-*) | Services (Data) | 8443", whose words name the LB: between services, and through an LB.
    ("services", "services", "8443", "https", None, API_ACCESS, "run-modes"),
    ("services", "lb", "8443", "https", LB, API_ACCESS, "run-modes"),
    ("lb", "services", "8443", "https", None, API_ACCESS, "run-modes"),
    ("prometheus", "prometheus", "9093", "http", None, "Alert Manager", "run-modes"),
    (
        "engine",
        "prometheus",
        "9091",
        "http",
        None,
        "Pushgateway for Prometheus for Engine Toolkit metrics",
        "run-modes",
    ),
    ("engine", "storage", "30051,30551", "http", None, "File storage and logging", "run-modes"),
    ("engine", "engine", "9580", "http", None, "Progress updates", "run-modes"),
    ("prometheus", "db", "9187", "http", None, "metrics", "run-modes"),
    ("prometheus", "registry", "9111", "http", None, "metrics", "run-modes"),
    ("prometheus", "controller", "8001", "http", None, "metrics, pprof", "run-modes"),
]

# Run Mode | Port | Protocol | condition | Description
EXPOSED = [
    (
        "lb",
        "8443",
        "https",
        None,
        (
            "This is the external port that exposes the controller, and any services that are hosted. You can put this "
            "into a Load Balancer for HA. Expose this port to all networks that can have access to aiWARE"
        ),
    ),
    (
        "lb",
        "8080",
        "http",
        None,
        "HTTP variant of port 8443. This port does not work with applications that require secure cookies",
    ),
    (
        "controller",
        "9000",
        "http",
        NO_LB,
        "If no LB node is in the cluster, expose this to the networks you want to have access to aiWARE",
    ),
]


@pytest.fixture(scope="module")
def aiware() -> Matrix:
    return matrix.load(["aiware"])


def ports(service: Service, aiware: Matrix) -> str:
    return str(ports_of(service, {name: variable.default for name, variable in aiware.variables.items()}))


def target(flow: Flow, aiware: Matrix) -> tuple[str, str, str]:
    """The role, the ports of all services together, and the protocols."""
    services = [aiware.services[name] for name in flow.services]
    (role,) = {service.role for service in services}
    joined = ports_of(Service(name="all", role=role, port=",".join(ports(service, aiware) for service in services)), {})
    return role, str(joined), " ".join(dict.fromkeys(service.protocol.value for service in services))


def test_ports(aiware: Matrix) -> None:
    found = [
        (service.role, ports(service, aiware), service.protocol.value, service.help)
        for service in aiware.services.values()
    ]
    assert found == PORTS


def test_connections(aiware: Matrix) -> None:
    found = [
        (*flow.sources, *target(flow, aiware), flow.when, flow.help, flow.cite)
        for flow in aiware.flows
        if flow.sources != ("outside",)
    ]
    assert found == CONNECTIONS


def test_exposed(aiware: Matrix) -> None:
    flows = [flow for flow in aiware.flows if "outside" in flow.sources]
    assert [(*target(flow, aiware), flow.when, flow.help) for flow in flows] == EXPOSED
    assert {(flow.sources, flow.cite) for flow in flows} == {(("outside",), "exposed")}


def test_who_is_who(aiware: Matrix) -> None:
    """ "agent (all modes)", "services (app, api)", "automate (automatestudio)"; 15 run modes in all."""
    assert [name for name, role in aiware.roles.items() if role.every_host] == ["agent"]
    assert {name: role.aliases for name, role in aiware.roles.items() if role.aliases} == {
        "services": ("app", "api"),
        "automate": ("automatestudio",),
    }
    assert set(aiware.roles) == {row[0] for row in PORTS}
    assert len(aiware.roles) == 15


def test_what_the_page_leaves_open(aiware: Matrix) -> None:
    assert {name: variable.default for name, variable in aiware.variables.items()} == {
        "controller_port": 9000,
        "registry_port": 443,
    }
    assert str(ports_of(aiware.services["controller-api"], {"controller_port": 9100})) == "9100"
    assert str(ports_of(aiware.services["registry-docker"], {"registry_port": 5443})) == "5443"


def test_how_much_each_row_asks(aiware: Matrix) -> None:
    """Only of a range whose "Ports [are] randomly generated" may some have no listener; every row is needed."""
    assert [name for name, service in aiware.services.items() if service.listen is not Listen.ALL] == [
        "automate-studio"
    ]
    assert aiware.services["automate-studio"].listen is Listen.SOME
    assert not any(service.local for service in aiware.services.values())
    assert {flow.need for flow in aiware.flows} == {Need.REQUIRED}
    assert {service.cite for service in aiware.services.values()} == {"ports"}
    assert aiware.policy == {Zone.INSIDE: Policy.ADVISE, Zone.OUTSIDE: Policy.ENFORCE}


# What each HTTP service is asked for, and which answers are healthy; from the products' own documents.
REQUESTS = {
    "agent-metrics": ("/metrics", (200,)),
    "services-https": ("/", ()),
    "automate-studio": ("/", ()),
    "controller-api": ("/edge/v1/version", ()),
    "controller-metrics": ("/metrics", (200,)),
    "db-metrics": ("/metrics", (200,)),
    "es-http": ("/", (200, 401)),
    "agent-proxy": ("/", ()),
    "lb-https": ("/", ()),
    "lb-http": ("/", ()),
    "minio-api": ("/minio/health/live", (200,)),
    "nsqd-http": ("/ping", (200,)),
    "nsqlookupd-http": ("/ping", (200,)),
    "prometheus-pushgateway": ("/-/healthy", (200,)),
    "prometheus-alertmanager": ("/-/healthy", (200,)),
    "registry-docker": ("/v2/", (200, 401)),
    "registry-metrics": ("/metrics", ()),
    "storage-server": ("/", ()),
}


def test_what_is_asked(aiware: Matrix) -> None:
    http = [service for service in aiware.services.values() if service.protocol in (Protocol.HTTP, Protocol.HTTPS)]
    assert {service.name: (service.path, service.status) for service in http} == REQUESTS
