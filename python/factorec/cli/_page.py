"""One self-contained HTML page: what a run found, and why."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from .._atomic import atomic_file
from ..explain import Explanation

__all__ = ["write_page"]

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root{{--ink:#1f2933;--faint:#66727f;--line:#e4e7eb;--page:#fff}}
@media (prefers-color-scheme:dark){{:root{{--ink:#e6e9ed;--faint:#9aa5b1;--line:#39424e;--page:#1b2026}}}}
body{{margin:2em auto;max-width:86em;padding:0 1em;color:var(--ink);background:var(--page);
 font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}}
h1{{font-size:1.7em;margin:0 .82em .2em}} h2{{font-size:1.15em;margin:0}}
header p,.intro p{{color:var(--faint);margin:.3em 0}}
header,.intro{{margin:0 0 1em}} header>p,header>table,.intro{{margin-left:1.4em;margin-right:1.4em}}
header table{{border-collapse:collapse;margin-top:1em}}
header th,header td{{padding:.25em 1.4em .25em 0;text-align:right;font-variant-numeric:tabular-nums;
 border-bottom:1px solid var(--line)}}
header th:first-child,header td:first-child{{text-align:left}}
header th{{font-weight:600;color:var(--faint)}}
article{{border-top:1px solid var(--line);padding-top:1.6em;margin-top:1.2em}}
</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p>{lead}</p>
{tables}
</header>
{sections}
</body>
</html>
"""


def write_page(
    path: Path,
    title: str,
    lead: str,
    tables: Sequence[tuple[Sequence[str], Sequence[Sequence[Any]]]],
    sections: Sequence[tuple[str, str, Explanation]],
) -> None:
    """Write the page: tables of (head, rows), then sections of (heading, text, explanation)."""
    text = _PAGE.format(
        title=escape(title),
        lead=escape(lead),
        tables="\n".join(_table(head, rows) for head, rows in tables),
        sections="\n".join(
            f'<article><div class="intro"><h2>{escape(heading)}</h2><p>{escape(words)}</p></div>\n'
            f"{why.to_html()}</article>"
            for heading, words, why in sections
        ),
    )
    with atomic_file(path) as file:
        file.write(text.encode())


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    def line(cells: Sequence[Any], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"

    return "\n".join(["<table>", line(head, "th"), *(line(row, "td") for row in rows), "</table>"])
