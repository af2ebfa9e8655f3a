"""Small problems that the tests of training share."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from factorec.fm import Block, NegativeSampling, TrainingSet


def make_ids(n_rows=150, n_users=9, n_items=11, *, seed=0, binary=True, weight=None, negatives=0, positives_only=False):
    """A training set of ids alone; some users and items occur often, some once or never."""
    rng = np.random.default_rng(seed)
    user = np.minimum(rng.geometric(0.25, n_rows) - 1, n_users - 1)
    item = np.minimum(rng.geometric(0.2, n_rows) - 1, n_items - 1)
    if positives_only:
        target = np.ones(n_rows)
    else:
        target = (rng.random(n_rows) < 0.6).astype(float) if binary else rng.integers(1, 6, n_rows).astype(float)
    sampling = None
    if negatives:
        seen = sparse.coo_array((np.ones(n_rows, np.float32), (user, item)), (n_users, n_items)).tocsr()
        sampling = NegativeSampling(negatives, seen)
    return TrainingSet.from_ids(user, item, target, n_users=n_users, n_items=n_items, weight=weight, negatives=sampling)


def make_sides(n_rows=150, n_users=9, n_items=11, *, seed=0, binary=True, negatives=0):
    """Ids and shared features: two numbers a user, a context block, zero to three labels an item."""
    rng = np.random.default_rng(seed)
    n_context, n_labels = 3, 4
    starts = np.cumsum([0, n_users, 2, n_context, n_items, n_labels])
    n_features = int(starts[-1])
    ids = make_ids(n_rows, n_users, n_items, seed=seed, binary=binary, negatives=negatives)

    users = sparse.lil_array((n_users, n_features), dtype=np.float32)
    for u in range(n_users):
        users[u, u] = 1
        users[u, starts[1]], users[u, starts[1] + 1] = rng.uniform(-1.5, 1.5, 2)
    contexts = sparse.lil_array((n_context, n_features), dtype=np.float32)
    for c in range(n_context):
        contexts[c, starts[2] + c] = 0.7
    items = sparse.lil_array((n_items, n_features), dtype=np.float32)
    for i in range(n_items):
        items[i, starts[3] + i] = 1
        labels = rng.permutation(n_labels)[: rng.integers(0, 4)]
        items[i, starts[4] + labels] = 1 / max(len(labels), 1)

    def ranges(**spans):
        return {name: (int(starts[at]), int(starts[at + 1])) for name, at in spans.items()}

    blocks = [
        Block("user", ids.blocks[0].index, users.tocsr(), ranges(user=0, age=1)),
        Block("place", rng.integers(0, n_context, n_rows), contexts.tocsr(), ranges(place=2)),
        Block("item", ids.blocks[1].index, items.tocsr(), ranges(item=3, label=4)),
    ]
    return TrainingSet(ids.target, blocks, ids.weight, ids.negatives)
