"""Train, check, rank and write as one job for a scheduler, described by a TOML file.

The job may be run again at any time: what is done and would come out the same is not done again, what a killed run left
is finished, and nothing is published that its gate refuses. See `run`.
"""

from __future__ import annotations

from .config import Config, load_config
from .job import Outcome, run

__all__ = ["Config", "Outcome", "load_config", "run"]
