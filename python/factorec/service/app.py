"""The server as an ASGI application: the routes of a container, and those of the service around it."""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections.abc import AsyncIterator
from os import PathLike
from pathlib import Path
from typing import Literal

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..sagemaker.messages import RequestError
from ..sagemaker.model import Model, load_model
from ..sagemaker.payload import MIB
from . import platform
from .body import BodyReader
from .limits import Limits
from .scoring import Scorer

__all__ = ["BatchStrategy", "create_app"]

BatchStrategy = Literal["MULTI_RECORD", "SINGLE_RECORD"]

logger = logging.getLogger("factorec.service")


def create_app(
    model: Model | str | PathLike[str],
    *,
    name: str = "factorec",
    limits: Limits | None = None,
    batch_strategy: BatchStrategy = "MULTI_RECORD",
) -> Starlette:
    """An ASGI application that answers requests by a model.

    ===========================================  ==============================================================
    ``GET /ping``                                200 and an empty body
    ``POST /invocations``                        as a container: errors are plain text, 400, 406, 408, 413, 415,
                                                 500 or 503
    ``GET /execution-parameters``                what batch transform asks a container for
    ``POST /endpoints/{name}/invocations``       as the service: what ``boto3.client("sagemaker-runtime",
                                                 endpoint_url=...)`` calls; errors are the client's exceptions
    ===========================================  ==============================================================

    Requests are not authenticated: signatures are ignored.

    Parameters
    ----------
    model : Model or path
        What `factorec.sagemaker.model.load_model` gives or takes.
    name : str, default="factorec"
        The endpoint's.
    limits : Limits, optional
    batch_strategy : {"MULTI_RECORD", "SINGLE_RECORD"}, default="MULTI_RECORD"
        What ``/execution-parameters`` says.

    Returns
    -------
    starlette.applications.Starlette

    Raises
    ------
    FormatError, OSError
        If the path is of no model, or cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> from factorec import FMParameters
    >>> from factorec.sagemaker.model import FMModel
    >>> model = FMModel(FMParameters(0.0, np.float32([0, 1]), np.zeros((2, 1), np.float32)), "regressor")
    >>> [route.path for route in create_app(model, name="here").routes[:2]]
    ['/ping', '/invocations']
    """
    if isinstance(model, (str, PathLike)):
        model = load_model(Path(model))
    return _Service(model, name, Limits() if limits is None else limits, batch_strategy).app


class _Service:
    """A model behind routes."""

    def __init__(self, model: Model, name: str, limits: Limits, batch_strategy: BatchStrategy) -> None:
        self.name, self.limits, self.batch_strategy = name, limits, batch_strategy
        self.scorer, self.bodies = Scorer(model, limits), BodyReader(limits)
        self.app = Starlette(
            routes=[
                Route("/ping", self.ping),
                Route("/invocations", self.invocations, methods=["POST"]),
                Route("/execution-parameters", self.execution_parameters),
                Route("/endpoints/{name}/invocations", self.endpoint, methods=["POST"]),
                Route("/endpoints/{name}/async-invocations", self.not_offered, methods=["POST"]),
                Route("/endpoints/{name}/invocations-response-stream", self.not_offered, methods=["POST"]),
            ],
            exception_handlers={HTTPException: _plain, Exception: _plain},
            lifespan=self.lifespan,
        )
        self.app.state.scorer = self.scorer

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        yield
        self.scorer.close()

    async def ping(self, _: Request) -> Response:
        return Response()

    async def execution_parameters(self, _: Request) -> Response:
        return JSONResponse(
            {
                "MaxConcurrentTransforms": self.limits.max_concurrency,
                "BatchStrategy": self.batch_strategy,
                "MaxPayloadInMB": max(1, self.limits.max_body // MIB),
            }
        )

    async def invocations(self, request: Request) -> Response:
        request_id = str(uuid.uuid4())
        headers = {"x-amzn-RequestId": request_id}
        try:
            return await self.answer(request, headers)
        except RequestError as error:
            return _final(request, PlainTextResponse(str(error), error.status, headers))
        except Exception as error:
            return PlainTextResponse(_unexpected(error, request_id), 500, headers)

    async def endpoint(self, request: Request) -> Response:
        request_id = str(uuid.uuid4())
        name = request.path_params["name"]
        response = platform.not_found(name) if name != self.name else platform.refuse_headers(request, name)
        if response is None:
            try:
                headers = {"x-Amzn-Invoked-Production-Variant": platform.VARIANT, "x-amzn-RequestId": request_id}
                return await self.answer(request, headers)
            except RequestError as error:
                response = platform.platform_error(error, name, request_id)
            except Exception as error:
                response = platform.model_error(500, _unexpected(error, request_id), name, request_id)
        response.headers["x-amzn-RequestId"] = request_id
        return _final(request, response)

    async def not_offered(self, request: Request) -> Response:
        kind = "InvokeEndpointAsync" if request.url.path.endswith("/async-invocations") else "streamed responses"
        return platform.validation_error(f"{kind}: not offered by this server; use InvokeEndpoint.")

    async def answer(self, request: Request, headers: dict[str, str]) -> Response:
        given = request.headers
        try:
            async with self.bodies.read(request) as body:
                response = await self.scorer(body, content_type=given.get("content-type"), accept=given.get("accept"))
        except ClientDisconnect:
            return Response(status_code=400)  # which nobody reads
        return Response(response.body, headers=headers, media_type=response.content_type)


def _final(request: Request, response: Response) -> Response:
    """The response to a request whose body may not have been read."""
    # Whether the rest of the body comes is open, and so where the next request begins.
    if response.status_code == 408 or "expect" in request.headers:
        response.headers["Connection"] = "close"
    return response


async def _plain(_: Request, error: Exception) -> Response:
    """Errors of routing; nothing of what happens inside is shown."""
    if isinstance(error, HTTPException):
        return PlainTextResponse(error.detail, error.status_code, error.headers)
    return PlainTextResponse("internal error", 500)


def _unexpected(error: Exception, request_id: str) -> str:
    """Log an error of this program; what the client is told of it."""
    logger.error("request %s: unexpected %s", request_id, type(error).__name__, exc_info=error)
    return f"internal error; the server's log has it under request {request_id}"
