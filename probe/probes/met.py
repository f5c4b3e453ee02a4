"""What an answer to the challenge amounts to, the same over TCP, UDP and HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.model.observation import Failure, Observation, Operation, Proof
from probe.model.words import State

if TYPE_CHECKING:
    from probe.wire.challenge import Reply


def right(reply: Reply, address: str, operation: Operation, local: str, status: int | None = None) -> Observation:
    """The stand-in of the very port that was asked. Beside the dialled `address` and our own `local` one the two that
    it saw show translation on the way; one that is bound to all addresses may not know its own.
    """
    return Observation(
        state=State.OPEN,
        operation=operation,
        proof=Proof.KEYED,
        local=local,
        status=status,
        seen_from=reply.peer if local and reply.peer != local else "",
        answered_by="" if reply.local in (address, "0.0.0.0", "::") else reply.local,
    )


def met(
    reply: Reply | None, asked: tuple[str, int], operation: Operation, local: str, said: str, status: int | None = None
) -> Observation:
    """`asked` is the address and port that were dialled; `reply` None: somebody answered, and not as a stand-in does,
    but `said` this.
    """
    address, port = asked
    if reply is not None and reply.port == port:
        return right(reply, address, operation, local, status)
    return Observation(
        state=State.OPEN,
        operation=operation,
        failure=Failure.BAD_ANSWER,
        proof=Proof.ANSWERED,
        local=local,
        status=status,
        text=said if reply is None else f"the stand-in of port {reply.port} answered",
    )
