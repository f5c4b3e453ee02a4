"""Every key of the language, and what it becomes in the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from probe.model import dialogue
from probe.model.conditions import Condition
from probe.model.dialogue import Dialogue, Id, Known, Pattern, Secure, Send
from probe.model.http import HttpDemand, Method
from probe.model.matrix import Flow, Matrix, Profile, Role, Scope, Service, Source, Variable
from probe.model.secret import SecretSource
from probe.model.tls import TlsDemand
from probe.model.words import (
    During,
    Enough,
    Expect,
    Family,
    Hosts,
    Listen,
    Need,
    Policy,
    Severity,
    VariableType,
    Zone,
)
from probe.spec import matrix
from probe.spec.matrix.grammar import MATRIX
from probe.spec.matrix.named import read
from probe.spec.matrix.plainly import plainly
from probe.spec.matrix.rows import OffOr, Row, Rows, Table, TrueOr

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERYTHING = """\
portcheck: 1
name: shop
title: The shop
sources:
  doc: {title: Ports, url: "https://example.com/ports"}
variables:
  api_port: {default: 9000, help: the API}
  one: {type: port, default: random}
  tls: {default: true}
  overlay: {choices: [vxlan, none], default: none}
  gpus: {type: count, default: 0}
  rack: {type: text}
  standby: {type: names, default: [db1, db2]}
  net: {type: addresses, default: 10.0.0.0/8}
  registries: {type: endpoints, default: "a:443,b:443"}
roles:
  agent: {on: every-host, help: everywhere}
  web: {aliases: [www, front.end], includes: db, policy: ignore}
  db:
  partner: {zone: outside, networks: [10.0.0.0/8, "{net}"]}
services:
  api:
    role: [web, db]
    port: ["{api_port}", 8000-8010, "{api_port + 1}-{api_port + gpus + hosts(web)}"]
    protocol: [http, dns/udp]
    path: /health
    status: [200, 204]
    http: {credentials: {bearer: {file: /run/token}}}
    listen: some
    count: "{gpus + 2}"
    address: "{net}"
    when: {all: [tls, {variable: overlay, is: [vxlan, none]}, {target: {role: db}}]}
    severity: critical
    remedy: start it
    help: the API
    cite: doc
  search:
    role: db
    port: 9200
    protocol: http-or-https
    http:
      method: GET
      host: search.example:9200
      headers: {Accept: application/json, X-Tenant: {env: TENANT}, X-Key: {file: /run/key}}
      credentials: {basic: {file: login}}
      body: {text: cluster_name, regex: "green|yellow"}
      redirects: 2
      known_by: "Server: mine"
    tls: {server_name: a.example, name: true, ca: /ca.pem, minimum: 1.2, expiry: {days: 14}, certificate: c, key: k}
  metrics:
    role: db
    port: 9090
    protocol: http
    http: {method: HEAD, credentials: {bearer: {env: TOKEN}}}
  pool: {role: db, port: 6432, protocol: tls, tls: {trust: true, expiry: true}}
  images:
    at: ["a.example.com:443", "{registries}"]
    protocol: https
    http: {credentials: {basic: {env: LOGIN}}}
    unchecked: no way out
  admin: {role: web, port: 8081, bind: local, listen: none}
  ping: {role: web, protocol: icmp/8}
  anything: {role: db, port: unstated}
  greeter:
    role: db
    port: 7
    dialogue:
      - {expect: [{text: 'OK ', regex: '.* up', length: 4}, {hex: 4?, whole: true}], unhealthy: NO, most: 9, within: 2}
      - {starttls: {send: 'TLS <me:2>\\r\\n', expect: <me>, declined: N, within: 3}}
      - {tls: true, within: 0.5}
  shouter:
    role: db
    port: 8
    protocol: udp
    dialogue: [{send: {hex: 01*2 <me:2>}, from-port: 68}, {expect: {hex: <me>}, any-port: true}]
flows:
  - id: to-api
    from: [agent, any]
    to: api
    hosts: other
    scope: {same: rack, different: [overlay, gpus], names: standby, named-by: standby}
    enough: first
    when: {not: {any: [{source: {role: web}}, {family: ipv6}]}}
    during: upgrade
    need: deprecated
    source-port: 1-1023
    unchecked: nobody can
    severity: info
    remedy: ask
    help: why
    cite: doc
  - {between: [web, db], to: [images, anything], expect: block}
  - {from: web, to: [admin, ping], when: {role: db}}
