"""The HTML report in a browser: 100,000 checks between 100 hosts; none, 1 % or 30 % fail, in up to 600 findings.

    python benchmarks/page.py [--checks 100000] [--runs 3]      needs Debian's chromium, and playwright

What counts: the size of the file, the first paint (PerformancePaintTiming), and for each filter the time from the
entry to the frame in which all of the page shows it: findings, map, table and number found. The wait of 120 ms before
what is typed is searched for is part of it.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from playwright.async_api import async_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))

from probe.model.result import AgentInfo, CheckResult, Evidence, HostResult, Where
from probe.model.words import Verdict
from probe.report import html
from tests.report import example, rows

if TYPE_CHECKING:
    from playwright.async_api import Browser, CDPSession, Page

    from probe.model.result import Report

HOSTS, DEVICES = 100, 300
ROLES = ("engine", "db", "redis", "lb", "controller", "services")
FILTERS = {
    "text, one letter": ("text", "e"),
    "text, two words": ("text", "engine-12 stand-in"),
    "a host at either end": ("host", "engine-12"),
    "from a role": ("from", "redis"),
    "port": ("port", "1000-1020"),
    "verdict": ("verdict", "failing"),
    "cause": ("cause", "network"),
}
# The page draws within the task of its event; two frames later all of it has been painted.
TIMED = """async ([id, value]) => {
  const field = document.getElementById(id), found = document.getElementById("found").textContent;
  const began = performance.now();
  field.value = value;
  field.dispatchEvent(new Event(field.tagName === "SELECT" ? "change" : "input"));
  while (document.getElementById("found").textContent === found && performance.now() < began + 5000) {
    await new Promise(requestAnimationFrame);
  }
  await new Promise(requestAnimationFrame);
  return performance.now() - began;
}"""
HOST_MAP = """async () => {
  const began = performance.now();
  document.getElementById("by-host").click();
  await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return performance.now() - began;
}"""


def made(checks: int, share: float) -> Report:
    """Nothing is left to chance but what fails, and that by a seed."""
    chance = random.Random(1)
    good = example.check("svc-1", "db-1", "postgresql", "flows[5]")
    bad = [row for row in rows.blocked() if row.verdict is not Verdict.PASS]
    fields = CheckResult.__struct_fields__
    found = []
    for number in range(checks):
        lap, pair = divmod(number, HOSTS * HOSTS)
        source, target = (f"{ROLES[host % len(ROLES)]}-{host}" for host in divmod(pair, HOSTS))
        port = str(1000 + 7 * lap)
        one = bad[number % len(bad)] if (fails := chance.random() < share) else good
        given: dict[str, Any] = {
            "id": hashlib.sha256(str(number).encode()).hexdigest()[:16],
            "source": source,
            "target": target,
            "source_role": source.partition("-")[0],
            "target_role": target.partition("-")[0],
            "service": f"service-{lap}",
            "rule": f"flows[{lap}]",
            "ports": port,
            "address": f"10.20.0.{pair % HOSTS}",
        }
        if fails:
            device = f"10.9.{chance.randrange(DEVICES) // 250}.{chance.randrange(250)}"
            sent = f"no answer to {chance.randrange(3, 9)} SYN in {chance.random():.3f} s, from fresh ports"
            shut = f"the stand-in was open on 10.20.0.{pair % HOSTS}:{port} and nothing reached it from {source}"
            given["where"] = Where(address=device, hop=chance.randrange(1, 6), side="after")
            given["evidence"] = (Evidence(at="source", what=sent), Evidence(at="target", what=shut))
            given["advice"] = f"Ask who runs what is behind {device} to let {source} reach {target} on tcp {port}."
        found.append(CheckResult(**{field: getattr(one, field) for field in fields} | given))
    agent = AgentInfo(version="0.1.0", channel="ssh", capabilities=("raw",))
    hosts = tuple(
        HostResult(name=f"{role}-{host}", addresses=(f"10.20.0.{host}",), roles=(role,), agent=agent)
        for host, role in ((host, ROLES[host % len(ROLES)]) for host in range(HOSTS))
    )
    return msgspec.structs.replace(example.report(found), hosts=hosts)


class Thread:
    """What the thread of the page has worked: the same however many others want the processor."""

    def __init__(self, session: CDPSession) -> None:
        self._session, self._before = session, 0.0

    async def __call__(self) -> float:
        """Milliseconds of CPU since the last call."""
        found = (await self._session.send("Performance.getMetrics"))["metrics"]
        now = next(one["value"] for one in found if one["name"] == "TaskDuration") * 1000
        took, self._before = now - self._before, now
        return took


async def measured(browser: Browser, file: Path) -> dict[str, tuple[float, float]]:
    """Milliseconds that pass, and of CPU of the page's thread."""
    page: Page = await browser.new_page(viewport={"width": 1400, "height": 900})
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable", {"timeDomain": "threadTicks"})
    thread = Thread(session)
    await page.goto(file.as_uri())
    await page.wait_for_selector("html.ready", timeout=60_000)
    paint, ready = [
        await page.evaluate(f"performance.getEntriesByName('{name}')[0].startTime")
        for name in ("first-contentful-paint", "ready")
    ]
    figures = {"first paint": (paint, 0.0), "all rows read": (ready, await thread())}
    for name, (field, value) in FILTERS.items():
        if not await page.evaluate(
            f"document.querySelector('#{field}:not(select), #{field} option:nth-child(2)') !== null"
        ):
            continue  # no such cause in this report
        await thread()
        figures[name] = (await page.evaluate(TIMED, [field, value]), await thread())
        await page.evaluate("document.getElementById('clear').click()")
        await page.evaluate("new Promise(requestAnimationFrame).then(() => new Promise(requestAnimationFrame))")
    await thread()
    figures["map of 100 × 100 hosts"] = (await page.evaluate(HOST_MAP), await thread())
    figures["text, with that map open"] = (await page.evaluate(TIMED, ["text", "engine"]), await thread())
    await page.close()
    return figures


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checks", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        with tempfile.TemporaryDirectory() as folder:
            for share in (0.0, 0.01, 0.3):
                began = time.process_time()
                data = html.render(made(arguments.checks, share))
                took = time.process_time() - began
                file = Path(folder) / "report.html"
                file.write_bytes(data)
                print(f"\n{share:.0%} of {arguments.checks:,} checks fail: {len(data):,} bytes, made in {took:.1f} s")
                runs = []
                for _ in range(arguments.runs):
                    browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
                    runs.append(await measured(browser, file))
                    await browser.close()
                for name in runs[0]:
                    passed = [run[name][0] for run in runs]
                    cpu = statistics.median(run[name][1] for run in runs)
                    worked = f", {cpu:.0f} ms of CPU" if cpu else ""
                    print(f"  {name:28}{statistics.median(passed):7.0f} ms (highest {max(passed):.0f}){worked}")


if __name__ == "__main__":
    asyncio.run(main())
