"""Where tables go to: JSON lines, CSV and Parquet files, written piece by piece."""

from .sink import SUFFIXES, Sink, open_sink, write_table

__all__ = ["SUFFIXES", "Sink", "open_sink", "write_table"]
