"""What stands before every page: who may ask, for how long, and how an error looks."""

from __future__ import annotations

import asyncio
import math
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from aiohttp import web

from probe.audit import log
from probe.audit.web import headers
from probe.audit.web.listen import is_loopback
from probe.errors import UserError
from probe.history.values import NotKept

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from probe.audit.web.keys import Keys, Session
    from probe.audit.web.listen import Listen
    from probe.audit.web.templates import Templates

LARGEST = 16 * 1024  # bytes of a request's body
_LONGEST = 20.0  # seconds for an answer
_PUBLIC = re.compile(r"/(?:healthz|login|assets/[a-z.]+)\Z")
_INSIDE = re.compile(r"/(?![/\\])[!-\[\]-~]{0,500}\Z")  # a path of ours, not `//elsewhere`
_TITLES = {
    400: ("Not understood", "The request was not understood."),
    401: ("Log in first", "A token is asked for here."),
    403: (
        "Not allowed",
        (
            "That did not come from a page of this dashboard, or the page is too old. Go back, reload it, and try "
            "again. Behind a proxy, `url` in portcheck.toml must be the address that your browser shows."
        ),
    ),
    404: ("Not here", "There is no such page."),
    405: ("Not so", "That cannot be done with this page."),
    413: ("Too much", "The request is too large."),
    421: ("Wrong name", "This dashboard is asked by a name that is neither this machine's nor that of its `url`."),
    429: ("Too many tries", "Wait a little before you try again."),
    500: ("Something went wrong", "The service's log says what."),
    503: ("Not now", "The history cannot be read at present, or it took too long. The service's log says which."),
}

SESSION: web.RequestKey[Session | None] = web.RequestKey("session", object)  # type: ignore[arg-type]
BEARER = web.RequestKey("bearer", bool)


class Refused(Exception):
    """An answer other than 200, with a sentence for people; empty: that of the status. `wait` in seconds."""

    def __init__(self, status: int, said: str = "", wait: float = 0.0) -> None:
        self.status, self.said, self.wait = status, said, wait


class Guard:
    """`endless` names the route whose answers go on for as long as they like."""

    def __init__(self, listen: Listen, keys: Keys, templates: Templates, endless: str) -> None:
        self._listen, self._keys, self._templates, self._endless = listen, keys, templates, endless
        self._secure = bool(listen.certificate)
        # Cookies know no ports: two dashboards on one machine must not take each other's.
        self._cookie = "__Host-portcheck" if self._secure else f"portcheck-{listen.port}"

    @web.middleware
    async def stand(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            self._require_own_name(request)
            self._identify(request)
            if request.match_info.route.name == self._endless:
                return await handler(request)
            async with asyncio.timeout(_LONGEST):
                return await handler(request)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            return self._sorry(request, error.status, allow=error.headers.get("Allow", ""))
        except Refused as error:
            return self._sorry(request, error.status, error.said, error.wait)
        except NotKept:
            return self._sorry(request, 404, "The history does not have that, or does not have it any more.")
        except TimeoutError:
            log.warning("page-failed", page=request.match_info.route.name, why=f"not made within {_LONGEST:.0f} s")
            return self._sorry(request, 503, wait=30)
        except UserError as error:
            log.warning("page-failed", page=request.match_info.route.name, why=str(error))
            return self._sorry(request, 503, wait=30)
        except web.RequestPayloadError:
            return self._sorry(request, 400)
        except ConnectionError:
            raise
        except Exception:  # noqa: BLE001  (a defect in one page must not cost the others)
            log.defect("page-failed", page=request.match_info.route.name)
            return self._sorry(request, 500)

    async def prepare(self, _: web.Request, answer: web.StreamResponse) -> None:
        """Signal `on_response_prepare`: headers for whatever is sent."""
        headers.add(answer.headers)

    def require_form(self, request: web.Request, token: str) -> None:
        """Raises Refused unless a page of ours was sent. A program that shows the token itself is no browser that
        somebody else could have tricked.
        """
        if not request.get(BEARER) and not (self._is_ours(request) and self._keys.is_form(token, request.get(SESSION))):
            raise Refused(403)

    def _is_ours(self, request: web.Request) -> bool:
        """Whether the browser says that a page of this very place sent it; a request that says nothing is not believed.
        A proxy may have changed the scheme and the host, so the place as others call it will do as well.
        """
        site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
        own = f"{request.scheme}://{request.headers.get('Host', '')}".lower()
        places = (None, own, self._listen.origin_outside or own)
        return (site is not None or origin is not None) and site in (None, "same-origin") and origin in places

    def form(self, request: web.Request) -> str:
        return self._keys.form(request.get(SESSION))

    def log_in(self, request: web.Request, token: str, to: str) -> web.Response:
        """Raises Refused: 429 for who has to wait, 401 for a wrong token."""
        self._require_right(request, token)
        answer = web.Response(status=303, headers={"Location": inside(to)})
        # Where a proxy has ended TLS, only the browser knows that there was one.
        secure = self._secure or request.headers.get("Origin", "").startswith("https:")
        answer.set_cookie(self._cookie, self._keys.begin(), httponly=True, samesite="Strict", secure=secure, path="/")
        return answer

    def log_out(self, request: web.Request) -> web.Response:
        if session := request.get(SESSION):
            self._keys.end(session)
        answer = web.Response(status=303, headers={"Location": "/login"})
        answer.del_cookie(self._cookie, path="/", secure=self._secure, httponly=True, samesite="Strict")
        return answer

    def _require_own_name(self, request: web.Request) -> None:
        """On loopback: a page elsewhere whose name suddenly leads here (DNS rebinding) still says its own name."""
        host = _host(request)
        if self._listen.local and not (is_loopback(host) or (host and host == self._listen.name_outside)):
            raise Refused(421)

    def _identify(self, request: web.Request) -> None:
        """Sets SESSION and BEARER; raises Refused or a redirect to the login for who is neither."""
        if not self._keys.asked:
            return
        request[SESSION] = self._keys.session(request.cookies.get(self._cookie, ""))
        if request.get(SESSION) or _PUBLIC.match(request.path):
            return
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            self._require_right(request, token.strip())
            request[BEARER] = True
            return
        if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
            raise web.HTTPSeeOther(f"/login?to={quote(inside(request.path_qs), safe='')}")
        raise Refused(401)

    def _require_right(self, request: web.Request, token: str) -> None:
        peer = request.remote or ""
        if wait := self._keys.wait(peer):
            raise Refused(429, wait=wait)
        if not self._keys.right(token, peer):
            log.warning("wrong-token", peer=peer)
            raise Refused(401, "That is not the token.")

    def _sorry(
        self, request: web.Request, status: int, said: str = "", wait: float = 0.0, allow: str = ""
    ) -> web.Response:
        title, sentence = _TITLES.get(status, _TITLES[400 if status < 500 else 500])
        if status == 421:
            sentence += f" Use {self._listen.url}"
        answer = self._templates.page("error.html", status=status, title=title, said=said or sentence)
        answer.set_status(status)
        if wait:
            answer.headers["Retry-After"] = str(math.ceil(wait))
        if allow:
            answer.headers["Allow"] = allow
        if status == 401:
            answer.headers["WWW-Authenticate"] = "Bearer"
        if request.can_read_body:
            answer.force_close()  # what was refused is not read to its end
        return answer


def inside(path: str) -> str:
    """The path if it is one of ours, else the first page: nobody is sent elsewhere."""
    return path if _INSIDE.match(path) else "/"


def _host(request: web.Request) -> str:
    try:
        return urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
    except ValueError:
        return ""
