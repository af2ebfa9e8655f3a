"""What the contract is tested against: the managed service's own SDK."""

from __future__ import annotations

from pathlib import Path

import pytest
from sdk_environment import build_sdk


@pytest.fixture(scope="session")
def sdk_python(request: pytest.FixtureRequest) -> Path:
    """Interpreter of an environment that has the SageMaker SDK 2.x; `sdk_environment.run_sdk` runs code by it."""
    return build_sdk(Path(request.config.cache.mkdir("sdk")))
