"""Why an item was recommended: the influence of each of a user's ratings on a score.

`influence` is the mathematics, over parameters and rows; `Explanation` is one score split over a user's
ratings, to read, plot and save.
"""

from __future__ import annotations

from .explanation import Explanation, explain_item
from .influence import influence

__all__ = ["Explanation", "explain_item", "influence"]
