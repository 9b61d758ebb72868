"""A checkpoint that answers: rows in, calibrated probabilities out."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Literal, Self

import attrs
import numpy as np
import structlog
import torch

from components.models.calibration import Calibration
from components.models.heavy_ranker.batch import Inputs
from components.models.heavy_ranker.checkpoint import CALIBRATION, load_checkpoint, locate
from components.models.heavy_ranker.model import HeavyRanker, to_bfloat16
from components.models.heavy_ranker.rows import Rows, check_features
from components.models.heavy_ranker.sampling import logit_shift

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from components.models.heavy_ranker.config import RankerConfig
    from components.models.heavy_ranker.int8 import Int8Ranker

logger = structlog.get_logger(__name__)

Runtime = Literal["fp32", "bf16", "compiled"]


@attrs.frozen(eq=False)
class Predictor:
    """Scores rows with one set of weights; safe to call from any thread."""

    model: HeavyRanker | Int8Ranker
    config: RankerConfig
    calibration: Calibration

    @classmethod
    def of(cls, model: HeavyRanker, config: RankerConfig, calibration: Calibration | None = None) -> Self:
        """A predictor of a model in evaluation mode; uncalibrated unless told."""
        return cls(model.eval(), config, calibration or Calibration.identity(config.head_names))

    @classmethod
    def load(cls, path: str | Path, runtime: Runtime = "fp32") -> Self:
        """Reads a checkpoint, or the best one of a run.

        Args:
            runtime: ``bf16`` casts the weights of matrix products (fast where the processor has bf16 units);
                ``compiled`` also compiles the network, which takes seconds on the first call, and needs a C++
                compiler: without one a warning is logged and ``bf16`` is served. ``load_int8`` is faster yet.
        """
        folder = locate(path)
        saved, config = load_checkpoint(folder)
        model = HeavyRanker(config)
        model.load_state_dict(saved["model"])  # type: ignore[arg-type]  # what save_checkpoint was given
        if runtime != "fp32":
            to_bfloat16(model)
        if runtime == "compiled" and has_compiler():
            # Requests differ in length; without this every new length would compile anew.
            model.compile(dynamic=True)
        file = folder / CALIBRATION
        return cls.of(model, config, Calibration.load(file) if file.is_file() else None)

    @property
    def heads(self) -> tuple[str, ...]:
        """Names of the columns of every answer."""
        return self.config.head_names

    def logits(self, rows: Rows) -> NDArray[np.float32]:
        """Logits corrected for down-sampling, (rows, heads); not calibrated.

        Raises:
            ValueError: the rows lack a feature, or it has another shape.
        """
        check_features(rows, self.config.features)
        with torch.inference_mode():
            raw = self.model(Inputs.of(rows)).numpy()
        return (raw + logit_shift(self.config)).astype(np.float32)

    def probabilities(self, rows: Rows) -> NDArray[np.float32]:
        """Calibrated probabilities, (rows, heads), in the order of ``heads``."""
        return self.calibration.probabilities(self.logits(rows))


def has_compiler() -> bool:
    """Is there a C++ compiler, which compiled networks need? Logs a warning where not."""
    found = shutil.which(os.environ.get("CXX", "c++")) is not None
    if not found:
        logger.warning("no C++ compiler found; the ranker is served without compilation")
    return found
