"""What the service is told: its audits, and what they share."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import msgspec

from probe.audit.order import Order
from probe.audit.schedule import Schedule
from probe.errors import UserError
from probe.spec.toml import Table
from probe.text import printable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """One inventory and matrix, and when they are looked at. `schedule` None: only when somebody asks. `deadline` in
    seconds: a run that takes longer is ended, with what it has by then.
    """

    order: Order
    schedule: Schedule | None = None
    deadline: float = 12 * 3600.0

    @property
    def name(self) -> str:
        return self.order.audit


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """`history` is a path or a URL, `state` a folder of our own. `listen` is where the dashboard is, empty for nowhere,
    `url` how others call it, `textfile` where metrics go for node_exporter. `together`: so many runs at once. `alerts`
    are tables of portcheck.toml, as they are.
    """

    audits: tuple[Audit, ...]
    history: str
    state: Path
    listen: str = ""
    certificate: str = ""
    key: str = ""
    token_file: str = ""
    url: str = ""
    textfile: str = ""
    together: int = 1
    alerts: dict[str, Table] = {}
    retention: dict[str, int] = {}

    def read_again(self, new: Config) -> tuple[Config, tuple[str, ...]]:
        """The new one but for what only a start changes; and the keys of that, where they say something else now."""
        pages = ("certificate", "key", "token_file") if self.listen else ()
        fixed = ("history", "state", "textfile", "listen", *pages)
        changed = tuple(name for name in fixed if getattr(new, name) != getattr(self, name))
        again = msgspec.structs.replace(new, **{name: getattr(self, name) for name in changed})
        # Alerts have the new `url` at once; the dashboard answers to the one that it began with.
        return again, (*changed, "url") if self.listen and new.url != self.url else changed


def check_name(name: str) -> str:
    """Of an audit; it is a folder's name too. Raises UserError."""
    if not _NAME.fullmatch(name):
        raise UserError(
            f"audit {printable(name[:80])!r}: this cannot be its name\n"
            "  hint: letters, digits, '.', '_' and '-', at most 64, a letter or digit first"
        )
    return name


def seed_for(name: str) -> int:
    """The same for every run of an audit, so that the same hosts are asked where a few stand for many."""
    return int.from_bytes(hashlib.blake2s(name.encode(), digest_size=4).digest()) >> 1
