"""What is amiss with a service that is there, in sentences: what it said or did not say, and where to look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.model.ends import Answer
from probe.model.judge import tls_complaints
from probe.model.observation import Failure, Holder, Operation
from probe.model.tls import HUNG_UP
from probe.model.words import Cause, Protocol, Verdict

if TYPE_CHECKING:
    from probe.model.judge import Judgement, Situation

_SILENT = {
    Failure.TIMEOUT: "does not answer",
    Failure.CLOSED: "hangs up without an answer",
    Failure.RESET: "hangs up without an answer",
}
_OLD_TLS = "TLS "  # how the complaint of a version begins


def detail(situation: Situation, judgement: Judgement) -> str:
    """In one sentence; empty where the cause says all that is known."""
    seen = situation.seen
    if judgement.verdict is not Verdict.MISMATCH or seen is None:
        return ""
    silence = _SILENT.get(seen.failure) if seen.failure is not None and seen.text != HUNG_UP else None
    match judgement.cause:
        case Cause.TLS:
            return _tls(situation)
        case Cause.UNHEALTHY if silence and seen.status is None:
            return f"{situation.view.by or 'something'} accepts the connection and {silence}"
        case Cause.UNHEALTHY if seen.failure is Failure.UNHEALTHY and seen.status is not None:
            return f"HTTP {seen.status}, and the body has not in it what the matrix demands"
        case Cause.WRONG_SERVICE if silence and situation.view.by:
            return f"{situation.view.by}, which speaks another protocol, listens there"
        case None if silence and situation.view.by:
            return f"{situation.view.by} accepts the connection, but {silence}"
        case _:
            return ""


def advice(situation: Situation, judgement: Judgement) -> str:
    """A template for what to do; empty where there is no better one than that of the cause."""
    seen = situation.seen
    if judgement.verdict is not Verdict.MISMATCH or seen is None:
        return ""
    match judgement.cause:
        case Cause.TLS:
            return _tls_advice(situation)
        case Cause.HTTP_STATUS:
            return _status_advice(situation, seen.status or 0)
        case Cause.UNHEALTHY | None if _stands_before(situation) and (seen.failure in _SILENT or seen.status == 503):
            return "Look into the log of {by} on {target}, and at what it passes connections on to."
        case Cause.UNHEALTHY if seen.failure is Failure.TIMEOUT:
            return "Look at {by} on {target}: it hangs, or has more to do than it can."
        case Cause.UNHEALTHY if seen.failure in _SILENT:
            return "Look into the log of {service} on {target} for why it hangs up: it may serve other sources only, or want a PROXY header first."
        case Cause.UNHEALTHY if seen.status is not None and seen.status != 503:
            return "Look at {service} on {target}, or correct `body` in the matrix."
        case Cause.WRONG_SERVICE if situation.holder is Holder.SPEAKER:
            return "Look into the log of {by} on {target}: it does not answer as {service} should."
        case None if situation.view.by:
            return "Look at {by} on {target}: is it {service}, and is it well?"
        case _:
            return ""


def unanswered(situation: Situation) -> str:
    """A datagram in the service's own protocol, and silence: what that may be."""
    check, ends = situation.check, situation.ends
    if ends is not None and ends.arrived and ends.answered is Answer.NOTHING:
        who = situation.view.by or "what listens there"
        return f"it arrives at {check.target}, and no answer leaves: {who} need not serve {check.source}, or {check.target}'s own rules drop it"
    return f"it was asked in its own protocol and said nothing: it need not serve {check.source}, or the way is shut"


def _stands_before(situation: Situation) -> bool:
    """Whether what listens does so in the place of others, as far as anybody knows."""
    return situation.holder in (Holder.RELAY, Holder.BALANCER)


def asked_in_plain(situation: Situation) -> bool:
    """Whether TLS was no part of the question: then it is the service that wants it."""
    check, seen = situation.check, situation.seen
    wants = seen is not None and seen.operation is Operation.TLS and seen.failure is Failure.BAD_ANSWER
    in_plain = check.protocol is Protocol.HTTP if check.dialogue is None else not check.dialogue.begins_tls
    return wants and in_plain


def _tls(situation: Situation) -> str:
    if found := tls_complaints(situation):
        return "; ".join(found)
    seen = situation.seen
    if seen is None:
        return ""
    if asked_in_plain(situation):
        return seen.text
    if seen.text:
        return f"no TLS session came of it: {seen.text}"
    if seen.failure in _SILENT:
        return f"{situation.view.by or 'something'} accepts the connection, and no TLS comes of it: it {_SILENT[seen.failure]}"
    return "it declines TLS, which the matrix demands" if _declined(situation) else ""


def _declined(situation: Situation) -> bool:
    return situation.seen is not None and situation.seen.failure is None and situation.seen.tls is None


def _tls_advice(situation: Situation) -> str:
    if asked_in_plain(situation):
        return "Have it asked in TLS (`https`, a name with `/tls`, the step `tls`), or let {service} on {target} speak without."
    if _declined(situation):
        return "Switch TLS on at {service} on {target}, or correct what the matrix demands."
    found = tls_complaints(situation)
    if found and all(one.startswith(_OLD_TLS) for one in found):
        return "Let {service} on {target} speak a newer version of TLS, or correct what the matrix demands."
    if found:
        return "Renew or replace the certificate of {service} on {target}, or correct its TLS settings or what the matrix demands of them."
    if situation.seen is not None and situation.seen.failure in _SILENT and situation.seen.text != HUNG_UP:
        return "Look whether {by} on {target} speaks TLS there, and whether it hangs."
    if situation.check.protocol in (Protocol.HTTPS, Protocol.HTTP_OR_HTTPS):
        return "Look at the TLS settings of {service} on {target}, or whether it speaks plain HTTP there."
    return "Look at the TLS settings of {service} on {target}, or whether it speaks without TLS there."


def _status_advice(situation: Situation, status: int) -> str:
    secured = situation.seen is not None and situation.seen.tls is not None
    match status:
        case 400 if secured:
            return "Look into the log of {service} on {target}: it may want a client certificate (`tls`), or another name (`http`, `host`)."
        case 400:
            return "Look whether {service} on {target} wants HTTPS there, or another name (`http`, `host`)."
        case 401 | 403 | 407:
            return "Look at the credentials that the matrix has for {service} (`http`, `credentials`), and whether {target} lets this source ask."
        case 404 | 410:
            return "Look at `path` and at the name (`http`, `host`) in the matrix, then at {service} on {target}."
        case 502 | 504:
            return "Look at what {by} on {target} passes requests on to: it says that it gets no answer from there."
        case _ if 300 <= status < 400 and situation.check.http is not None and situation.check.http.redirects:
            return "It leads to another server, or on and on: ask for where it leads in a row of its own, or add the status to `status`."
        case _ if 300 <= status < 400:
            return "Look where it leads: ask for that, or let redirects be followed (`http`, `redirects`), or add the status to `status`."
        case _:
            return ""
