"""Encoding: whatever the tables hold, blocks, flat rows, growth and files say the same."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from factorec.encoding import (
    STATE_SCHEMA,
    Categorical,
    Datetime,
    Encoder,
    History,
    MultiLabel,
    Numeric,
    Precomputed,
    fields_from_json,
)
from factorec.formats.schema import check_tensors

MISSING = st.sampled_from(["ignore", "category"])
IDS = st.sampled_from(range(12))
CATEGORY = st.none() | st.sampled_from(["a", "b", "", "é 😀"])
NUMBER = st.none() | st.sampled_from([-2.5, 0, 1, 3, 1e6])
LABELS = st.none() | st.lists(st.sampled_from(["x", "y", "z"]) | st.none(), max_size=4)


@st.composite
def catalogues(draw):
    ids = draw(st.lists(IDS, min_size=1, unique=True))

    def column(values):
        return draw(st.lists(values, min_size=len(ids), max_size=len(ids)))

    return {"id": ids, "category": column(CATEGORY), "number": column(NUMBER), "labels": column(LABELS)}


@st.composite
def interactions(draw, n_min=1):
    n = draw(st.integers(n_min, 8))

    def column(values):
        return draw(st.lists(values, min_size=n, max_size=n))

    return {"user": column(IDS), "item": column(IDS), "hour": column(st.none() | st.sampled_from([7, 8, 23]))}


@st.composite
def declarations(draw, side):
    """Fields of every kind; no number is an error, so there the numbers are optional."""
    fields = [
        Categorical("category", missing=draw(MISSING), min_count=draw(st.integers(1, 2)), name=f"{side} category"),
        MultiLabel(
            "labels", missing=draw(MISSING), weight=draw(st.sampled_from(["1", "1/n", "1/sqrt(n)"])), name=f"{side} l"
        ),
        Numeric("number", bins=draw(st.sampled_from([None, 2, 3])), missing=draw(MISSING), name=f"{side} number"),
        Precomputed("number", name=f"{side} value"),
        Datetime("number", part=draw(st.sampled_from(["year", "hour"])), missing=draw(MISSING), name=f"{side} time"),
        History(),
    ]
    return draw(st.lists(st.sampled_from(fields), unique_by=id, max_size=4))


@st.composite
def problems(draw):
    train, users, items = draw(interactions()), draw(catalogues()), draw(catalogues())
    users["user"], items["item"] = users.pop("id"), items.pop("id")
    fields = {"user": draw(declarations("user")), "item": draw(declarations("item"))}
    for side, table in (("user", users), ("item", items)):
        # What is in the catalogue is met at least once, with a number: otherwise fit refuses.
        table["number"] = [*table["number"][1:], 4]
        train[side] = [*train[side][1:], table[side][-1]]
    fields["context"] = draw(
        st.sampled_from(
            [
                [],
                ["hour"],
                [Categorical("hour", missing="category", min_count=2), Numeric("hour", bins=2, name="part of day")],
            ]
        )
    )
    train["hour"] = [*train["hour"][1:], 9]
    return fields, train, users, items


def fitted(problem):
    fields, train, users, items = problem
    return Encoder("user", "item", fields=fields).fit(train, users=users, items=items)


def same(a, b):
    assert a.shape == b.shape
    for part in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(a, part), getattr(b, part))


@settings(max_examples=60)
@given(problem=problems(), asked=interactions(0))
def test_blocks_side_by_side_are_the_flat_rows(problem, asked):
    encoder = fitted(problem)
    fields, train, users, items = problem
    for table in (train, asked):
        encoded = encoder.encode(table)
        rows = encoder.transform(table)
        blocks = [block.with_unknown() for block in encoded.blocks]
        dense = sum(block.rows.toarray()[block.index] for block in blocks)
        np.testing.assert_array_equal(rows.toarray(), dense)
        for block in encoded.blocks:
            known = encoder.entities(block.name).rows
            same(block.rows[: known.shape[0]], known)  # positions refer to entities
            assert len({row.tobytes() for row in block.rows.toarray()}) == len(block.rows.toarray()) or (
                block.name in ("user", "item")
            )
            assert (block.index >= 0).all() or block.name in ("user", "item")
            columns = [column for span in block.field_ranges.values() for column in range(*span)]
            assert set(block.rows.indices.tolist()) <= set(columns)
            assert (block.rows.data != 0).all()
    together = Encoder("user", "item", fields=fields).fit_encode(train, users=users, items=items)
    for a, b in zip(together.blocks, encoder.encode(train).blocks, strict=True):
        np.testing.assert_array_equal(a.index, b.index)
        same(a.rows, b.rows)


@settings(max_examples=60)
@given(problem=problems(), asked=interactions(), more=catalogues(), new=st.lists(IDS), other=st.lists(IDS))
def test_growth_keeps_what_is_there(problem, asked, more, new, other):
    encoder = fitted(problem)
    users = {**more, "user": more["id"]}
    grown, column_map = encoder.extend(user_ids=new, item_ids=other, users=users, context=asked)
    assert len(np.unique(column_map)) == encoder.n_features_
    np.testing.assert_array_equal(grown.get_feature_names_out()[column_map], encoder.get_feature_names_out())
    assert list(grown.field_ranges_) == list(encoder.field_ranges_)
    trained = {"user": set(new), "item": set(other)}
    for block in encoder.encode(asked).blocks:
        old, now = encoder.entities(block.name), grown.entities(block.name)
        kept = now.rows[: len(old)].toarray()
        if old.vocabulary is not None:
            np.testing.assert_array_equal(now.vocabulary.ids[: len(old)], old.vocabulary.ids)
            has = old.columns >= 0
            np.testing.assert_array_equal(now.columns[: len(old)][has], column_map[old.columns[has]])
            own = now.columns[: len(old)][~has]
            kept[np.flatnonzero(~has)[own >= 0], own[own >= 0]] = 0  # their new own feature
            assert set(now.vocabulary.ids[now.columns >= 0].tolist()) == trained[block.name] | set(
                old.vocabulary.ids[has].tolist()
            )
        np.testing.assert_array_equal(kept[:, column_map], old.rows.toarray())
        assert np.count_nonzero(kept) == old.rows.nnz
    again = grown.encode(asked)
    for block in again.blocks:
        assert block.rows.shape[0] == len(grown.entities(block.name))  # all values of context are entities now


@settings(max_examples=60)
@given(problem=problems(), asked=interactions(0), new=st.lists(IDS), grow=st.booleans())
def test_promise_8_a_state_is_plain_and_gives_the_encoder_back(problem, asked, new, grow):
    encoder = fitted(problem)
    if grow:
        encoder, _ = encoder.extend(user_ids=new, item_ids=new[:1])
    metadata, tensors = encoder.state()
    check_tensors(tensors, STATE_SCHEMA)
    metadata = json.loads(json.dumps(metadata))
    again = Encoder.from_state("user", "item", fields_from_json(metadata["fields"]), metadata, tensors)
    np.testing.assert_array_equal(again.get_feature_names_out(), encoder.get_feature_names_out())
    assert again.field_ranges_ == encoder.field_ranges_
    same(again.transform(asked), encoder.transform(asked))
    for block in encoder.encode(asked).blocks:
        a, b = encoder.entities(block.name), again.entities(block.name)
        same(a.rows, b.rows)
        np.testing.assert_array_equal(a.columns, b.columns)
    once_more = again.state()
    assert once_more[0] == metadata
    for name, values in tensors.items():
        np.testing.assert_array_equal(values, once_more[1][name])
    table = {"category": ["a", None], "number": [3, None], "labels": [["x", "q"], None]}
    for side in ("user", "item"):
        same(again.rows_of(side, table), encoder.rows_of(side, table))
