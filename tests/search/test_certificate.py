"""The certificate of docs/search.md: its constants in exact arithmetic, and Theorem 1 on hard problems."""

from __future__ import annotations

from fractions import Fraction

import brute_force
import hard_searches
import numpy as np
import pytest

U = Fraction(1, 2**24)  # unit roundoff of float32
ETA = Fraction(1, 2**150)  # half the smallest denormal
LARGEST = Fraction(float(np.finfo(np.float32).max))
CERTAIN = Fraction(10) ** 38
MAX_FACTORS = 1040


def power(exponent):
    return Fraction(2) ** exponent


def gamma(m):
    return m * U / (1 - m * U)


def rho(d):
    return (d + 16) * power(-23)


def phi(d):
    return (d + 16) * power(-126)


def test_sums_of_codes_are_exact():
    """Section 3.3."""
    assert 255 * 127 < 2**15
    assert 127 * 127 * MAX_FACTORS < 2**24 <= 127 * 127 * (MAX_FACTORS + 1)
    assert 127 * 127 * 133_144 < 2**31 <= 127 * 127 * 133_145


def test_the_certificate_covers_every_rounding():
    """Theorem 1, summed up: coefficients of sigma (N + R), of O, and the constant."""
    approximation_floor = ((1 + U) * 2**24 + 1) * ETA
    assert approximation_floor < power(-125)
    growth = Fraction(1)  # (1 + u)^d
    for d in range(MAX_FACTORS + 1):
        assert gamma(d + 1) <= (d + Fraction(11, 10)) * U
        assert d * growth <= d + 1
        assert gamma(d + 1) + 2 * U + U**2 + (d + 28) * U <= rho(d)
        assert 2 * U + (d + 28) * U <= rho(d)
        assert d * growth * ETA + approximation_floor + power(-123) <= phi(d)
        # Section 3.7: the score's own rounding, and that of the bound.
        assert gamma(d + 1) + 2 * U + (d + 26) * U <= rho(d)
        assert 2 * U * (1 + rho(d)) + U <= (d + 26) * U
        assert d * growth * ETA + 2 * U * phi(d) + ETA <= phi(d)
        growth = Fraction(-(-(growth * (1 + U)) * 2**80 // 1), 2**80)  # upwards: else it grows to thousands of digits


def test_nothing_overflows_below_the_limit():
    worst = (1 + gamma(MAX_FACTORS + 1) + 4 * U) * CERTAIN + 1
    assert worst < LARGEST
    assert 1 / power(-100) < LARGEST


def test_norms_are_rounded_up():
    """Section 3.1: what 2^-20, 2^-149 and 2^-126 have to cover."""
    double = MAX_FACTORS * power(-52)
    assert (1 + power(-20)) * (1 - double) * (1 - U) * (1 - U) ** 2 >= 1
    assert (1 + power(-18)) * (1 - double) * (1 - U) ** 2 >= 1 + power(-19)
    assert power(-149) >= ETA
    assert MAX_FACTORS * ETA <= power(-139) < power(-126)


def test_comparisons_need_no_direction():
    """Section 3.4: the slack is larger than what rounding to nearest may add."""
    assert (1 + power(-18)) * (1 - U) ** 4 * (1 - U) >= 1 + power(-19)  # of the computed E, in E itself
    assert gamma(MAX_FACTORS + 1) + U <= power(-13)
    for d in (0, MAX_FACTORS):
        assert U * (1 + power(-22)) <= (d + 28) * U  # low and high: u |A|
        assert (d + 28) * U >= 4 * U  # T: u |x|
        assert U * (power(-120) + power(-125)) <= power(-123)
    assert (4 + power(-120)) * (1 - U) > 1 + power(-13)


def round_up(x, by):
    with np.errstate(over="ignore"):
        return (np.asarray(x) * (1 + by)).astype(np.float32) + np.float32(2.0**-149)


def encode(rows):
    """One scale, and integer codes, for all rows."""
    with np.errstate(over="ignore"):
        scale = np.abs(rows).max(initial=0).astype(np.float32) / np.float32(127)
    scale = scale if scale > 2.0**-100 else np.float32(0)
    codes = np.clip(np.rint(rows * (1 / scale)), -127, 127) if scale else np.zeros(rows.shape)
    return scale, codes, rows.astype(np.float64) - float(scale) * codes


def lengths(rows):
    return np.sqrt((rows.astype(np.float64) ** 2).sum(axis=1))


@pytest.mark.parametrize("kind", hard_searches.KINDS)
@pytest.mark.parametrize("n_factors", [0, 1, 5, 17, 65, 300, 1040])
def test_the_certificate_holds(kind, n_factors):
    """Theorem 1: measured errors of one panel never exceed it, and half of it would be too little for some kinds."""
    rng = np.random.default_rng([n_factors, *map(ord, kind)])
    share = 0.0
    for _ in range(3):
        queries, vectors, offsets = hard_searches.draw(rng, kind, 4, 32, n_factors)
        offsets = np.zeros(32, np.float32) if offsets is None else offsets + np.float32(0)
        scores = brute_force.scores_fused(queries, vectors, offsets)
        item_scale, item_codes, residual = encode(vectors)
        norm = float(round_up(lengths(vectors).max(), 2.0**-20))
        rest = float(round_up(lengths(residual).max(), 2.0**-20)) + 2.0**-126
        offset = float(np.abs(offsets).max())
        for query, exact in zip(queries, scores, strict=True):
            scale, codes, missing = encode(query[None])
            delta, sigma = lengths(missing)[0], lengths(query[None])[0] + lengths(missing)[0]
            with np.errstate(all="ignore"):
                if not sigma * (norm + rest) + offset < 1e38:
                    continue
                products = (item_codes @ codes[0]).astype(np.float32)
                guess = brute_force.fused_multiply_add(products, scale * item_scale * np.ones(32, np.float32), offsets)
            r = float(rho(n_factors))
            bound = (delta + r * sigma) * norm + sigma * (1 + r) * rest + r * offset + float(phi(n_factors))
            size = sigma * (norm + rest) + offset
            error = np.abs(exact.astype(np.float64) - guess)
            slack = (n_factors + 28) * 2.0**-24 * size + 2.0**-123
            assert (error + slack <= bound * (1 + 2.0**-30)).all()
            share = max(share, (error / bound).max())
    if kind.startswith("attained") and n_factors >= 65:
        assert share > 0.9
