"""How good predictions and lists are: the figures, and how they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import Any

import numpy as np

from ..errors import DataError
from .recommendations import as_table

__all__ = ["Evaluation", "Group"]

_NAMES = {"log_loss": "log loss", "f1": "F1", "auc": "AUC", "rmse": "RMSE", "mae": "MAE"}


@dataclass(frozen=True)
class Group:
    """Part of the rows of an evaluation.

    Attributes
    ----------
    n_rows : int
    n_users : int
        Users whose lists are judged: those with a relevant item that they had not seen.
    points, ranking : dict of str to dict of str to float
        By contender: metrics of single predictions, and of lists. Contenders that have none are left out.
    """

    n_rows: int
    n_users: int
    points: dict[str, dict[str, float]]
    ranking: dict[str, dict[str, float]]

    def of(self, contender: str) -> dict[str, float]:
        """All metrics of one contender, empty if it has none."""
        return self.points.get(contender, {}) | self.ranking.get(contender, {})

    @property
    def contenders(self) -> list[str]:
        """Who is compared."""
        return list(dict.fromkeys([*self.ranking, *self.points]))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A model beside what it should beat, on held-out interactions: all of them, and known and new ids apart.

    Attributes
    ----------
    groups : dict of str to Group
        ``"all"``; ``"known users"`` and ``"cold users"``: rows of users with and without rows that the model
        learned from; ``"cold items"``: rows of items without. A group without rows is left out. See
        `Recommender.evaluate` for the contenders and the metrics.
    n : int
        Length of the lists.
    n_cold_users, n_cold_items : int
        Users and items of the table that the model has not learned from.
    notes : tuple of str
        What could not be compared, and why.
    points : dict of str to float
        The model's metrics of single predictions on all rows.
    ranking : dict of str to float
        The model's metrics of lists, means over all judged users.
    popularity : dict of str to float
        The same for the items with most likes.
    n_rows, n_users : int
        Rows, and users whose lists are judged.

    Examples
    --------
    >>> import factorec as fr
    >>> from factorec.model_selection import LeaveLastN, train_test_split
    >>> data = fr.datasets.make_planted_fm(100, 40, 2000, seed=0)
    >>> train, test = train_test_split(data.table, LeaveLastN(5, time=None))
    >>> rec = fr.Recommender(fr.FMClassifier(n_factors=4, random_state=0)).fit(train)
    >>> judged = rec.evaluate(test, n=5)
    >>> judged.value("auc") > judged.value("auc", contender="global mean")
    True
    >>> judged.to_frame("pandas")[["group", "contender", "n_rows"]].head(3)
             group   contender  n_rows
    0          all       model     500
    1          all  popularity     500
    2          all   item mean     500
    """

    groups: dict[str, Group]
    n: int
    n_cold_users: int
    n_cold_items: int
    notes: tuple[str, ...] = ()
    backend: str = "dict"

    @property
    def points(self) -> dict[str, float]:
        """The model's metrics of single predictions on all rows; empty where the table has no target."""
        return self.groups["all"].points.get("model", {})

    @property
    def ranking(self) -> dict[str, float]:
        """The model's metrics of lists; empty where no list is judged."""
        return self.groups["all"].ranking.get("model", {})

    @property
    def popularity(self) -> dict[str, float]:
        """The same metrics for the items with most likes."""
        return self.groups["all"].ranking.get("popularity", {})

    @property
    def n_rows(self) -> int:
        """How many rows were evaluated."""
        return self.groups["all"].n_rows

    @property
    def n_users(self) -> int:
        """How many users' lists are judged."""
        return self.groups["all"].n_users

    def value(self, metric: str, *, group: str = "all", contender: str = "model") -> float:
        """Return one figure.

        Parameters
        ----------
        metric : str
            Such as ``"auc"`` or ``"ndcg@10"``.
        group, contender : str

        Returns
        -------
        float

        Raises
        ------
        DataError
            If there is no such figure; the message lists those that there are.
        """
        if group not in self.groups:
            raise DataError(f"there is no group {group!r} in the table; there are {_listed(self.groups)}")
        part = self.groups[group]
        figures = part.of(contender)
        if not figures and contender not in part.contenders:
            raise DataError(f"there is no contender {contender!r} in {group!r}; there are {_listed(part.contenders)}")
        if metric not in figures:
            raise DataError(
                f"there is no figure {metric!r} of {contender!r} in {group!r}; there are {_listed(figures)}"
            )
        return figures[metric]

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as JSON can hold them; one that is not defined (AUC of one class) is None.

        Returns
        -------
        dict
            ``n``, ``n_rows``, ``n_users``, ``n_cold_users``, ``n_cold_items``, ``notes`` and ``groups``: by name,
            ``n_rows``, ``n_users`` and ``contenders``: by name, the metrics.
        """
        groups = {
            name: {
                "n_rows": group.n_rows,
                "n_users": group.n_users,
                "contenders": {
                    who: {metric: None if isnan(value) else value for metric, value in group.of(who).items()}
                    for who in group.contenders
                },
            }
            for name, group in self.groups.items()
        }
        counts = {name: getattr(self, name) for name in ("n", "n_rows", "n_users", "n_cold_users", "n_cold_items")}
        return {**counts, "groups": groups, "notes": list(self.notes)}

    def to_frame(self, backend: str | None = None) -> Any:
        """Return the figures as one table, a row for each group and contender.

        Parameters
        ----------
        backend : {"pandas", "polars", "pyarrow", "dict"}, optional
            What to return; by default the kind of table that the recommender was fitted on.

        Returns
        -------
        pandas.DataFrame, polars.DataFrame, pyarrow.Table or dict of ndarray
            Columns: ``group``, ``contender``, ``n_rows``, ``n_users``, then one for each metric, NaN where a
            contender has none.
        """
        lines = [(name, group, who) for name, group in self.groups.items() for who in group.contenders]
        metrics = dict.fromkeys(metric for _, group, who in lines for metric in group.of(who))
        columns = {
            "group": np.array([name for name, _, _ in lines], dtype=object),
            "contender": np.array([who for _, _, who in lines], dtype=object),
            "n_rows": np.array([group.n_rows for _, group, _ in lines]),
            "n_users": np.array([group.n_users for _, group, _ in lines]),
        }
        columns |= {metric: np.array([group.of(who).get(metric, nan) for _, group, who in lines]) for metric in metrics}
        return as_table(columns, self.backend if backend is None else backend)

    def __eq__(self, other: object) -> bool:
        # By to_dict, where an undefined figure equals another: NaN would not.
        return isinstance(other, Evaluation) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]  # dicts inside

    def blocks(self) -> Iterator[tuple[list[str], list[list[str]]]]:
        """Yield the tables that are printed, (head, lines): single predictions, then lists.

        Groups that say the same as another are left out.
        """
        # Where all users are known, or all are new, one of these is the same as "all".
        same = [name for name in ("known users", "cold users") if name in self.groups and self._is_all(name)]
        names = [name for name in self.groups if name not in same]
        parts: list[tuple[str, str, Callable[[Group], int], Callable[[Group], dict[str, dict[str, float]]]]] = [
            ("single predictions", "rows", lambda group: group.n_rows, lambda group: group.points),
            (f"lists of {self.n}", "users", lambda group: group.n_users, lambda group: group.ranking),
        ]
        for title, unit, count, figures in parts:
            shown = [self.groups[name] for name in names]
            metrics = list(dict.fromkeys(m for group in shown for who in figures(group).values() for m in who))
            lines: list[list[str]] = []
            for name, group in zip(names, shown, strict=True):
                if not figures(group):
                    continue
                lines.append([name, f"{count(group):,}", *[""] * len(metrics)])
                lines += [
                    [f"  {who}", "", *(f"{values[m]:.4f}" if m in values else "" for m in metrics)]
                    for who, values in figures(group).items()
                ]
            if lines:
                yield [title, unit, *(_NAMES.get(metric, metric) for metric in metrics)], lines

    def _is_all(self, name: str) -> bool:
        return self.groups[name].n_rows == self.n_rows

    def __repr__(self) -> str:
        texts = [f"Evaluation of {self.n_rows:,} rows"]
        for head, lines in self.blocks():
            widths = [max(len(line[column]) for line in [head, *lines]) for column in range(len(head))]
            texts += [
                "",
                *(
                    "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
                    for line in [head, *lines]
                ),
            ]
        texts += ["", f"new to the model: {self.n_cold_users:,} users, {self.n_cold_items:,} items", *self.notes]
        return "\n".join(texts)


def _listed(names: Sequence[str] | dict[str, Any]) -> str:
    return ", ".join(map(repr, names)) or "none"
