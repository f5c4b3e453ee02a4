"""A sweep as nmap would have written it (nmap.dtd, output version 1.05), for ndiff and whatever else reads that.

nmap knows fewer states: what is rejected or unreachable is `filtered` with the reason, as there; what could not be
measured is left out, and the run is marked as failed. As there, states with many ports are counted, not listed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from probe.model.ports import PortSet
from probe.model.words import State, Transport
from probe.report.sweep import inconclusive, ports_in, service
from probe.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from probe.model.swept import Rejection, Swept
    from probe.report.sweep import SweepReport

_OUTPUT_VERSION = "1.05"
# More ports than this in one state, open ones aside, are counted (nmap's default).
MOST_LISTED = 25
_KINDS = {
    (Transport.TCP, "packet"): "syn",
    (Transport.TCP, "connect"): "connect",
    (Transport.UDP, "packet"): "udp",
    (Transport.UDP, "connect"): "udp",
}
_REASONS = {
    (Transport.TCP, State.OPEN): "syn-ack",
    (Transport.TCP, State.CLOSED): "reset",
    (Transport.UDP, State.OPEN): "udp-response",
    (Transport.UDP, State.CLOSED): "port-unreach",
}
# nmap's portreasons.cc has these words for ICMP errors, by family, type and code.
_ICMP_REASONS = {
    (4, 3, 0): "net-unreach",
    (4, 3, 1): "host-unreach",
    (4, 3, 2): "proto-unreach",
    (4, 3, 3): "port-unreach",
    (4, 3, 9): "net-prohibited",
    (4, 3, 10): "host-prohibited",
    (4, 3, 13): "admin-prohibited",
    (4, 11, 0): "time-exceeded",
    (6, 1, 0): "no-route",
    (6, 1, 1): "admin-prohibited",
    (6, 1, 3): "host-unreach",
    (6, 1, 4): "port-unreach",
    (6, 1, 5): "admin-prohibited",
    (6, 1, 6): "reject-route",
    (6, 3, 0): "time-exceeded",
}


def render(report: SweepReport) -> bytes:
    """UTF-8, with the document type that nmap's own readers expect."""
    root = opened(report.words, report.started, report.version)
    kind = _KINDS[report.transport, report.sweeps[0].engine or "packet"]
    ET.SubElement(
        root,
        "scaninfo",
        type=kind,
        protocol=report.transport,
        numservices=str(len(report.ports)),
        services=str(report.ports),
    )
    levels(root)
    for sweep in report.sweeps:
        _host(root, sweep, report)
    _runstats(root, report)
    return document(root)


def opened(words: Iterable[str], started: datetime, version: str) -> ET.Element:
    """The root; `words` are those of the command."""
    return ET.Element(
        "nmaprun",
        scanner="nmap",  # the DTD allows no other
        args=printable(" ".join(("portcheck", *words))),
        start=seconds(started),
        startstr=moment(started),
        version=printable(f"portcheck {version}"),
        xmloutputversion=_OUTPUT_VERSION,
    )


def levels(root: ET.Element) -> None:
    ET.SubElement(root, "verbose", level="0")
    ET.SubElement(root, "debugging", level="0")


def document(root: ET.Element) -> bytes:
    ET.indent(root, space="")
    head = b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE nmaprun>\n'
    body: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=False)
    return head + body + b"\n"


