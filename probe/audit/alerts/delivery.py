"""One request, tried until it is accepted, refused for good, or the time is over. What a receiver says is bounded, and
where it sends us we do not go.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import msgspec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from probe.audit.alerts.config import Alert

ATTEMPTS, SECONDS = 6, 300.0
_FIRST, _LONGEST = 2.0, 60.0
_MOST_READ = 4096
_WORTH_ANOTHER_TRY = frozenset({408, 425, 429})


@dataclass(frozen=True)
class Clock:
    """What time does, for tests to do otherwise."""

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = field(default=random.random)


class Result(Enum):
    DELIVERED = "delivered"
    REFUSED = "refused"  # and would be again
    FAILED = "failed"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt. It has secrets, and is never shown."""

    url: str
    body: bytes
    headers: dict[str, str]


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one attempt; `said` has nothing of the URL in it."""

    result: Result
    said: str
    wait: float = 0.0


async def deliver(make: Callable[[], Request], alert: Alert, clock: Clock) -> tuple[Result, str]:
    """The result, and why it is no other. `make` is asked before each attempt, for it may hold the time."""
    end = clock.monotonic() + SECONDS
    last = _Answer(result=Result.FAILED, said="not tried")
    connector = aiohttp.TCPConnector(limit=1, force_close=True, ssl=alert.tls if alert.tls is not None else True)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=alert.timeout),
        auto_decompress=False,
    ) as session:
        for attempt in range(ATTEMPTS):
            last = await _once(session, make(), proxied=alert.proxy)
            if last.result is not Result.FAILED:
                break
            # Half of it is chance, so that many who failed at once do not come back at once.
            pause = min(_FIRST * 2**attempt, _LONGEST) * (0.5 + clock.random() / 2)
            pause = max(pause, last.wait)
            if attempt + 1 == ATTEMPTS or clock.monotonic() + pause > end:
                break
            await clock.sleep(pause)
    return last.result, last.said


async def _once(session: aiohttp.ClientSession, request: Request, *, proxied: bool) -> _Answer:
    try:
        async with session.post(
            request.url,
            data=request.body,
            headers=request.headers,
            allow_redirects=False,
            proxy=_proxy(request.url) if proxied else None,
        ) as response:
            await response.content.read(_MOST_READ)  # some servers want to be heard; more than that is not read
            return _judge(response.status, response.headers.get("Retry-After", ""))
    except TimeoutError:
        return _failed("no answer in time")
    except aiohttp.ClientConnectorCertificateError:
        return _failed("its certificate is not trusted")
    except aiohttp.ClientSSLError:
        return _failed("TLS fails")
    except aiohttp.ClientConnectorError as error:
        number = error.os_error.errno or 0  # those of the resolver are negative
        return _failed(f"cannot connect: {os.strerror(number) if number > 0 else 'the name has no address'}")
    except aiohttp.ClientError as error:
        # Its text may have the URL in it, which may be a secret.
        return _failed(f"no HTTP: {type(error).__name__}")
    except (OSError, ValueError) as error:
        return _failed(f"cannot be sent: {type(error).__name__}")


def _judge(status: int, retry_after: str) -> _Answer:
    if 200 <= status < 300:
        return _Answer(result=Result.DELIVERED, said=f"HTTP {status}")
    if 300 <= status < 400:
        return _Answer(result=Result.REFUSED, said=f"HTTP {status}: a redirect, which is not followed")
    if status < 500 and status not in _WORTH_ANOTHER_TRY:
        return _Answer(result=Result.REFUSED, said=f"HTTP {status}")
    return _Answer(result=Result.FAILED, said=f"HTTP {status}", wait=_seconds(retry_after))


def _failed(said: str) -> _Answer:
    return _Answer(result=Result.FAILED, said=said)


def _seconds(retry_after: str) -> float:
    """RFC 9110, 10.2.3: seconds, or a date; 0 where it is neither."""
    text = retry_after[:64].strip()
    if text.isdecimal() and text.isascii():
        return float(text)
    try:
        return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _proxy(url: str) -> str | None:
    """What the environment says, without its .netrc."""
    parts = urlsplit(url)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
