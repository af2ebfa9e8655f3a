"""What a batch transform is told."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ...errors import DataError
from ..messages import choose_response_type, parse_content_type
from ..payload import MIB, MOST_PAYLOAD, PAYLOAD
from .data_processing import DataProcessing, JoinSource
from .json_path import JsonPath
from .records import BatchStrategy, SplitType

__all__ = ["AssembleWith", "CompressionType", "DataType", "TransformOptions"]

AssembleWith = Literal["None", "Line"]
CompressionType = Literal["None", "Gzip"]
DataType = Literal["S3Prefix", "ManifestFile"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "split_type": get_args(SplitType),
    "batch_strategy": get_args(BatchStrategy),
    "assemble_with": get_args(AssembleWith),
    "compression_type": get_args(CompressionType),
    "data_type": get_args(DataType),
    "join_source": get_args(JoinSource),
}


@dataclass(frozen=True)
class TransformOptions:
    """The options of `transform`, checked."""

    content_type: str | None = None
    accept: str | None = None
    split_type: SplitType = "None"
    batch_strategy: BatchStrategy = "MultiRecord"
    assemble_with: AssembleWith = "None"
    max_payload: int = PAYLOAD
    max_concurrent_transforms: int = 1
    compression_type: CompressionType = "None"
    data_type: DataType = "S3Prefix"
    input_filter: str = "$"
    output_filter: str = "$"
    join_source: JoinSource = "None"

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value is None:  # as in the API, where leaving out and "None" are the same
                object.__setattr__(self, name, choices[0])
            elif value == "TFRecord" and name == "split_type":
                raise DataError("split_type TFRecord is not supported: no request of these models is made of TFRecords")
            elif value not in choices:
                raise DataError(f"{name} must be {', '.join(choices)}, got {value!r}")
        for name, least, most in (("max_payload", 0, MOST_PAYLOAD), ("max_concurrent_transforms", 1, 100)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise DataError(f"{name} must be an integer from {least} to {most}, got {value!r}")
        if self.max_payload * self.max_concurrent_transforms > MOST_PAYLOAD:
            raise DataError(
                f"max_payload times max_concurrent_transforms must be at most {MOST_PAYLOAD}, got "
                f"{self.max_payload} times {self.max_concurrent_transforms}"
            )
        if self.join_source == "Input" and self.assemble_with != ("Line" if self.split_type == "Line" else "None"):
            raise DataError(
                f"join_source Input needs split_type and assemble_with to be the same, got {self.split_type} and "
                f"{self.assemble_with}"
            )
        if not self.max_payload and self.split_type != "None":
            raise DataError(f"max_payload=0 (no limit) is for whole files; with split_type give 1 to {MOST_PAYLOAD}")

    @property
    def max_bytes(self) -> int | None:
        """How large a request may be; None: as large as the file."""
        return self.max_payload * MIB or None

    def processing(self, model_types: Collection[str]) -> DataProcessing:
        """What happens around a model, with the types of requests that it takes.

        Raises
        ------
        DataError
            If a type is not known to the model, or not to filters.
        """
        request = parse_content_type(self.content_type, model_types).name
        response = choose_response_type(self.accept, request).name
        filters = JsonPath(self.input_filter), JsonPath(self.output_filter)
        return DataProcessing(*filters, self.join_source, request, response)

    @classmethod
    def of(cls, **options: Any) -> TransformOptions:
        """Options by name; None: the default."""
        return cls(**{name: value for name, value in options.items() if value is not None})
