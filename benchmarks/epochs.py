"""Seconds of one epoch, without the set-up that a run pays once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def our_epoch(model: Any, *given: Any, **options: Any) -> float:
    """Mean seconds of the epochs of one `fit` after the first, by the clock at the end of each."""
    ends: list[float] = []
    model.fit(*given, on_epoch=lambda *_: ends.append(time.perf_counter()), **options)
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def difference(train: Callable[[int], object], short: int, long: int) -> float:
    """The same for what cannot tell the end of an epoch: a long run less a short one, by the epochs between them."""
    times = []
    for n_epochs in (short, long):
        start = time.perf_counter()
        train(n_epochs)
        times.append(time.perf_counter() - start)
    return (times[1] - times[0]) / (long - short)
