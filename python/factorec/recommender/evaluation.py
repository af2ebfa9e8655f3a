"""Predictions and lists against held-out interactions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.base import is_classifier

from ..encoding import Encoder
from ..errors import DataError
from ..fm import FMRegressor
from ..metrics import classification_metrics, ranking_metrics, regression_metrics
from .fitting import check_columns
from .interactions import read_interactions
from .ranking import check_n

if TYPE_CHECKING:
    from .recommender import Recommender

__all__ = ["Evaluation", "evaluate"]

_NAMES = {"log_loss": "log loss", "accuracy": "accuracy", "f1": "F1", "auc": "AUC", "rmse": "RMSE", "mae": "MAE"}


@dataclass(frozen=True)
class Evaluation:
    """How good predictions and top-n lists are on held-out interactions.

    Attributes
    ----------
    points : dict of str to float
        Of all rows: accuracy, log_loss, f1, auc (classifier), or rmse, mae (regressor); empty where the table
        has no target.
    ranking : dict of str to float
        ``precision@n``, ``recall@n``, ``map@n``, ``ndcg@n`` by trec_eval's definitions; means over `n_users`.
    popularity : dict of str to float
        The same for the items with most likes in training: what a model should beat.
    n_rows : int
    n_users : int
        Known users with a relevant item that they had not seen: those whose lists are judged.
    n_cold_users, n_cold_items : int
        Users and items of the table that the model does not know. Such users are not ranked for; such items
        count as missed where they are relevant.

    Examples
    --------
    >>> import factorec as fr
    >>> data = fr.datasets.make_planted_fm(100, 40, 2000, seed=0)
    >>> train, test = ({name: column[part] for name, column in data.table.items()}
    ...                for part in (slice(1500), slice(1500, None)))
    >>> rec = fr.Recommender(fr.FMClassifier(n_factors=4, random_state=0)).fit(train)
    >>> judged = rec.evaluate(test, n=5)
    >>> list(judged.points), list(judged.ranking)
    (['log_loss', 'accuracy', 'f1', 'auc'], ['precision@5', 'recall@5', 'map@5', 'ndcg@5'])
    """

    points: dict[str, float]
    ranking: dict[str, float]
    popularity: dict[str, float]
    n_rows: int
    n_users: int
    n_cold_users: int
    n_cold_items: int

    def to_dict(self) -> dict[str, Any]:
        """All attributes, for JSON."""
        return asdict(self)

    def __repr__(self) -> str:
        lines = [f"Evaluation({self.n_rows:,} rows)"]
        lines += [f"  {_NAMES.get(name, name):<14}{value:8.4f}" for name, value in self.points.items()]
        if self.ranking:
            lines.append(f"  {'':<14}{'model':>8}  {'popularity':>10}   {self.n_users:,} users")
        lines += [f"  {name:<14}{value:8.4f}  {self.popularity[name]:10.4f}" for name, value in self.ranking.items()]
        lines.append(f"  not known to the model: {self.n_cold_users:,} users, {self.n_cold_items:,} items")
        return "\n".join(lines)


def evaluate(rec: Recommender, table: Any, n: int) -> Evaluation:
    """Compare a fitted recommender with a table of held-out interactions."""
    n = check_n(n)
    rows = read_interactions(table, check_columns(rec), "table")
    if not len(rows):
        raise DataError("table: there are no rows to evaluate")
    # Positions in the table's own vocabulary, since relevant items that the model lacks count too.
    own = Encoder(rec.user, rec.item)
    encoded = own.fit_encode(table)
    users, items = rec.encoder_.users_.index(own.users_.ids), rec.encoder_.items_.index(own.items_.ids)
    cold = np.flatnonzero(items < 0)
    n_known = len(rec.encoder_.items_)
    item_column = items.copy()
    item_column[cold] = n_known + np.arange(len(cold))

    relevant = _relevant(rec, rows.label, rows.target)
    ranking: dict[str, float] = {}
    popularity: dict[str, float] = {}
    n_users = 0
    if relevant is not None:
        user = users[encoded.blocks[0].index]
        kept = relevant & (user >= 0)
        asked, row = np.unique(user[kept], return_inverse=True)
        column = item_column[encoded.blocks[-1].index[kept]]
        shape = (len(asked), n_known + len(cold))
        truth = csr_matrix((np.ones(len(row), np.float32), (row, column)), shape=shape)
        if rec.interactions_ is not None:
            seen = rec.interactions_.seen(n_known, asked)
            seen.resize(shape)
            truth = truth - truth.multiply(seen > 0)  # what was seen is not recommended, so not missed either
            truth.eliminate_zeros()
        judged = np.flatnonzero(np.diff(truth.indptr))
        n_users, asked, truth = len(judged), asked[judged], truth[judged]
        if n_users:
            exclude = None if rec.interactions_ is None else rec.interactions_.seen(n_known, asked)
            ranker = rec._ranker()
            ranking = ranking_metrics(ranker.top(asked, n, exclude=exclude)[0], truth, n)
            popularity = ranking_metrics(ranker.top_popular(n_users, n, exclude=exclude)[0], truth, n)
    return Evaluation(
        _points(rec, table, rows.label, rows.weight) if rec.target is not None else {},
        ranking,
        popularity,
        len(rows),
        n_users,
        int((users < 0).sum()),
        len(cold),
    )


def _points(rec: Recommender, table: Any, label: Any, weight: Any) -> dict[str, float]:
    scores = rec.estimator_.decision_function(rec.encoder_.transform(table))
    if is_classifier(rec.estimator_):
        return classification_metrics(label, scores, weight)
    assert isinstance(rec.estimator_, FMRegressor)
    return regression_metrics(label, np.clip(scores, *rec.estimator_.target_range_), weight)


def _relevant(rec: Recommender, label: Any, target: Any) -> Any:
    """Which rows are relevant; None where a regressor does not know what counts."""
    if is_classifier(rec.estimator_):
        return label == 1
    return None if rec.like_threshold is None else target >= rec.like_threshold
