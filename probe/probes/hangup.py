"""Who hangs up on a TLS handshake: a server that speaks none, or somebody who hangs up on everybody, as a balancer does
whose back end is gone? A second connection, on which nothing is said, tells them apart.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from probe.model.observation import Failure, Observation, Operation
from probe.model.tls import HUNG_UP
from probe.probes.stream import connect

if TYPE_CHECKING:
    from probe.probes.attempt import Attempt, Terms

# So much longer than the handshake lasted a peer must bear silence.
_MARGIN = 0.5


async def reconsidered(attempt: Attempt, terms: Terms, seen: Observation, took: float) -> Observation:
    """The same, or with the words HUNG_UP, whoever it was that ended it: the target or a device on the way. `took`: how
    long the attempt lasted that saw this.
    """
    if seen.operation is not Operation.TLS or seen.failure not in (Failure.CLOSED, Failure.RESET) or seen.said:
        return seen
    sock = await connect(attempt, terms)
    if isinstance(sock, Observation):
        return seen
    with sock:
        try:
            async with asyncio.timeout(took + _MARGIN):
                await asyncio.get_running_loop().sock_recv(sock, 1)
        except TimeoutError as error:
            if error.errno is None:
                return msgspec.structs.replace(seen, text=HUNG_UP)
        except OSError:
            pass
    return seen
