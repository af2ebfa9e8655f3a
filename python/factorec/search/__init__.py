"""From vectors to the exact top n: maximum inner product search over items, with filters.

`ItemIndex` holds the items, `ItemIndex.search` returns a `SearchResult`.
"""

from __future__ import annotations

from .index import ItemIndex
from .result import SearchResult

__all__ = ["ItemIndex", "SearchResult"]
