"""Requests and responses of the managed service: their types, rows out of bodies, predictions into bodies."""

from .content_types import CSV, JSON, JSON_LINES, RECORDIO, ContentType, choose_response_type, parse_content_type
from .errors import NotAcceptableError, PayloadError, RequestError, TooLargeError, UnsupportedContentTypeError
from .requests import read_rows
from .responses import Predictions, encode_predictions

__all__ = [
    "CSV",
    "JSON",
    "JSON_LINES",
    "RECORDIO",
    "ContentType",
    "NotAcceptableError",
    "PayloadError",
    "Predictions",
    "RequestError",
    "TooLargeError",
    "UnsupportedContentTypeError",
    "choose_response_type",
    "encode_predictions",
    "parse_content_type",
    "read_rows",
]
