"""Promises of the pictures of parts: lines sum to the score, nothing cut, nothing injected, omissions said."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from factorec.errors import DataError
from factorec.explain import Explanation, ScoreParts
from factorec.explain._steps import steps

from .test_presentation import HOSTILE, LONG, Page, drawn, make


def make_parts(n_fields=4, seed=0, names=None, bias=0.3, **change):
    values = np.random.default_rng(seed).normal(0, 0.2, 1 + n_fields * (n_fields + 3) // 2)
    values[0] = bias
    return ScoreParts(tuple(names or [f"field {i}" for i in range(n_fields)]), change.get("values", values))


def with_parts(parts, n=12, **change):
    return make(n, **{"score": parts.score, "parts": parts} | change)


@pytest.mark.parametrize("n", [1, 2, 5, 13, 14, 100])
def test_lines_add_up_and_count_what_they_sum(n):
    parts = make_parts()
    lines = steps(parts, n)
    assert (lines[0].kind, lines[-1].kind) == ("bias", "score")
    for above, below in itertools.pairwise(lines[:-1]):
        assert below.start == above.end
    assert lines[-2].end == pytest.approx(lines[-1].end, abs=1e-12)
    shown = [line.label for line in lines if line.label in parts.names[1:]]
    sizes = np.abs(parts.values[1:])
    largest = np.argsort(-sizes)[:n]
    assert {parts.names[1 + i] for i in largest} <= set(shown)
    summed = [re.match(r"(\d+) (?:smaller )?(?:linear|pairwise) terms", line.label) for line in lines]
    assert len(shown) + sum(int(found[1]) for found in summed if found) == 14
    assert all(int(found[1]) > 1 for found in summed if found)


def test_text_sums_the_smaller_and_counts_the_zero():
    parts = ScoreParts(("user_id", "item_id"), [-1.0, 0.5, 0.0, 0.0, -0.25, 0.0])
    assert repr(parts) == (
        "   score  −0.750\n"
        "    bias  −1.000\n"
        "  linear  +0.500  user_id\n"
        "pairwise  −0.250  user_id × item_id\n"
        "Not shown: 1 part that is zero."
    )
    many = repr(make_parts(8))
    assert len(many.splitlines()) == 24
    assert "smaller pairwise terms" in many
    assert "Not shown" not in many


def test_text_of_many_scores_is_by_size():
    parts = ScoreParts(("a",), [[1.0, 0.5, 0.0], [1.0, -1.5, 0.0]])
    assert repr(parts) == "The parts of 2 scores, by mean size |value|:\n  1.00  bias\n  1.00  a"
    assert parts._repr_html_().startswith("<pre>The parts of 2 scores")
    with pytest.raises(DataError, match=r"parts\[0\]\.plot\(\)"):
        parts.plot()


def test_text_of_both():
    text = repr(with_parts(make_parts(2)))
    assert text.index("The score of the model by parts") < text.index("The score explained here by films rated")
    assert "field 0 × field 1" in text
    assert "Film 3" in text


def test_parts_must_be_those_of_the_score():
    with pytest.raises(DataError, match=r"not to the score 0\.8"):
        make(parts=make_parts())


@pytest.mark.parametrize("standalone", [False, True])
def test_html_of_both_is_escaped(standalone):
    why = with_parts(make_parts(3, names=["<b>", HOSTILE, "c"]))
    page = Page(why.to_html(standalone=standalone))
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert HOSTILE in page.text
    assert page.text.count("bias") == 1
    assert page.tags.count("h2") == 2
    assert not re.search(r"https?:|url\(|@import|src=", why.to_html(standalone=True))


@pytest.mark.parametrize("values", [[0.3, 0.2, -0.5, 0.1], [5.0, 1e-6, -1e-6, 3e-7], [0.0, 0.0, 0.0, 0.0]])
def test_bars_lie_within_the_picture(values):
    parts = ScoreParts(("a",), values[:3])
    for bars in (parts.to_html(), with_parts(parts).to_html()):
        for x, width in re.findall(r'<rect [^>]*x="([-\d.]+)"[^>]*width="([-\d.]+)"', bars):
            assert float(x) >= 0
            assert float(x) + float(width) <= 100.01


def inside(fig):
    """All texts lie in the figure, and no label on another."""
    edge = fig.bbox
    for ax in fig.axes:
        low, high = ax.get_xlim()
        ticks = [tick for tick in ax.get_xticklabels() if low <= tick.get_position()[0] <= high]
        for text in [*ax.get_yticklabels(), *ticks, *ax.texts, ax.xaxis.label]:
            box = text.get_window_extent()
            if text.get_text().strip():
                assert box.x0 >= edge.x0, text
                assert box.x1 <= edge.x1, text
                assert box.y0 >= edge.y0, text
                assert box.y1 <= edge.y1, text
        labels = [label.get_window_extent() for label in ax.get_yticklabels()]
        assert all(above.y0 > below.y1 for above, below in itertools.pairwise(labels))
    for text in fig.texts:
        box = text.get_window_extent()
        assert edge.x0 <= box.x0 <= box.x1 <= edge.x1, text
    titles = [text.get_window_extent() for text in fig.texts]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(titles, 2))


@pytest.mark.parametrize(
    ("parts", "change"),
    [
        (make_parts(), {}),
        (make_parts(2), {"titles": [f"{LONG} {i}" for i in range(12)], "title": "W" * 300}),
        (make_parts(12, names=[f"a field with quite a long name, number {i}" for i in range(12)]), {}),
        (make_parts(3, names=["W" * 150, HOSTILE, "$\\frac{1$"]), {"ratings": None}),
        (make_parts(2, bias=-3e4), {"loss": "squared"}),
        (make_parts(1, bias=3.5), {"background": 0.2, "prior": 0.1, "noun": "item of clothing"}),
        (ScoreParts(("a", "b"), np.zeros(6)), {}),
        (make_parts(3), {"method": "paper", "rank": 3, "condition": 2.0}),
    ],
    ids=["plain", "long titles", "many fields", "endless", "magnitudes", "few", "zero", "paper"],
)
def test_both_panels_are_inside_and_apart(parts, change):
    fig = drawn(with_parts(parts, **change))
    inside(fig)
    left, right = (ax.get_tightbbox() for ax in fig.axes)
    assert left.x1 < right.x0
    labels = ["".join(label.get_text().split()) for label in fig.axes[0].get_yticklabels()]
    for line in steps(parts, 20):
        assert "".join(line.label.split()) in labels


def test_the_waterfall_goes_from_the_bias_to_the_score():
    parts = make_parts(3)
    ax = drawn(with_parts(parts)).axes[0]
    lines = steps(parts, 20)
    bars = [(bar.get_x(), bar.get_width()) for bar in ax.patches]
    np.testing.assert_allclose(bars, [(line.start, line.value) for line in lines[1:-1]])
    marks = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "D"]
    np.testing.assert_allclose(marks, [parts.bias, parts.score])


def test_signs_have_the_same_colours_in_both_panels():
    parts, ratings = drawn(with_parts(make_parts(4))).axes
    colours = [
        {np.sign(bar.get_width()): bar.get_facecolor() for bar in ax.patches if bar.get_width()}
        for ax in (parts, ratings)
    ]
    assert colours[0] == colours[1]
    assert len(set(colours[0].values())) == 2


def test_plot_into_given_axes_and_into_pyplot():
    pytest.importorskip("matplotlib").use("Agg")
    plt = pytest.importorskip("matplotlib.pyplot")
    why = with_parts(make_parts(2))
    fig, (left, right) = plt.subplots(1, 2)
    assert why.plot(right) is right
    assert why.parts.plot(left, n=3) is left
    assert len(right.patches) == 12
    assert len(fig.axes) == 2
    both = why.plot()
    assert both.figure.axes[1] is both
    assert len(why.parts.plot().figure.axes) == 1
    plt.close("all")
    with pytest.raises(DataError, match="n must be at least 1"):
        why.parts.plot(left, n=0)


def unexplained(parts):
    none = np.empty(0)
    return Explanation(
        "ann", 7, none, none, none, parts.score, parts.score, parts.score, title="Ronin", noun="film", parts=parts,
        unexplained="the model learned from nothing that this user did",
    )  # fmt: skip


def test_a_score_that_no_rating_explains_shows_its_parts(tmp_path):
    why = unexplained(make_parts(2))
    for text in (repr(why), why.to_html()):
        assert "No film rated explains this score: the model learned from nothing" in text
        assert "speak for it" not in text
        assert "field 0 × field 1" in text
    assert len(why.contributions) == 0
    assert why.to_frame().shape[0] == 0
    fig = drawn(why)
    assert len(fig.axes) == 1
    inside(fig)
    assert why.save(tmp_path / "why.png").stat().st_size > 0
