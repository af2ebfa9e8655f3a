"""Write the tables of benchmarks/README.md and of README.md, and the plots, from what the suites measured.

Usage: python benchmarks/report.py build/bench/*.json

Reads pytest-benchmark's JSON (times), that of scripts such as accuracy.py (figures with a bar), that of fields.py (a
table of its own) and that of growth.py (curves).
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
BEGIN, END = "<!-- begin: written by report.py -->", "<!-- end: written by report.py -->"


def machine_line(machine: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['threads']} thread(s) used, kernels at "
        f"`{machine['simd']}`, Python {machine['python']}, {machine['system']}; {versions}."
    )


def plot_caption(machine: dict[str, Any]) -> str:
    versions = machine["versions"]
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['threads']} threads, kernels at {machine['simd']}, "
        f"{machine['system']}; factorec {versions['factorec']}, numpy {versions['numpy']}, Python {machine['python']}"
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
            tables = [table(FIGURE, figure_rows(document))]
        parts.append("\n\n".join([f"`{command}`", *tables, f"Measured on: {machine_line(machine)}"]))
    return "\n\n".join(parts)


def summary(documents: dict[Path, dict[str, Any]]) -> str:
    """What has a bar (times with the number of threads), then tables of scripts, then the machine of the last file."""
    rows, tables, machine = [], [], {}
    for document in documents.values():
        if "benchmarks" in document:
            machine = document["machine_info"]["factorec"]
            threads = f" ({machine['threads']} thread{'s' if machine['threads'] > 1 else ''})"
            for case, time, other, ratio, bar, met in speed_rows(document):
                if bar:
                    rows.append((case + threads, f"{time}, {other} ({ratio})" if other else time, bar, met))
            for case, p50, _, p99, ratio, bar, met in latency_rows(document):
                if bar:
                    rows.append((f"{case}{threads}, p99 / p50", f"{p99} / {p50} ({ratio})", bar, met))
        elif "table" in document:
            machine = document["machine"]
            own = document["table"]
            tables.append(f"{own['about']}:\n\n{table(tuple(own['header']), own['rows'])}")
        elif "curves" in document:
            continue
        else:
            machine = document["machine"]
            rows += [(case, value, bar, met) for case, value, _, bar, met in figure_rows(document) if bar]
    where = f"{machine['cpu']}, {machine['cores']} cores, `{machine['simd']}`, {machine['system']}"
    more = "Commands, versions and spreads: [benchmarks](benchmarks/README.md)."
    return "\n\n".join([table(("case", "measured", "bar", ""), rows), *tables, f"{where}. {more}"])


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
    for document in documents.values():
        if "curves" in document:
            plots.draw(document["curves"], plot_caption(document["machine"]), HERE / PLOTS)
    fill(HERE / "README.md", report(documents))
    fill(HERE.parent / "README.md", summary(documents))


if __name__ == "__main__":
    main()
