"""ua.base as the notebooks write it."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from factorec.formats.recordio import iter_recordio, read_recordio, write_recordio


def test_one_hot_rows_of_ua_base(movielens_ua, tmp_path):
    ratings = movielens_ua.train
    users, items = (np.asarray(ratings[name], dtype=np.int64) for name in ("user_id", "item_id"))
    columns = np.column_stack([users - 1, 943 + items - 1]).ravel()
    n_rows = len(users)
    X = sparse.csr_array((np.ones(2 * n_rows, np.float32), columns, np.arange(0, 2 * n_rows + 1, 2)), (n_rows, 2625))
    y = (np.asarray(ratings["rating"]) >= 4).astype(np.float32)
    path = tmp_path / "train.protobuf"
    write_recordio(path, X, y)
    assert path.stat().st_size == 5_796_480 == 64 * 90_570
    records = read_recordio(path, n_features=2625)
    assert (records.features != X).nnz == 0
    assert records.features.dtype == np.float32
    np.testing.assert_array_equal(records.y, y, strict=True)
    assert sum(int(batch.y.sum()) for batch in iter_recordio(path, rows_per_batch=1000)) == 49_906
