"""Promise: users and items that came after training get the exact minimum for their rows; all else keeps its bits."""

from __future__ import annotations

import copy
from itertools import combinations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import optimize
from sklearn.exceptions import NotFittedError

import factorec as fr
from factorec.errors import DataError
from factorec.recommender import folding, own_rows

from .conftest import MODELS, classifier, regressor

SIDES = pytest.mark.parametrize("side", ["user", "item"])
N_LATE = 6


def part(table, rows):
    return {name: column[rows] for name, column in table.items()}


def joined(*tables):
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def cut(table, side):
    """Rows without the last ids of a side, and the rows of those."""
    late = np.isin(table[f"{side}_id"], np.unique(table[f"{side}_id"])[-N_LATE:])
    return part(table, ~late), part(table, late)


def fold(rec, side, table, **options):
    rec = copy.deepcopy(rec)
    method = rec.fold_in_users if side == "user" else rec.fold_in_items
    assert method(table, **options) is rec
    return rec


def vector(rec, side, identifier):
    """Linear weight and vector of an id."""
    entities = rec.encoder_.entities(side)
    column = entities.columns[entities.vocabulary.index([identifier])[0]]
    assert column >= 0
    return np.append(rec.estimator_.linear_[column], rec.estimator_.factors_[column]).astype(np.float64)


def state(rec):
    """All that a call might change, as bytes."""
    p, s, h = rec.estimator_.parameters_, rec.estimator_.solver_state_, rec.interactions_
    arrays = [p.linear, p.factors, p.penalties.linear, p.penalties.factors, s.linear_accumulator, h.indptr, h.items]
    arrays += [h.label, h.weight, rec.popularity_, rec.encoder_.users_.ids.astype(str)]
    return p.bias, rec.encoder_.n_features_, [array.tobytes() for array in arrays]


@pytest.fixture(scope="module", params=list(MODELS))
def model(request):
    return request.param


@pytest.fixture(scope="module", params=["user", "item"])
def side(request):
    return request.param


@pytest.fixture(scope="module")
def early(model, side, table):
    return MODELS[model]().fit(cut(table, side)[0])


@pytest.fixture(scope="module")
def late(side, table):
    return cut(table, side)[1]


@pytest.fixture(scope="module")
def folded(early, side, late):
    return fold(early, side, late)


def unseen_item(rec, user):
    history = rec.interactions_
    position = rec.encoder_.users_.index([user])[0]
    return np.setdiff1d(rec.encoder_.items_.ids, rec.encoder_.items_.ids[history.items[history.rows_of(position)]])[0]


# The minimum.


def objective_of(early, rec, side, identifier, rows, weight):
    """The training objective in one id's linear weight and vector, from its definition, and its minimum."""
    p, encoder = rec.estimator_.parameters_, rec.encoder_
    entities = encoder.entities(side)
    column = int(entities.columns[entities.vocabulary.index([identifier])[0]])
    X = encoder.transform(rows).toarray().astype(np.float64)
    label = rows["rating"].astype(np.float64)
    logistic = isinstance(rec.estimator_, fr.FMClassifier)
    if logistic:
        label = (label >= rec.like_threshold).astype(np.float64)
    l2_linear, l2_factors = p.penalties.per_row[f"{side}_id"]
    # The prior of linear weights, from those of the ids that were trained.
    trained = early.estimator_.linear_[early.encoder_.entities(side).columns].astype(np.float64)
    noise = 1.0 if logistic else early.estimator_.history_["train"]["rmse"][-1] ** 2

    def objective(free):
        w, V = p.linear.astype(np.float64), p.factors.astype(np.float64)
        w[column], V[column] = free[0], free[1:]
        total = 0.5 * noise / trained.var() * (free[0] - trained.mean()) ** 2
        for x, y, omega in zip(X, label, weight, strict=True):
            used = np.flatnonzero(x)
            score = p.bias + w @ x + sum(V[f] @ V[g] * x[f] * x[g] for f, g in combinations(used, 2))
            loss = np.logaddexp(0, score) - y * score if logistic else 0.5 * (y - score) ** 2
            total += omega * (loss + 0.5 * (l2_linear * free[0] ** 2 + l2_factors * free[1:] @ free[1:]))
        return total

    return optimize.minimize(objective, np.zeros(1 + p.n_factors), method="BFGS", options={"gtol": 1e-7}).x


