"""One invocation: a body in, a body out. What the endpoint and batch transform have in common."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import DataError
from .messages import (
    PayloadError,
    RequestError,
    TooLargeError,
    choose_response_type,
    encode_predictions,
    parse_content_type,
    read_rows,
)
from .model import Model

__all__ = ["Response", "invoke"]


@dataclass(frozen=True)
class Response:
    """What an invocation gives.

    Attributes
    ----------
    body : bytes
    content_type : str
        The type of the body, without parameters.
    """

    body: bytes
    content_type: str


def invoke(
    model: Model,
    body: bytes,
    *,
    content_type: str | None = None,
    accept: str | None = None,
    max_rows: int | None = None,
) -> Response:
    """Answer a request.

    Parameters
    ----------
    model : Model
    body : bytes
    content_type : str, optional
        The header ``Content-Type``; None: JSON.
    accept : str, optional
        The header ``Accept``; None: the type of the request. ``verbose=true`` as a parameter asks a k-NN model for
        the neighbours.
    max_rows : int, optional
        How many rows a request may have.

    Returns
    -------
    Response

    Raises
    ------
    RequestError
        With the HTTP status: 400 for a body that cannot be used, 406 and 415 for types, 413 for too many rows.

    Examples
    --------
    >>> import numpy as np
    >>> from factorec import FMParameters
    >>> from factorec.sagemaker.model import FMModel
    >>> model = FMModel(FMParameters(0.0, np.float32([0, 1]), np.zeros((2, 1), np.float32)), "binary_classifier")
    >>> invoke(model, b'{"instances": [{"features": [1, 0]}]}', content_type="application/json")
    Response(body=b'{"predictions":[{"score":0.5,"predicted_label":1.0}]}', content_type='application/json')
    """
    request = parse_content_type(content_type, model.content_types)
    response = choose_response_type(accept, request.name)
    rows = read_rows(body, request, model.n_features)
    if max_rows is not None and rows.shape[0] > max_rows:
        raise TooLargeError(f"the request has {rows.shape[0]} rows, at most {max_rows} are taken")
    try:
        predictions = model.predict(rows, verbose=response.verbose)
    except RequestError:
        raise
    except DataError as error:
        raise PayloadError(str(error)) from None
    return Response(encode_predictions(predictions, response.name), response.name)
