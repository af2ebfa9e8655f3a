"""Where tables go to, written piece by piece: JSON lines, CSV and Parquet files, SQLite and PostgreSQL."""

from .sink import SUFFIXES, Sink, open_sink, write_table
from .uri import is_database, without_secrets

__all__ = ["SUFFIXES", "Sink", "is_database", "open_sink", "without_secrets", "write_table"]