@pytest.mark.parametrize("kind", ["likes", "ratings"])
@SIDES
def test_the_vector_minimises_the_training_objective(kind, side, table):
    before, late = cut(table, side)
    settings = {"n_factors": 3, "l2_linear": 0.1, "l2_factors": 0.2}
    estimator = classifier(**settings) if kind == "likes" else regressor(**settings)
    early = fr.Recommender(estimator, like_threshold=4).fit(before)
    rec = fold(early, side, late)
    for identifier in np.unique(late[f"{side}_id"])[:2]:
        rows = part(late, late[f"{side}_id"] == identifier)
        best = objective_of(early, rec, side, identifier, rows, np.ones(len(rows["rating"])))
        np.testing.assert_allclose(vector(rec, side, identifier), best, atol=2e-4)


@SIDES
def test_weights_of_rows_and_classes_count_as_in_training(side, table):
    table = table | {"weight": np.random.default_rng(0).choice([0.0, 1.0, 2.5], len(table["rating"]))}
    before, late = cut(table, side)
    estimator = classifier(n_factors=3, class_weight={0: 1.0, 1: 0.25})
    early = fr.Recommender(estimator, like_threshold=4, weight="weight").fit(before)
    rec = fold(early, side, late)
    identifier = late[f"{side}_id"][0]
    rows = part(late, late[f"{side}_id"] == identifier)
    weight = rows["weight"] * np.where(rows["rating"] >= 4, 0.25, 1.0)
    best = objective_of(early, rec, side, identifier, rows, weight)
    np.testing.assert_allclose(vector(rec, side, identifier), best, atol=2e-4)


def test_balanced_classes_are_those_of_training(table):
    """A new user may have likes only; balanced by these, they would weigh something else."""
    before, late = cut(table, "user")
    model = fr.Recommender(classifier(class_weight="balanced"), like_threshold=4).fit(before)
    liked = before["rating"] >= 4
    by_class = {0: len(liked) / (2 * (~liked).sum()), 1: len(liked) / (2 * liked.sum())}
    same = copy.deepcopy(model)
    same.estimator_.class_weight = by_class
    for rows in (late, part(late, late["rating"] >= 4)):
        one, other = fold(model, "user", rows), fold(same, "user", rows)
        np.testing.assert_allclose(one.estimator_.factors_, other.estimator_.factors_, atol=1e-6)


def test_background_rows_are_those_that_sampling_expects(table):
    """Each like draws m items, uniformly from those that the user has not met."""
    before, late = cut(table, "user")
    early = fr.Recommender(classifier(n_factors=3), like_threshold=4, negatives=3).fit(before)
    rec = fold(early, "user", late)
    user = late["user_id"][0]
    own = part(late, late["user_id"] == user)
    likes = part(own, own["rating"] >= 4)
    n_likes = len(likes["rating"])
    unmet = np.setdiff1d(np.unique(before["item_id"]), own["item_id"])
    background = {"user_id": np.full(len(unmet), user), "item_id": unmet, "rating": np.zeros(len(unmet))}
    weight = np.append(np.ones(n_likes), np.full(len(unmet), 3 * n_likes / len(unmet)))
    best = objective_of(early, rec, "user", user, joined(likes, background), weight)
    np.testing.assert_allclose(vector(rec, "user", user), best, atol=2e-4)
    penalty = rec.estimator_.penalties_.factors[rec.encoder_.entities("user").columns[-N_LATE]]
    assert penalty == pytest.approx(rec.estimator_.penalties_.per_row["user_id"][1] * 4 * n_likes)


