"""benchmarks/report.py: a bar that was missed is said to be missed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "report.py"


@pytest.fixture(scope="module")
def report():
    specification = importlib.util.spec_from_file_location("report", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPT.parent)  # a script finds its neighbours by its folder
        specification.loader.exec_module(module)
    return module


def timed(case, contender, median, **extra):
    info = {"contender": contender, "bars": {}, "limit": None, "note": None} | extra
    return {"group": case, "extra_info": info, "stats": {"median": median}}


def test_ratios_and_verdicts(report):
    bars = {"fast": 2.0, "slow": 2.0, "absent": 2.0}
    rows = report.speed_rows(
        {
            "benchmarks": [
                timed("epoch", "fast", 0.015),
                timed("epoch", "factorec", 0.010, bars=bars, limit=0.02),
                timed("epoch", "slow", 99.0, seconds=0.030),
            ]
        }
    )
    assert rows == [
        ("epoch", "10 ms", "", "", "< 20 ms", "met"),
        ("epoch", "10 ms", "absent: not measured", "", "≥ 2×", "not measured"),
        ("epoch", "10 ms", "fast: 15 ms", "1.50×", "≥ 2×", "**missed**"),
        ("epoch", "10 ms", "slow: 30 ms", "3.00×", "≥ 2×", "met"),
    ]


def test_ways_of_ours_against_each_other(report):
    rows = report.speed_rows(
        {
            "benchmarks": [
                timed("epoch", "factorec, 1 thread", 0.018),
                timed("epoch", "factorec, 2 threads", 0.010, bars={"factorec, 1 thread": 2.0}),
                timed("epoch", "peer", 0.040),
                timed("top 10", "factorec", 0.011, at_most={"epoch: factorec, 2 threads": 1.2, "epoch: absent": 1}),
            ]
        }
    )
    assert rows == [
        ("epoch: 1 thread", "18 ms", "peer: 40 ms", "2.22×", "", ""),
        ("epoch: 2 threads", "10 ms", "factorec, 1 thread: 18 ms", "1.80×", "≥ 2×", "**missed**"),
        ("epoch: 2 threads", "10 ms", "peer: 40 ms", "4.00×", "", ""),
        ("top 10", "11 ms", "epoch: absent: not measured", "", "≤ 1×", "not measured"),
        ("top 10", "11 ms", "epoch: factorec, 2 threads: 10 ms", "1.10×", "≤ 1.2×", "met"),
    ]


def test_percentiles_and_rooflines(report):
    at = {"p50": 1e-5, "p90": 2e-5, "p99": 4e-5}
    document = {
        "benchmarks": [
            timed("one query", "factorec", 1.0, percentiles=at, p99_at_most=3.0),
            timed("one query", "peer", 1.0, percentiles=at),
            timed("epoch", "factorec", 0.010, roofline={"seconds": 0.005, "limit": "arithmetic"}),
        ]
    }
    assert report.latency_rows(document) == [
        ("one query: factorec", "10 µs", "20 µs", "40 µs", "4.00×", "≤ 3×", "**missed**"),
        ("one query: peer", "10 µs", "20 µs", "40 µs", "4.00×", "", ""),
    ]
    assert report.roofline_rows(document) == [("epoch", "10 ms", "5 ms", "50%", "arithmetic")]


@pytest.mark.parametrize(
    ("value", "better", "verdict"),
    [(0.70, "higher", "met"), (0.69, "higher", "**missed**"), (0.70, "lower", "met"), (0.71, "lower", "**missed**")],
)
def test_figures(report, value, better, verdict):
    rows = report.figure_rows({"figures": [{"case": "c", "value": value, "bar": 0.70, "better": better}]})
    assert rows[0][-1] == verdict


def test_a_table_of_its_own_is_printed_as_it_is(report):
    own = {"about": "What fields add", "header": ["fields", "RMSE"], "rows": [["none", "0.9"], ["all", "0.8"]]}
    where = {"cpu": "x", "cores": 2, "threads": 1, "simd": "avx2", "python": "3", "system": "s", "versions": {}}
    documents = {Path("fields.json"): {"command": "python fields.py", "machine": where, "table": own}}
    rows = "| fields | RMSE |\n| --- | --- |\n| none | 0.9 |\n| all | 0.8 |"
    assert f"`python fields.py`\n\n{rows}\n\n" in report.report(documents)
    assert f"What fields add:\n\n{rows}\n\n" in report.summary(documents)


def test_curves_become_tables_and_pictures(report, tmp_path):
    points = {"1 thread": [[1000, 0.1], [10000, 1.0]], "2 threads": [[10000, 0.6]]}
    size = {"index": [[1000, 4.0], [10000, 40.0]]}
    curves = [
        {"picture": "search", "title": "Items", "x": "items", "y": "seconds", "series": points},
        {"picture": "search", "title": "Memory", "x": "items", "y": "MB", "series": size},
    ]
    assert report.curve_tables({"curves": curves}) == [
        "| Items: items | 1,000 | 10,000 |\n| --- | --- | --- |\n| 1 thread | 100 ms | 1 s |\n"
        "| 2 threads |  | 600 ms |",
        "| Memory: items | 1,000 | 10,000 |\n| --- | --- | --- |\n| index | 4 MB | 40 MB |",
    ]
    (path,) = report.plots.draw(curves, "a machine", tmp_path)
    text = path.read_text()
    assert all(word in text for word in ("a machine", "Items", "Memory", "2 threads", "10k"))
    assert report.plots.draw(curves, "a machine", tmp_path)[0].read_text() == text


def test_fewer_results_do_not_take_the_place_of_all_tables(report, tmp_path, monkeypatch):
    where = {"cpu": "x", "cores": 2, "threads": 1, "simd": "avx2", "python": "3", "system": "s", "versions": {}}
    figure = {"command": "python accuracy.py", "machine": where, "figures": [{"case": "c", "value": 1.0, "bar": 2.0}]}
    figure["figures"][0]["better"] = "lower"
    results = [tmp_path / f"{number}.json" for number in range(2)]
    for path in results:
        path.write_text(report.json.dumps(figure))
    monkeypatch.setattr(report, "HERE", tmp_path / "benchmarks")
    (tmp_path / "benchmarks").mkdir()
    readmes = tmp_path / "README.md", tmp_path / "benchmarks" / "README.md"
    for readme in readmes:
        readme.write_text(f"before {report.BEGIN} {report.END} after")

    def write(*paths):
        monkeypatch.setattr("sys.argv", ["report.py", *map(str, paths)])
        report.main()

    write(*results)
    written = [readme.read_text() for readme in readmes]
    assert written[1].count("python accuracy.py") == 2
    with pytest.raises(SystemExit):
        write(results[0])
    assert [readme.read_text() for readme in readmes] == written
