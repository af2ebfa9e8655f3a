from __future__ import annotations

import pytest

from factorec import _core


@pytest.fixture
def pinned():
    """Pin a SIMD level until the test ends."""
    level = _core.simd_level()
    yield _core.pin_simd_level
    _core.pin_simd_level(level)
