"""The keys of a matrix, version 1, as data: the reader walks it, the schema is printed from it."""

from __future__ import annotations

from probe.model.matrix import EVERY_HOST, OUTSIDE
from probe.model.words import Listen, Need, Policy, Protocol
from probe.spec.matrix.kinds import VARIABLE, OneOrMany, Text, Whole, Word, name
from probe.spec.matrix.rows import Key, Row, Rows, Table
from probe.spec.matrix.terms import PORT_FORMS, Default, Ports, When

VERSION = 1

HELP = Text("a sentence")
CITE = name("the key of a source")
ROLE = name("the name of a role")

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
        "default": Key(
            Default(), "the value where neither --set nor the inventory gives one; without it the variable must be set"
        ),
        "help": Key(HELP, "what it is"),
    },
    instead="write {default: 9000}",
)

ROLE_ROW = Row(
    "a role",
    {
        "on": Key(Word("place", (EVERY_HOST,)), "every-host: all hosts inside have this role without being told"),
        "aliases": Key(OneOrMany(name("the name of a group")), "other names that inventories use for it"),
        "help": Key(HELP, "what hosts of this role are there for"),
    },
)

SERVICE = Row(
    "a service",
    {
        "role": Key(ROLE, "the role whose hosts it runs on", required=True),
        "port": Key(Ports(), PORT_FORMS, required=True),
        "protocol": Key(
            Word.of("protocol", Protocol, "for a protocol of its own write tcp or udp"),
            "what is spoken there; tcp where it is not said",
        ),
        "path": Key(
            Text("a path", r"/[!-~]{0,1023}", "a path begins with / and has no spaces"),
            "http and https: what is asked for; / where it is not said",
        ),
        "status": Key(
            OneOrMany(Whole("an HTTP status", 100, 599)),
            "http and https: the status or statuses that a healthy service answers with",
        ),
        "listen": Key(
            Word.of("listen", Listen),
            "how many of the ports have a listener once it runs: all (where it is not said), some, none",
        ),
        "bind": Key(Word("bind", ("local",)), "local: it must not be reachable from another host"),
        "help": Key(HELP, "what it is for, in the document's words"),
        "cite": Key(CITE, "the source that says so"),
    },
    gotchas={
        "ports": "the key is 'port', for one port and for several",
        "roles": "a service belongs to one role: write one service for each",
        "transport": "the key is 'protocol': tcp, udp, http or https",
    },
)

FLOW = Row(
    "a flow",
    {
        "from": Key(
            OneOrMany(name("a role, every-host or outside")), "who connects: roles, every-host, outside", required=True
        ),
        "to": Key(OneOrMany(name("the name of a service")), "the services that it connects to", required=True),
        "when": Key(When(), "the condition under which the flow is there"),
        "need": Key(
            Word.of("need", Need), "required (where it is not said) fails a run; recommended and optional are reported"
        ),
        "help": Key(HELP, "what the connection is for, in the document's words"),
        "cite": Key(CITE, "the source that says so"),
    },
    gotchas={
        "port": "a flow has no ports: they stand at the service that it leads to",
        "ports": "a flow has no ports: they stand at the service that it leads to",
        "protocol": "a flow has no protocol: it stands at the service that it leads to",
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
            Table("roles", ROLE_ROW, reserved=(EVERY_HOST, OUTSIDE, "inside", "all")),
            "what hosts are there for; groups of the inventory",
        ),
        "services": Key(Table("services", SERVICE), "what listens"),
        "flows": Key(Rows("flows", FLOW), "who must reach what; everything else is expected to be blocked"),
        "policy": Key(POLICY, "what a port that is open, but allowed by no flow, is worth"),
        "profiles": Key(Table("profiles", PROFILE), "sets of roles that belong together"),
    },
)
