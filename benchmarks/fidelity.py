"""How well explanations agree with the models that they explain, solver by solver, on MovieLens 100K.

An explanation re-solves the user's own vector from the user's own rows. Fidelity is the overlap of the top 20 unseen
films by the model's scores and by the re-solved ones, mean over 150 users: of models that sample (their scores are the
mean over samples, re-solved is the mean of their parameters), of least squares (at its minimum there is no gap), of
ordered levels, and of rankers, whose losses of lists a squared loss stands for. Only training rows (ua.base) are read.

Usage: python benchmarks/fidelity.py [--out build/bench/fidelity.json] [--seeds 3]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import machine
from defaults import Figures, figure
from factorec.fm import BaseFM, FMClassifier, FMOrdinal, FMRanker, FMRegressor
from quality import NEGATIVES, fidelity, fitted, split

# The last: the least that is expected. Neither a mean of parameters nor what stands for a loss of lists is the model.
MODELS: dict[str, tuple[Callable[..., BaseFM], dict[str, object], float]] = {
    "FMRegressor, adagrad": (FMRegressor, {"n_factors": 64}, 0.85),
    "FMRegressor, als": (FMRegressor, {"n_factors": 16, "solver": "als"}, 0.85),
    "FMRegressor, als, 200 sweeps": (FMRegressor, {"n_factors": 16, "solver": "als", "n_epochs": 200}, 0.99),
    "FMRegressor, gibbs (mean of parameters)": (FMRegressor, {"n_factors": 16, "solver": "gibbs"}, 0.8),
    "FMClassifier, adagrad": (FMClassifier, {"n_factors": 64}, 0.85),
    "FMClassifier, gibbs (mean of parameters)": (FMClassifier, {"n_factors": 16, "solver": "gibbs"}, 0.8),
    "FMOrdinal, adagrad": (FMOrdinal, {}, 0.85),
    "FMOrdinal, gibbs (mean of parameters)": (FMOrdinal, {"solver": "gibbs"}, 0.8),
    f"FMClassifier, negatives={NEGATIVES}": (FMClassifier, {"n_factors": 64}, 0.85),
    "FMRanker, ials": (FMRanker, {"solver": "ials"}, 0.85),
    "FMRanker, softmax (squared loss)": (FMRanker, {"loss": "softmax"}, 0.75),
    "FMRanker, bpr (squared loss)": (FMRanker, {"loss": "bpr"}, 0.75),
    "FMRanker, warp (squared loss)": (FMRanker, {"loss": "warp"}, 0.75),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/bench/fidelity.json"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="models whose names hold this")
    arguments = parser.parse_args()
    data = split("ua")
    figures: Figures = []
    for name, (estimator, settings, bar) in MODELS.items():
        if arguments.only not in name:
            continue
        negatives = NEGATIVES if "negatives" in name else 0
        overlaps = []
        for seed in range(arguments.seeds):
            model = estimator(**settings, random_state=seed, n_jobs=machine.threads())
            overlaps.append(fidelity(fitted(model, data, data.train, negatives=negatives)))
        figures.append(figure(f"fidelity of explanations, ua, {name}", overlaps, bar, "higher"))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    document = {"command": "python benchmarks/fidelity.py", "machine": machine.describe(), "figures": figures}
    arguments.out.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
