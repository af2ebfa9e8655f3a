"""Training with side features: blocks, each stored once per user or item, beside the same rows written out flat."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

import workloads
from epochs import our_epoch
from factorec.datasets import load_movielens
from factorec.encoding import Encoder, MultiLabel, Numeric
from factorec.fm import Block, FMClassifier, TrainingSet


@pytest.fixture(scope="module")
def ua_fields():
    """ua.base with users' age, gender and occupation and items' genres and year: some eight features a row."""
    data = load_movielens("100k", split="ua")
    fields = {"user": [Numeric("age", bins=8), "gender", "occupation"], "item": [MultiLabel("genres"), "year"]}
    encoded = Encoder(fields=fields).fit_encode(data.train, users=data.users, items=data.items)
    blocks = [Block(b.name, b.index, b.rows, b.field_ranges) for b in encoded.blocks]
    return TrainingSet((np.asarray(data.train["rating"]) >= workloads.LIKE).astype(float), blocks)


@pytest.fixture(scope="module")
def planted_fields():
    """A million rows of 32 features: five fields of 40 values a user, 25 a item, beside their ids."""
    random = np.random.default_rng(0)
    n_rows, counts, fields, size = 1_000_000, (50_000, 20_000), (5, 25), 40
    n_features = sum(counts) + size * sum(fields)
    blocks, start = [], 0
    for name, n, n_fields in zip(("user", "item"), counts, fields, strict=True):
        firsts = start + n + size * np.arange(n_fields)
        columns = np.column_stack([start + np.arange(n), firsts + random.integers(0, size, (n, n_fields))])
        indptr = np.arange(0, columns.size + 1, 1 + n_fields)
        rows = csr_array((np.ones(columns.size, np.float32), columns.ravel(), indptr), (n, n_features))
        ranges = {name: (start, start + n)} | {
            f"{name} field {i}": (f, f + size) for i, f in enumerate(firsts.tolist())
        }
        blocks.append(Block(name, random.integers(0, n, n_rows), rows, ranges))
        start += n + size * n_fields
    return TrainingSet(random.integers(0, 2, n_rows).astype(float), blocks)


@pytest.mark.parametrize(
    ("data", "case", "epochs"),
    [("ua_fields", "ua.base", 22), ("planted_fields", "1,000,000 rows of 32 features", 3)],
)
@pytest.mark.parametrize("form", ["blocks", "flat rows"])
def test_epoch_with_side_features(contender, threads, request, data, case, epochs, form):
    """There is no peer that takes rows of more than a pair at this speed; flat rows show what blocks cost."""
    rows = request.getfixturevalue(data)
    given = (rows,) if form == "blocks" else (rows.to_csr(), rows.target)
    options = {} if form == "blocks" else {"field_ranges": rows.field_ranges}

    def epoch():
        return our_epoch(FMClassifier(n_factors=64, n_epochs=epochs, n_jobs=threads, random_state=0), *given, **options)

    epoch()
    per_row = rows.to_csr().nnz / rows.n_rows
    case = f"one epoch with side features, {case}, {per_row:.1f} a row, 64 factors, logistic"
    contender(case, form, seconds=epoch, rounds=5 if data == "ua_fields" else 3)
