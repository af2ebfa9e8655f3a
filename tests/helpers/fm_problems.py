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


def make_wide(n_rows=600, n_users=30, n_items=20, *, seed=0, binary=True, negatives=0, n_features=30):
    """Ids, and `n_features` side features per item: half of them one-hot fields, half labels of 1/n."""
    rng = np.random.default_rng(seed)
    ids = make_ids(n_rows, n_users, n_items, seed=seed, binary=binary, negatives=negatives)
    n_hot = n_features // 2
    n_labels = n_features - n_hot
    sizes = [4] * n_hot + [2 * n_labels]
    starts = n_users + n_items + np.cumsum([0, *sizes])
    n_columns = int(starts[-1])

    def block(index, columns, values, ranges, name):
        indptr = np.arange(0, columns.size + 1, columns.shape[1], dtype=np.int32)
        rows = sparse.csr_array(
            (values.astype(np.float32).ravel(), columns.astype(np.int32).ravel(), indptr), (len(columns), n_columns)
        )
        return Block(name, index.astype(np.int32), rows, ranges)

    hot = starts[:n_hot] + rng.integers(0, 4, (n_items, n_hot))
    labels = starts[n_hot] + np.sort(rng.permuted(np.tile(np.arange(2 * n_labels), (n_items, 1)), axis=1)[:, :n_labels])
    columns = np.column_stack([n_users + np.arange(n_items), hot, labels])
    values = np.column_stack([np.ones((n_items, 1 + n_hot)), np.full((n_items, n_labels), 1 / n_labels)])
    fields = {f"field {f}": (int(starts[f]), int(starts[f + 1])) for f in range(n_hot + 1)}
    fields = {"item": (n_users, n_users + n_items)} | fields
    users = np.arange(n_users)[:, None]
    blocks = [
        block(ids.blocks[0].index, users, np.ones((n_users, 1)), {"user": (0, n_users)}, "user"),
        block(ids.blocks[1].index, columns, values, fields, "item"),
    ]
    return TrainingSet(ids.target, blocks, ids.weight, ids.negatives)
