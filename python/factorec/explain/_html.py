"""An explanation, and the parts of a score, as HTML: a fragment for notebooks, or one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

from ._steps import Step, hidden, steps
from ._words import digits, headline, legend, parts, rating, scores, signed, title_of

if TYPE_CHECKING:
    from .explanation import Explanation
    from .score_parts import ScoreParts

__all__ = ["parts_to_html", "to_html"]

# Colours are variables, so that dark mode is one block; every rule is scoped to the fragment.
_STYLE = """
.factorec-why{--ink:#1f2933;--faint:#66727f;--line:#e4e7eb;--page:#ffffff;--for:#2a6f97;--against:#d9723b;
 color:var(--ink);background:var(--page);font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
 padding:1.2em 1.4em;border-radius:8px;max-width:62em}
@media (prefers-color-scheme:dark){.factorec-why{--ink:#e6e9ed;--faint:#9aa5b1;--line:#39424e;--page:#1b2026;
 --for:#62b0dc;--against:#f0955f}}
.factorec-why h1{font-size:1.45em;line-height:1.25;margin:0 0 .6em}
.factorec-why h2{font-size:1.08em;line-height:1.3;margin:.4em 0 .6em}
.factorec-why.two{max-width:84em}
.factorec-why .panels{display:flex;flex-wrap:wrap;gap:0 3em}
.factorec-why .panels>div{flex:6 1 32em;min-width:0}
.factorec-why .panels>.parts{flex:5 1 24em}
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
.factorec-why .parts{max-width:42em}
.factorec-why .parts tbody tr{border:0}
.factorec-why .parts td{padding:0 12px 0 0;line-height:1.25}
.factorec-why .parts .bar{width:36%;height:1.9em}
.factorec-why .parts svg{height:100%;min-height:1.9em}
.factorec-why .parts .kind{color:var(--faint);font-size:.86em}
.factorec-why .parts .mark{font-weight:600}
.factorec-why .for{fill:var(--for)}.factorec-why .against{fill:var(--against)}
.factorec-why .place{fill:var(--ink)}
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
body{{margin:1.5em auto;max-width:{width}}}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def to_html(why: Explanation, *, standalone: bool, n: int) -> str:
    """Write the fragment, or the page around it. Every id and title is escaped."""
    ratings = [] if why.unexplained else _ratings(why, standalone, n)
    if why.parts is not None:
        panels = ['<div class="parts">', "<h2>What the score is made of</h2>", *_steps(why.parts, n), "</div>"]
        if ratings:
            panels += ["<div>", f"<h2>Which rated {escape(why.noun)}s it comes from</h2>", *ratings, "</div>"]
        ratings = ['<div class="panels">', *panels, "</div>"]
    two = why.parts is not None and not why.unexplained
    width = "84em" if two else "62em"
    fragment = _section(
        "factorec-why two" if two else "factorec-why",
        f"<h1>{escape(headline(why))}</h1>",
        "<table>",
        *(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in scores(why)),
        "</table>",
        *ratings,
        f"<p>{escape(legend(why))}</p>",
    )
    return _PAGE.format(title=escape(headline(why)), body=fragment, width=width) if standalone else fragment


def parts_to_html(of: ScoreParts, n: int) -> str:
    """Write the waterfall of one score; of many scores, what their text says."""
    if of.values.ndim == 2:
        return f"<pre>{escape(repr(of))}</pre>"
    return _section("factorec-why", '<div class="parts">', *_steps(of, n), "</div>")


def _section(kind: str, *body: str) -> str:
    return "\n".join([f"<style>{_STYLE}</style>", f'<section class="{kind}">', *body, "</section>"])


def _ratings(why: Explanation, standalone: bool, n: int) -> list[str]:
    """What the ratings add up to, then line by line; a page keeps those after the first `n` folded up."""
    total = len(why.impact)
    scale = _Scale(why)
    body = [
        "<table>",
        *(f'<tr><td class="n">{signed(part.value)}</td><td>{escape(part.words)}</td></tr>' for part in parts(why)),
        "</table>",
        _table(why, scale, 0, min(n, total)),
    ]
    if standalone and total > n:
        body += [f"<details><summary>{total - n:,} more</summary>", _table(why, scale, n, total), "</details>"]
    elif total > n:
        body.append(f"<p>… and {total - n:,} more</p>")
    return body


def _steps(of: ScoreParts, n: int) -> list[str]:
    """The waterfall as a table: label, bar, value."""
    lines = steps(of, n)
    ends = [line.end for line in lines]
    low, span = min(ends), (max(ends) - min(ends)) or 1.0

    def at(value: float) -> float:
        return 1.5 + 97 * (value - low) / span

    def row(kind: str, label: str, bar: str, value: str) -> str:
        return f'<tr class="{kind}"><td>{escape(label)}</td><td class="bar">{bar}</td><td class="n">{value}</td></tr>'

    decimals = digits(of.values[1:])
    rows = ['<table class="lines"><tbody>']
    for before, line in zip([None, *lines], lines, strict=False):
        if before is not None and line.kind != before.kind and line.kind != "score":
            rows.append(row("kind", f"{line.kind} terms", _svg(_thread(at(before.end), 0, 10)), ""))
        kind = "mark" if line.kind in ("bias", "score") else "step"
        rows.append(row(kind, line.label, _svg(_step(line, at)), signed(line.value, decimals)))
    return [*rows, "</tbody></table>", *(f"<p>{words}</p>" for words in [hidden(of)] if words)]


def _step(line: Step, at: Callable[[float], float]) -> str:
    """A bar from where the sum stood to where it stands, tied to the lines above and below; bias and score: a place."""
    if line.kind in ("bias", "score"):
        place = f'<rect class="place" fill="#1f2933" x="{at(line.end) - 1:.2f}" y="2" width="2" height="6"/>'
        return place + (_thread(at(line.end), 8, 10) if line.kind == "bias" else _thread(at(line.end), 0, 2))
    bar = _bar(line.value, at(min(line.start, line.end)), abs(at(line.end) - at(line.start)), 2, 6)
    return _thread(at(line.start), 0, 2) + bar + _thread(at(line.end), 8, 10)


def _bar(value: float, x: float, width: float, y: float, height: float) -> str:
    kind, color = ("for", "#2a6f97") if value >= 0 else ("against", "#d9723b")
    return f'<rect class="{kind}" fill="{color}" x="{x:.2f}" y="{y:g}" width="{width:.2f}" height="{height:g}"/>'


def _thread(x: float, top: float, bottom: float) -> str:
    return f'<line class="axis" stroke="#66727f" x1="{x:.2f}" x2="{x:.2f}" y1="{top:g}" y2="{bottom:g}"/>'


def _svg(drawing: str) -> str:
    return f'<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{drawing}</svg>'


class _Scale:
    """Where impacts lie on a bar of width 100, zero included."""

    def __init__(self, why: Explanation) -> None:
        self.low = min(float(why.impact.min(initial=0.0)), 0.0)
        self.span = max(float(why.impact.max(initial=0.0)), 0.0) - self.low or 1.0

    def bar(self, impact: float) -> str:
        zero = -self.low / self.span * 100
        length = abs(impact) / self.span * 100
        start = zero if impact >= 0 else zero - length
        return _svg(_bar(impact, start, length, 0.5, 9) + _thread(zero, 0, 10))


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
