"""Reading tables from files: CSV, TSV and Parquet through pyarrow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError, FormatError
from .recommender import Recommender

__all__ = ["DELIMITERS", "file_kind", "kinds_in", "kinds_of", "parse_id", "read_table", "read_text", "title_of"]

DELIMITERS = {".csv": ",", ".tsv": "\t"}
_PLAIN_INTEGER = r"^(0|-?[1-9][0-9]{0,17})$"  # any of these fits in 64 bits


def read_table(path: Path, ids: Mapping[Any, str | None]) -> Any:
    """Read ``.csv``, ``.tsv`` (also compressed: ``.csv.gz``) or ``.parquet`` into a pyarrow table.

    Parameters
    ----------
    path : Path
    ids : dict
        The columns of ids, each with its kind, ``"integers"`` or ``"strings"``; None where the table decides. In
        CSV and TSV, ids are integers if each is written as one, otherwise text, so that 007 is not 7. Columns that
        the table does not have are passed over. An empty cell is a missing value.

    Raises
    ------
    FormatError
        If the name has none of these endings, or the content is not what the name says.
    OSError
        If the file cannot be read.
    """
    table = _read(path, ids)
    return _with_ids(table, ids) if file_kind(path) in DELIMITERS else table


def read_text(path: Path) -> Any:
    """Read a table as `read_table` does, but with every column of a text file as it is written."""
    return _read(path, None)


def file_kind(path: Path) -> str:
    """``".csv"``, ``".tsv"`` or ``".parquet"``, as the name says; `FormatError` for any other."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = suffixes[-2] if len(suffixes) > 1 and suffixes[-1] == ".gz" else (suffixes or [""])[-1]
    if kind not in (*DELIMITERS, ".parquet") or suffixes[-2:] == [".parquet", ".gz"]:
        raise FormatError(f"{path}: the name must end in .csv, .tsv, .csv.gz, .tsv.gz or .parquet")
    return kind


def _read(path: Path, as_text: Iterable[Any] | None) -> Any:
    """Columns in `as_text` are not interpreted; None: no column is."""
    import pyarrow
    from pyarrow import csv, parquet

    kind = file_kind(path)
    try:
        if kind == ".parquet":
            return parquet.read_table(path)
        parse = csv.ParseOptions(delimiter=DELIMITERS[kind])
        if as_text is None:
            with csv.open_csv(path, parse_options=parse) as reader:
                as_text = reader.schema.names
        text = csv.ConvertOptions(column_types={str(name): pyarrow.string() for name in as_text})
        return csv.read_csv(path, parse_options=parse, convert_options=text)
    except pyarrow.ArrowInvalid as error:
        raise FormatError(f"{path}: not a {kind[1:]} file that can be read: {error}") from None


def _with_ids(table: Any, ids: Mapping[Any, str | None]) -> Any:
    import pyarrow
    from pyarrow import compute

    for position, name in enumerate(table.column_names):
        text = table.column(position)
        if not pyarrow.types.is_string(text.type):
            continue
        values = compute.if_else(compute.equal(text, ""), None, text)  # an empty cell is no id, and no category
        integers = name in ids and ids[name] != "strings"
        if integers and compute.all(compute.match_substring_regex(values, _PLAIN_INTEGER)).as_py():
            values = values.cast(pyarrow.int64())
        table = table.set_column(position, name, values)
    return table


def kinds_in(table: Any, names: tuple[Any, ...]) -> dict[Any, str | None]:
    """The kinds of the ids in a table that was read, for the tables that go with it."""
    import pyarrow

    return {
        name: "integers" if pyarrow.types.is_integer(table.schema.field(name).type) else "strings"
        for name in names
        if table.column_names.count(name) == 1
    }


def kinds_of(rec: Recommender) -> dict[Any, str | None]:
    """The kinds of the ids that a model knows."""
    return {rec.user: rec.encoder_.users_.kind, rec.item: rec.encoder_.items_.kind}


def parse_id(text: str, ids: NDArray[Any], what: str) -> Any:
    """An id typed by a person, as the model holds them."""
    if not np.issubdtype(ids.dtype, np.integer):
        return text
    try:
        return int(text)
    except ValueError:
        raise DataError(f"{what} {text!r} is not an integer, but the model's {what} ids are") from None


def title_of(column: str | None, items: Any) -> str | None:
    """The column of titles: the one that was named, or ``"title"`` if the table of items has one."""
    if column is None and items is not None and "title" in items.column_names:
        return "title"
    return column
