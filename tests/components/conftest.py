from __future__ import annotations

import pytest

from components.datasets import load


@pytest.fixture(scope="session")
def higgs(shared):
    """The real log, half a million lines that are read once."""
    return load(shared / "data" / "higgs-twitter")
