"""factorec: recommendations from factorization machines, in one process.

Train a factorization machine on a table of interactions, get the exact top n items of every user, and see why
each was recommended.

>>> import factorec as fr
>>> data = fr.datasets.make_planted_fm(200, 50, 5000, target="real", seed=0)
>>> rec = fr.Recommender(fr.FMRegressor(n_factors=8, random_state=0)).fit(data.table)
>>> rec.recommend([0, 1], n=3).counts
array([3, 3])
"""

from __future__ import annotations

import importlib as _importlib
import os as _os
from typing import TYPE_CHECKING

from . import _core

if TYPE_CHECKING:
    from . import (
        datasets,
        encoding,
        errors,
        explain,
        fm,
        formats,
        metrics,
        model_selection,
        pipeline,
        sagemaker,
        search,
        service,
        sinks,
        tuning,
    )
    from .encoding import Categorical, Datetime, Encoder, History, MultiLabel, Numeric, Precomputed
    from .errors import (
        DatabaseError,
        DataError,
        DatasetUnavailableError,
        DivergenceError,
        FactorecError,
        FormatError,
        NotFittedError,
        PipelineBusyError,
        QualityGateError,
        UnknownIdError,
    )
    from .explain import Explanation, ScoreParts, decompose, influence
    from .fm import FMClassifier, FMOrdinal, FMParameters, FMRanker, FMRegressor
    from .recommender import Evaluation, Recommendations, Recommender, load
    from .search import ItemIndex, SearchResult

_level = _os.environ.get("FACTOREC_SIMD")
if _level:
    try:
        _core.pin_simd_level(_level)
    except ValueError as error:
        raise ImportError(f"FACTOREC_SIMD: {error}") from None

__version__ = "0.1.0"

__all__ = [
    "Categorical",
    "DataError",
    "DatabaseError",
    "DatasetUnavailableError",
    "Datetime",
    "DivergenceError",
    "Encoder",
    "Evaluation",
    "Explanation",
    "FMClassifier",
    "FMOrdinal",
    "FMParameters",
    "FMRanker",
    "FMRegressor",
    "FactorecError",
    "FormatError",
    "History",
    "ItemIndex",
    "MultiLabel",
    "NotFittedError",
    "Numeric",
    "PipelineBusyError",
    "Precomputed",
    "QualityGateError",
    "Recommendations",
    "Recommender",
    "ScoreParts",
    "SearchResult",
    "UnknownIdError",
    "datasets",
    "decompose",
    "encoding",
    "errors",
    "explain",
    "fm",
    "formats",
    "influence",
    "load",
    "metrics",
    "model_selection",
    "pipeline",
    "sagemaker",
    "search",
    "service",
    "sinks",
    "tuning",
]

# Imported on first use: `import factorec` alone must not wait for scipy and scikit-learn.
_MODULES = {
    "datasets",
    "encoding",
    "errors",
    "explain",
    "fm",
    "formats",
    "metrics",
    "model_selection",
    "pipeline",
    "sagemaker",
    "search",
    "service",
    "sinks",
    "tuning",
}
_HOMES = {
    "Categorical": "encoding",
    "DataError": "errors",
    "DatabaseError": "errors",
    "Datetime": "encoding",
    "DatasetUnavailableError": "errors",
    "DivergenceError": "errors",
    "Encoder": "encoding",
    "Evaluation": "recommender",
    "Explanation": "explain",
    "FMClassifier": "fm",
    "FMOrdinal": "fm",
    "FMParameters": "fm",
    "FMRanker": "fm",
    "FMRegressor": "fm",
    "FactorecError": "errors",
    "FormatError": "errors",
    "History": "encoding",
    "ItemIndex": "search",
    "MultiLabel": "encoding",
    "NotFittedError": "errors",
    "Numeric": "encoding",
    "PipelineBusyError": "errors",
    "Precomputed": "encoding",
    "QualityGateError": "errors",
    "Recommendations": "recommender",
    "Recommender": "recommender",
    "ScoreParts": "explain",
    "SearchResult": "search",
    "UnknownIdError": "errors",
    "decompose": "explain",
    "influence": "explain",
    "load": "recommender",
}


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return _importlib.import_module(f".{name}", __name__)
    if name in _HOMES:
        value: object = getattr(_importlib.import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__ + ["__version__"])
