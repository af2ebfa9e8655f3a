"""Who and what there is: users, items, values of a context, with the features of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from .vocabulary import Vocabulary

__all__ = ["Entities"]


@dataclass(frozen=True, eq=False)
class Entities:
    """The entities of a block. Their positions never change; growth appends.

    Attributes
    ----------
    vocabulary : Vocabulary or None
        Users or items: their ids. First the trained ones (those of the interactions given to `fit`), in ascending
        order, then the others of the catalogue. None for a context, whose entities are distinct rows.
    rows : csr_matrix of shape (n_entities, n_features), float32
        Their features, over the columns of all blocks; sorted, without stored zeros.
    columns : ndarray of shape (n_entities,), int64
        The feature column of an entity's own id; -1 if it has none (not trained, or a context).

    Examples
    --------
    >>> from factorec.encoding import Encoder
    >>> table, items = {"user_id": [5, 6], "item_id": [7, 7]}, {"item_id": [7, 9], "genre": ["a", "a"]}
    >>> found = Encoder(fields={"item": ["genre"]}).fit(table, items=items).entities("item")
    >>> found.vocabulary.ids.tolist(), found.columns.tolist()
    ([7, 9], [2, -1])
    >>> found.rows.toarray()
    array([[0., 0., 1., 1.],
           [0., 0., 0., 1.]], dtype=float32)
    """

    vocabulary: Vocabulary | None
    rows: csr_matrix
    columns: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.rows.shape[0])
