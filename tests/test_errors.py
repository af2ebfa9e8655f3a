"""Errors say what is wrong, and travel between processes."""

import pickle

import numpy as np
import pytest

from factorec import errors


def test_each_is_the_built_in_error_that_a_caller_expects():
    expected = {
        errors.DataError: ValueError,
        errors.UnknownIdError: KeyError,
        errors.DivergenceError: FloatingPointError,
        errors.FormatError: ValueError,
        errors.DatasetUnavailableError: OSError,
    }
    for error, builtin in expected.items():
        assert issubclass(error, errors.FactorecError)
        assert issubclass(error, builtin)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["ann"], "unknown user id: 'ann' (check)"),
        (np.array([4, 7]), "unknown user ids: 4, 7 (check)"),
        (np.array(["a"]), "unknown user id: 'a' (check)"),
        (range(12), "unknown user ids: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more (check)"),
    ],
)
def test_unknown_ids_are_listed(ids, message):
    """Not quoted as KeyError quotes its argument, and without numpy's type names."""
    error = errors.UnknownIdError("user", ids, "check")
    assert str(error) == message
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.ids) == (message, list(ids))