policy: {inside: ignore, outside: advise}
profiles:
  small: {requires: [web], help: the least}
overrides:
  flows:
    shop:flows[2]: {need: optional}
    flows[1]: off
  services:
    ping: {severity: low}
"""

TEXT = Variable(name="rack", type=VariableType.TEXT)
VARIABLES = (
    Variable(name="api_port", default=9000, help="the API"),
    Variable(name="one", type=VariableType.PORT, default="random"),
    Variable(name="tls", type=VariableType.BOOLEAN, default=True),
    Variable(name="overlay", type=VariableType.CHOICE, choices=("vxlan", "none"), default="none"),
    Variable(name="gpus", type=VariableType.COUNT, default=0),
    TEXT,
    Variable(name="standby", type=VariableType.NAMES, default=("db1", "db2")),
    Variable(name="net", type=VariableType.ADDRESSES, default="10.0.0.0/8"),
    Variable(name="registries", type=VariableType.ENDPOINTS, default="a:443,b:443"),
)
ROLES = (
    Role(name="agent", every_host=True, help="everywhere"),
    Role(name="web", aliases=("www", "front.end"), includes=("db",), policy=Policy.IGNORE),
    Role(name="db"),
    Role(name="partner", outside=True, networks=("10.0.0.0/8", "{net}")),
)
SERVICES = (
    Service(
        name="api",
        roles=("web", "db"),
        port="{api_port},8000-8010,{api_port + 1}-{api_port + gpus + hosts(web)}",
        protocols=("http", "dns/udp"),
        path="/health",
        status=(200, 204),
        http=HttpDemand(bearer=SecretSource(file="/run/token")),
        listen=Listen.SOME,
        count="{gpus + 2}",
        address="net",
        when=Condition(
            all_of=(
                Condition(variable="tls"),
                Condition(variable="overlay", values=("vxlan", "none")),
                Condition(target=Condition(role="db")),
            )
        ),
        severity=Severity.CRITICAL,
        remedy="start it",
        help="the API",
        cite="doc",
        matrix="shop",
    ),
    Service(
        name="search",
        roles=("db",),
        port="9200",
        protocols=("http-or-https",),
        http=HttpDemand(
            host="search.example:9200",
            headers=(
                ("Accept", "application/json"),
                ("X-Tenant", SecretSource(env="TENANT")),
                ("X-Key", SecretSource(file="/run/key")),
            ),
            basic=SecretSource(file="login"),
            text="cluster_name",
            regex="green|yellow",
            redirects=2,
            known_by="Server: mine",
        ),
        tls=TlsDemand(
            server_name="a.example",
            name=True,
            trust=True,
            ca="/ca.pem",
            minimum="1.2",
            days=14,
            certificate="c",
            key="k",
        ),
        matrix="shop",
    ),
    Service(
        name="metrics",
        roles=("db",),
        port="9090",
        protocols=("http",),
        http=HttpDemand(method=Method.HEAD, bearer=SecretSource(env="TOKEN")),
        matrix="shop",
    ),
    Service(
        name="pool",
        roles=("db",),
        port="6432",
        protocols=("tls",),
        tls=TlsDemand(trust=True, days=0),
        matrix="shop",
    ),
    Service(
        name="images",
        at=("a.example.com:443", "{registries}"),
        protocols=("https",),
        http=HttpDemand(basic=SecretSource(env="LOGIN")),
        unchecked="no way out",
        matrix="shop",
    ),
    Service(name="admin", roles=("web",), port="8081", local=True, listen=Listen.NONE, matrix="shop"),
    Service(name="ping", roles=("web",), protocols=("icmp/8",), severity=Severity.LOW, matrix="shop"),
    Service(name="anything", roles=("db",), port="unstated", matrix="shop"),
    Service(
        name="greeter",
        roles=("db",),
        port="7",
        dialogue=Dialogue(
            steps=(
                dialogue.Expect(
                    patterns=(
                        Pattern(start=(Known(b"OK "),), expression=(Known(b".* up"),), least=4),
                        Pattern(start=(Known(b"@", b"\xf0"),), whole=True),
                    ),
                    unhealthy=(Pattern(start=(Known(b"NO"),)),),
                    most=9,
                    within=2.0,
                ),
                Secure(
                    ask=(Known(b"TLS "), Id("me", 2, True), Known(b"\r\n")),
                    yes=(Pattern(start=(Id("me", 2, True),)),),
                    no=(Pattern(start=(Known(b"N"),)),),
                    within=3.0,
                ),
                Secure(within=0.5),
            )
        ),
        matrix="shop",
    ),
    Service(
        name="shouter",
        roles=("db",),
        port="8",
        protocols=("udp",),
        dialogue=Dialogue(
            steps=(Send((Known(b"\1\1"), Id("me", 2))), dialogue.Expect(patterns=(Pattern(start=(Id("me", 2),)),))),
            source_port=68,
            any_port=True,
        ),
        matrix="shop",
    ),
)
FLOWS = (
    Flow(
        rule="to-api",
        sources=("agent", "any"),
        services=("api",),
        hosts=Hosts.OTHER,
        scope=Scope(same=("rack",), different=("overlay", "gpus"), names=("standby",), named_by=("standby",)),
        enough=Enough.FIRST,
        when=Condition(
            negated=Condition(any_of=(Condition(source=Condition(role="web")), Condition(family=Family.IPV6)))
        ),
        during=During.UPGRADE,
        need=Need.DEPRECATED,
        source_port="1-1023",
        unchecked="nobody can",
        severity=Severity.INFO,
        remedy="ask",
        help="why",
        cite="doc",
        matrix="shop",
    ),
    Flow(
        rule="flows[2]",
        sources=("web",),
        services=("admin", "ping"),
        when=Condition(role="db"),
        need=Need.OPTIONAL,
        matrix="shop",
    ),
)
SWITCHED_OFF = Flow(
    rule="flows[1]",
    sources=("web", "db"),
    services=("images", "anything"),
    between=True,
    expect=Expect.BLOCK,
    matrix="shop",
)


def test_what_it_becomes() -> None:
    assert matrix.load_text(EVERYTHING) == Matrix(
        names=("shop",),
        title="The shop",
        sources={"doc": Source(key="doc", title="Ports", url="https://example.com/ports")},
        variables={variable.name: variable for variable in VARIABLES},
        roles={role.name: role for role in ROLES},
        services={service.name: service for service in SERVICES},
        flows=FLOWS,
        policy={Zone.INSIDE: Policy.IGNORE, Zone.OUTSIDE: Policy.ADVISE},
        profiles={"small": Profile(name="small", requires=("web",), help="the least")},
    )


def test_a_dialogue_in_plain_words_is_the_same() -> None:
    for service in matrix.load_text(EVERYTHING).services.values():
        if service.dialogue is not None:
            assert read(plainly(service.dialogue)) == service.dialogue


def test_what_is_overridden() -> None:
    text = EVERYTHING.partition("overrides:")[0]
    found = matrix.load_text(text)
    assert found.flows[1] == SWITCHED_OFF
    assert found.flows[2].need is Need.REQUIRED
    assert found.services["ping"].severity is None


def test_files_count_from_the_folder_of_the_matrix() -> None:
    found = matrix.load_text(EVERYTHING, "site/shop.yaml").services["search"]
    assert found.http is not None
    assert found.tls is not None
    assert found.http.basic == SecretSource(file="site/login")
    assert (found.tls.ca, found.tls.certificate, found.tls.key) == ("/ca.pem", "site/c", "site/k")


def keys_written(value: Any, kind: object, path: str = "") -> Iterator[str]:
    """Every key of the grammar that a text has."""
    if isinstance(kind, (OffOr, TrueOr)):
        kind = kind.row
    if isinstance(kind, Row) and isinstance(value, dict):
        for key, inner in value.items():
            yield f"{path}{key}"
            yield from keys_written(inner, kind.keys[key].kind, f"{path}{key}.")
    elif isinstance(kind, (Table, Rows)):
        for inner in value.values() if isinstance(kind, Table) else value:
            yield from keys_written(inner, kind.row, path)


def keys_known(kind: object, path: str = "") -> Iterator[str]:
    if isinstance(kind, (OffOr, Table, TrueOr, Rows)):
        yield from keys_known(kind.row, path)
    elif isinstance(kind, Row):
        for key, inner in kind.keys.items():
            yield f"{path}{key}"
            yield from keys_known(inner.kind, f"{path}{key}.")


def test_no_key_is_forgotten_here() -> None:
    """What may be overridden has the keys of its row, which the rows above have."""
    written = set(keys_written(YAML(typ="safe", pure=True).load(EVERYTHING), MATRIX))
    known = set(keys_known(MATRIX))
    assert len(known) > 90
    assert {key for key in known - written if not key.startswith(("overrides.flows.", "overrides.services."))} == set()
