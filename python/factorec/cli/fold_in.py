"""What the command ``fold-in`` does."""

from __future__ import annotations

import time
from pathlib import Path

from .. import load
from .._table_files import kinds_of, read_table
from ..errors import DataError
from ._console import note

__all__ = ["fold_in"]


def fold_in(model: Path, table: Path | None, out: Path, *, side: str, catalogue: Path | None) -> None:
    """Take users or items that came after training into a model, and save it."""
    if not out.parent.is_dir():  # before the work, not after it
        raise FileNotFoundError(2, "no such folder", str(out.parent))
    if table is None and catalogue is None:
        raise DataError("there is nothing to fold in: give a TABLE of interactions, or --catalogue")
    rec = load(model)
    ids = kinds_of(rec)
    rows, features = (None if path is None else read_table(path, ids) for path in (table, catalogue))
    before = {name: rec.encoder_.is_trained(name).sum() for name in ("user", "item")}
    began = time.perf_counter()
    if side == "users":
        rec.fold_in_users(rows, users=features)
    else:
        rec.fold_in_items(rows, items=features)
    took = time.perf_counter() - began
    rec.save(out)
    new = rec.encoder_.is_trained(side[:-1]).sum() - before[side[:-1]]
    n_rows = 0 if rows is None else rows.num_rows
    note(f"{n_rows:,} rows, {new:,} new {side}: folded in in {took:.2f} s, saved to {out}")
