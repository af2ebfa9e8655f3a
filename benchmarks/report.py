"""Write the tables of benchmarks/README.md and of README.md, and the plots, from what the suites measured.

Usage: python benchmarks/report.py build/bench/*.json

They take the place of all tables that are there: fewer results than those have are refused.

Reads pytest-benchmark's JSON (times), that of scripts such as defaults.py (figures with a bar) and accuracy (tables and
a picture too), that of fields.py (a table of its own) and that of growth.py (curves).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import plots
from tables import (
    FIGURE,
    LATENCY,
    ROOFLINE,
    SPEED,
    curve_tables,
    figure_rows,
    latency_rows,
    roofline_rows,
    speed_rows,
    table,
)

HERE = Path(__file__).parent
PLOTS = "plots"
# Of the bars on speed the first page shows these cases and whatever was missed.
HEADLINES = (
    "top 100, 1,024 queries x 1,000,000 items, d = 65",
    "top 100, 4,096 queries x 100,000 items, d = 65",
    "top 100, 943 users",
    "top 10, one query",
    "one epoch, 10 million",
    "one sweep",
    "one Gibbs sweep",
    "fit and predict",
    "influence, 943 users",
    "fold in 100,000 users",
)
BEGIN, END = "<!-- begin: written by report.py -->", "<!-- end: written by report.py -->"


def machine_line(machine: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['threads']} thread(s) used, kernels at "
        f"`{machine['simd']}`, Python {machine['python']}, {machine['system']}; {versions}."
    )


def plot_caption(machine: dict[str, Any]) -> str:
    named = [f"{name} {version}" for name, version in machine["versions"].items() if name in ("factorec", "numpy")]
    return (
        f"{machine['cpu']}, {machine['cores']} cores, kernels at {machine['simd']}, {machine['system']}; "
        f"{', '.join(named)}, Python {machine['python']}"
    )


def report(documents: dict[Path, dict[str, Any]]) -> str:
    """All tables, each with its command and its machine."""
    parts = []
    for document in documents.values():
        if "benchmarks" in document:
            machine = document["machine_info"]["factorec"]
            measured = [(SPEED, speed_rows(document)), (LATENCY, latency_rows(document))]
            tables = [table(header, rows) for header, rows in [*measured, (ROOFLINE, roofline_rows(document))] if rows]
            command = machine["command"]
        elif "table" in document:
            machine, command = document["machine"], document["command"]
            tables = [table(tuple(document["table"]["header"]), document["table"]["rows"])]
        elif "curves" in document:
            machine, command = document["machine"], document["command"]
            names = dict.fromkeys(curve["picture"] for curve in document["curves"])
            tables = [f"![{name}: time and memory as they grow]({PLOTS}/{name}.svg)" for name in names]
            tables += curve_tables(document)
        else:
            machine, command = document["machine"], document["command"]
            tables = [table(FIGURE, figure_rows(document))] if document["figures"] else []
            if "tables" in document:
                tables.append("All contenders: [docs/accuracy.md](../docs/accuracy.md).")
        parts.append("\n\n".join([f"`{command}`", *tables, f"Measured on: {machine_line(machine)}"]))
    return "\n\n".join(parts)


def comparison(documents: list[dict[str, Any]]) -> str:
    """The tables and the picture of accuracy beside other libraries and among losses."""
    parts = []
    for document in documents:
        parts += [table(tuple(own["header"]), own["rows"]) for own in document["tables"]]
        if "scatter" in document:
            parts.append(f"![quality against time](../benchmarks/{PLOTS}/accuracy.svg)")
        parts.append(f"`{document['command']}`, on: {machine_line(document['machine'])}")
    return "\n\n".join(parts)


def summary(documents: dict[Path, dict[str, Any]]) -> str:
    """What accuracy reached beside others, some times (HEADLINES), whatever missed its bar, and how many did not.

    Also tables of scripts, and the machine of the last file.
    """
    figures, shown_figures, times, tables, machine = [], [], [], [], {}
    told = set()  # cases at whatever setting
    for document in documents.values():
        if "benchmarks" in document:
            machine = document["machine_info"]["factorec"]
            setting = f" ({machine['threads']} thread{'s' if machine['threads'] > 1 else ''}, {machine['simd']})"
            for case, time, other, ratio, bar, met in speed_rows(document):
                first = (case, other.split(":")[0]) not in told
                told.add((case, other.split(":")[0]))
                times.append((first, case + setting, f"{time}, {other} ({ratio})" if other else time, bar, met))
            for case, p50, _, p99, ratio, bar, met in latency_rows(document):
                times.append((True, f"{case}{setting}, p99 / p50", f"{p99} / {p50} ({ratio})", bar, met))
        elif "table" in document:
            machine = document["machine"]
            own = document["table"]
            tables.append(f"{own['about']}:\n\n{table(tuple(own['header']), own['rows'])}")
        elif "curves" in document:
            continue
        else:
            machine = document["machine"]
            rows = [(case, value, bar, met) for case, value, _, bar, met in figure_rows(document) if bar]
            figures += rows
            shown_figures += [row for row in rows if "scatter" in document or row[3] != "met"]
    parts = []
    if figures:
        met = sum(row[3] == "met" for row in figures)
        parts = [
            table(("quality and memory", "measured", "bar", ""), shown_figures),
            f"Of {len(figures)} bars on quality, memory and service {met} are met; the table has those on accuracy "
            "([beside other libraries](docs/accuracy.md)), and whatever was missed.",
        ]
    barred = [row for row in times if row[3]]
    if barred:
        shown = [row[1:] for row in barred if row[4] != "met" or (row[0] and row[1].startswith(HEADLINES))]
        met = sum(row[4] == "met" for row in barred)
        parts += [
            table(("speed", "measured", "bar", ""), shown),
            f"Of {len(barred)} bars on speed {met} are met; the table has those that were missed, and some others.",
        ]
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}"
    more = "All cases, commands, versions and spreads: [benchmarks](benchmarks/README.md)."
    return "\n\n".join([*parts, *tables, f"{where}. {more}"])


def fill(readme: Path, text: str) -> None:
    before, rest = readme.read_text().split(BEGIN)
    readme.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", nargs="+", type=Path)
    parser.add_argument("--print", action="store_true", help="print the tables instead of writing the READMEs")
    arguments = parser.parse_args()
    documents = {path: json.loads(path.read_text()) for path in arguments.results}
    if arguments.print:
        print(report(documents))
        return
    there = (HERE / "README.md").read_text().count("\nMeasured on: ")
    if len(documents) < there:
        parser.error(f"the READMEs have tables of {there} runs, these are {len(documents)}: give all, or --print")
    for document in documents.values():
        if "curves" in document:
            plots.draw(document["curves"], plot_caption(document["machine"]), HERE / PLOTS)
        if "scatter" in document:
            plots.scatter(document["scatter"], plot_caption(document["machine"]), HERE / PLOTS / "accuracy.svg")
    compared = [document for document in documents.values() if "tables" in document]
    if compared:
        fill(HERE.parent / "docs" / "accuracy.md", comparison(compared))
    fill(HERE / "README.md", report(documents))
    fill(HERE.parent / "README.md", summary(documents))


if __name__ == "__main__":
    main()
