"""New ids in the samples of a posterior: in each a draw from their conditional distribution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .._losses import Loss, OrderedLevels, SampledLevels
from ..fm import FMParameters
from .charges import Priors
from .machines import Machines
from .own_rows import Array, OwnRows, noise_of, resolve_many

__all__ = ["drawn"]

_SIDES = ("user", "item")


def drawn(p: FMParameters, rows: OwnRows, field: str, loss: Loss) -> Array:
    """Draw linear weight and vector of every entity, jointly, in every sample.

    Exact for the squared loss; for the others it is Laplace's approximation around the conditional mode. All entities
    have the same random numbers, which are keyed by seed, side and sample: no draw depends on who else is drawn. Those
    of every second sample are the opposites of those before: hardly any of the noise is left in the mean score.

    Parameters
    ----------
    p : FMParameters
        With a posterior.
    rows : OwnRows
        Weighed by the mean noise.
    field : str
        Whose priors hold.
    loss : {"squared", "probit"} or OrderedLevels

    Returns
    -------
    ndarray of shape (m, n_samples, 1 + n_factors), float64
    """
    posterior = p.posterior
    assert posterior is not None
    assert posterior.priors is not None
    machines, usual = Machines.samples(p), posterior.mean_log_noise()
    key, n = [posterior.seed, _SIDES.index(rows.side)], posterior.n_samples
    normals = np.empty((n, 1 + machines.n_factors))
    for s in range(0, n, 2):
        normals[s] = np.random.default_rng([*key, s]).normal(size=normals.shape[1])
        normals[s + 1 : s + 2] = -normals[s]
    normals /= np.sqrt(posterior.noise_precision)[:, None]
    if isinstance(loss, OrderedLevels) and posterior.cuts is not None:
        loss = SampledLevels(posterior.cuts, loss.level_values)
    if usual is not None:  # each sample has its own
        mean_noise = noise_of(replace(machines, log_noise=usual[:, None]), rows)
        rows = replace(rows, weight=rows.weight / mean_noise[:, 0])
    draws, _ = resolve_many(machines, rows, Priors.read(posterior.priors[field]), loss, normals=normals)
    return draws
