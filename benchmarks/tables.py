"""Rows of the report's tables, from what one suite or script measured (conftest.py says what a contender may have)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

OURS = "factorec"
SPEED = ("case", "factorec", "other", "ratio", "bar", "")
LATENCY = ("case", "p50", "p90", "p99", "p99 / p50", "bar", "")
ROOFLINE = ("case", "measured", "roofline", "reached", "limited by")
FIGURE = ("figure", "value", "spread", "bar", "")

Row = tuple[str, ...]
Cases = dict[str, dict[str, dict[str, Any]]]


def cases_of(document: dict[str, Any]) -> Cases:
    """Case -> contender -> what conftest.py noted, with the median in "seconds"."""
    cases: Cases = {}
    for benchmark in document["benchmarks"]:
        extra = benchmark["extra_info"]
        if "contender" in extra:
            seconds = extra.get("seconds") or benchmark["stats"]["median"]
            cases.setdefault(benchmark["group"], {})[extra["contender"]] = {**extra, "seconds": seconds}
    return cases


def our_names(contenders: dict[str, Any]) -> list[str]:
    """Those called "factorec" or "factorec, <way>"; all where none is called that: several ways of ours."""
    return [name for name in contenders if name == OURS or name.startswith(f"{OURS}, ")] or list(contenders)


def label(case: str, name: str) -> str:
    return case if name == OURS else f"{case}: {name.removeprefix(f'{OURS}, ')}"


def speed_rows(document: dict[str, Any]) -> list[Row]:
    """One row per contender of ours and its limit, and each other that it is compared with.

    Those are what it has a bar against, and the peers of its case, but for peers that only another way of ours has a
    bar against where this one has bars too.
    """
    cases = cases_of(document)
    rows: list[Row] = []
    for case, contenders in cases.items():
        ours = our_names(contenders)
        for name in ours:
            mine = contenders[name]
            bars, at_most, limit = mine.get("bars") or {}, mine.get("at_most") or {}, mine.get("limit")
            first, time = label(case, name), mine["seconds"]
            shown = duration(time) + (f" ({mine['note']})" if mine.get("note") else "")
            barred = bars.keys() | at_most.keys()
            peers = contenders.keys() - set(ours)
            if barred:
                peers -= {other for way in ours for other in contenders[way].get("bars") or {}}
            others = sorted(peers | barred)
            if limit is not None:
                rows.append((first, shown, "", "", f"< {duration(limit)}", verdict(time < limit)))
            elif not others:
                rows.append((first, shown, "", "", "", ""))
            rows += [(first, shown, *_against(mine, other, contenders, cases)) for other in others]
    return rows


def _against(mine: dict[str, Any], other: str, contenders: dict[str, Any], cases: Cases) -> Row:
    least, most = (mine.get("bars") or {}).get(other), (mine.get("at_most") or {}).get(other)
    bar = f"≥ {least:g}×" if least is not None else f"≤ {most:g}×" if most is not None else ""
    found = contenders.get(other) or _elsewhere(other, cases)
    if found is None:
        return f"{other}: not measured", "", bar, "not measured"
    note = f" ({found['note']})" if found.get("note") else ""
    ratio = found["seconds"] / mine["seconds"]
    if most is not None:
        ratio = 1 / ratio
    met = "" if not bar else verdict(ratio >= least if least is not None else ratio <= most)
    return f"{other}{note}: {duration(found['seconds'])}", f"{ratio:.2f}×", bar, met


def _elsewhere(other: str, cases: Cases) -> dict[str, Any] | None:
    """The contender of another case, called "case: contender"."""
    case, _, name = other.rpartition(": ")
    return cases.get(case, {}).get(name)


def latency_rows(document: dict[str, Any]) -> list[Row]:
    """What was timed call by call: percentiles, and the bar on the slowest."""
    rows: list[Row] = []
    for case, contenders in cases_of(document).items():
        for name, mine in contenders.items():
            if "percentiles" not in mine:
                continue
            p50, p90, p99 = (mine["percentiles"][at] for at in ("p50", "p90", "p99"))
            most = mine.get("p99_at_most")
            bar, met = ("", "") if most is None else (f"≤ {most:g}×", verdict(p99 <= most * p50))
            times = (duration(p50), duration(p90), duration(p99))
            rows.append((f"{case}: {name}", *times, f"{p99 / p50:.2f}×", bar, met))
    return rows


def roofline_rows(document: dict[str, Any]) -> list[Row]:
    rows: list[Row] = []
    for case, contenders in cases_of(document).items():
        for name, mine in contenders.items():
            if roof := mine.get("roofline"):
                share = f"{roof['seconds'] / mine['seconds']:.0%}"
                times = (duration(mine["seconds"]), duration(roof["seconds"]))
                rows.append((label(case, name), *times, share, roof["limit"]))
    return rows


def figure_rows(document: dict[str, Any]) -> list[Row]:
    rows: list[Row] = []
    for figure in document["figures"]:
        bar, met = "", ""
        if figure.get("bar") is not None:
            at_least = figure["better"] == "higher"
            bar = f"{'≥' if at_least else '≤'} {figure['bar']:g}"
            met = verdict(figure["value"] >= figure["bar"] if at_least else figure["value"] <= figure["bar"])
        rows.append((figure["case"], f"{figure['value']:.4g}", figure.get("spread", ""), bar, met))
    return rows


def curve_tables(document: dict[str, Any]) -> list[str]:
    """A table per curve, with a column per x; memory in MB."""
    tables = []
    for curve in document["curves"]:
        xs = sorted({x for points in curve["series"].values() for x, _ in points})
        show = duration if curve["y"].startswith("seconds") else "{:,.0f} MB".format
        rows = []
        for name, points in curve["series"].items():
            found = dict(map(tuple, points))
            rows.append((name, *(show(found[x]) if x in found else "" for x in xs)))
        tables.append(table((f"{curve['title']}: {curve['x']}", *(f"{x:,}" for x in xs)), rows))
    return tables


def verdict(met: bool) -> str:
    return "met" if met else "**missed**"


def duration(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def table(header: Row, rows: Sequence[Sequence[str]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
