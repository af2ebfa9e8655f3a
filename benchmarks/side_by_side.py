"""Times the contenders of a case in turns, so that whatever else the machine does meanwhile hits all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Key = TypeVar("Key", bound=Hashable)

SLOW = 3.0  # seconds; what takes longer is timed once, without a call to warm up
PAUSE = 0.05  # seconds; OpenMP and OpenBLAS threads spin on the cores for a while after a call


def take_turns(
    contenders: dict[Key, Callable[[], Any]],
    check: Callable[[Key, Any], None] | None = None,
    *,
    rounds: int = 5,
    burst: int = 1,
) -> dict[Key, list[float]]:
    """Seconds of every timed call of each contender.

    The first call is not timed (unless the contender is slow): `check` looks at what it returns, and no figure comes
    of a case where a contender answers wrongly. Then, in `rounds` turns, each waits until the threads of the one
    before sleep, is called once to warm up, and is timed `burst` times.
    """
    seconds: dict[Key, list[float]] = {}
    for key, call in contenders.items():
        first, answer = _timed(call)
        if check is not None:
            check(key, answer)
        seconds[key] = [first] if first > SLOW else []
    fast = [key for key, times in seconds.items() if not times]
    for _ in range(rounds):
        for key in fast:
            time.sleep(PAUSE)
            warm, _ = _timed(contenders[key])
            # Of a long call its own first milliseconds are warm-up enough: it counts.
            times = [warm] if warm > 0.25 and burst == 1 else [_timed(contenders[key])[0] for _ in range(burst)]
            seconds[key] += times
    return seconds


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    answer = call()
    return time.perf_counter() - start, answer
