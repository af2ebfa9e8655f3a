"""Explanations on ua.base, 64 factors, on one core: every user at once, and one at a time.

There is no peer: nothing else re-solves a factorization machine. The bars are times.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

import workloads
from factorec import explain, fm

N_WANTED = 20
NEGATIVES = 8
USER = 846  # of the published notebook; rated four times as many films as the mean user


@pytest.fixture(scope="module")
def train():
    return workloads.ua_base()


@pytest.fixture(scope="module")
def classifier(train):
    return fm.FMClassifier(n_factors=64, random_state=0).fit(train.training_set(train.likes)).parameters_


@pytest.fixture(scope="module")
def ranker(train):
    shape = (train.n_users, train.n_items)
    seen = sparse.csr_array((np.ones(len(train.users)), (train.users, train.items)), shape)
    liked = train.likes == 1
    data = fm.TrainingSet.from_ids(
        train.users[liked],
        train.items[liked],
        train.likes[liked],
        n_users=train.n_users,
        n_items=train.n_items,
        negatives=fm.NegativeSampling(NEGATIVES, seen),
    )
    return fm.FMClassifier(n_factors=64, random_state=0).fit(data).parameters_


def rows(train, user, items):
    columns = np.stack([np.full(len(items), user), train.n_users + items], axis=1).astype(np.int32)
    shape = (len(items), train.n_users + train.n_items)
    data = np.ones(columns.size, np.float32)
    return sparse.csr_matrix((data, columns.ravel(), np.arange(0, columns.size + 1, 2, dtype=np.int32)), shape)


def unseen(train, user):
    return np.setdiff1d(np.arange(train.n_items), train.items[train.users == user])


@pytest.mark.parametrize(
    ("method", "loss", "limit"), [("ridge", "logistic", 1.0), ("ridge", "squared", None), ("paper", "logistic", None)]
)
def test_influence_of_all_users(contender, train, classifier, method, loss, limit):
    users = range(train.n_users)
    own = [np.flatnonzero(train.users == user) for user in users]
    rated = [rows(train, user, train.items[mine]) for user, mine in zip(users, own, strict=True)]
    y = [train.likes[mine] for mine in own]
    rng = np.random.default_rng(0)
    wanted = [rows(train, user, rng.choice(unseen(train, user), N_WANTED, replace=False)) for user in users]

    def run():
        return explain.influence(classifier, rated, y, wanted, feature=list(users), loss=loss, method=method)

    case = f"influence, {train.n_users} users x {N_WANTED} items, ua.base, 64 factors, {loss}, {method}"
    matrices = contender(case, "factorec", run, limit=limit)
    assert all(J.shape == (N_WANTED, len(mine)) for J, mine in zip(matrices, own, strict=True))


@pytest.mark.parametrize(
    ("model", "limit"), [("classifier", 0.002), ("ranker", 0.015)], ids=["ratings", "with negatives"]
)
def test_one_explanation(contender, request, train, model, limit):
    p = request.getfixturevalue(model)
    negatives = model == "ranker"
    user = USER - 1  # every user of MovieLens 100K is in ua.base: position = id - 1
    mine = np.flatnonzero((train.users == user) & ((train.likes == 1) | (not negatives)))
    items, y = train.items[mine], train.likes[mine]
    rated, others = rows(train, user, items), unseen(train, user)
    wanted = rows(train, user, others[:1])
    options = {"feature": user, "loss": "logistic", "rated_ids": items, "item_id": int(others[0])}
    if negatives:
        weight = NEGATIVES * len(items) / len(others)
        options |= {"X_background": rows(train, user, others), "background_weight": weight}

    def run():
        for _ in range(100):
            explain.explain_item(p, rated, y, wanted, **options)

    kind = f"with {len(others):,} films not rated" if negatives else "ratings alone"
    contender(f"100 explanations, {len(items)} ratings, 64 factors, {kind}", "factorec", run, limit=100 * limit)
