"""Reading tar archives from a stream, into memory, with limits.

Not the standard library's reader: that one believes sizes (a header of 8 GB is read whole), and older versions of it
can be made to loop for ever. Only what an archive of plain files needs is understood; everything else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ._limits import LimitedStream

__all__ = ["TarFile", "tar_files"]

_BLOCK = 512
# A long name or an extended header: names, times, comments.
_MAX_HEADER = 1 << 16
_REGULAR, _FOLDER = b"0\0007", b"5"
_KINDS = {b"1": "a hard link", b"2": "a symbolic link", b"3": "a device", b"4": "a device", b"6": "a pipe"}
_RECORD = re.compile(rb"([0-9]{1,7}) ([^=\n]+)=")


@dataclass
class TarFile:
    """A plain file in an archive.

    Attributes
    ----------
    name : str
        As written, without a leading ``./``.
    offset : int
        Of its header in the unpacked archive.
    read : callable
        Returns the content; once, before the next file is asked for.
    """

    name: str
    offset: int
    read: Callable[[], bytes]


def tar_files(stream: LimitedStream) -> Iterator[TarFile]:
    """Walk over the plain files of an archive; folders are stepped over.

    Parameters
    ----------
    stream : LimitedStream
        The archive, unpacked.

    Yields
    ------
    TarFile

    Raises
    ------
    FormatError
        If the archive is damaged, a file is named so that it would leave its folder, or there is a link, a device or
        anything else that is neither file nor folder.
    """
    extended: dict[str, str] = {}
    while True:
        start = stream.offset
        block = stream.read(_BLOCK)
        if not block or not any(block):
            return
        if len(block) < _BLOCK:
            raise stream.error("the archive ends inside a header", start)
        _check_sum(stream, block, start)
        kind, size = block[156:157], _number(stream, block[124:136], start)
        if kind in b"xgLK":
            _read_extended(stream, kind, size, extended)
            continue
        name = _name(stream, extended.pop("path", "") or _short_name(block), start)
        size = _decimal(stream, extended.pop("size", ""), size, start)
        if any(key.startswith("GNU.sparse") for key in extended):
            raise stream.error(f"{name!r:.200} is a sparse file; an artifact holds plain files only", start)
        extended.clear()
        if kind == _FOLDER or (kind == b"\0" and name.endswith("/")):
            size = 0
        elif kind not in _REGULAR:
            what = _KINDS.get(kind, f"of an unknown kind {kind!r}")
            raise stream.error(f"{name!r:.200} is {what}; an artifact holds plain files only", start)
        else:
            content = _Content(stream, name, size)
            yield TarFile(name, start, content.read)
            size = 0 if content.is_read else size
        if stream.skip(-(-size // _BLOCK) * _BLOCK):
            raise stream.error(f"the archive ends inside {name!r:.200}")


class _Content:
    """What follows a header; whether it was read."""

    def __init__(self, stream: LimitedStream, name: str, size: int) -> None:
        self._stream, self._name, self._size = stream, name, size
        self.is_read = False

    def read(self) -> bytes:
        data = self._stream.read(self._size)
        padding = -self._size % _BLOCK
        if len(data) < self._size or self._stream.skip(padding):
            raise self._stream.error(f"the archive ends inside {self._name!r:.200}")
        self.is_read = True
        return data


def _check_sum(stream: LimitedStream, block: bytes, start: int) -> None:
    # The sum takes its own field as spaces.
    expected = sum(block) - sum(block[148:156]) + 8 * ord(" ")
    if _number(stream, block[148:156], start) != expected:
        raise stream.error("not a tar header: its checksum is wrong", start)


def _number(stream: LimitedStream, field: bytes, start: int) -> int:
    if field[0] == 0x80:  # a size beyond the octal digits
        return int.from_bytes(field[1:], "big")
    digits = field.rstrip(b" \0").lstrip(b" ")
    if not re.fullmatch(rb"[0-7]*", digits):
        raise stream.error(f"{field!r} in a header is not a number", start)
    return int(digits or b"0", 8)


def _decimal(stream: LimitedStream, text: str, size: int, start: int) -> int:
    if not text:
        return size
    if not re.fullmatch(r"[0-9]{1,19}", text, re.ASCII):
        raise stream.error(f"{text!r:.80} is not a size", start)
    return int(text)


def _short_name(block: bytes) -> str:
    name = block[:100].partition(b"\0")[0]
    if block[257:263] == b"ustar\0":
        prefix = block[345:500].partition(b"\0")[0]
        name = prefix + b"/" + name if prefix else name
    return name.decode("utf-8", "surrogateescape")


def _name(stream: LimitedStream, name: str, start: int) -> str:
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    if name.startswith("/") or "\\" in name or "\0" in name or ".." in name.split("/"):
        raise stream.error(f"{name!r:.200} would be unpacked outside its folder", start)
    return name


def _read_extended(stream: LimitedStream, kind: bytes, size: int, extended: dict[str, str]) -> None:
    """Read a header about the next file (``x``, ``L``) or all (``g``): names and sizes count, the rest does not."""
    start = stream.offset
    if size > _MAX_HEADER:
        raise stream.error(f"an extended header of {size} bytes, at most {_MAX_HEADER} are read", start)
    data = stream.read(size)
    if len(data) < size or stream.skip(-size % _BLOCK):
        raise stream.error("the archive ends inside an extended header", start)
    if kind == b"L":
        extended["path"] = data.partition(b"\0")[0].decode("utf-8", "surrogateescape")
    elif kind == b"x":
        at = 0
        while at < size:
            record = _RECORD.match(data, at)
            end = at + int(record[1]) if record else 0
            if not record or not record.end() < end <= size or data[end - 1 : end] != b"\n":
                raise stream.error("an extended header is damaged", start + at)
            extended[record[2].decode("utf-8", "replace")] = data[record.end() : end - 1].decode("utf-8", "replace")
            at = end
