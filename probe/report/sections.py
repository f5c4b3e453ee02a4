"""docs/verdicts.md in a report: the sections of its causes, so that whoever gets the report by mail has them too.

Of Markdown only what that page uses is known: paragraphs, lists of one level, `code`, **bold**, [links](#anchor).
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from probe.report.causes import PAGE
from probe.resources import folder

if TYPE_CHECKING:
    from collections.abc import Collection

    from probe.model.words import Cause

_SECTION = re.compile(r"^### (\S+)\n(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL)
_CODE, _BOLD = re.compile(r"`([^`]+)`"), re.compile(r"\*\*([^*]+)\*\*")
_LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")


def section_html(cause: Cause, there: Collection[Cause]) -> Markup:
    """What the page says of this cause. Of its links only those to the causes that are `there` lead somewhere."""
    anchors = {f"#{one}" for one in there}
    shown = []
    for block in _sections()[cause].strip().split("\n\n"):
        items = re.split(r"^- ", block, flags=re.MULTILINE)
        if items[0]:
            shown.append(f"<p>{_inline(items[0], anchors)}</p>")
        if items[1:]:
            shown.append(f"<ul>{''.join(f'<li>{_inline(item, anchors)}</li>' for item in items[1:])}</ul>")
    return Markup("\n".join(shown))  # noqa: S704  (our own page, escaped)


@functools.cache
def _sections() -> dict[str, str]:
    directory, _, file = PAGE.partition("/")
    return dict(_SECTION.findall((folder(directory) / file).read_text("utf-8")))


def _inline(text: str, anchors: Collection[str]) -> str:
    def link(match: re.Match[str]) -> str:
        words, target = match.groups()
        return f'<a href="#cause-{target[1:]}">{words}</a>' if target in anchors else words

    html = str(escape(" ".join(text.split())))
    return _LINK.sub(link, _BOLD.sub(r"<b>\1</b>", _CODE.sub(r"<code>\1</code>", html)))
