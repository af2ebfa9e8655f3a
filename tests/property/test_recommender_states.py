"""Promises 2 and 4 hold in every order of fit, partial_fit, fold_in, save, load and pickle, and nothing is lost.

Whatever is done to a recommender: ids keep their positions, histories only grow, parameters that no row touches keep
their bits, lists agree with `decision_function` over full rows, and what was seen is not recommended.
"""

from __future__ import annotations

import copy
import pickle
import tempfile
import warnings
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import factorec as fr
from factorec.encoding import MultiLabel, Numeric
from factorec.errors import DataError
from factorec.recommender.fitting import encode_rows

N_USERS, N_ITEMS = 14, 12
USERS = {"user_id": np.arange(N_USERS), "age": np.arange(N_USERS) * 1.5}
ITEMS = {
    "item_id": np.arange(N_ITEMS),
    "genre": ["ab", "b", "c", "a", "", "abc", "b", "c", "a", "x", "bx", "a"],
    "title": [f"film {i}" for i in range(N_ITEMS)],
}
ITEMS["genre"] = [list(labels) for labels in ITEMS["genre"]]
FIELDS = {"user": [Numeric("age", bins=3)], "item": [MultiLabel("genre")], "context": ["day"]}


def take(table, rows):
    return {name: [column[row] for row in rows] for name, column in table.items()}


@st.composite
def interactions(draw, users, items):
    n = draw(st.integers(1, 12))
    rows = draw(
        st.lists(
            st.tuples(st.integers(*users), st.integers(*items), st.integers(1, 5), st.sampled_from("xyz")),
            min_size=n,
            max_size=n,
        )
    )
    user, item, rating, day = zip(*rows, strict=True)
    return {"user_id": list(user), "item_id": list(item), "rating": [float(r) for r in rating], "day": list(day)}


