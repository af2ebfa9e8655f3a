"""Promises: titles uncut, nothing injected, pages that need nothing else, files whole or not at all."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from factorec.errors import DataError
from factorec.explain import Explanation

LONG = "The Englishman Who Went Up a Hill, But Came Down a Mountain, and Then Went Up Once More (1995)"
HOSTILE = "<script>alert('$x$ & \"y\"')</script>"
VOID = {"meta", "rect", "line"}


def make(n=3, **change):
    rng = np.random.default_rng(n)
    impact = rng.normal(0, 0.1, n)
    fields = {
        "user_id": 846,
        "item_id": 60,
        "title": "Three Colors: Blue",
        "item_ids": np.arange(n),
        "titles": [f"Film {i}" for i in range(n)],
        "ratings": rng.integers(1, 6, n),
        "influence": rng.normal(0, 0.1, n),
        "impact": impact,
        "score": 0.8,
        "resolved_score": 0.4 + impact.sum(),
        "rest": 0.4,
        "loss": "logistic",
        "noun": "film",
    }
    return Explanation(**fields | change)


def test_text():
    why = make(
        titles=["Three Colors: Red", "Heat", "Fargo"],
        ratings=[5.0, 2.0, 3.5],
        impact=np.array([0.25, -0.051, 0.0004]),
        influence=np.array([0.5, 0.1, -0.2]),
        background=-0.1,
        prior=0.05,
        resolved_score=0.5494,
        left_out=True,
    )
    assert repr(why) == (
        "Why “Three Colors: Blue” for user 846?\n"
        "\n"
        "  score of the model    +0.800 log-odds (a like with probability 69%)\n"
        "  score explained here  +0.549 log-odds (a like with probability 63%), gap +0.251\n"
        "\n"
        "  +0.400  without the ratings: general level, this user's own, this film's own\n"
        "  +0.250  2 of the 3 films rated speak for it\n"
        "  −0.051  1 of the 3 films rated speak against it\n"
        "  −0.100  films not rated, all together\n"
        "  +0.050  a typical user: the prior mean, held against these ratings\n"
        "\n"
        "  impact  influence  rating  film\n"
        "  +0.250     +0.500       5  Three Colors: Red\n"
        "  −0.051     +0.100       2  Heat\n"
        "   0.000     −0.200     3.5  Fargo\n"
        "\n"
        "  Impact: how much of the score comes from the rating of that film. Influence: how far the score\n"
        "  would move if that rating were a like instead of a dislike. The user has rated this film too;\n"
        "  that rating is left out here."
    )


def test_text_of_the_published_formula_without_titles():
    why = make(
        1, title=None, titles=None, ratings=None, user_id=None, method="paper", loss="squared", rank=1,
        condition=1.0, rest=0.0, score=-3.0, resolved_score=-2.5, impact=[2.5], influence=[0.5],
    )  # fmt: skip
    assert repr(why) == (
        "Why film 60 for this user?\n"
        "\n"
        "  score of the model              −3.000\n"
        "  least squares from the ratings  −2.500 (rating points)\n"
        "  rank, condition number          1, 1\n"
        "\n"
        "  +2.500  1 of the 1 film rated speak for it\n"
        "   0.000  0 of the 1 film rated speak against it\n"
        "\n"
        "  impact  influence  film\n"
        "   +2.50     +0.500  0\n"
        "\n"
        "  Impact: how much of the score comes from the rating of that film. Influence: how far the score\n"
        "  would move if that rating were one point higher."
    )


def test_text_shows_twenty_and_never_cuts_a_title():
    text = repr(make(30, titles=[f"{LONG} {i}" for i in range(30)]))
    assert text.count(LONG) == 20
    assert "… and 10 more" in text


def test_titles_missing_and_unprintable():
    why = make(titles=np.array([None, float("nan"), "a\nb\u202ec\x00d\ud800"], dtype=object), impact=[3.0, 2.0, 1.0])
    lines = repr(why).splitlines()
    assert [line.split("  ")[-1] for line in lines[10:13]] == ["0", "1", "a b c d"]
    why.to_html(standalone=True).encode()


class Page(HTMLParser):
    """Checks that tags nest; keeps text, tags and attribute values."""

    def __init__(self, html):
        super().__init__()
        self.stack, self.text, self.tags, self.values = [], [], [], []
        self.feed(html)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.values += [value or "" for _, value in attributes]
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.values += [value or "" for _, value in attributes]

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_html_fragment():
    html = make(30)._repr_html_()
    page = Page(html)
    assert "<!DOCTYPE" not in html
    assert page.tags.count("svg") == 20
    assert "… and 10 more" in page.text


def test_page_holds_everything_and_needs_nothing():
    why = make(30, titles=[f"{LONG} {i}" for i in range(30)])
    html = why.to_html(standalone=True)
    page = Page(html)
    assert html.startswith("<!DOCTYPE html>")
    assert page.tags.count("svg") == 30
    for i in range(30):
        assert f"{LONG} {i}" in page.text
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert not re.search(r"https?:|url\(|@import|src=", html)
    assert "prefers-color-scheme:dark" in html


@pytest.mark.parametrize("standalone", [False, True])
def test_html_escapes_ids_and_titles(standalone):
    why = make(
        title=HOSTILE,
        user_id=HOSTILE,
        item_id=HOSTILE,
        titles=[HOSTILE] * 3,
        ratings=[HOSTILE] * 3,
        noun=HOSTILE,
    )
    page = Page(why.to_html(standalone=standalone))
    assert "script" not in page.tags
    assert HOSTILE in page.text


def test_bars_lie_within_the_picture():
    for impact in ([0.3, -0.7, 0.1], [1.0, 2.0, 3.0], [-1.0, -2.0, -3.0], [0.0, 0.0, 0.0]):
        html = make(impact=np.array(impact)).to_html()
        bars = re.findall(r'x="([-\d.]+)" y="0.5" width="([-\d.]+)"', html)
        assert len(bars) == 3
        for x, width in bars:
            assert float(x) >= 0
            assert float(x) + float(width) <= 100.01


def drawn(why, **options):
    agg = pytest.importorskip("matplotlib.backends.backend_agg")
    from factorec.explain._plot import figure

    fig = figure(why, options.get("n", 20), options.get("value", "impact"))
    agg.FigureCanvasAgg(fig).draw()
    return fig


@pytest.mark.parametrize("value", ["impact", "influence"])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"titles": [f"{LONG} {i}" for i in range(30)]},
        {"titles": ["W" * 200] * 30, "title": "W" * 300},
        {"ratings": None, "titles": None, "item_ids": 10**17 + np.arange(30)},
        {"impact": np.linspace(-5e4, 9e4, 30), "influence": -np.linspace(1e-7, 9e-7, 30)},
        {"method": "paper", "rank": 3, "condition": 2.0},
        {"titles": [HOSTILE, "$\\frac{1$", "_^{"] * 10},
    ],
    ids=["plain", "long", "endless", "ids", "magnitudes", "paper", "hostile"],
)
def test_everything_in_the_picture_is_inside_it(change, value):
    why = make(30, **change)
    fig = drawn(why, value=value)
    ax = fig.axes[0]
    order = np.argsort(-np.abs(getattr(why, value)), kind="stable")[:20]
    shown = ["".join(label.get_text().split()) for label in ax.get_yticklabels()]
    full = [str(why.item_ids[i]) if why.titles is None else why.titles[i] for i in order]
    assert shown == ["".join(title.split()) for title in full]
    edge = fig.bbox
    low, high = ax.get_xlim()
    ticks = [tick for tick in ax.get_xticklabels() if low <= tick.get_position()[0] <= high]  # those drawn
    for text in [*ax.get_yticklabels(), *ticks, *ax.texts, *fig.texts, ax.xaxis.label]:
        box = text.get_window_extent()
        if text.get_text():
            assert box.x0 >= edge.x0, text
            assert box.x1 <= edge.x1, text
            assert box.y0 >= edge.y0, text
            assert box.y1 <= edge.y1, text
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert all(above.y0 > below.y1 for above, below in itertools.pairwise(boxes))  # no title on another


def test_negative_bars_have_a_second_colour():
    why = make(30)
    bars = drawn(why, n=12).axes[0].patches
    assert len(bars) == 12
    np.testing.assert_allclose([bar.get_width() for bar in bars], why.impact[:12])
    colours = {np.sign(bar.get_width()): set() for bar in bars}
    for bar in bars:
        colours[np.sign(bar.get_width())].add(bar.get_facecolor())
    assert [len(found) for found in colours.values()] == [1, 1]
    assert colours[1.0] != colours[-1.0]


def test_plot_into_given_axes_and_into_pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    plt = pytest.importorskip("matplotlib.pyplot")
    fig, ax = plt.subplots()
    size = fig.get_size_inches().tolist()
    assert make(5).plot(ax, n=3, value="influence") is ax
    assert len(ax.patches) == 3
    assert fig.get_size_inches().tolist() == size
    new = make(5).plot()
    assert new.figure is not fig
    assert len(new.patches) == 5
    plt.close("all")
    for change, message in (({"value": "rating"}, "value must be"), ({"n": 0}, "n must be at least 1")):
        with pytest.raises(DataError, match=message):
            make(5).plot(ax, **change)


def test_importing_and_reading_needs_no_matplotlib():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import numpy as np; from factorec.explain import Explanation\n"
        "why = Explanation(1, 2, [3], np.ones(1), np.ones(1), 1.0, 1.0, 0.0)\n"
        "repr(why), why.to_html(standalone=True)\n"
        "try: why.plot()\n"
        "except ImportError as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'factorec[cli]'" in run.stdout


@pytest.mark.parametrize(("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("html", b"<!DOCTYPE")])
def test_save(tmp_path, suffix, start):
    if suffix != "html":
        pytest.importorskip("matplotlib")
    path = tmp_path / f"why.{suffix}"
    assert make().save(str(path)) == path
    content = path.read_bytes()
    assert content.startswith(start)
    make().save(path)
    assert path.read_bytes() == content  # the same explanation, the same bytes
    assert list(tmp_path.iterdir()) == [path]


def test_save_leaves_the_old_file_when_it_fails(tmp_path, monkeypatch):
    path = tmp_path / "why.html"
    path.write_text("before")

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="disk full"):
        make().save(path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_save_wants_a_known_suffix(tmp_path):
    with pytest.raises(DataError, match=r"\.png, \.svg or \.html"):
        make().save(tmp_path / "why.pdf")
