"""Hypothesis for these tests: the same examples on every run, and no limit on time, which a busy machine breaks."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "symbolic", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("symbolic")