@pytest.mark.parametrize("negatives", [0, 3])
@SIDES
def test_l2_by_count_is_that_of_training(side, negatives, table):
    """Of ids that were trained and get no more than they had, the penalty is what `fit` charged."""
    estimator = classifier(l2_count_power=0.5)
    model = fr.Recommender(estimator, like_threshold=4, negatives=negatives).fit(table)
    was = model.estimator_.parameters_
    columns = model.encoder_.entities(side).columns
    everyone = np.flatnonzero(was.penalties.factors[columns])
    p = folding.resolved(model, model.encoder_, was, side, model.interactions_, everyone)
    for name in ("linear", "factors"):
        now, charged = getattr(p.penalties, name), getattr(was.penalties, name)
        np.testing.assert_allclose(now[columns], charged[columns], rtol=1e-5)


@pytest.mark.parametrize("kind", list(MODELS))
def test_scores_are_the_resolved_ones_of_explain(kind, table):
    """Promise: the same solver as `explain`, so that its re-solve finds nothing left to move."""
    before, late = cut(table, "user")
    early = MODELS[kind]().fit(before)
    folded = fold(early, "user", late)
    for user in np.unique(late["user_id"])[:3]:
        why = folded.explain(user, unseen_item(folded, user))
        assert why.resolved_score == pytest.approx(why.score, abs=1e-5)
    known = before["user_id"][0]
    one = {"user_id": np.array([known]), "item_id": np.array([unseen_item(early, known)]), "rating": np.array([5])}
    again = fold(early, "user", one)
    why = again.explain(known, unseen_item(again, known))
    assert why.resolved_score == pytest.approx(why.score, abs=1e-5)