def _host(root: ET.Element, sweep: Swept, report: SweepReport) -> None:
    host = ET.SubElement(root, "host", starttime=seconds(report.started), endtime=seconds(report.finished))
    ET.SubElement(host, "status", state="up", reason="user-set", reason_ttl="0")
    ET.SubElement(host, "address", addr=sweep.address, addrtype="ipv6" if ":" in sweep.address else "ipv4")
    names = ET.SubElement(host, "hostnames")
    if report.name != sweep.address:
        ET.SubElement(names, "hostname", name=printable(report.name), type="user")
    ports = ET.SubElement(host, "ports")
    listed: list[tuple[int, str, str, str]] = []
    for state, found in _states(sweep):
        whys = list(_whys(sweep, state, found))
        if state != State.OPEN and len(found) > MOST_LISTED:
            extra = ET.SubElement(ports, "extraports", state=state, count=str(len(found)))
            for reason, _, some in whys:
                told = {"reason": reason, "count": str(len(some)), "proto": sweep.transport.value, "ports": str(some)}
                ET.SubElement(extra, "extrareasons", told)
        else:
            listed += [(port, state, reason, sender) for reason, sender, some in whys for port in some]
    for port, state, reason, sender in sorted(listed):
        _port(ports, port, sweep.transport, {"state": state, "reason": reason, "reason_ttl": "0"}, sender)


def _port(ports: ET.Element, port: int, transport: Transport, state: dict[str, str], sender: str) -> None:
    element = ET.SubElement(ports, "port", protocol=transport, portid=str(port))
    ET.SubElement(element, "state", state | ({"reason_ip": sender} if sender else {}))
    known = service(port, transport)
    if known:
        ET.SubElement(element, "service", name=printable(known), method="table", conf="3")


def _states(sweep: Swept) -> Iterator[tuple[str, PortSet]]:
    """The states that nmap knows, each with its ports."""
    for state in (State.OPEN, State.CLOSED, State.OPEN_FILTERED):
        if found := ports_in(sweep, state):
            yield state.value, found
    kept_off = (State.FILTERED, State.REJECTED, State.UNREACHABLE)
    if found := PortSet(span for state in kept_off for span in ports_in(sweep, state).ranges):
        yield State.FILTERED.value, found


def _whys(sweep: Swept, state: str, found: PortSet) -> Iterator[tuple[str, str, PortSet]]:
    """The reasons for which these are in that state, with who sent the error and for which of them."""
    known = _REASONS.get((sweep.transport, State(state)))
    if known:
        yield "conn-refused" if known == "reset" and sweep.engine == "connect" else known, "", found
        return
    left = found
    for told in sweep.rejections if state == State.FILTERED else ():
        if theirs := left & PortSet.parse(told.ports):
            yield _reason(told), told.sender, theirs
            left -= theirs
    silent = left if state != State.FILTERED else left & ports_in(sweep, State.FILTERED)
    if silent:
        yield "no-response", "", silent
    if left := left - silent:
        yield "host-unreach", "", left


def _reason(told: Rejection) -> str:
    if not told.sender:
        return "perm-denied"
    return _ICMP_REASONS.get((6 if ":" in told.sender else 4, told.type, told.code), "dest-unreach")


def _runstats(root: ET.Element, report: SweepReport) -> None:
    stats = ET.SubElement(root, "runstats")
    elapsed = f"{(report.finished - report.started).total_seconds():.2f}"
    whole = not (report.interrupted or inconclusive(report))
    hosts = f"{len(report.sweeps)} IP address{'es' if len(report.sweeps) > 1 else ''}"
    finished = {
        "time": seconds(report.finished),
        "timestr": moment(report.finished),
        "summary": f"portcheck done at {moment(report.finished)}; {hosts} scanned in {elapsed} seconds",
        "elapsed": elapsed,
        "exit": "success" if whole else "error",
    }
    if not whole:
        problems = {sweep.problem for sweep in report.sweeps if sweep.problem} or {"some ports could not be measured"}
        finished["errormsg"] = "interrupted" if report.interrupted else printable("; ".join(sorted(problems)))
    ET.SubElement(stats, "finished", finished)
    up = str(len(report.sweeps))
    ET.SubElement(stats, "hosts", up=up, down="0", total=up)


def seconds(when: datetime) -> str:
    return str(int(when.timestamp()))


def moment(when: datetime) -> str:
    return f"{when:%a %b %d %H:%M:%S %Y}"
