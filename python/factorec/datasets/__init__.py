"""Where tables come from: MovieLens 100K, and interactions drawn from a known factorization machine."""

from __future__ import annotations

from .movielens import MovieLens, load_movielens

__all__ = ["MovieLens", "load_movielens"]
