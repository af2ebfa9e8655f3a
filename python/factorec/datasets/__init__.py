"""Where tables come from: MovieLens 100K, and interactions drawn from a known factorization machine."""

from __future__ import annotations

from .movielens import MovieLens, load_movielens
from .planted import PlantedFM, make_planted_fm

__all__ = ["MovieLens", "PlantedFM", "load_movielens", "make_planted_fm"]
