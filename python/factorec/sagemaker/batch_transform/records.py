"""Files cut into records, and records packed into requests (contract 6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Literal

from ...errors import DataError
from ...formats.recordio import split_records

__all__ = ["BatchStrategy", "Request", "SplitType", "read_requests", "split_lines"]

SplitType = Literal["None", "Line", "RecordIO"]
BatchStrategy = Literal["MultiRecord", "SingleRecord"]


@dataclass(frozen=True)
class Request:
    """Records that travel together.

    Attributes
    ----------
    records : list of bytes
        As they stand in the file: lines with their ends, framed recordio records.
    numbers : list of int
        Of the records in the file, from 1; of lines, those without anything in them counted.
    """

    records: list[bytes] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)


def read_requests(
    file: BinaryIO, split_type: SplitType, batch_strategy: BatchStrategy, max_bytes: int | None
) -> Iterator[Request]:
    """Read a file as requests, in order, each as large as the strategy and the limit allow.

    Parameters
    ----------
    file : binary file
    split_type : {"None", "Line", "RecordIO"}
        "None": the whole file is one request.
    batch_strategy : {"MultiRecord", "SingleRecord"}
        Fill requests up to the limit, or one record each.
    max_bytes : int or None
        The limit. At most a few times as much is held in memory.

    Yields
    ------
    Request

    Raises
    ------
    DataError
        If a record, or a file that is not split, is larger than the limit.
    FormatError
        If the file is damaged.
    """
    if split_type == "None":
        body = file.read() if max_bytes is None else file.read(max_bytes + 1)
        if max_bytes is not None and len(body) > max_bytes:
            raise DataError(
                f"the file is larger than one request may be ({max_bytes:,} bytes, max_payload) and is sent whole; "
                'give split_type="Line" for lines or split_type="RecordIO" for recordio-protobuf'
            )
        yield Request([body], [1])
        return
    assert max_bytes is not None
    single = batch_strategy == "SingleRecord"
    if split_type == "Line":
        records = split_lines(file, max_bytes)
    else:  # padding is left out of single records, as documented
        records = _split_recordio(file, max_bytes, strip_padding=single)
    if single:
        yield from (Request([record], [number]) for number, record in records)
        return
    yield from _pack(records, max_bytes)


def split_lines(file: BinaryIO, max_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Yield (number from 1, line with its end); lines without anything in them are no records."""
    for number, line in enumerate(iter(lambda: file.readline(max_bytes + 1), b""), start=1):
        if len(line) > max_bytes:
            raise _too_large(number, max_bytes)
        if not line.isspace():
            yield number, line


def _pack(records: Iterable[tuple[int, bytes]], max_bytes: int) -> Iterator[Request]:
    request, size = Request(), 0
    for number, record in records:
        if request.records and size + len(record) > max_bytes:
            yield request
            request, size = Request(), 0
        request.records.append(record)
        request.numbers.append(number)
        size += len(record)
    if request.records:
        yield request


def _split_recordio(file: BinaryIO, max_bytes: int, *, strip_padding: bool) -> Iterator[tuple[int, bytes]]:
    for number, record in enumerate(split_records(file, strip_padding=strip_padding, max_bytes=max_bytes), start=1):
        if len(record) > max_bytes:
            raise _too_large(number, max_bytes)
        yield number, record


def _too_large(number: int, max_bytes: int) -> DataError:
    return DataError(f"record {number} is larger than one request may be ({max_bytes:,} bytes, max_payload)")
