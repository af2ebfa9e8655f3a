"""The estimators keep scikit-learn's contract, with the exceptions listed here and no others."""

from __future__ import annotations

from sklearn.utils.estimator_checks import parametrize_with_checks

from factorec.fm import FMClassifier, FMOrdinal, FMRegressor

WEIGHTS = "a row given twice is two steps of the solver, not one of double weight"
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": WEIGHTS,
    "check_sample_weight_equivalence_on_sparse_data": WEIGHTS,
}
EXPECTED_OF_REGRESSORS = {
    "check_regressors_no_decision_function": "the raw score is what ranking uses, and predict clips it",
}


def expected_failures(estimator):
    return EXPECTED | (EXPECTED_OF_REGRESSORS if isinstance(estimator, FMRegressor | FMOrdinal) else {})


# Adam's default batch is as large as most of the checks' tables, and one step an epoch learns little.
ADAM = {"solver": "adam", "batch_size": 4}
MODELS = [FMClassifier(), FMRegressor(), FMOrdinal(), FMClassifier(**ADAM), FMRegressor(**ADAM)]


@parametrize_with_checks(MODELS, expected_failed_checks=expected_failures, xfail_strict=True)
def test_scikit_learn_contract(estimator, check):
    check(estimator)
