"""Why an item was recommended: the influence of each of a user's ratings on a score.

`influence` is the mathematics, over parameters and rows; `Explanation` is one score split over a user's
ratings, to read, plot and save. `decompose` takes scores apart by field and pair of fields: `ScoreParts`.
"""

from __future__ import annotations

from .._losses import OrderedLevels
from ._item import explain_item
from ._resolve import resolved_scores
from ._rows import pair_rows
from .decomposition import decompose
from .explanation import Explanation
from .influence import influence
from .score_parts import ScoreParts

__all__ = [
    "Explanation",
    "OrderedLevels",
    "ScoreParts",
    "decompose",
    "explain_item",
    "influence",
    "pair_rows",
    "resolved_scores",
]
