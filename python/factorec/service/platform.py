"""What the managed service puts around a container: endpoints by name, and errors as its clients expect them.

The shapes of errors are those of the service's model in botocore (sagemaker-runtime, rest-json). The texts are those
that its users report; where a text ends in a link to the service's logs, ours names the request instead. Guesses, all
here: which error is given for a variant or model that an endpoint does not have.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..sagemaker.messages import RequestError
from .errors import BusyError, LateError, SlowError

__all__ = ["ACCOUNT", "VARIANT", "model_error", "not_found", "platform_error", "refuse_headers", "validation_error"]

VARIANT = "AllTraffic"  # what the SDK calls an endpoint's only variant
ACCOUNT = "000000000000"
_MAX_MESSAGE = 2048

# Headers that ask for something that an endpoint of one model does not have.
_UNKNOWN_HERE = {
    "x-amzn-sagemaker-target-model": "is not a multi-model endpoint: TargetModel cannot be given",
    "x-amzn-sagemaker-target-container-hostname": "has one container: TargetContainerHostname cannot be given",
    "x-amzn-sagemaker-inference-component": "has no inference components: InferenceComponentName cannot be given",
    "x-amzn-sagemaker-enable-explanations": "has no explainer: EnableExplanations cannot be given",
    "x-amzn-sagemaker-session-id": "has no sessions: SessionId cannot be given",
}


def refuse_headers(request: Request, endpoint: str) -> Response | None:
    """The error for headers that ask for what the endpoint does not have."""
    for header, what in _UNKNOWN_HERE.items():
        if header in request.headers:
            return validation_error(f"Endpoint {endpoint} {what}.")
    variant = request.headers.get("x-amzn-sagemaker-target-variant", VARIANT)
    if variant != VARIANT:
        return validation_error(f"Variant {variant[:100]} of endpoint {endpoint} not found; it has {VARIANT}.")
    return None


def not_found(endpoint: str) -> Response:
    """The error for the name of an endpoint that is not there."""
    return validation_error(f"Endpoint {endpoint[:100]} of account {ACCOUNT} not found.")


def validation_error(message: str) -> Response:
    """A request that is wrong in itself."""
    return _error(400, "ValidationError", {"Message": message})


def platform_error(error: RequestError, endpoint: str, request_id: str) -> Response:
    """An error of the container, or of its server, as the platform would give it."""
    text = str(error)
    if isinstance(error, BusyError):  # clients of the service try again after this one
        return _error(503, "ServiceUnavailable", {"Message": text})
    if isinstance(error, SlowError):
        return _error(408, "RequestTimeout", {"Message": text})
    if error.status == 413 and text.startswith("HTTP content length"):  # the platform's own, before the container
        return _error(413, None, {"message": text})
    if isinstance(error, LateError):
        text = "Your invocation timed out while waiting for a response from container primary."
        return model_error(0, text, endpoint, request_id)
    return model_error(error.status, text, endpoint, request_id)


def model_error(status: int, text: str, endpoint: str, request_id: str) -> Response:
    """``ModelError``: the container did answer, but with an error.

    Parameters
    ----------
    status : int
        The container's; 0 if it gave none.
    text : str
        The container's.
    endpoint, request_id : str
    """
    text = text[:_MAX_MESSAGE]
    side = "client" if 400 <= status < 500 else "server"
    head = f'Received {side} error ({status}) from primary with message "'
    tail = f'". See the log of endpoint {endpoint}, request {request_id}, for more information.'
    members = {
        "Message": head + text[: _MAX_MESSAGE - len(head) - len(tail)] + tail,
        "OriginalStatusCode": status,
        "OriginalMessage": text,
        "LogStreamArn": f"arn:aws:logs:local:{ACCOUNT}:log-group:/aws/sagemaker/Endpoints/{endpoint}",
    }
    return _error(424, "ModelError", members)


def _error(status: int, code: str | None, members: dict[str, Any]) -> Response:
    headers = {} if code is None else {"x-amzn-ErrorType": code}
    return JSONResponse(members, status, headers)
