"""The verb `train`: a recipe in, a run folder with a model in it out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hfmusic.training.config import TrainingConfig, load_recipe


def train(
    recipe: str | Path | TrainingConfig,
    *,
    resume: bool = False,
    max_minutes: float | None = None,
    overrides: Sequence[str] = (),
) -> Path:
    """Train a recipe; the run's folder, whose `model/` is the result.

    Args:
        recipe: a YAML file, the name of a recipe that comes with hfmusic, or a config.
        resume: continue the run from its newest checkpoint, bit for bit; a run without one starts.
        max_minutes: stop cleanly after so many minutes in the loop (computing features is not counted), with a
            checkpoint and a model. With `schedule.by_time` they are minutes of the whole run, and the learning rate
            has decayed when they are over; otherwise they are minutes of this call.
        overrides: `key=value` changes to the recipe, as in `load_recipe`.

    Raises:
        ValueError: a wrong recipe, data that is not there, or a run of this name that is there and not resumed.
    """
    if max_minutes is not None and max_minutes <= 0:
        raise ValueError(f"max_minutes must be positive, got {max_minutes}")
    if isinstance(recipe, TrainingConfig):
        if overrides:
            raise ValueError(f"overrides go with a recipe file, not with a config, got {list(overrides)}")
        config = recipe
    else:
        config = load_recipe(recipe, overrides)
    from hfmusic.training.loop import Training  # torch is heavy: a wrong recipe is told at once

    return Training(config, resume=resume, max_minutes=max_minutes).run()