class Recommenders(RuleBasedStateMachine):
    """One recommender, and what must be true of it."""

    @initialize(
        table=interactions((0, 7), (0, 7)),
        kind=st.sampled_from(["likes", "ratings", "negatives"]),
        fields=st.booleans(),
        seed=st.integers(0, 9),
    )
    def fit(self, table, kind, fields, seed):
        """Fit, with rows that make every kind of model possible."""
        table = {
            name: [*column, *more]
            for (name, column), more in zip(
                table.items(), ([0, 1, 2, 3], [0, 1, 2, 3], [5.0, 1.0, 4.0, 2.0], "xyxy"), strict=True
            )
        }
        options = {
            "n_factors": 3,
            "n_epochs": 2,
            "init_scale": 0.2,
            "random_state": seed,
            "l2_linear": 0.1,
            "l2_factors": 0.1,
        }
        estimator = fr.FMRegressor(**options) if kind == "ratings" else fr.FMClassifier(**options)
        self.fields = fields
        rec = fr.Recommender(
            estimator, like_threshold=4, negatives=2 * (kind == "negatives"), fields=FIELDS if fields else None
        )
        self.rec = rec.fit(table, items=take(ITEMS, range(10)), users=take(USERS, range(10)) if fields else None)
        self.rows = len(table["user_id"])
        self.users, self.items = self.rec.encoder_.users_.ids, self.rec.encoder_.items_.ids

    def columns(self, rec, side, ids):
        entities = rec.encoder_.entities(side)
        return entities.columns[entities.vocabulary.index(np.asarray(ids, dtype=np.int64))]

    def unchanged(self, before, side, ids):
        """The parameters of these ids have the bits that they had."""
        old, new = self.columns(before, side, ids), self.columns(self.rec, side, ids)
        trained = old >= 0
        p, q = before.estimator_.parameters_, self.rec.estimator_.parameters_
        np.testing.assert_array_equal(p.linear[old[trained]], q.linear[new[trained]])
        np.testing.assert_array_equal(p.factors[old[trained]], q.factors[new[trained]])

    @rule(table=interactions((0, N_USERS - 1), (0, N_ITEMS - 1)))
    def partial_fit(self, table):
        """More rows, some with new ids."""
        before = copy.copy(self.rec)
        catalogue = {"users": USERS, "items": ITEMS} if self.fields else {"items": ITEMS}
        self.rec.partial_fit(table, **catalogue)
        self.rows += len(table["user_id"])
        self.unchanged(before, "user", np.setdiff1d(before.encoder_.users_.ids, table["user_id"]))
        if not self.rec.negatives:
            self.unchanged(before, "item", np.setdiff1d(before.encoder_.items_.ids, table["item_id"]))

    @rule(table=interactions((0, N_USERS - 1), (0, N_ITEMS - 1)), side=st.sampled_from(["user", "item"]))
    def fold_in(self, table, side):
        """Rows of new or known ids of one side; counterparties that are unknown are left out."""
        other = "item" if side == "user" else "user"
        known = (self.rec.encoder_.items_ if side == "user" else self.rec.encoder_.users_).index(
            table[f"{other}_id"]
        ) >= 0
        before = copy.copy(self.rec)
        catalogue = USERS if side == "user" else ITEMS
        method = self.rec.fold_in_users if side == "user" else self.rec.fold_in_items
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            if not known.any():
                with pytest.raises(DataError, match="nothing to fold in"):
                    method(table)
                assert all(self.rec.__dict__[name] is value for name, value in before.__dict__.items())
                return
            method(table, **({f"{side}s": catalogue} if self.fields else {}))
        self.rows += int(known.sum())
        self.unchanged(before, other, getattr(before.encoder_, f"{other}s_").ids)
        self.unchanged(before, side, np.setdiff1d(getattr(before.encoder_, f"{side}s_").ids, table[f"{side}_id"]))
        assert before.estimator_.parameters_.bias == self.rec.estimator_.parameters_.bias

    @rule(how=st.sampled_from(["file", "pickle", "copy"]))
    def again(self, how):
        """A copy is the same to the bit."""
        old = self.rec
        if how == "file":
            with tempfile.TemporaryDirectory() as folder:
                old.save(Path(folder) / "model.factorec")
                self.rec = fr.load(Path(folder) / "model.factorec")
        else:
            self.rec = pickle.loads(pickle.dumps(old)) if how == "pickle" else copy.deepcopy(old)
        context = {"day": "x"} if self.fields else None
        a, b = (rec.recommend(n=4, context=context, cold_items=self.fields) for rec in (old, self.rec))
        np.testing.assert_array_equal(a.item_ids, b.item_ids)
        np.testing.assert_array_equal(a.scores, b.scores)

    @rule(day=st.sampled_from(["x", "z", "never", None]))
    def recommend(self, day):
        """Promises 2 and 4."""
        rec = self.rec
        context = {"day": day} if self.fields else None
        users = rec.encoder_.users_.ids if self.fields else rec.encoder_.users_.ids[rec.encoder_.is_trained("user")]
        top = rec.recommend(users, n=N_ITEMS, context=context, cold_items=self.fields)
        n_candidates = len(rec.encoder_.items_)
        history = rec.interactions_
        for row, user in enumerate(users):
            place = rec.encoder_.users_.index([user])[0]
            seen = set(rec.encoder_.items_.ids[history.items[history.rows_of(place)]].tolist())
            items = top[user]["item_id"].tolist()
            assert not seen & set(items)
            assert len(items) == top.counts[row] == n_candidates - len(seen)
            if items:
                rows = {"user_id": [user] * len(items), "item_id": items, "day": [day] * len(items)}
                full = rec.estimator_.decision_function(encode_rows(rec, rows))
                np.testing.assert_allclose(top[user]["score"], full, rtol=1e-5, atol=2e-5)
                assert (np.diff(top[user]["score"]) <= 0).all()

    @rule(user=st.integers(0, N_USERS - 1), item=st.integers(0, N_ITEMS - 1))
    def explain(self, user, item):
        """Every pair of known ids has an explanation whose score is that of the model."""
        rec = self.rec
        known = rec.encoder_.users_.index([user])[0] >= 0 and rec.encoder_.items_.index([item])[0] >= 0
        if not known:
            return
        why = rec.explain(user, item, context={"day": "y"} if self.fields else None)
        full = rec.estimator_.decision_function(encode_rows(rec, {"user_id": [user], "item_id": [item], "day": ["y"]}))
        np.testing.assert_allclose(why.score, full[0], rtol=1e-5, atol=2e-5)
        assert np.isfinite(why.resolved_score)

    @precondition(lambda self: hasattr(self, "rec"))
    @invariant()
    def nothing_is_lost(self):
        """Positions stay, histories grow by what was given."""
        encoder = self.rec.encoder_
        for side in ("users", "items"):
            ids = getattr(encoder, f"{side}_").ids
            old = getattr(self, side)
            np.testing.assert_array_equal(ids[: len(old)], old)
            setattr(self, side, ids)
        assert len(self.rec.interactions_.items) == self.rows
        assert len(self.rec.popularity_) == len(self.items)
        p = self.rec.estimator_.parameters_
        assert len(p.linear) == len(p.factors) == encoder.n_features_
        assert np.isfinite(p.factors).all()
        assert len(self.rec.titles_) == len(self.items)


Recommenders.TestCase.settings = settings(
    max_examples=30,
    stateful_step_count=10,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=[Phase.generate],
)
test_recommenders = Recommenders.TestCase
