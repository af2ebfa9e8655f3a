"""Fields and context as a person types them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import Recommender
from ..encoding.fields.categorical import CategoricalField
from ..encoding.fields.datetimes import DatetimeField
from ..encoding.fields.numeric import NumericField
from ..encoding.notation import fields_from_file, fields_from_text
from ..errors import DataError
from ..recommender.context import context_columns

__all__ = ["parse_context", "read_fields"]


def read_fields(text: str) -> Any:
    """What ``--fields`` says, or the file that it names."""
    return fields_from_file(text) if text.endswith((".toml", ".json")) else fields_from_text(text)


def parse_context(rec: Recommender, texts: Sequence[str] | None, *, none: bool) -> dict[Any, Any] | None:
    """What ``--context column=value`` says, each value as the model's field holds it; None if nothing is said."""
    if none and texts:
        raise DataError("give --context or --no-context, not both")
    if not texts:
        return {} if none else None
    columns = {str(name): name for name in context_columns(rec)}
    context = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise DataError(f"--context {text}: write column=value")
        if name not in columns:
            known = f"only {', '.join(columns)}" if columns else "the model has none"
            raise DataError(f"--context {text}: there is no context column {name!r}, {known}")
        context[columns[name]] = _value(rec, columns[name], value)
    return context


def _value(rec: Recommender, column: Any, text: str) -> Any:
    readers = [field for field in rec.encoder_.declared_fields_["context"] if column in field.columns_read]
    fitted = rec.encoder_.fields_[readers[0].field_name]
    if isinstance(fitted, DatetimeField):  # a number of seconds, or a text as in ISO 8601
        return int(text) if text.removeprefix("-").isdecimal() else text
    is_integer = isinstance(fitted, CategoricalField) and fitted.vocabulary.kind == "integers"
    if not is_integer and not isinstance(fitted, NumericField):
        return text
    try:
        return int(text) if is_integer else float(text)
    except ValueError:
        wanted = "an integer" if is_integer else "a number"
        raise DataError(f"--context {column}={text}: the model's {column!r} is {wanted}") from None
