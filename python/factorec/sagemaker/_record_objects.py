"""Objects that have the attributes of protobuf's messages."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, cast

from ..errors import DataError

__all__ = ["Bytes", "Record", "Tensor", "Value", "empty_map"]


@dataclass(slots=True)
class Tensor:
    """One of the messages Float32Tensor, Float64Tensor and Int32Tensor."""

    values: list[Any] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    shape: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Bytes:
    """The message Bytes."""

    value: list[bytes] = field(default_factory=list)
    content_type: str = ""


@dataclass(slots=True)
class Value:
    """The message Value: one of its fields is set, the others are empty."""

    _which: str | None = None
    _content: Tensor | Bytes | None = None

    @property
    def float32_tensor(self) -> Tensor:
        """The tensor, empty where another field is set."""
        return cast("Tensor", self._content) if self._which == "float32_tensor" else Tensor()

    @property
    def float64_tensor(self) -> Tensor:
        """The tensor, empty where another field is set."""
        return cast("Tensor", self._content) if self._which == "float64_tensor" else Tensor()

    @property
    def int32_tensor(self) -> Tensor:
        """The tensor, empty where another field is set."""
        return cast("Tensor", self._content) if self._which == "int32_tensor" else Tensor()

    @property
    def bytes(self) -> Bytes:
        """The bytes, empty where another field is set."""
        return cast("Bytes", self._content) if self._which == "bytes" else Bytes()

    def WhichOneof(self, group: str) -> str | None:
        """Return the name of the field that is set, or None; the group is ``"value"``."""
        if group != "value":
            raise DataError(f"the message Value has no group {group!r} of fields, only 'value'")
        return self._which

    def HasField(self, name: str) -> bool:
        """Return whether that is the field that is set."""
        return self._which == name


def empty_map() -> defaultdict[str, Value]:
    """Return a map of names to Values, as protobuf's."""
    return defaultdict(Value)


@dataclass(slots=True)
class Record:
    """The message Record: ``record.features["values"].float32_tensor.values``, ``record.label["score"]``.

    As in protobuf, a name that a map has not is added to it as an empty Value by asking for it.
    """

    features: defaultdict[str, Value] = field(default_factory=empty_map)
    label: defaultdict[str, Value] = field(default_factory=empty_map)
    uid: str = ""
    metadata: str = ""
    configuration: str = ""
