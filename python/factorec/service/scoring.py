"""Requests scored beside each other, while the server goes on listening."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ..sagemaker.invocation import Response, invoke
from ..sagemaker.messages import Predictions, TooLargeError
from ..sagemaker.model import Model
from .errors import BusyError, LateError
from .limits import Limits

__all__ = ["Scorer"]

# Up to this many bytes, a request to a factorization machine is answered between two others: a tenth of a millisecond,
# which is what handing it to a thread costs as well. Search in an index may take long whatever the request's size.
_AT_ONCE = 32 * 1024


class Scorer:
    """Answers requests by a model.

    Parameters
    ----------
    model : Model
    limits : Limits
    """

    def __init__(self, model: Model, limits: Limits) -> None:
        self.model = model
        self._bounded = _Bounded(model, limits.max_body)
        self._limits = limits
        self._threads = ThreadPoolExecutor(limits.max_concurrency, "factorec-scoring")
        self._taken = 0
        self._lock = threading.Lock()

    async def __call__(self, body: bytes, *, content_type: str | None, accept: str | None) -> Response:
        """Answer one request.

        Raises
        ------
        RequestError
            400, 406, 413, 415 or 503.
        """
        if self.model.kind == "fm" and len(body) <= _AT_ONCE:
            return self._invoke(body, content_type, accept)
        limits = self._limits
        with self._lock:
            if self._taken >= limits.max_concurrency + limits.max_waiting:
                raise BusyError(f"{self._taken} requests are being answered or wait; try later")
            self._taken += 1
        scored = self._threads.submit(self._invoke, body, content_type, accept)
        scored.add_done_callback(self._release)
        try:
            async with asyncio.timeout(limits.timeout):
                # A request that is given up before its turn is dropped. One whose turn it is runs to its end, and
                # counts until then.
                return await asyncio.wrap_future(scored)
        except TimeoutError:
            raise LateError(f"the request was not answered within {limits.timeout:g} s") from None

    @property
    def busy(self) -> bool:
        """Whether a thread is scoring or about to."""
        return self._taken > 0

    def close(self) -> None:
        """Take no more requests; what waits for a thread is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _invoke(self, body: bytes, content_type: str | None, accept: str | None) -> Response:
        response = invoke(self._bounded, body, content_type=content_type, accept=accept, max_rows=self._limits.max_rows)
        if len(response.body) > self._limits.max_body:
            raise _response_too_large(self._limits.max_body)
        return response

    def _release(self, _: Future[Response]) -> None:
        with self._lock:
            self._taken -= 1


class _Bounded:
    """A model whose predictions are refused before they are written out where they cannot fit a response."""

    def __init__(self, model: Model, max_body: int) -> None:
        self._model, self._max_body = model, max_body
        self.kind, self.n_features, self.content_types = model.kind, model.n_features, model.content_types

    def predict(self, rows: Any, *, verbose: bool = False) -> Predictions:
        predictions = self._model.predict(rows, verbose=verbose)
        # In every type of response a number takes four bytes at least: "1.0," or a float32.
        if 4 * sum(values.size for values in predictions.values()) > self._max_body:
            raise _response_too_large(self._max_body)
        return predictions


def _response_too_large(max_body: int) -> TooLargeError:
    return TooLargeError(f"the response is larger than {max_body} bytes; send fewer rows in a request")
