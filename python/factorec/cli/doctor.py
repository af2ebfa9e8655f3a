"""``factorec doctor``: what this installation is, and whether it computes right."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.markup import escape

from .. import FMRegressor, Recommender, __version__, _core, load
from .._threads import resolve_n_jobs
from ..datasets import make_planted_fm
from ._console import console, print_table, step
from ._exit import one_line

__all__ = ["doctor"]

_PARTS = ("numpy", "scipy", "scikit-learn", "narwhals", "safetensors", "pandas", "polars", "pyarrow", "matplotlib")


def doctor(model: Path | None) -> bool:
    """Print the report; True if every check passes."""
    console.print(f"[bold]factorec {__version__}[/bold]")
    print_table(
        ["", ""],
        [
            ["Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"],
            ["executable", sys.executable],
            ["instruction set", f"{_core.simd_level()} (available: {', '.join(_core.available_simd_levels())})"],
            ["OpenMP", "yes" if _core.has_openmp() else "no"],
            ["threads by default", str(resolve_n_jobs(None))],
            *([part, _version(part)] for part in _PARTS),
        ],
        text=(0, 1),
    )
    step("Checks")
    checks: list[tuple[str, Callable[[], None]]] = [
        ("train, rank and explain a planted model", _check_the_way),
        ("the same bits at one thread and at several", _check_repeatable),
    ]
    if model is not None:
        checks.append((f"read {model}", lambda: _check_model(model)))
    passed = True
    for name, check in checks:
        try:
            check()
            console.print(f"  [green]ok[/green]      {escape(name)}")
        except Exception as error:
            passed = False
            console.print(f"  [red]failed[/red]  {escape(f'{name}: {one_line(error)}')}")
    return passed


def _version(part: str) -> str:
    try:
        return importlib.metadata.version(part)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _fit(n_jobs: int | None = None) -> Recommender:
    table = make_planted_fm(200, 60, 4000, target="real", seed=0).table
    return Recommender(FMRegressor(n_factors=4, random_state=0, n_jobs=n_jobs)).fit(table)


def _check_the_way() -> None:
    rec = _fit()
    top = rec.recommend(n=5)
    users = np.repeat(top.user_ids, top.n)
    scores = rec.decision_function({"user_id": users, "item_id": top.item_ids.ravel()})
    if not np.allclose(scores, top.scores.ravel(), rtol=1e-5, atol=1e-5):
        raise AssertionError("scores of the search and of the model differ")
    why = rec.explain(user=top.user_ids[0], item=top.item_ids[0, 0])
    if not np.isclose(why.rest + why.impact.sum(), why.resolved_score):
        raise AssertionError("impacts do not add up to the score")


def _check_repeatable() -> None:
    one, several = _fit(1).estimator_.parameters_, _fit(4).estimator_.parameters_
    if one.bias != several.bias or not np.array_equal(one.factors, several.factors):
        raise AssertionError("parameters differ")


def _check_model(path: Path) -> None:
    rec = load(path)
    rec.recommend(rec.encoder_.users_.ids[:1], n=1, exclude_seen=False)
