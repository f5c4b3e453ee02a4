"""Templates to answers. Whatever is printed is made printable, bounded and escaped."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import quote

from aiohttp import web

from probe.audit.web import told
from probe.report.templating import environment
from probe.report.text import count
from probe.resources import folder

_KINDS = {"board.css": "text/css", "board.js": "text/javascript"}


class Templates:
    """Those of reports/dashboard, with its style and script."""

    def __init__(self) -> None:
        place = folder("reports") / "dashboard"
        self._assets = {name: (place / name).read_bytes() for name in _KINDS}
        self._environment = environment(place)
        self._environment.globals |= {
            "asset": {name: f"/assets/{name}?{_digest(data)}" for name, data in self._assets.items()},
            "count": count,
            "told": told,
            "path": path,
            "session": False,
            "form": "",
        }

    def page(self, template: str, **values: Any) -> web.Response:
        return web.Response(text=self.text(template, **values), content_type="text/html")

    def text(self, template: str, **values: Any) -> str:
        return self._environment.get_template(template).render(**values)

    def asset(self, name: str) -> web.Response:
        """Raises HTTPNotFound. The address changes with the content, so it may be kept."""
        if name not in self._assets:
            raise web.HTTPNotFound
        answer = web.Response(body=self._assets[name], content_type=_KINDS[name], charset="utf-8")
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer


def path(*parts: object) -> str:
    """`/audits/nightly/runs/7`, whatever the parts are made of."""
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]
