"""Promises 2, 4 and 8 for any tables and any fields: missing values, cold ids, unknown categories, context."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import factorec as fr

WORDS = st.sampled_from(["a", "b", "c", "dé", ""])
NUMBERS = st.one_of(st.none(), st.integers(-3, 3), st.floats(-50, 50, width=32))
CELLS = {
    "word": st.one_of(st.none(), WORDS),
    "number": NUMBERS,
    "labels": st.one_of(st.none(), st.lists(WORDS, max_size=3)),
    "time": st.one_of(st.none(), st.integers(-(10**9), 10**9), st.floats(-(10.0**9), 10.0**9)),
}
DECLARATIONS = {
    "word": st.builds(
        fr.Categorical,
        st.just("word"),
        min_count=st.integers(1, 2),
        missing=st.sampled_from(["ignore", "category"]),
    ),
    "number": st.builds(
        fr.Numeric,
        st.just("number"),
        bins=st.one_of(st.none(), st.integers(2, 4)),
        missing=st.sampled_from(["ignore", "category"]),
    ),
    "labels": st.builds(
        fr.MultiLabel,
        st.just("labels"),
        weight=st.sampled_from(["1", "1/n", "1/sqrt(n)"]),
        missing=st.sampled_from(["ignore", "category"]),
    ),
    "time": st.builds(
        fr.Datetime,
        st.just("time"),
        part=st.sampled_from(["date", "week", "month", "year", "hour", "weekday"]),
        time_zone=st.sampled_from(["UTC", "Europe/Berlin"]),
        min_count=st.integers(1, 2),
        missing=st.sampled_from(["ignore", "category"]),
    ),
}


NOTHING_TO_LEARN = ("to learn from", "only likes are", "one class", "has no value")


@st.composite
def problems(draw):
    """Interactions, catalogues that lack some ids and have others, and fields for any of the sides."""
    n = draw(st.integers(8, 40))
    column = lambda cells, size: draw(st.lists(cells, min_size=size, max_size=size))  # noqa: E731
    table = {
        "user_id": np.array(column(st.integers(0, 7), n)),
        "item_id": np.array(column(st.integers(0, 9), n)),
        "rating": np.array(column(st.integers(1, 5), n)),
    }
    fields, tables = {}, {}
    for side, size in (("user", 10), ("item", 13), ("context", n)):
        kinds = draw(st.lists(st.sampled_from(sorted(CELLS)), max_size=2, unique=True))
        fields[side] = [draw(DECLARATIONS[kind]).set_params(name=f"{side} {kind}") for kind in kinds]
        if side != "context" and draw(st.booleans()):
            fields[side].insert(draw(st.integers(0, len(fields[side]))), fr.History())
        columns = {kind: column(CELLS[kind], size) for kind in sorted(CELLS)}
        if side == "context":
            table |= {kind: _column(values) for kind, values in columns.items()}
        else:
            first = draw(st.integers(0, 2))  # ids below are in no catalogue
            columns = {kind: _column(values[first:]) for kind, values in columns.items()}
            tables[f"{side}s"] = {f"{side}_id": np.arange(first, size)} | columns
    return table, tables, fields


def _column(values):
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def fitted(problem, kind, seed):
    table, tables, fields = problem
    estimator = (fr.FMRegressor if kind == "ratings" else fr.FMClassifier)(n_factors=3, n_epochs=3, random_state=seed)
    rec = fr.Recommender(
        estimator,
        like_threshold=None if kind == "ratings" else 3,
        negatives=2 if kind == "negatives" else 0,
        title=None,
        fields=fields,
    )
    try:
        return rec.fit(table, **tables)
    except fr.DataError as error:  # no like in the table, nothing for a field to learn from
        assert any(reason in str(error) for reason in NOTHING_TO_LEARN), error  # noqa: PT017
        return None


# Not shrunk: every example trains a model.
@settings(
    max_examples=40,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    problem=problems(),
    kind=st.sampled_from(["ratings", "likes", "negatives"]),
    seed=st.integers(0, 3),
    cold_items=st.booleans(),
    n=st.integers(1, 15),
    asked=st.data(),
)
@pytest.mark.filterwarnings("ignore")
def test_lists_are_the_best_unseen_candidates(problem, kind, seed, cold_items, n, asked, tmp_path_factory):
    rec = fitted(problem, kind, seed)
    if rec is None:
        return
    table = problem[0]
    encoder = rec.encoder_
    users = asked.draw(st.lists(st.sampled_from(encoder.users_.ids.tolist()), min_size=1, max_size=4))
    cell = {kind: _column([asked.draw(CELLS[kind])]) for kind in CELLS}
    names = {name for field in problem[2]["context"] for name in field.columns_read}
    queries = {"user_id": np.array(users)} | {name: np.repeat(cell[name], len(users)) for name in names}
    top = rec.recommend_for(queries, n=n, cold_items=cold_items)
    candidates = encoder.items_.ids[encoder.is_trained("item") | cold_items]
    scale = rec.estimator_.solver_state_.target_scale
    for row, user in enumerate(users):
        rows = {"user_id": np.full(len(candidates), user), "item_id": candidates}
        scores = rec.decision_function(
            rows | {name: np.repeat(values, len(candidates)) for name, values in cell.items()}
        )
        tolerance = 1e-5 * scale * np.maximum(1, np.abs(scores) / scale)
        unseen = ~np.isin(candidates, table["item_id"][table["user_id"] == user])
        count = top.counts[row]
        assert count == min(n, unseen.sum())
        found = np.array([candidates.tolist().index(item) for item in top.item_ids[row, :count]], dtype=int)
        assert unseen[found].all()
        assert (np.abs(top.scores[row, :count] - scores[found]) <= tolerance[found]).all()
        assert np.allclose(
            top.scores[row, :count], np.sort(scores[unseen])[::-1][:count], atol=2 * tolerance.max(initial=0)
        )
    path = tmp_path_factory.mktemp("model") / "m"
    rec.save(path)
    loaded = fr.load(path)
    assert np.array_equal(loaded.recommend_for(queries, n=n, cold_items=cold_items).scores, top.scores)
