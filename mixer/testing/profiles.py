"""Hypothesis profiles for people and for continuous integration."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings


def register_profiles(*, dev_examples: int = 50, ci_examples: int = 100, load: str | None = None) -> None:
    """Register the profiles ``dev`` and ``ci``, and load one: ``load``, else HYPOTHESIS_PROFILE, else ``dev``.

    Both print the blob of a failing example. ``ci`` tries the same examples on every run, so that a red build is
    red for its change, and does not mind a slow machine.
    """
    settings.register_profile("dev", max_examples=dev_examples, deadline=None, print_blob=True)
    settings.register_profile(
        "ci",
        parent=settings.get_profile("dev"),
        max_examples=ci_examples,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile(load or os.environ.get("HYPOTHESIS_PROFILE", "dev"))
