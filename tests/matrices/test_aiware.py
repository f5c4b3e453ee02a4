"""The rows of "Ports required by aiWARE run modes", and what the controller page adds, copied by hand with their words
from the pages, beside those of the matrix. What they come to on hosts is in test_aiware_plan.py.

Nothing here is derived from the YAML: a row that is lost, added or changed there fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from probe.model.conditions import Condition
from probe.model.expand import UnknownPorts, expand
from probe.model.ports import PortSet
from probe.model.variables import Values
from probe.model.words import Listen, Need, Policy, Zone
from probe.spec import matrix
from probe.spec.matrix.named import web

if TYPE_CHECKING:
    from probe.model.matrix import Flow, Matrix, Service

LB = Condition(role="lb")
NO_LB = Condition(negated=LB)
QUEUE = "Message queuing for AI Data and AI Processing services and Applications."
NFS = "Shared storage via NFS. Particularly /cache and /cache/N where {} is a NFS partition number."
THROUGH_LB = "If aiWARE instance has an LB/Services run mode, then all connections to controller are through LB"
BEHIND_LB = "Controllers are stateless API services, typically deployed behind a load balancer."
WORK = (
    "The engines will query the controller for work. Engines report back status and progress on processing to the "
    "controller via HTTP POST."
)
API_ACCESS = "aiWARE Data uses LB for API access to aiWARE Data and other services."

# Run Mode | Port | Protocol | Description. The nsq row ("4150, 4151, 4160, 4161 | HTTP, TCP") is four: what speaks HTTP
# there and what does not. Where a row says TCP and portcheck knows what its product speaks, that is the protocol.
PORTS = [
    ("agent", "8000", "http", "Prometheus metrics collection."),
    ("services", "8443", "https", "Load balancer (LB) manages the communication to applications and APIs."),
    ("automate", "5000-6000", "http", "Proxies connections to Automate Studio. Ports randomly generated."),
    ("controller", "9000", "http", "The API that nodes use for status, monitoring, alerting, and updates."),
    ("controller", "8001", "http", "Prometheus metrics and performance collection."),
    ("db", "5432", "postgresql", "PostgreSQL database for AI Data and AI Processing persistent data."),
    ("db", "9187", "http", "Prometheus metrics collection."),
    ("es", "9200", "http", "Elastic search (ES) index of persistent data. Application search indexes."),
    ("engine", "9580", "http", "Progress updates from engines to the agent proxy."),
    ("lb", "8443", "https", "Load balancer that manages communication with applications and APIs"),
    ("lb", "8080", "http", "Load balancer for applications and APIs that do not require SSL"),
    ("minio", "10000", "http", "Persistent storage of imported and processed content. Application object storage."),
    ("nfs", "2049", "nfs", NFS.format("N")),
    ("nsq", "4150", "nsqd", QUEUE),
    ("nsq", "4151", "http", QUEUE),
    ("nsq", "4160", "nsqlookupd", QUEUE),
    ("nsq", "4161", "http", QUEUE),
    ("prometheus", "9090", "tcp", "Prometheus metrics collection."),
    ("prometheus", "9091", "http", "Pushgateway for metrics collection."),
    ("prometheus", "9093", "http", "Alert Manager."),
    (
        "redis",
        "6379",
        "redis",
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
    (
        "agent",
        "elsewhere",
        "",
        "tcp",
        None,
        (
            "Used for pulling Docker images. The agent attempts the following registry servers: Registry nodes, "
            "registry central, specified registry on the service or engine."
        ),
        "agent",
    ),
    ("agent", "nfs", "2049", "nfs", None, NFS.format("'N'"), "agent"),
    ("agent", "storage", "30051,30551", "http", None, "Used for file storage", "agent"),
    # "LB (agent) | 8443", which is two connections: to the LB, and from there to the controller, as the controller page
    # says it.
    ("agent", "lb", "8443", "https", LB, THROUGH_LB, "to-controller"),
    ("lb", "controller", "9000", "http", None, BEHIND_LB, "controllers"),
    (
        "controller",
        "automate",
        "5000-6000",
        "http",
        None,
        "Used for proxying HTTP connections to Automate Studio.",
        "run-modes",
    ),
    ("controller", "redis", "6379", "redis", None, "Used for Redis.", "run-modes"),
    ("controller", "nsq", "4150-4151,4160-4161", "nsqd http nsqlookupd", None, "Used for queuing", "run-modes"),
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
        "redis",
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
        "postgresql",
        None,
        "aiWARE Data uses separate databases to persist information. Services/applications can use DB as well.",
        "run-modes",
    ),
    (
        "services",
        "nsq",
        "4150-4151,4160-4161",
        "nsqd http nsqlookupd",
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


# The controller page: source | target | port | protocol | condition | its words | section. The port to the database is
# the one of the table's row for db; that to the agent of an engine it does not say.
CONTROLLER = [
    (
        "controller",
        "db",
        "5432",
        "postgresql",
        None,
        "Upon launch, the controller establishes a read and write connection to the database.",
        "database",
    ),
    ("engine", "controller", "9000", "http", NO_LB, WORK, "jobs"),
    ("engine", "lb", "8443", "https", LB, WORK, "jobs"),
    (
        "controller",
        "engine",
        "unstated",
        "tcp",
        None,
        (
            "The controller sends a message to the engine agent running on the server, which in turn launches an "
            "engine instance with a Docker run command."
        ),
        "engines",
    ),
    ("controller", "elsewhere", "", "tcp", None, "Communicate with external services", "controllers"),
]


@pytest.fixture(scope="module")
def aiware() -> Matrix:
    return matrix.load(["aiware"])


def ports(text: str, aiware: Matrix, **given: str) -> str:
    """What a port text comes to without an inventory."""
    values = Values(aiware.variables, given=given, inventory={}, origins={}, hosts={})
    try:
        return str(expand(text, values)) if text else ""
    except UnknownPorts as error:
        return "unstated" if "does not say" in str(error) else str(error)


def target(flow: Flow, aiware: Matrix) -> tuple[str, str, str]:
    """The role, the ports of all services together, and the protocols."""
    services = [aiware.services[name] for name in flow.services]
    ((role,),) = {service.roles or ("elsewhere",) for service in services}
    joined = ",".join(ports(service.port, aiware) for service in services)
    known = str(PortSet.parse(joined)) if joined[:1].isdigit() else joined
    return role, known, " ".join(dict.fromkeys(word for service in services for word in on_the_page(service)))


def on_the_page(service: Service) -> tuple[str, ...]:
    """What is spoken, as the page has it: HTTP, whatever the service."""
    return tuple("http" if word.endswith("/http") else word for word in service.protocols)


def test_ports(aiware: Matrix) -> None:
    found = [
        (*service.roles, ports(service.port, aiware), *on_the_page(service), service.help)
        for service in aiware.services.values()
        if service.cite == "ports"
    ]
    assert found == PORTS


def test_connections(aiware: Matrix) -> None:
    found = [
        (*flow.sources, *target(flow, aiware), flow.when, flow.help, flow.cite)
        for flow in aiware.flows
        if flow.sources != ("outside",)
    ]
    assert found == CONNECTIONS + CONTROLLER


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


def test_what_the_pages_leave_open(aiware: Matrix) -> None:
    assert {name: variable.default for name, variable in aiware.variables.items()} == {
        "controller_port": 9000,
        "registry_port": 443,
        "agent_port": "unstated",
        "other_registries": (),
        "external_services": (),
    }
    assert ports(aiware.services["controller-api"].port, aiware, controller_port="9100") == "9100"
    assert ports(aiware.services["registry-docker"].port, aiware, registry_port="5443") == "5443"
    assert ports(aiware.services["agent-control"].port, aiware, agent_port="9600") == "9600"


def test_how_much_each_row_asks(aiware: Matrix) -> None:
    """Only of a range whose "Ports [are] randomly generated" may some have no listener; every row is needed."""
    assert [name for name, service in aiware.services.items() if service.listen is not Listen.ALL] == [
        "automate-studio"
    ]
    assert aiware.services["automate-studio"].listen is Listen.SOME
    assert not any(service.local for service in aiware.services.values())
    assert {flow.need for flow in aiware.flows} == {Need.REQUIRED}
    assert aiware.policy == {Zone.INSIDE: Policy.ADVISE, Zone.OUTSIDE: Policy.ENFORCE}


def test_each_row_has_a_name_of_its_own(aiware: Matrix) -> None:
    names = [flow.rule for flow in aiware.flows]
    assert len(set(names)) == len(names)
    assert not [name for name in names if name.startswith("flows[")]


# What each HTTP service is asked for, and which answers are healthy; from the products' own documents.
REQUESTS = {
    "agent-metrics": ("/metrics", (200,)),
    "services-https": ("/", ()),
    "automate-studio": ("/", ()),
    "controller-api": ("/edge/v1/version", (200,)),
    "controller-metrics": ("/metrics", (200,)),
    "db-metrics": ("/metrics", (200,)),
    "es-http": ("/", (200, 401, 403)),
    "agent-proxy": ("/", ()),
    "lb-https": ("/", ()),
    "lb-http": ("/", ()),
    "minio-api": ("/minio/health/live", (200,)),
    "nsqd-http": ("/ping", (200, 500)),
    "nsqlookupd-http": ("/ping", (200,)),
    "prometheus-pushgateway": ("/api/v1/status", (200,)),
    "prometheus-alertmanager": ("/api/v2/status", (200,)),
    "registry-docker": ("/v2/", (200, 401)),
    "registry-metrics": ("/metrics", ()),
    "storage-server": ("/", ()),
}


def test_what_is_asked(aiware: Matrix) -> None:
    http = [service for service in aiware.services.values() if service.is_http]
    assert {service.name: web(service, service.spoken[0])[:2] for service in http} == REQUESTS
