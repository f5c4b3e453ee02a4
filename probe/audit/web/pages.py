"""The pages: each asks the desk, and shows what it says."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from aiohttp import web

from probe.audit.web import differences, timeline, views
from probe.audit.web.guard import SESSION, Refused, inside
from probe.audit.web.templates import path
from probe.history.values import RunRecord, RunState, Tally
from probe.report import html

if TYPE_CHECKING:
    from probe.audit.values import Desk
    from probe.audit.web.guard import Guard
    from probe.audit.web.kept import Kept
    from probe.audit.web.live import Live
    from probe.audit.web.templates import Templates
    from probe.audit.web.views import AuditView
    from probe.history.store import History
    from probe.model.change import Changes

_PAGE = 25  # runs
_CHOICES = 200  # runs to compare
LIVE = "live"  # the route whose answer has no end


class Pages:
    def __init__(self, desk: Desk, guard: Guard, live: Live, kept: Kept, templates: Templates) -> None:
        self._desk, self._guard, self._live, self._kept, self._templates = desk, guard, live, kept, templates

    def routes(self) -> list[web.AbstractRouteDef]:
        audit, run = "/audits/{audit}", "/audits/{audit}/runs/{number:[1-9][0-9]{0,8}}"
        return [
            web.get("/", self.audits),
            web.get(audit, self.audit),
            web.post(f"{audit}/run", self.start),
            web.get(f"{audit}/live", self.live),
            web.get(f"{audit}/live/events", self.events, name=LIVE),
            web.get(f"{audit}/diff", self.diff),
            web.get(f"{audit}/checks", self.checks),
            web.get(audit + "/checks/{check:[0-9A-Za-z_.:-]{1,100}}", self.check),
            web.get(run, self.run),
            web.get(f"{run}.json", self.run_json),
            web.get(f"{run}.csv", self.run_csv),
            web.get("/login", self.login),
            web.post("/login", self.log_in),
            web.post("/logout", self.log_out),
            web.get("/assets/{name:[a-z.]+}", self.asset),
            web.get("/healthz", self.healthz),
        ]

    async def audits(self, request: web.Request) -> web.Response:
        audits, gone = await views.every_audit(self._desk)
        return self._page(request, "audits.html", audits=audits, gone=gone)

    async def audit(self, request: web.Request) -> web.Response:
        view = await self._audit(request)
        before = _number(request, "before")

        def question(history: History) -> tuple[tuple[RunRecord, ...], dict[int, Tally]]:
            found = history.runs(view.name, limit=_PAGE + 1, before=before)
            return found, history.tallies(view.name, found[-1].number, found[0].number) if found else {}

        runs, tallies = await self._desk.ask(question)
        shown = runs[:_PAGE]
        return self._page(
            request,
            "audit.html",
            view=view,
            runs=[(run, differences.words(tallies.get(run.number))) for run in shown],
            before=before,
            older=shown[-1].number if len(runs) > _PAGE else None,
            newer=shown[0].number + _PAGE + 1 if before and shown else None,
        )

    async def start(self, request: web.Request) -> web.Response:
        view = await self._audit(request)
        self._guard.require_form(request, (await _fields(request)).get("form", ""))
        if view.state is None:
            raise Refused(404, "The service has no such audit any more: only its runs are kept.")
        # The page says that a run was asked for until there is one after the latest that is known now.
        said = f"started={view.newest}" if self._desk.start(view.name) else "busy"
        return web.Response(status=303, headers={"Location": f"{path('audits', view.name, 'live')}?{said}"})

    async def live(self, request: web.Request) -> web.Response:
        view = await self._audit(request)
        asked = request.query.get("started") == str(view.newest)
        return self._page(request, "live.html", view=view, asked=asked, busy="busy" in request.query)

    async def events(self, request: web.Request) -> web.StreamResponse:
        view = await self._audit(request)
        if view.state is None:
            raise Refused(404)
        return await self._live.follow(request, view.name)

    async def run(self, request: web.Request) -> web.Response:
        view, record = await self._record(request)
        if record.state is RunState.RUNNING:
            raise web.HTTPSeeOther(path("audits", view.name, "live"))
        if record.state is not RunState.FINISHED:
            return self._page(request, "run.html", view=view, run=record)
        packed = await self._kept.page(view.name, record)
        # No secret of ours is in a report, so its compressed length gives none away.
        policy = f"{html.policy()}; frame-ancestors 'none'"
        return _packed(request, packed, "text/html", {"Content-Security-Policy": policy})

    async def run_json(self, request: web.Request) -> web.Response:
        return await self._download(request, "json", "application/json")

    async def run_csv(self, request: web.Request) -> web.Response:
        return await self._download(request, "csv", "text/csv")

    async def diff(self, request: web.Request) -> web.Response:
        view = await self._audit(request)
        old, new = _number(request, "old"), _number(request, "new")
        if new is None:
            if view.finished is None:
                raise Refused(404, "No run of this audit has finished yet.")
            new = view.finished.number

        def question(history: History) -> tuple[Changes, tuple[RunRecord, ...], RunRecord, RunRecord | None]:
            runs = history.runs(view.name, limit=_CHOICES)
            return (
                history.changes(view.name, old, new),
                runs,
                history.run(view.name, new),
                history.run(view.name, old) if old else None,
            )

        changes, runs, newer, older = await self._desk.ask(question)
        if older is None and changes.old is not None:
            older = next((run for run in runs if run.id == changes.old.id), None)
        tone, said = differences.sentence(changes, older)
        return self._page(
            request,
            "diff.html",
            view=view,
            old=older,
            new=newer,
            choices=views.choices(runs, older, newer),
            tone=tone,
            said=said,
            changes=changes,
            sections=await asyncio.to_thread(differences.sections, changes),
        )

    async def checks(self, request: web.Request) -> web.Response:
        view = await self._audit(request)
        number, text = _number(request, "run"), request.query.get("q", "")[:200]
        if number is None:
            if view.finished is None:
                raise Refused(404, "No run of this audit has finished yet.")
            number = view.finished.number

        def question(history: History) -> tuple[RunRecord, views.Found]:
            return history.run(view.name, number), views.search(history.report(view.name, number), text)

        run, found = await self._desk.ask(question)
        return self._page(request, "checks.html", view=view, run=run, text=text, found=found)

    async def check(self, request: web.Request) -> web.Response:
        view = await self._audit(request)
        identity = request.match_info["check"]
        intervals = await self._desk.ask(lambda history: history.intervals(view.name, identity))
        if not intervals:
            raise Refused(404, "No run that is kept has a check of this id.")
        newest = intervals[0].last
        return self._page(
            request,
            "check.html",
            view=view,
            check=identity,
            intervals=intervals,
            row=intervals[0].row,
            now=[one for one in intervals if one.last == newest],
            line=timeline.draw(intervals),
        )

    async def login(self, request: web.Request) -> web.Response:
        to = inside(request.query.get("to", "/"))
        if request.get(SESSION):
            raise web.HTTPSeeOther(to)
        # A link from elsewhere (a message, a ticket) arrives without the cookie, which is for our own pages only: one
        # step from a page of ours, and it is there.
        elsewhere = request.headers.get("Sec-Fetch-Site") == "cross-site"
        return self._page(request, "login.html", to=to, elsewhere=elsewhere and to != "/", wrong="")

    async def log_in(self, request: web.Request) -> web.Response:
        fields = await _fields(request)
        self._guard.require_form(request, fields.get("form", ""))
        to = fields.get("to", "/")
        try:
            return self._guard.log_in(request, fields.get("token", ""), to)
        except Refused as error:
            if error.status != 401:
                raise
            answer = self._page(request, "login.html", to=inside(to), elsewhere=False, wrong=error.said)
            answer.set_status(401)
            return answer

    async def log_out(self, request: web.Request) -> web.Response:
        self._guard.require_form(request, (await _fields(request)).get("form", ""))
        return self._guard.log_out(request)

    async def asset(self, request: web.Request) -> web.Response:
        return self._templates.asset(request.match_info["name"])

    async def healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    def _page(self, request: web.Request, template: str, **values: Any) -> web.Response:
        return self._templates.page(
            template, form=self._guard.form(request), session=request.get(SESSION) is not None, **values
        )

    async def _audit(self, request: web.Request) -> AuditView:
        view = await views.one_audit(self._desk, request.match_info["audit"])
        if view is None:
            raise Refused(404, "There is no such audit.")
        return view

    async def _record(self, request: web.Request) -> tuple[AuditView, RunRecord]:
        view, number = await self._audit(request), int(request.match_info["number"])
        return view, await self._desk.ask(lambda history: history.run(view.name, number))

    async def _download(self, request: web.Request, form: str, kind: str) -> web.Response:
        view, record = await self._record(request)
        if record.state is not RunState.FINISHED:
            raise Refused(404, "Only runs that have finished have rows.")
        packed = await self._kept.file(view.name, record, form)
        plain = "".join(char if char.isascii() and char.isalnum() else "-" for char in view.name)[:60]
        return _packed(
            request, packed, kind, {"Content-Disposition": f'attachment; filename="{plain}-{record.number}.{form}"'}
        )


def _packed(request: web.Request, packed: bytes, kind: str, headers: dict[str, str]) -> web.Response:
    """Compressed for who understands it."""
    coded = "gzip" in request.headers.get("Accept-Encoding", "")
    answer = web.Response(
        body=packed if coded else gzip.decompress(packed), content_type=kind, charset="utf-8", headers=headers
    )
    answer.headers["Vary"] = "Accept-Encoding"
    if coded:
        answer.headers["Content-Encoding"] = "gzip"
    return answer


async def _fields(request: web.Request) -> dict[str, str]:
    """Of a form as browsers send ours; of any other body none."""
    if request.content_type != "application/x-www-form-urlencoded":
        return {}
    return dict(parse_qsl((await request.read()).decode("utf-8", "replace")))


def _number(request: web.Request, name: str) -> int | None:
    """A run's number from the query; None if it is not there. Raises Refused."""
    text = request.query.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise Refused(400, f"{name} must be the number of a run.")
    return int(text)
