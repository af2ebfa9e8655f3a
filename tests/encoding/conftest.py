"""Everything about ids is tested with and without pyarrow: the results are the same."""

from __future__ import annotations

import pytest

from factorec.encoding import _ids


@pytest.fixture(params=["pyarrow", "numpy"], scope="module", autouse=True)
def engine(request):
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "numpy":
            patch.setattr(_ids, "pa", None)
        yield request.param
