"""What each cause means: a few words beside a verdict, one sentence for whoever meets it first, where to read on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from probe.model.words import Cause

if TYPE_CHECKING:
    from probe.model.words import Verdict

PAGE = "docs/verdicts.md"


class Meaning(msgspec.Struct, frozen=True):
    brief: str
    sentence: str


# The list is closed, and the sentence is the first of the cause's section in docs/verdicts.md: tests hold both.
MEANINGS = {
    Cause.SOURCE_FIREWALL: Meaning(
        "by the source's own firewall",
        "The source's own rules keep the packet in, or the answer out.",
    ),
    Cause.NO_ROUTE: Meaning(
        "the source has no route",
        "The source does not know where to send it.",
    ),
    Cause.NETWORK: Meaning(
        "by a device on the way",
        "A device on the way drops it, rejects it, or refuses it in the target's name.",
    ),
    Cause.TARGET_FIREWALL: Meaning(
        "by the target's own firewall",
        "It arrives at the target, whose own rules drop or reject it.",
    ),
    Cause.RETURN_PATH: Meaning(
        "the answer is lost on the way back",
        "It reaches the target, and the answer does not come back.",
    ),
    Cause.PAYLOAD: Meaning(
        "connects, but no data passes",
        "The connection is made, and then nothing passes.",
    ),
    Cause.MTU: Meaning(
        "large data does not pass",
        "Little data passes, large data does not: a link on the way is narrow, and its router may not say so.",
    ),
    Cause.NOT_LISTENING: Meaning(
        "nothing listens",
        "Nothing listens on that port of the target.",
    ),
    Cause.BOUND_ELSEWHERE: Meaning(
        "listens on another address only",
        "The service listens, and not on the address that the others use.",
    ),
    Cause.OVERLOAD: Meaning(
        "the accept queue is full",
        "The service is there and cannot take more connections.",
    ),
    Cause.PORT_TAKEN: Meaning(
        "something else listens there already",
        "Before the installation something already listens there.",
    ),
    Cause.WRONG_SERVICE: Meaning(
        "another service answers",
        "Something answers, and does not speak the service's protocol.",
    ),
    Cause.TLS: Meaning(
        "TLS fails",
        "The connection is made, and no TLS session as it should be comes of it.",
    ),
    Cause.HTTP_STATUS: Meaning(
        "unexpected HTTP status",
        "The service answers, with an HTTP status that says that it does not work as it should.",
    ),
    Cause.UNHEALTHY: Meaning(
        "the service is not well",
        "The service is not well: it says so, or what listens for it does not answer.",
    ),
    Cause.INTERCEPTED: Meaning(
        "something answers in the target's place",
        "Something on the way answered in the target's place, or led it to another host.",
    ),
    Cause.DNS: Meaning(
        "the name has no address there, or leads elsewhere",
        "The name of the target has no address on this source, or another machine's.",
    ),
    Cause.LISTENING: Meaning(
        "a service answers",
        "A service answers this source, and no flow allows it.",
    ),
    Cause.STAND_IN: Meaning(
        "the way is open",
        "The way is open, and nothing listens there yet.",
    ),
    Cause.NO_AGENT: Meaning(
        "no agent",
        "There is no agent that could measure it, or say what happened at the other end.",
    ),
    Cause.AGENT_LOST: Meaning(
        "an agent was lost",
        "An agent was there, and went away before it had said what it saw.",
    ),
    Cause.RESOURCES: Meaning(
        "a local limit was in the way",
        "A limit of source or target, not the network, was in the way.",
    ),
    Cause.CONFLICTING_EVIDENCE: Meaning(
        "the evidence contradicts itself",
        "What the source saw and what the target's agent knows do not fit together.",
    ),
    Cause.TIMEOUT: Meaning(
        "not measured in time",
        "The time was over before it was measured.",
    ),
}


def section(verdict: Verdict, cause: Cause | None) -> str:
    """`docs/verdicts.md#network`; where no cause is proven, the verdict's, which says when that is so."""
    return f"{PAGE}#{cause or verdict}"
