from __future__ import annotations

import base64
import json
import zlib
from typing import TYPE_CHECKING, Any

import msgspec

from probe.model.result import CheckResult, Evidence
from probe.report import packed, templating
from probe.report.findings import findings
from probe.report.packed import Packed, pack

from .test_html import hostile

if TYPE_CHECKING:
    import pytest

    from probe.model.result import Report


def packed_of(report: Report) -> Packed:
    return pack(report, [(f"f{place}", finding) for place, finding in enumerate(findings(report))])


def test_each_row_is_told_with_what_both_ends_saw(rich: Report) -> None:
    made = packed_of(rich)
    data = json.loads(made.data)
    texts = data["texts"]
    place = data["ids"].index(next(check.id for check in rich.checks if check.cause == "target-firewall"))
    kind = dict(zip(data["fields"], (texts[at] for at in data["kinds"][data["kind"][place]]), strict=True))
    assert (kind["weight"], kind["verdict"], kind["severity"], kind["cite"]) == (
        "deviation",
        "blocked",
        "low",
        "connections",
    )
    story = [texts[at] for at in data["stories"][data["told"][place] - 1]]
    assert story[:3] == [
        "rejected as administratively prohibited",
        "at 10.20.0.30, hop 2",
        "Open tcp 9187 from 10.20.0.10 in the firewall of db-1 itself.",
    ]
    assert story[5::2] == ["source", "target"]
    assert data["findings"][data["finding"][place]].startswith("f")
    assert (made.rows, made.failing, made.told) == (47, 24, 24)


def test_the_worst_come_first_and_what_passes_says_no_more(rich: Report) -> None:
    data = json.loads(packed_of(rich).data)
    weights = [data["texts"][data["kinds"][kind][0]] for kind in data["kind"]]
    assert list(dict.fromkeys(weights)) == ["deviation", "inconclusive", "advice", "pass"]
    assert [told > 0 for told in data["told"]] == [weight != "pass" for weight in weights]


def test_nothing_in_it_can_end_its_element(rich: Report) -> None:
    made = packed_of(hostile(rich))
    assert "<" not in made.data
    assert any("</script>" in text for text in json.loads(made.data)["texts"])
    assert max(map(len, json.loads(made.data)["texts"])) <= templating.LONGEST


def test_what_is_no_id_leads_nowhere(rich: Report) -> None:
    row = msgspec.structs.replace(rich.checks[0], id="finding-1&at=checks")
    assert json.loads(packed_of(msgspec.structs.replace(rich, checks=(row,))).data)["ids"] == [""]


def test_a_large_one_is_deflated(example: Any) -> None:
    made = packed_of(example.large(20_000))
    assert made.deflated
    assert len(made.data) < 400_000
    assert len(json.loads(zlib.decompress(base64.b64decode(made.data)))["ids"]) == 20_000


def test_what_is_left_out_is_counted(rich: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "_MOST_TOLD", 2_000)
    monkeypatch.setattr(packed, "MOST_ROWS", 40)
    row = next(check for check in rich.checks if check.deviates)
    given = {field: getattr(row, field) for field in CheckResult.__struct_fields__}
    rows = tuple(
        CheckResult(**given | {"source": f"s{n}", "evidence": (Evidence(at="source", what=f"{n} " + "x" * 90),)})
        for n in range(60)
    )
    made = packed_of(msgspec.structs.replace(rich, checks=rows))
    assert (made.rows, made.failing) == (40, 40)
    assert 5 < made.told < 40
