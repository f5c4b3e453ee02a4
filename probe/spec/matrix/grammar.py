"""The keys of a matrix, version 1, as data: the reader walks it, the schema is printed from it."""

from __future__ import annotations

from probe.model.matrix import EVERYBODY
from probe.model.words import (
    During,
    Enough,
    Expect,
    Hosts,
    Listen,
    Need,
    Policy,
    Severity,
    VariableType,
)
from probe.spec.matrix.asked import HTTP, TLS
from probe.spec.matrix.dialogue import Steps
from probe.spec.matrix.kinds import NAME, VARIABLE, OneOrMany, Text, Whole, Word, name
from probe.spec.matrix.rows import Key, OffOr, Row, Rows, Table
from probe.spec.matrix.terms import PORT_FORMS, Count, Default, Ports, Spoken, Variable
from probe.spec.matrix.when import When

VERSION = 1

HELP = Text("a sentence")
CITE = name("the key of a source")
ROLE = name("the name of a role")
VARIABLE_NAME = Text("the name of a variable", VARIABLE, "use letters, digits and '_', and no digit first")
SEVERITY = Key(Word.of("severity", Severity), "how bad it is if it fails: critical, high, medium, low, info")
REMEDY = Key(HELP, "what to do if it fails, shown with the finding")
UNCHECKED = Key(
    Text("the reason"), "why portcheck cannot ask: the row is carried through plan and report with this reason"
)
# Enough for every text of an endpoint or a network; what it means is seen where its variables have values.
_ITEM = r"[A-Za-z0-9_.:*/{}\[\] -]{1,300}"

SOURCE = Row(
    "a source",
    {
        "title": Key(Text("a title"), "the document or the table that rows cite"),
        "url": Key(Text("a URL", r"https?://[^\s]+", "a URL begins with http:// or https://"), "where to read it"),
    },
)

VARIABLE_ROW = Row(
    "a variable",
    {
        "type": Key(
            Word.of("type", VariableType),
            "port, ports, count, boolean, choice, text, names, addresses or endpoints; where it is not said: boolean "
            "for a default of true or false, choice with choices, else ports",
        ),
        "default": Key(
            Default(), "the value where neither --set nor the inventory gives one; without it the variable must be set"
        ),
        "choices": Key(OneOrMany(name("a choice"), single=False), "the values that it may have, for type choice"),
        "help": Key(HELP, "what it is"),
    },
    instead="write {default: 9000}",
)

ROLE_ROW = Row(
    "a role",
    {
        "on": Key(Word("place", ("every-host",)), "every-host: all hosts inside have this role without being told"),
        "aliases": Key(OneOrMany(name("the name of a group")), "other names that inventories use for it"),
        "includes": Key(OneOrMany(ROLE), "roles that its hosts have too"),
        "zone": Key(Word("zone", ("outside",)), "outside: a party that is not part of the instance"),
        "networks": Key(
            OneOrMany(Text("a network", _ITEM, 'write 10.0.0.0/8, 2001:db8::/32 or "{variable}"')),
            "hosts outside with an address in one of these networks have the role without being told",
        ),
        "policy": Key(
            Word.of("policy", Policy), "what is open on its hosts, and allowed by no flow, is worth, whatever the zone"
        ),
        "help": Key(HELP, "what hosts of this role are there for"),
    },
)

