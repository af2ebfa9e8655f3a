"""Libraries of factorization machines that install from the package index: what trains n epochs with each.

Every function takes the flat rows (csr, user column and item column at 1), targets in float64 and a folder for files,
and gives a function of the number of epochs. A library that is not there raises ImportError.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from workloads import Ratings

Train = Callable[[int], object]


def myfm(X: Any, y: np.ndarray, *, k: int, logistic: bool, threads: int, folder: Path) -> Train:
    """Gibbs sampling: an epoch is a sweep, on one thread; its classifier is a probit."""
    from myfm import MyFMClassifier, MyFMRegressor

    estimator = MyFMClassifier if logistic else MyFMRegressor
    return lambda n_epochs: estimator(rank=k).fit(X, y, n_iter=n_epochs, n_kept_samples=1)


def gibbs_of_myfm(data: Ratings, k: int) -> Callable[..., np.ndarray]:
    """Sweeps over ids of users and items, each a group with priors of its own; gives predictions at positions."""
    from myfm import MyFMRegressor

    X = data.training_set(data.ratings).to_csr().astype(np.float64)
    groups = [data.n_users, data.n_items]

    def run(n_sweeps: int, *, kept: int = 1, at: tuple[np.ndarray, np.ndarray] | None = None) -> np.ndarray:
        options = {"n_iter": n_sweeps, "n_kept_samples": kept, "group_shapes": groups}
        model = MyFMRegressor(rank=k, random_seed=0).fit(X, data.ratings.astype(np.float64), **options)
        if at is None:
            return np.zeros(0)
        users, items = at
        rows = np.column_stack([users, items + data.n_users]).ravel()
        starts = np.arange(0, len(rows) + 1, 2)
        return np.asarray(model.predict(csr_matrix((np.ones(len(rows)), rows, starts), shape=(len(users), X.shape[1]))))

    return run


def modern_fm(X: Any, y: np.ndarray, *, k: int, logistic: bool, threads: int, folder: Path) -> Train:
    """SGD in batches of 256, which it runs in parallel and which are its faster setting on one thread too."""
    from modern_fm import FMClassifier, FMRegressor

    options = {"optimizer": "sgd", "learning_rate": 0.01, "batch_size": 256, "n_jobs": threads}
    estimator = FMClassifier if logistic else FMRegressor
    return lambda n_epochs: estimator(n_factors=k, max_iter=n_epochs, **options).fit(X, y)


def xlearn(X: Any, y: np.ndarray, *, k: int, logistic: bool, threads: int, folder: Path) -> Train:
    """SGD from a text file that it parses once a run."""
    os.environ.setdefault("USER", "factorec")  # it names its log after the user, and ends the process without one
    import xlearn as xl

    rows = folder / "rows.svm"
    columns = X.indices.reshape(-1, 2)
    rows.write_text("".join(f"{label:g} {a}:1 {b}:1\n" for label, (a, b) in zip(y, columns, strict=True)))
    task = "binary" if logistic else "reg"

    def train(n_epochs: int) -> None:
        model = xl.create_fm()
        model.setTrain(str(rows))
        model.setQuiet()
        model.disableNorm()
        settings = {"task": task, "k": k, "epoch": n_epochs, "opt": "sgd", "lr": 0.02, "nthread": threads}
        model.fit(settings, str(folder / "model"))

    return train


def lightfm(X: Any, y: np.ndarray, *, k: int, logistic: bool, threads: int, folder: Path) -> Train:
    """AdaGrad with the logistic loss, which is the only one of the two that it has."""
    from lightfm import LightFM
    from scipy.sparse import coo_matrix

    if not logistic:
        raise ImportError("LightFM has no squared loss")
    users, items = X.indices.reshape(-1, 2).T
    table = coo_matrix((np.where(y > 0, 1, -1).astype(np.int32), (users, items - items.min())))
    return lambda n_epochs: LightFM(no_components=k, loss="logistic").fit(table, epochs=n_epochs, num_threads=threads)


def fastfm(X: Any, y: np.ndarray, *, k: int, logistic: bool, threads: int, folder: Path) -> Train:
    """Coordinate descent on one thread: a sweep takes less time than as many steps of its SGD as there are rows."""
    from fastFM import als
    from scipy.sparse import csc_matrix

    columns = csc_matrix(X, dtype=float)
    columns.indices, columns.indptr = columns.indices.astype(np.int32), columns.indptr.astype(np.int32)
    if logistic:
        y = np.where(y > 0, 1.0, -1.0)
    estimator = als.FMClassification if logistic else als.FMRegression
    return lambda n_epochs: estimator(n_iter=n_epochs, rank=k, l2_reg_w=1, l2_reg_V=10).fit(columns, y)


LIBRARIES = {
    "myFM (Gibbs)": myfm,
    "modern-fm (SGD)": modern_fm,
    "xLearn (SGD)": xlearn,
    "LightFM (AdaGrad)": lightfm,
    "fastFM (ALS)": fastfm,
}
