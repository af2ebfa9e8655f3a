"""Errors and warnings of the library, in the words of the command line."""

from __future__ import annotations

import re

__all__ = ["in_flags"]

# What the library says -> what a person types here.
_WORDS = [
    (r"unknown='popular'", "--unknown popular"),
    (r"pass exclude_seen=False", "give --include-seen"),
    (r"exclude_seen=False", "--include-seen"),
    (r"cold_items=True", "--cold-items"),
    (
        r"give context=\{('?)(.*?)\1: …\}, one value or one for each user; context=\{\}",
        r"give --context \2=…; --no-context",
    ),
    (r"give like_threshold=", "give --like-threshold"),
    (r"with target=None", "with --no-target"),
    (r"set negatives", "set --negatives"),
    (r"title= names the column with titles, title=None takes none", "--title-column names the column with titles"),
    (r"validation_fraction=\S+ of", "a tenth of"),
    (r"\b(n|min_score|min_probability|like_threshold|negatives) must be", r"--\1 must be"),
    (r'\bsplit_type="(\w+)"', r"--split-type \1"),
    (r"\bmax_payload=0", "--max-payload 0"),
    (r"\b(max_payload|max_concurrent_transforms|split_type)\b", r"--\1"),
    (r"\bmin_probability needs", "--min-probability needs"),
    (r"\bmin_score is", "--min-score is"),
    (r"\b(items|users)=(?=[ ,;.)]|$)", r"--\1"),
]


def in_flags(text: str) -> str:
    """Put the flags of the command in the place of Python's arguments."""
    for pattern, flag in _WORDS:
        text = re.sub(pattern, flag, text)
    return re.sub(r"--[a-z_]+", lambda flag: flag[0].replace("_", "-"), text)
