"""An explanation as HTML: a fragment for notebooks, or one page that needs nothing else."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ._words import digits, headline, legend, parts, rating, scores, signed, title_of

if TYPE_CHECKING:
    from .explanation import Explanation

__all__ = ["to_html"]

# Colours are variables, so that dark mode is one block; every rule is scoped to the fragment.
_STYLE = """
.factorec-why{--ink:#1f2933;--faint:#66727f;--line:#e4e7eb;--page:#ffffff;--for:#2a6f97;--against:#d9723b;
 color:var(--ink);background:var(--page);font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
 padding:1.2em 1.4em;border-radius:8px;max-width:62em}
@media (prefers-color-scheme:dark){.factorec-why{--ink:#e6e9ed;--faint:#9aa5b1;--line:#39424e;--page:#1b2026;
 --for:#62b0dc;--against:#f0955f}}
.factorec-why h1{font-size:1.45em;line-height:1.25;margin:0 0 .6em}
.factorec-why table{border-collapse:collapse;margin:0 0 1.2em;background:none}
.factorec-why th,.factorec-why td{padding:.22em .8em .22em 0;text-align:left;vertical-align:middle;
 border:0;background:none;color:inherit;font-size:inherit}
.factorec-why tr{background:none}
.factorec-why th{font-weight:600;color:var(--faint);white-space:nowrap}
.factorec-why .n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.factorec-why .lines{width:100%}
.factorec-why .lines tbody tr{border-top:1px solid var(--line)}
.factorec-why .bar{width:36%;min-width:8em}
.factorec-why svg{display:block;width:100%;height:1em}
.factorec-why .for{fill:var(--for)}.factorec-why .against{fill:var(--against)}
.factorec-why .axis{stroke:var(--faint);stroke-width:1;vector-effect:non-scaling-stroke}
.factorec-why p,.factorec-why summary{color:var(--faint);font-size:.92em;margin:.4em 0}
""".strip()

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
html{{background:#fff}}
@media (prefers-color-scheme:dark){{html{{background:#1b2026}}}}
body{{margin:1.5em auto;max-width:62em}}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def to_html(why: Explanation, *, standalone: bool, n: int) -> str:
    """Write the fragment, or the page around it. Every id and title is escaped."""
    total = len(why.impact)
    scale = _Scale(why)
    body = [
        f"<style>{_STYLE}</style>",
        '<section class="factorec-why">',
        f"<h1>{escape(headline(why))}</h1>",
        "<table>",
        *(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in scores(why)),
        "</table>",
        "<table>",
        *(f'<tr><td class="n">{signed(part.value)}</td><td>{escape(part.words)}</td></tr>' for part in parts(why)),
        "</table>",
        _table(why, scale, 0, min(n, total)),
    ]
    if standalone and total > n:
        body += [
            f"<details><summary>{total - n:,} more</summary>",
            _table(why, scale, n, total),
            "</details>",
        ]
    elif total > n:
        body.append(f"<p>… and {total - n:,} more</p>")
    body += [f"<p>{escape(legend(why))}</p>", "</section>"]
    fragment = "\n".join(body)
    return _PAGE.format(title=escape(headline(why)), body=fragment) if standalone else fragment


class _Scale:
    """Where impacts lie on a bar of width 100, zero included."""

    def __init__(self, why: Explanation) -> None:
        self.low = min(float(why.impact.min(initial=0.0)), 0.0)
        self.span = max(float(why.impact.max(initial=0.0)), 0.0) - self.low or 1.0

    def bar(self, impact: float) -> str:
        zero = -self.low / self.span * 100
        length = abs(impact) / self.span * 100
        start = zero if impact >= 0 else zero - length
        kind, color = ("for", "#2a6f97") if impact >= 0 else ("against", "#d9723b")
        return (
            '<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
            f'<rect class="{kind}" fill="{color}" x="{start:.2f}" y="0.5" width="{length:.2f}" height="9"/>'
            f'<line class="axis" stroke="#66727f" x1="{zero:.2f}" x2="{zero:.2f}" y1="0" y2="10"/></svg>'
        )


def _table(why: Explanation, scale: _Scale, start: int, stop: int) -> str:
    rated = why.ratings is not None
    impact_digits, influence_digits = digits(why.impact), digits(why.influence)
    head = f"<th>{escape(why.noun)}</th>" + ('<th class="n">rating</th>' if rated else "")
    head += '<th class="bar"></th><th class="n">impact</th><th class="n">influence</th>'
    rows = [f'<table class="lines"><thead><tr>{head}</tr></thead><tbody>']
    for i in range(start, stop):
        cells = f"<td>{escape(title_of(why, i))}</td>"
        if why.ratings is not None:
            cells += f'<td class="n">{escape(rating(why.ratings[i]))}</td>'
        cells += f'<td class="bar">{scale.bar(float(why.impact[i]))}</td>'
        cells += f'<td class="n">{signed(why.impact[i], impact_digits)}</td>'
        cells += f'<td class="n">{signed(why.influence[i], influence_digits)}</td>'
        rows.append(f"<tr>{cells}</tr>")
    return "\n".join([*rows, "</tbody></table>"])
