"""Keys of one row that are missing, or do not go with each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.model.dialogue import Send
from probe.model.ports import PortError
from probe.model.protocols import has_ports
from probe.model.variables import split_endpoint
from probe.model.words import Enough, Expect, Listen, Protocol
from probe.spec.matrix.asked import check_asked
from probe.spec.matrix.named import asked
from probe.spec.matrix.names import BRACED
from probe.spec.matrix.problems import quoted

if TYPE_CHECKING:
    from probe.model.matrix import Flow, Service
    from probe.spec.matrix.document import Document
    from probe.spec.matrix.problems import Place

_Path = tuple[str | int, ...]
_ENDPOINT = 'write name:443, 192.0.2.1:443, [2001:db8::1]:443 or "{variable}"'


def check_service_keys(document: Document, service: Service, path: _Path) -> None:
    """Write down, in the document's problems, what is wrong with the keys at this path. `service` may have others from
    another file.
    """
    for text in service.at:
        if problem := _endpoint(text):
            document.problems.add(document.word((*path, "at"), text), problem, _ENDPOINT)
    # Of a protocol that could not be read nothing is known.
    spoken = (*path, "protocol")
    if not (document.has(*spoken) and document.problems.at(document.value(*spoken).place)):
        _with_protocol(document, service, path)
        _with_ports(document, service, path)
    check_asked(document, service, path)
    if service.local and (service.at or service.address):
        message = "'at' and 'address' do not go with bind: local, which is 127.0.0.1 of its own host"
        document.problems.add(_place(document, path, "bind"), message, "keep one of them")
    if service.count and service.listen is not Listen.SOME:
        hint = "add listen: some, or remove it"
        document.problems.add(_place(document, path, "count"), "'count' goes with listen: some", hint)


def _with_protocol(document: Document, service: Service, path: _Path) -> None:
    shown = ", ".join(service.protocols)
    for key, said, words, fits in (
        ("path", service.path != "/" and "unix" not in service.protocols, "http and https", service.is_http),
        ("status", service.status, "http and https", service.is_http),
        ("http", service.http, "http and https", service.is_http),
        ("tls", service.tls, "https and tls", service.may_be_tls or _begins_tls(service)),
    ):
        if said and not fits:
            message = f"'{key}' is for {words}, not for {shown}"
            document.problems.add(_place(document, path, key), message, "set the protocol, or remove it")
    if service.dialogue is not None:
        _with_dialogue(document, service, path)
    transports = [way.protocol.transport for way in service.spoken if way.protocol is not None]
    if len(transports) > len(set(transports)):
        hint = "keep the one to ask with, or write a service for each"
        if {"http", "https"} <= set(service.protocols):
            hint = "where it may be either, write http-or-https"
        document.problems.add(_place(document, path, "protocol"), f"two of {shown} have one transport", hint)


def _with_dialogue(document: Document, service: Service, path: _Path) -> None:
    """What a dialogue may not say over the transport that it is held over."""
    place, dialogue = _place(document, path, "dialogue"), service.dialogue
    ways = [way.protocol for way in service.spoken]
    if dialogue is None or ways not in ([Protocol.TCP], [Protocol.UDP]):
        message = f"a dialogue is held over TCP or UDP, not over {', '.join(service.protocols)}"
        document.problems.add(place, message, "write protocol: tcp or udp, and a service for each")
        return
    first, udp = dialogue.steps[0], ways == [Protocol.UDP]
    if udp and not isinstance(first, Send):
        document.problems.add(place, "over UDP nobody answers who was not asked", "begin with {send: …}")
    if udp and dialogue.begins_tls:
        document.problems.add(place, "TLS is spoken over TCP", "remove the step")
    for key, said in (("from-port", dialogue.source_port), ("any-port", dialogue.any_port)):
        if said and not udp:
            document.problems.add(place, f"{key!r} is for dialogues over UDP", "remove it")


def _begins_tls(service: Service) -> bool:
    """Whether a step of what it is asked begins TLS."""
    dialogues = [asked(service, way) for way in service.spoken]
    return any(dialogue.begins_tls for dialogue in dialogues if dialogue is not None)


def _with_ports(document: Document, service: Service, path: _Path) -> None:
    """The key counts as there if it is, whatever stands behind it."""
    if not any(has_ports(word) for word in service.protocols):
        if service.port:
            shown = ", ".join(service.protocols)
            message = f"'port' is for protocols that have ports, not for {shown}"
            document.problems.add(_place(document, path, "port"), message, "set the protocol, or remove it")
    elif not service.port and not service.unchecked and not document.has(*path, "port"):
        if not service.at and not document.has(*path, "at"):
            hint = "write 22, 5000-6000, [4150, 4151], random or unstated"
            document.problems.add(document.key(*path), "a service needs the key 'port'", hint)
        for text in service.at:
            if "{" not in text and not _endpoint(text) and split_endpoint(text)[1] is None:
                hint = "write name:443, or give the service a port"
                document.problems.add(document.word((*path, "at"), text), f"{quoted(text)} has no port", hint)


def _place(document: Document, path: _Path, key: str) -> Place:
    """That of the key, or of the row where another file has the key."""
    return document.key(*path, key) if document.has(*path, key) else document.key(*path)


def check_flow_keys(document: Document, flow: Flow, path: _Path) -> None:
    """The same for a flow."""
    if flow.between and document.has(*path, "from"):
        message = "a flow has 'from' or 'between', not both"
        document.problems.add(document.key(*path, "from"), message, "between is for both directions")
    if flow.between and len(flow.sources) < 2:
        place = document.value(*path, "between").place
        document.problems.add(place, "between needs two roles", "within one role write from, and hosts: other")
    if flow.expect is Expect.BLOCK and flow.enough is not Enough.ALL:
        message = f"'enough' is for what must be reached, and {flow.rule} must be blocked"
        document.problems.add(document.key(*path, "enough"), message, "remove it")


def _endpoint(text: str) -> str:
    """What is wrong with it, whatever its variable holds; empty if nothing."""
    if text.count("{") > 1:
        return f"{quoted(text)} has more than one variable"
    try:
        split_endpoint(BRACED.sub("x", text, count=1))
    except PortError as error:
        return str(error)
    except ValueError:
        return f"{quoted(text)} is no endpoint"
    return ""
