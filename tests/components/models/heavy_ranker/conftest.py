"""Tiny rankers and rows for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from components.models.heavy_ranker.load import load_config
from components.models.heavy_ranker.synthetic import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from components.models.heavy_ranker.config import RankerConfig
    from components.models.heavy_ranker.rows import Rows


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny matrices are slower on several threads, and sums come in one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny() -> RankerConfig:
    return load_config("tiny")


@pytest.fixture
def rows_for() -> Callable[..., Rows]:
    def build(config: RankerConfig, count: int = 64, stream: int = 0) -> Rows:
        return World(config, seed=7).rows(count, stream)[0]

    return build