SERVICE = Row(
    "a service",
    {
        "role": Key(OneOrMany(ROLE), "the role or roles whose hosts it runs on; needed, but for a service with at"),
        "port": Key(Ports(), PORT_FORMS + "; needed, but for protocols without ports"),
        "protocol": Key(OneOrMany(Spoken()), "what is spoken there; tcp where it is not said"),
        "path": Key(
            Text("a path", r"/[!-~]{0,1023}", "a path begins with / and has no spaces"),
            "in HTTP: what is asked for; / where it is not said",
        ),
        "status": Key(
            OneOrMany(Whole("an HTTP status", 100, 599)),
            "in HTTP: the status or statuses that a healthy service answers with",
        ),
        "http": Key(HTTP, "how it is asked in HTTP, beside path and status"),
        "tls": Key(TLS, "what is demanded of its TLS; nothing where it is not said"),
        "listen": Key(
            Word.of("listen", Listen),
            "what has a listener once it runs: all of the ports (where it is not said), some, those of the active "
            "member of the role alone, once (it ends after one connection), none",
        ),
        "count": Key(Count(), "with listen: some, how many of the ports are in use at a time"),
        "bind": Key(Word("bind", ("local",)), "local: it must not be reachable from another host"),
        "address": Key(
            Variable(VARIABLE), 'the address of its host on which it listens: "{variable}", of type addresses'
        ),
        "at": Key(
            OneOrMany(Text("an endpoint", _ITEM, 'write name:443, 192.0.2.1:443 or "{variable}"')),
            "where it is reached, if not at its hosts: a floating address, a balancer, a mapped port; without role, a "
            "party outside the inventory",
        ),
        "when": Key(When(), "the condition under which the service is there"),
        "dialogue": Key(Steps(), "how it is asked, step by step, over tcp or udp; for a protocol that has no name"),
        "unchecked": UNCHECKED,
        "severity": SEVERITY,
        "remedy": REMEDY,
        "help": Key(HELP, "what it is for, in the document's words"),
        "cite": Key(CITE, "the source that says so"),
    },
    gotchas={
        "ports": "the key is 'port', for one port and for several",
        "roles": "the key is 'role', for one role and for several",
        "protocols": "the key is 'protocol', for one protocol and for several",
        "transport": "the key is 'protocol': tcp, udp, http, https or the protocol of an application",
        "headers": "the key stands in http: {headers: …}",
        "method": "the key stands in http: {method: …}",
        "body": "the key stands in http: {body: {text: …}}",
        "credentials": "the key stands in http: {credentials: …}",
    },
    either=("role", "at"),
)

SCOPE = Row(
    "a scope",
    {
        "same": Key(OneOrMany(VARIABLE_NAME), "variables that have the same value on source and target"),
        "different": Key(OneOrMany(VARIABLE_NAME), "variables that have another value on source and target"),
        "names": Key(OneOrMany(VARIABLE_NAME), "the source's variable that names the target"),
        "named-by": Key(OneOrMany(VARIABLE_NAME), "the target's variable that names the source"),
    },
    instead="write {same: rack}",
    either=("same", "different", "names", "named-by"),
)

FLOW = Row(
    "a flow",
    {
        "id": Key(name("an id"), "its name in reports, and for overrides; flows[N] where it has none"),
        "from": Key(
            OneOrMany(name("a role, every-host, outside or any")),
            "who connects: roles, every-host, outside, any; needed, but where between stands",
        ),
        "between": Key(
            OneOrMany(ROLE, single=False),
            "instead of from: hosts of each of these roles, to the services on hosts of the others",
        ),
        "to": Key(OneOrMany(name("the name of a service")), "the services that it connects to", required=True),
        "hosts": Key(
            Word.of("hosts", Hosts),
            "which pairs: any (where it is not said), other (each to every other), same (each to itself, over its own "
            "address)",
        ),
        "scope": Key(SCOPE, "which pairs, by their variables"),
        "enough": Key(
            Word.of("enough", Enough),
            "how many of the ways must be free for a source: all (where it is not said), one, first (the first that "
            "works)",
        ),
        "expect": Key(
            Word.of("expect", Expect), "reach (where it is not said), or block: it must never be reachable from there"
        ),
        "when": Key(When(), "the condition under which the flow is there"),
        "during": Key(Word.of("during", During), "it is needed only then: installation, joining, transfer, upgrade"),
        "need": Key(
            Word.of("need", Need),
            "required (where it is not said) fails a run; recommended, optional and deprecated are reported",
        ),
        "source-port": Key(
            Ports(variables=False), "the ports from which the source sends, where that is not any: 123, 1-1023"
        ),
        "unchecked": UNCHECKED,
        "severity": SEVERITY,
        "remedy": REMEDY,
        "help": Key(HELP, "what the connection is for, in the document's words"),
        "cite": Key(CITE, "the source that says so"),
    },
    gotchas={
        "port": "a flow has no ports: they stand at the service that it leads to",
        "ports": "a flow has no ports: they stand at the service that it leads to",
        "protocol": "a flow has no protocol: it stands at the service that it leads to",
        "mesh": "for each to every other write hosts: other",
    },
    instead="write {from: a role, to: a service}",
    either=("from", "between"),
)

