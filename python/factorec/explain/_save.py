"""An explanation as a file, written whole or not at all."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from .._atomic import atomic_file
from ..errors import DataError
from ._html import to_html
from ._plot import figure

if TYPE_CHECKING:
    from .explanation import Explanation

__all__ = ["save"]


def save(why: Explanation, path: Path, n: int, value: str) -> Path:
    """Write `why` in the format that the suffix of `path` names."""
    kind = path.suffix.lower()
    if kind == ".html":
        content = to_html(why, standalone=True, n=n).encode()
    elif kind in (".png", ".svg"):
        buffer = io.BytesIO()
        drawing = figure(why, n, value)
        from matplotlib import rc_context

        # Neither date nor random ids: the same explanation gives the same bytes.
        with rc_context({"svg.hashsalt": "factorec"}):
            metadata = {"Date": None} if kind == ".svg" else None
            drawing.savefig(buffer, format=kind[1:], dpi=160, metadata=metadata)
        content = buffer.getvalue()
    else:
        raise DataError(f"cannot write {path}: the suffix must be .png, .svg or .html")
    with atomic_file(path) as file:
        file.write(content)
    return path
