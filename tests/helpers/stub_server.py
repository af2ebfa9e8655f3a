"""Serve a model that takes its time: `python stub_server.py '{"seconds": 1, "limits": {...}}'`."""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from factorec.service import Limits, _protocol, serve, server


class Slow:
    """A model that sleeps for as many seconds as the first feature of the first row says."""

    kind = "knn"
    n_features = 2
    content_types = ("application/json",)

    def __init__(self, width: int) -> None:
        self.width = width

    def predict(self, rows, *, verbose=False):
        time.sleep(float(rows.toarray()[:1, 0].sum()))
        return {"labels": np.zeros((rows.shape[0], self.width), np.float32)}


def main(limits: dict, width: int = 1, for_headers: float = 10, to_finish: float = 25) -> None:
    _protocol.ImpatientProtocol.for_headers = for_headers
    server._TO_FINISH = to_finish
    done = serve(Slow(width), port=0, limits=Limits(**limits), on_ready=lambda url: print(url, flush=True))
    sys.exit(0 if done else 5)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
