"""``TwoTowerModel``: trained towers, and how they are saved."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import attrs
import numpy as np
import torch
from numpy.typing import NDArray

from components.archive import read_archive, write_archive
from components.embeddings.two_tower.config import TwoTowerConfig
from components.embeddings.two_tower.features import HISTORY_FIELDS, Features
from components.embeddings.two_tower.network import TwoTowerNetwork

FORMAT = "mixer.two_tower/1"
BLOCK = 8192


@attrs.frozen(eq=False)
class TwoTowerModel:
    """Towers trained on what was known before ``before_ms``."""

    network: TwoTowerNetwork
    config: TwoTowerConfig
    before_ms: int

    def post_vectors(self, fields: NDArray[np.int32]) -> NDArray[np.float32]:
        """``(n, POST_FIELDS)`` buckets to ``(n, d)`` vectors of length 1."""
        parts = [np.zeros((0, self.config.towers.dimensions), dtype=np.float32)]
        with torch.inference_mode():
            for start in range(0, len(fields), BLOCK):
                block = torch.from_numpy(np.ascontiguousarray(fields[start : start + BLOCK]))
                parts.append(self.network.posts(block).numpy())
        return np.concatenate(parts)

    def user_vectors(
        self, fields: NDArray[np.int32], history: NDArray[np.int32], which: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """``(n, d)`` vectors of length 1 of users with their own fields and the posts of their history."""
        with torch.inference_mode():
            return self.network.users(*as_tensors(fields, history, which)).numpy()

    def save(self, path: str | Path) -> None:
        """Writes one archive."""
        header = {"config": attrs.asdict(self.config), "before_ms": self.before_ms}
        weights = {name: value.numpy() for name, value in self.network.state_dict().items()}
        write_archive(path, FORMAT, header, weights)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Reads what ``save`` wrote.

        Raises:
            ValueError: the file is damaged or of another format.
        """
        header, arrays = read_archive(path, FORMAT)
        config = TwoTowerConfig.from_dict(header["config"])
        network = TwoTowerNetwork(config.towers, config.seed)
        try:
            network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
        except RuntimeError as error:
            raise ValueError(
                f"{path}: expected the weights of {config.towers}, got others: {error}"
            ) from error
        return cls(network, config, int(header["before_ms"]))


def as_tensors(
    fields: NDArray[np.int32], history: NDArray[np.int32], which: NDArray[np.int64]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Inputs of the user tower."""
    return torch.from_numpy(fields), torch.from_numpy(history), torch.from_numpy(which)


def history_fields(features: Features, posts: NDArray[np.int64]) -> NDArray[np.int32]:
    """``(h, HISTORY_FIELDS)`` buckets of engaged posts."""
    return np.ascontiguousarray(features.posts[posts, :HISTORY_FIELDS])
