"""What a batch transform is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from ...errors import DataError
from .records import BatchStrategy, SplitType

__all__ = ["AssembleWith", "CompressionType", "TransformOptions"]

AssembleWith = Literal["None", "Line"]
CompressionType = Literal["None", "Gzip"]

_MEGABYTE = 2**20
_CHOICES: dict[str, tuple[str, ...]] = {
    "split_type": get_args(SplitType),
    "batch_strategy": get_args(BatchStrategy),
    "assemble_with": get_args(AssembleWith),
    "compression_type": get_args(CompressionType),
}


@dataclass(frozen=True)
class TransformOptions:
    """The options of `transform`, checked."""

    content_type: str | None = None
    accept: str | None = None
    split_type: SplitType = "None"
    batch_strategy: BatchStrategy = "MultiRecord"
    assemble_with: AssembleWith = "None"
    max_payload: int = 6
    max_concurrent_transforms: int = 1
    compression_type: CompressionType = "None"

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value is None:  # as in the API, where leaving out and "None" are the same
                object.__setattr__(self, name, choices[0])
            elif value == "TFRecord" and name == "split_type":
                raise DataError("split_type TFRecord is not supported: no request of these models is made of TFRecords")
            elif value not in choices:
                raise DataError(f"{name} must be {', '.join(choices)}, got {value!r}")
        for name, least in (("max_payload", 0), ("max_concurrent_transforms", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 100:
                raise DataError(f"{name} must be an integer from {least} to 100, got {value!r}")
        if self.max_payload * self.max_concurrent_transforms > 100:
            raise DataError(
                f"max_payload times max_concurrent_transforms must be at most 100, got {self.max_payload} times "
                f"{self.max_concurrent_transforms}"
            )
        if not self.max_payload and self.split_type != "None":
            raise DataError("max_payload=0 (no limit) is for whole files; with split_type give 1 to 100")

    @property
    def max_bytes(self) -> int | None:
        """How large a request may be; None: as large as the file."""
        return self.max_payload * _MEGABYTE or None

    @classmethod
    def of(cls, **options: Any) -> TransformOptions:
        """Options by name; None: the default."""
        return cls(**{name: value for name, value in options.items() if value is not None})
