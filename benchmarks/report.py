"""Write the tables of benchmarks/README.md and of README.md from what the suites measured.

Usage: python benchmarks/report.py build/bench/*.json

Reads pytest-benchmark's JSON (times), that of scripts such as accuracy.py (figures with a bar) and that of fields.py (a
table of its own).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BEGIN, END = "<!-- begin: written by report.py -->", "<!-- end: written by report.py -->"
OURS = "factorec"


def speed_rows(document: dict[str, Any]) -> list[tuple[str, ...]]:
    """One row per contender of each case, and one per limit in seconds."""
    cases: dict[str, dict[str, dict[str, Any]]] = {}
    for benchmark in document["benchmarks"]:
        extra = benchmark["extra_info"]
        if "contender" not in extra:
            continue
        extra["seconds"] = extra.get("seconds") or benchmark["stats"]["median"]
        cases.setdefault(benchmark["group"], {})[extra["contender"]] = extra
    rows = []
    for case, contenders in cases.items():
        if OURS not in contenders:  # several ways of ours, each for itself
            for name, way in contenders.items():
                time, limit = way["seconds"], way["limit"]
                bar, met = (f"< {duration(limit)}", verdict(time < limit)) if limit else ("", "")
                rows.append((f"{case}: {name}", duration(time), "", "", bar, met))
            continue
        ours = contenders.pop(OURS)
        time, bars, limit = ours["seconds"], ours["bars"], ours["limit"]
        if limit is not None:
            rows.append((case, duration(time), "", "", f"< {duration(limit)}", verdict(time < limit)))
        elif not contenders:
            rows.append((case, duration(time), "", "", "", ""))
        for name in sorted(contenders.keys() | bars.keys()):
            bar = f"≥ {bars[name]:g}×" if name in bars else ""
            if name not in contenders:
                rows.append((case, duration(time), f"{name}: not measured", "", bar, "not measured"))
                continue
            peer = contenders[name]["seconds"]
            met = verdict(peer / time >= bars[name]) if name in bars else ""
            note = f" ({contenders[name]['note']})" if contenders[name].get("note") else ""
            rows.append((case, duration(time), f"{name}{note}: {duration(peer)}", f"{peer / time:.2f}×", bar, met))
    return rows


def figure_rows(document: dict[str, Any]) -> list[tuple[str, ...]]:
    rows = []
    for figure in document["figures"]:
        bar, met = "", ""
        if figure.get("bar") is not None:
            at_least = figure["better"] == "higher"
            bar = f"{'≥' if at_least else '≤'} {figure['bar']:g}"
            met = verdict(figure["value"] >= figure["bar"] if at_least else figure["value"] <= figure["bar"])
        rows.append((figure["case"], f"{figure['value']:.4g}", figure.get("spread", ""), bar, met))
    return rows


def verdict(met: bool) -> str:
    return "met" if met else "**missed**"


def duration(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def table(header: tuple[str, ...], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine_line(machine: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['threads']} thread(s) used, kernels at "
        f"`{machine['simd']}`, Python {machine['python']}, {machine['system']}; {versions}."
    )


def report(documents: dict[Path, dict[str, Any]]) -> str:
    """All tables, each with its command and its machine."""
    parts = []
    for path, document in documents.items():
        if "benchmarks" in document:
            machine, rows = document["machine_info"]["factorec"], speed_rows(document)
            header: tuple[str, ...] = ("case", "factorec", "peer", "ratio", "bar", "")
            threads = f"FACTOREC_BENCH_THREADS={machine['threads']}"
            files = {benchmark["fullname"].split("::")[0] for benchmark in document["benchmarks"]}
            what = files.pop() if len(files) == 1 else "benchmarks"
            command = f"{threads} python -m pytest {what} --benchmark-enable --benchmark-json={path}"
        elif "table" in document:
            machine, rows, command = document["machine"], document["table"]["rows"], document["command"]
            header = tuple(document["table"]["header"])
        else:
            machine, rows, command = document["machine"], figure_rows(document), document["command"]
            header = ("figure", "value", "spread", "bar", "")
        parts.append(f"`{command}`\n\n{table(header, rows)}\n\nMeasured on: {machine_line(machine)}")
    return "\n\n".join(parts)


def summary(documents: dict[Path, dict[str, Any]]) -> str:
    """What has a bar (times with the number of threads), then tables of scripts, then the machine of the last file."""
    rows, tables, machine = [], [], {}
    for document in documents.values():
        if "benchmarks" in document:
            machine = document["machine_info"]["factorec"]
            for case, time, peer, ratio, bar, met in speed_rows(document):
                if bar:
                    threads = f" ({machine['threads']} thread{'s' if machine['threads'] > 1 else ''})"
                    rows.append((case + threads, f"{time}, {peer} ({ratio})" if peer else time, bar, met))
        elif "table" in document:
            machine = document["machine"]
            own = document["table"]
            tables.append(f"{own['about']}:\n\n{table(tuple(own['header']), own['rows'])}")
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
    fill(HERE / "README.md", report(documents))
    fill(HERE.parent / "README.md", summary(documents))


if __name__ == "__main__":
    main()
