"""What happens to records before and after the model: filters, and input joined to output (contract 6)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ...errors import DataError
from ..messages import CSV, JSON, JSON_LINES, PayloadError
from .json_path import JsonPath

__all__ = ["DataProcessing", "JoinSource"]

JoinSource = Literal["None", "Input"]


@dataclass(frozen=True)
class DataProcessing:
    """Filters and join around a model: input filter, model, join with the input as it was, output filter.

    Attributes
    ----------
    input_filter, output_filter : JsonPath
    join_source : {"None", "Input"}
    request_type, response_type : str
        Media types. JSON, JSON lines, and CSV for requests.
    """

    input_filter: JsonPath
    output_filter: JsonPath
    join_source: JoinSource
    request_type: str
    response_type: str

    def __post_init__(self) -> None:
        if self.is_empty:
            return
        for what, name, known in (
            ("content_type", self.request_type, (JSON, JSON_LINES, CSV)),
            ("accept", self.response_type, (JSON, JSON_LINES)),
        ):
            if name not in known:
                raise DataError(f"filters and join_source need {what} to be {', '.join(known)}, got {name}")
        if self.join_source == "Input" and self.request_type != self.response_type:
            raise DataError(
                f"join_source Input needs content_type and accept to be the same, got {self.request_type} and "
                f"{self.response_type}"
            )

    @property
    def is_empty(self) -> bool:
        """Whether nothing happens."""
        return self.input_filter.is_whole and self.output_filter.is_whole and self.join_source == "None"

    def apply(self, body: bytes, answer: Callable[[bytes], bytes]) -> bytes:
        """Answer a request with what happens before and after.

        Raises
        ------
        RequestError
            If a record cannot be read, or a filter finds nothing; and whatever `answer` raises.
        """
        if self.is_empty:
            return answer(body)
        records = _parse(body, self.request_type)
        if not self.input_filter.is_whole:
            body = _encode([_select(self.input_filter, record) for record in records], self.request_type)
        results = _parse(answer(body), self.response_type)
        if self.join_source == "Input":
            if len(results) != len(records):
                raise PayloadError(f"{len(records)} records have {len(results)} results: they cannot be joined")
            results = [_join(record, result) for record, result in zip(records, results, strict=True)]
        return _encode([_select(self.output_filter, result) for result in results], self.response_type)


def _parse(body: bytes, content_type: str) -> list[Any]:
    """The records of a body: a document of JSON, lines of JSON, or lists of cells."""
    try:
        text = body.decode("utf-8-sig")
        if content_type == JSON:
            return [_load(text)]
        if content_type == CSV:
            return [row for row in csv.reader(io.StringIO(text, newline="")) if row]
        return [_load(line) for line in text.split("\n") if line and not line.isspace()]
    except (ValueError, RecursionError, csv.Error) as error:
        raise PayloadError(f"not {content_type}: {str(error)[:100]}") from None


def _load(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no number of JSON")

    return json.loads(text, parse_constant=refuse)


def _encode(records: Sequence[Any], content_type: str) -> bytes:
    if content_type == CSV:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(row if isinstance(row, list) else [row] for row in records)
        return text.getvalue().encode()
    lines = [json.dumps(record, separators=(",", ":")) for record in records]
    return (lines[0] if content_type == JSON else "".join(f"{line}\n" for line in lines)).encode()


def _select(path: JsonPath, record: Any) -> Any:
    try:
        return path.select(record)
    except DataError as error:
        raise PayloadError(str(error)) from None


def _join(record: Any, result: Any) -> dict[str, Any]:
    if isinstance(record, dict):
        return record | {"SageMakerOutput": result}
    return {"SageMakerInput": record, "SageMakerOutput": result}
