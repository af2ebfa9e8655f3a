"""What the caller's own tables say about items: titles, and which library they come from."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from ..encoding import Vocabulary
from ..errors import DataError
from .interactions import read_column

__all__ = ["more_titles", "read_titles", "table_kind"]


def read_titles(table: Any, item: Any, title: Any, items: Vocabulary, duplicates: str) -> NDArray[np.object_] | None:
    """Titles by item position; an item without one has its id as title. None if `title` is None."""
    position = items.index(read_column(table, item, "items"))
    known = position >= 0
    counts = np.bincount(position[known], minlength=len(items))
    if duplicates == "raise" and (counts > 1).any():
        twice = items.ids[int(np.argmax(counts > 1)) :].tolist()[0]
        hint = "give one row per item, or duplicates='first' or 'last'"
        raise DataError(f"items: id {twice!r} stands in more than one row; {hint}")
    if title is None:
        return None
    try:
        texts = read_column(table, title, "items")
    except DataError as error:
        raise DataError(f"{error}; title= names the column with titles, title=None takes none") from None
    titles = items.ids.astype(str).astype(object)
    rows = list(zip(position[known].tolist(), texts[known].tolist(), strict=True))
    for place, text in reversed(rows) if duplicates == "first" else rows:  # of several the one written last stays
        if not _is_missing(text):
            titles[place] = str(text)
    return titles


def more_titles(
    titles: NDArray[np.object_] | None, table: Any, item: Any, title: Any, items: Vocabulary, duplicates: str
) -> NDArray[np.object_] | None:
    """The titles, and those of the items that are new; of what has no row in `table` the id."""
    if titles is None or len(titles) == len(items):
        return titles
    more = items.ids.astype(str).astype(object) if table is None else read_titles(table, item, title, items, duplicates)
    if more is None:
        return None
    return np.concatenate([titles, more[len(titles) :]])


def _is_missing(value: Any) -> bool:
    return value is None or type(value).__name__ == "NAType" or value != value


def table_kind(table: Any) -> str:
    """The kind of table: "pandas", "polars", "pyarrow", or "dict" for all others."""
    try:
        kind = nw.get_native_namespace(nw.from_native(table, eager_only=True)).__name__
    except TypeError:
        return "dict"
    return kind if kind in ("pandas", "polars", "pyarrow") else "dict"
