from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True)
def same_networks() -> None:
    """Networks begin with the same weights in every run, so that how far rounding moves them does not vary."""
    torch.manual_seed(0)