@pytest.mark.parametrize(
    ("kind", "side"),
    [("likes", "user"), ("likes", "item"), ("ratings", "user"), ("ratings", "item"), ("negatives", "user")],
)
def test_a_trained_id_is_solved_from_history_and_new_rows(kind, side, table):
    """It ends where a new id with all these rows does (with negatives, a new item is one more to draw from)."""
    before = cut(table, side)[0]
    identifier = np.unique(before[f"{side}_id"])[0]
    own = part(before, before[f"{side}_id"] == identifier)
    n = max(1, len(own["rating"]) // 2)
    rec = MODELS[kind]().fit(joined(part(before, before[f"{side}_id"] != identifier), part(own, slice(n))))
    again = fold(rec, side, part(own, slice(n, None)))
    new = own | {f"{side}_id": np.full(len(own["rating"]), 10**6)}
    np.testing.assert_allclose(
        vector(again, side, identifier), vector(fold(rec, side, new), side, 10**6), rtol=1e-4, atol=1e-5
    )


# What stays.


def test_all_other_parameters_keep_their_bits(early, folded, side):
    old, new = early.encoder_, folded.encoder_
    for block in ("user", "item"):
        mapped = new.entities(block).columns[: len(old.entities(block).columns)]
        columns = old.entities(block).columns
        for name in ("linear_", "factors_"):
            before, after = getattr(early.estimator_, name), getattr(folded.estimator_, name)
            np.testing.assert_array_equal(after[mapped], before[columns])
        for name in ("linear_accumulator", "factors_accumulator"):
            states = early.estimator_.solver_state_, folded.estimator_.solver_state_
            np.testing.assert_array_equal(getattr(states[1], name)[mapped], getattr(states[0], name)[columns])
    assert folded.estimator_.bias_ == early.estimator_.bias_
    assert len(new.entities(side).columns) == len(old.entities(side).columns) + N_LATE


def test_predictions_of_old_pairs_keep_their_bits(early, folded, side, table):
    old = cut(table, side)[0]
    np.testing.assert_array_equal(folded.predict(old), early.predict(old))


def test_a_vector_depends_on_no_order_and_on_no_company(early, side, late):
    """Other ids beside it do not touch a bit; another order of its rows rounds differently."""
    whole = fold(early, side, late)
    shuffled = fold(early, side, part(late, np.random.default_rng(0).permutation(len(late["rating"]))))
    for identifier in np.unique(late[f"{side}_id"]):
        alone = fold(early, side, part(late, late[f"{side}_id"] == identifier))
        np.testing.assert_array_equal(vector(alone, side, identifier), vector(whole, side, identifier))
        np.testing.assert_allclose(
            vector(shuffled, side, identifier), vector(whole, side, identifier), rtol=1e-6, atol=1e-7
        )


def test_batches_do_not_touch_a_bit(early, side, late, monkeypatch):
    whole = fold(early, side, late)
    monkeypatch.setattr(own_rows, "_BATCH", 20)
    assert state(fold(early, side, late)) == state(whole)


# What it is good for.


@pytest.mark.parametrize("kind", ["likes", "ratings"])
def test_folding_in_beats_not_knowing(kind, side, table):
    """The other half of the rows is predicted better than without."""
    before, late = cut(table, side)
    early = MODELS[kind]().fit(before)
    given = np.arange(len(late["rating"])) % 2 == 0
    rec = fold(early, side, part(late, given))
    rest = part(late, ~given)
    truth = rest["rating"] >= 4 if kind == "likes" else rest["rating"]
    with pytest.warns(UserWarning, match="does not know"):
        without = early.predict(rest)
    assert np.mean((truth - rec.predict(rest)) ** 2) < np.mean((truth - without) ** 2)


def test_everything_works_afterwards(folded, side, late, table, tmp_path):
    identifier = late[f"{side}_id"][0]
    user = identifier if side == "user" else late["user_id"][0]
    top = folded.recommend([user], n=5)
    assert top.counts[0] == 5
    own = table["item_id"][table["user_id"] == user] if side == "user" else late["item_id"][late["user_id"] == user]
    assert not set(top.item_ids[0]) & set(own.tolist())
    assert len(folded.recommend(n=3)) == len(folded.encoder_.users_)
    assert np.isfinite(folded.predict(late)).all()
    assert folded.explain(user, unseen_item(folded, user)).score is not None
    assert folded.similar_items(late["item_id"][0], n=3).counts[0] == 3
    assert folded.popularity_.sum() > 0
    path = tmp_path / "model.factorec"
    folded.save(path)
    loaded = fr.load(path)
    np.testing.assert_array_equal(loaded.predict(late), folded.predict(late))
    np.testing.assert_array_equal(loaded.recommend().scores, folded.recommend().scores)
    before = vector(loaded, side, identifier)
    loaded.partial_fit(part(late, late[f"{side}_id"] == identifier))
    assert (vector(loaded, side, identifier) != before).any()
    again = fold(loaded, side, part(late, slice(1)))
    assert len(again.encoder_.users_) == len(folded.encoder_.users_)


def test_rows_of_weight_0_are_seen_and_teach_nothing(table):
    before, late = cut(table | {"weight": np.ones(len(table["rating"]))}, "user")
    rec = fr.Recommender(regressor(), weight="weight").fit(before)
    late["weight"] = np.zeros(len(late["weight"]))
    folded = fold(rec, "user", late)
    user = late["user_id"][0]
    assert not vector(folded, "user", user).any()
    top = folded.recommend([user], n=100).item_ids[0]
    assert not set(top.tolist()) & set(late["item_id"][late["user_id"] == user].tolist())


def test_new_items_bring_their_titles(table, catalogue):
    before, late = cut(table, "item")
    rec = MODELS["likes"]().fit(before, items=catalogue)
    new = np.unique(late["item_id"])
    named = fold(rec, "item", late, items={"item_id": new[1:], "title": np.array([f"Late {i}" for i in new[1:]])})
    titles = dict(zip(named.encoder_.items_.ids.tolist(), named.titles_.tolist(), strict=True))
    assert titles[new[1]] == f"Late {new[1]}"
    assert titles[new[0]] == str(new[0])
    assert titles[before["item_id"][0]] == f"Film {before['item_id'][0]}"


# Fields and context.


@pytest.fixture(scope="module")
def with_fields(table):
    rng = np.random.default_rng(0)
    users, items = np.unique(table["user_id"]), np.unique(table["item_id"])
    tables = {
        "users": {"user_id": users, "age": rng.choice(["old", "young"], len(users))},
        "items": {"item_id": items, "genre": rng.choice(["a", "b", "c"], len(items))},
    }
    rows = table | {"hour": rng.choice(["day", "night"], len(table["rating"]))}
    fields = {"user": ["age"], "item": ["genre"], "context": ["hour"]}
    return rows, tables, fields


@pytest.mark.parametrize("kind", ["likes", "ratings"])
@SIDES
def test_features_and_context_stay_in_the_rest(kind, side, with_fields):
    rows, tables, fields = with_fields
    before, late = cut(rows, side)
    early_tables = dict(tables)
    entities = tables[f"{side}s"]
    early_tables[f"{side}s"] = part(entities, np.isin(entities[f"{side}_id"], before[f"{side}_id"]))
    settings = {"n_factors": 3, "l2_linear": 0.1, "l2_factors": 0.2}
    estimator = classifier(**settings) if kind == "likes" else regressor(**settings)
    early = fr.Recommender(estimator, like_threshold=4, title=None, fields=fields).fit(before, **early_tables)
    rec = fold(early, side, late, **{f"{side}s": entities})
    identifier = late[f"{side}_id"][0]
    own = part(late, late[f"{side}_id"] == identifier)
    best = objective_of(early, rec, side, identifier, own, np.ones(len(own["rating"])))
    np.testing.assert_allclose(vector(rec, side, identifier), best, atol=2e-4)


@pytest.mark.parametrize("negatives", [0, 3])
def test_explain_agrees_with_features_and_context(negatives, with_fields):
    """The background too: every unmet item, in the mean context of the user's likes."""
    rows, tables, fields = with_fields
    before, late = cut(rows, "user")
    early = fr.Recommender(classifier(), like_threshold=4, title=None, fields=fields, negatives=negatives)
    rec = fold(early.fit(before, **tables), "user", late)
    for user in np.unique(late["user_id"])[:3]:
        why = rec.explain(user, unseen_item(rec, user), context={"hour": "night"})
        assert why.resolved_score == pytest.approx(why.score, abs=1e-5)


@pytest.mark.parametrize("in_catalogue", [True, False])
@SIDES
def test_features_alone_rank_where_there_are_no_rows(side, in_catalogue, with_fields):
    """Ids of the catalogue given to fit, or of the one given now."""
    rows, tables, fields = with_fields
    before, late = cut(rows, side)
    entities = tables[f"{side}s"]
    new = ~np.isin(entities[f"{side}_id"], before[f"{side}_id"])
    early_tables = tables | ({} if in_catalogue else {f"{side}s": part(entities, ~new)})
    rec = fr.Recommender(classifier(), like_threshold=4, title=None, fields=fields).fit(before, **early_tables)
    folded = fold(rec, side, None, **{f"{side}s": part(entities, new)})
    identifier = entities[f"{side}_id"][new][0]
    assert not vector(folded, side, identifier).any()
    X = folded.encoder_.transform(part(late, late[f"{side}_id"] == identifier))
    assert X.nnz == X.shape[0] * 5  # two ids, two features, the hour
    users = [identifier] if side == "user" else None
    top = folded.recommend(users, n=rows["item_id"].max(), exclude_seen=False, context={"hour": "day"})
    assert side == "user" or identifier in top.item_ids[0]


@SIDES
def test_every_kind_of_table_gives_the_same_bits(side, with_fields):
    rows, tables, fields = with_fields
    rows = rows | {name: np.char.add("n", rows[name].astype(str)) for name in ("user_id", "item_id")}
    tables = {
        name: {column: np.char.add("n", v.astype(str)) if column.endswith("_id") else v for column, v in table.items()}
        for name, table in tables.items()
    }
    before, late = cut(rows, side)
    early = fr.Recommender(classifier(), like_threshold=4, title=None, fields=fields)
    entities = tables[f"{side}s"]
    known = part(entities, np.isin(entities[f"{side}_id"], before[f"{side}_id"]))
    early.fit(before, **tables | {f"{side}s": known})
    folded = [
        fold(early, side, make(late), **{f"{side}s": make(tables[f"{side}s"])})
        for make in (dict, pd.DataFrame, pl.DataFrame, pa.table)
    ]
    for other in folded[1:]:
        assert state(other) == state(folded[0])


# What is not known, and what cannot be.


def test_rows_of_unknown_others_are_left_out_and_counted(early, side, late):
    other = "item" if side == "user" else "user"
    stranger = part(late, slice(2)) | {f"{other}_id": np.array([-5, -6])}
    with pytest.warns(
        UserWarning, match=rf"2 of {len(late['rating']) + 2:,} rows are left out.*{other} that the model"
    ):
        rec = fold(early, side, joined(late, stranger))
    whole = fold(early, side, late)
    np.testing.assert_array_equal(rec.estimator_.factors_, whole.estimator_.factors_)
    with pytest.raises(DataError, match=rf"no row with an? {other} that the model knows"):
        fold(early, side, stranger)


@SIDES
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, side: {k: v for k, v in t.items() if k != f"{side}_id"}, "table: .*{side}_id"),
        (lambda t, side: {k: v for k, v in t.items() if k != "rating"}, "table: .*rating"),
        (lambda t, side: t | {f"{side}_id": t[f"{side}_id"].astype(str)}, "table: .*{side}_id.*strings"),
        (lambda t, side: t | {"rating": np.full(len(t["rating"]), np.nan)}, "'rating' holds nan in row 0"),
        (lambda t, side: t | {"rating": t["rating"][1:]}, "length"),
        (lambda t, side: None, "nothing to fold in: give a table of interactions, or {side}s="),
        (lambda t, side: part(t, slice(0)), "no row"),
    ],
)
def test_tables_that_cannot_be_used(side, change, message, table):
    before, late = cut(table, side)
    rec = MODELS["likes"]().fit(before)
    was, bits = dict(rec.__dict__), state(rec)
    with pytest.raises(DataError, match=message.format(side=side)):
        (rec.fold_in_users if side == "user" else rec.fold_in_items)(change(late, side))
    assert rec.__dict__ == was
    assert state(rec) == bits


