"""The managed k-NN against its definition in plain Python: small whole numbers, so that scores and votes tie."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from factorec.sagemaker import KNN


@st.composite
def problems(draw):
    n_items, n_queries, d = draw(st.integers(1, 40)), draw(st.integers(0, 6)), draw(st.integers(1, 5))
    small = st.integers(-2, 2)
    items = draw(arrays(np.int64, (n_items, d), elements=small))
    queries = draw(arrays(np.int64, (n_queries, d), elements=small))
    labels = draw(arrays(np.int64, n_items, elements=st.integers(0, 4)))
    return items, queries, labels, draw(st.integers(1, n_items))


@given(problems(), st.sampled_from(["L2", "INNER_PRODUCT"]), st.sampled_from(["classifier", "regressor"]))
@settings(max_examples=150, deadline=None)
def test_predictions_are_those_of_the_definition(problem, metric, predictor_type):
    items, queries, labels, k = problem
    hyperparameters = {"k": k, "sample_size": len(items), "predictor_type": predictor_type, "index_metric": metric}
    answer = KNN(hyperparameters, n_jobs=1).fit(items, labels).predict(queries, verbose=True)
    for row, query in enumerate(queries):
        if metric == "L2":
            distances = ((items - query) ** 2).sum(axis=1)
            best_first = sorted(range(len(items)), key=lambda i: (distances[i], i))[:k]
        else:
            distances = items @ query
            best_first = sorted(range(len(items)), key=lambda i: (-distances[i], i))[:k]
        ascending = best_first if metric == "L2" else best_first[::-1]
        assert answer["labels"][row].tolist() == labels[ascending].tolist()
        assert answer["distances"][row].tolist() == distances[ascending].tolist()
        mine = labels[best_first].tolist()
        counts = Counter(mine)
        most = [label for label in mine if counts[label] == max(counts.values())]
        expected = most[0] if predictor_type == "classifier" else np.float32(Fraction(sum(mine), k))
        assert answer["predicted_label"][row] == expected
