"""What every test can ask for, and the rules that random tests follow.

A failing random test can always be run again: the header of the run shows the random seed
(``--randomly-seed=N`` repeats it) and the hypothesis profile; hypothesis prints the blob of a failing example.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parents[1]

settings.register_profile("dev", max_examples=50, deadline=None, print_blob=True)
settings.register_profile(
    "ci",
    parent=settings.get_profile("dev"),
    max_examples=100,
    derandomize=True,  # the same examples on every run, so that a red build is red for its change
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is no property of the code
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_report_header() -> str:
    profile = os.environ.get("HYPOTHESIS_PROFILE", "dev")
    return f"hypothesis profile: {profile}; shared data: {_shared_folder()}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "shared" in getattr(item, "fixturenames", ()):
            item.add_marker("shared")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Runs every async test on both event loops."""
    return request.param


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator seeded by the session's random seed, which the header of the run shows."""
    seed = request.config.getoption("randomly_seed", default=0)
    return np.random.default_rng(seed if isinstance(seed, int) else 0)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared folder (its ``data/`` holds the real data sets), or a skip that says how to provide it."""
    folder = _shared_folder()
    if not (folder / "data").is_dir():
        pytest.skip(f"no real data at {folder / 'data'}; point MIXER_SHARED at a folder that has data/")
    return folder


def _shared_folder() -> Path:
    configured = os.environ.get("MIXER_SHARED")
    return Path(configured) if configured else REPOSITORY.parent / "shared"