# What a second file may change in a row of the first.
_ANEW = "switch it off here, and write the row anew under another name"
FLOW_CHANGES = ("hosts", "scope", "enough", "when", "during", "need", "unchecked", "severity", "remedy", "help")
SERVICE_CHANGES = (
    "port", "protocol", "path", "status", "http", "tls", "dialogue", "listen", "at", "when", "unchecked", "severity",
    "remedy", "help",
)  # fmt: skip
OVERRIDES = Row(
    "the overrides",
    {
        "flows": Key(
            Table(
                "flows",
                OffOr(
                    Row(
                        "a change of a flow",
                        {key: FLOW.keys[key] for key in FLOW_CHANGES},
                        gotchas=dict.fromkeys(("from", "between", "to", "expect"), _ANEW),
                    )
                ),
                rf"(?:{NAME}:)?(?:flows\[[0-9]{{1,5}}\]|{NAME})",
                "write the id of a flow, or matrix:flows[3]",
            ),
            "by the id of a flow, or matrix:flows[3]: off, or the keys to change",
        ),
        "services": Key(
            Table(
                "services",
                OffOr(
                    Row(
                        "a change of a service",
                        {key: SERVICE.keys[key] for key in SERVICE_CHANGES},
                        gotchas=dict.fromkeys(("role", "bind", "address"), _ANEW),
                    )
                ),
            ),
            "by the name of a service: off, or the keys to change",
        ),
    },
)

POLICY = Row(
    "the policy",
    {
        "inside": Key(
            Word.of("policy", Policy), "open, but allowed by no flow, between hosts inside; advise where it is not said"
        ),
        "outside": Key(Word.of("policy", Policy), "the same from hosts outside; enforce where it is not said"),
    },
)

PROFILE = Row(
    "a profile",
    {
        "requires": Key(
            OneOrMany(ROLE, single=False), "the roles without which the profile is not complete", required=True
        ),
        "help": Key(HELP, "what it is"),
    },
)

MATRIX = Row(
    "a matrix",
    {
        "portcheck": Key(
            Whole("a version of the language", VERSION, VERSION), "the version of the language: 1", required=True
        ),
        "name": Key(name("a name"), "the name in reports", required=True),
        "title": Key(Text("a title"), "the name for people"),
        "sources": Key(Table("sources", SOURCE), "the documents, or tables of one, that rows cite"),
        "variables": Key(
            Table("variables", VARIABLE_ROW, VARIABLE, "use letters, digits and '_', at most 64, and no digit first"),
            "what the person who installs may change",
        ),
        "roles": Key(
            Table("roles", ROLE_ROW, reserved=(*EVERYBODY, "inside", "all")),
            "what hosts are there for; groups of the inventory",
        ),
        "services": Key(Table("services", SERVICE), "what listens"),
        "flows": Key(Rows("flows", FLOW), "who must reach what; everything else is expected to be blocked"),
        "policy": Key(POLICY, "what a port that is open, but allowed by no flow, is worth"),
        "profiles": Key(Table("profiles", PROFILE), "sets of roles that belong together"),
        "overrides": Key(OVERRIDES, "changes of rows that another file of the run has"),
    },
)
