"""``python -m factorec``: the command ``factorec``."""

from .cli import main

main()
