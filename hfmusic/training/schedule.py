"""The learning rate as a function of how far a training is, and averaged weights."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from hfmusic.training.config import ScheduleConfig


def progress_of(
    schedule: ScheduleConfig, step: int, max_steps: int, minutes: float, max_minutes: float | None
) -> float:
    """How far a training is, 0 to 1: by steps, and with `by_time` and a limit by minutes where those are ahead."""
    part = step / max_steps
    if schedule.by_time and max_minutes is not None:
        part = max(part, minutes / max_minutes)
    return min(1.0, part)


def learning_rate_factor(schedule: ScheduleConfig, progress: float, step: int = 0) -> float:
    """Part of the highest learning rate at `progress` 0 to 1; of kind "steps" at a step.

    >>> cosine = ScheduleConfig("cosine", warmup=0.5, final=0.0)
    >>> [round(learning_rate_factor(cosine, progress), 3) for progress in (0, 0.25, 0.5, 0.75, 1)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    if schedule.kind in ("constant", "plateau"):  # a plateau's drops are `Plateau`'s
        return 1.0
    if schedule.kind == "steps":
        return schedule.decay ** (step // schedule.decay_steps)
    if progress < schedule.warmup:
        part = progress / schedule.warmup
        if schedule.kind == "cosine":
            return part
        start = 1 / 25  # one cycle starts at a twenty-fifth of the highest rate, as its author does
        return start + (1 - start) * 0.5 * (1 - math.cos(math.pi * part))
    part = (progress - schedule.warmup) / (1 - schedule.warmup)
    return schedule.final + (1 - schedule.final) * 0.5 * (1 + math.cos(math.pi * part))


@dataclass
class Plateau:
    """The state of a schedule of kind "plateau"; part of a checkpoint.

    Attributes:
        factor: of the learning rate.
        stale: validations since the last best one, or since the last drop.
        drops: of the learning rate, so far.
        over: nothing got better after the last drop.
    """

    factor: float = 1.0
    stale: int = 0
    drops: int = 0
    over: bool = False

    def judge(self, schedule: ScheduleConfig, better: bool) -> bool:
        """Take note of a validation; whether to go back to the best weights, with a lower rate.

        >>> plateau, schedule = Plateau(), ScheduleConfig("plateau", decay=0.5, patience=2, later_patience=1, drops=1)
        >>> [plateau.judge(schedule, better) for better in (True, False, False, False)]
        [False, False, True, False]
        >>> plateau.factor, plateau.over
        (0.5, True)
        """
        self.stale = 0 if better else self.stale + 1
        if self.stale < (schedule.later_patience if self.drops else schedule.patience):
            return False
        self.over = self.drops == schedule.drops
        if self.over:
            return False
        self.factor, self.stale, self.drops = self.factor * schedule.decay, 0, self.drops + 1
        return True

    def state_dict(self) -> dict[str, Any]:
        return asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


class AveragedWeights:
    """Exponential moving average of a model's parameters and float buffers; `decay` 0 keeps no average.

    The decay starts low and grows to `decay`, so that the first steps do not linger.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.average = {name: value.detach().clone() for name, value in _floats(model).items()} if decay else {}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the model's present weights."""
        if not self.decay:
            return
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(list(self.average.values()), list(_floats(model).values()), 1 - decay)

    @torch.no_grad()
    def swap(self, model: nn.Module) -> None:
        """Exchange the model's weights and the average; a second call restores both exactly."""
        for name, value in _floats(model).items() if self.decay else ():
            kept = value.detach().clone()
            value.copy_(self.average[name])
            self.average[name].copy_(kept)

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self.updates, "average": self.average}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.updates = state["updates"]
        for name, value in state["average"].items():
            self.average[name].copy_(value)


def _floats(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value for name, value in model.state_dict().items() if value.is_floating_point()}