def test_what_fields_need_is_asked_for(with_fields):
    rows, tables, fields = with_fields
    before, late = cut(rows, "user")
    rec = fr.Recommender(classifier(), like_threshold=4, title=None, fields=fields).fit(before, **tables)
    for table, users, message in (
        ({k: v for k, v in late.items() if k != "hour"}, None, "table: .*no column 'hour'"),
        (late, {"user_id": late["user_id"]}, "users: .*'age'|users: id .* stands in rows"),
        (late, {"age": ["old"]}, "users: .*'user_id'"),
        (late, {"user_id": ["text"], "age": ["old"]}, "users: .*'user_id'.*strings"),
    ):
        with pytest.raises(DataError, match=message):
            fold(rec, "user", table, users=users)
    with pytest.raises(NotFittedError):
        fr.Recommender(classifier()).fold_in_users(late)


def test_without_the_history_there_is_nothing_to_add_to(likes, late, tmp_path):
    likes.save(tmp_path / "model.factorec", history=False)
    with pytest.raises(DataError, match="saved without its users' history"):
        fr.load(tmp_path / "model.factorec").fold_in_users(late)


@pytest.mark.parametrize("rows_at_a_time", [1, 1 << 15])
def test_a_user_without_a_minimum_is_named(table, rows_at_a_time, monkeypatch):
    """One like and no L2: the log-odds would go to infinity. Of many rows of both kinds they do not."""
    before, late = cut(table, "user")
    rec = fr.Recommender(classifier(n_factors=1, l2_linear=0, l2_factors=0), like_threshold=4).fit(before)
    user = late["user_id"].max()
    others = part(late | {"rating": 1 + 4 * (np.arange(len(late["rating"])) % 2)}, late["user_id"] != user)
    one = part(late | {"rating": np.full(len(late["rating"]), 5)}, np.flatnonzero(late["user_id"] == user)[:1])
    monkeypatch.setattr(own_rows, "_BATCH", rows_at_a_time)
    fold(rec, "user", others)
    with pytest.raises(DataError, match=rf"user {user}: .*positive penalty"):
        fold(rec, "user", joined(others, one))


def test_an_interrupt_leaves_the_model_as_it_was(early, side, late, monkeypatch):
    was, bits = dict(early.__dict__), state(early)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(folding, "_titles", interrupted)
    with pytest.raises(KeyboardInterrupt):
        (early.fold_in_users if side == "user" else early.fold_in_items)(late)
    assert early.__dict__ == was
    assert state(early) == bits
