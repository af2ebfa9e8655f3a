"""factorec: recommendations from factorization machines, in one process.

Train a factorization machine on a table of interactions, get the exact top n items of every user, and see why
each was recommended.
"""

from __future__ import annotations

import os as _os

from . import _core
from .search import ItemIndex, SearchResult

__all__ = ["ItemIndex", "SearchResult"]

_level = _os.environ.get("FACTOREC_SIMD")
if _level:
    try:
        _core.pin_simd_level(_level)
    except ValueError as error:
        raise ImportError(f"FACTOREC_SIMD: {error}") from None

__version__ = "0.1.0"
