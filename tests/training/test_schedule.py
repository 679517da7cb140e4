"""Learning rates and averaged weights, by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hfmusic.training.config import ScheduleConfig
from hfmusic.training.schedule import AveragedWeights, learning_rate_factor, progress_of


@pytest.mark.parametrize("kind", ["one_cycle", "cosine"])
def test_rates_rise_then_fall_to_the_end(kind: str) -> None:
    schedule = ScheduleConfig(kind, warmup=0.2, final=0.01)
    rates = [learning_rate_factor(schedule, part / 100) for part in range(101)]
    assert max(rates) == rates[20] == pytest.approx(1.0)
    assert rates[:21] == sorted(rates[:21]) and rates[20:] == sorted(rates[20:], reverse=True)
    assert rates[-1] == pytest.approx(0.01) and rates[60] == pytest.approx((1 + 0.01) / 2)


def test_one_cycle_starts_at_a_twenty_fifth() -> None:
    assert learning_rate_factor(ScheduleConfig("one_cycle"), 0.0) == pytest.approx(0.04)


def test_constant_is_constant() -> None:
    assert {learning_rate_factor(ScheduleConfig("constant"), part / 7) for part in range(8)} == {1.0}


def test_without_warmup_it_starts_at_the_top() -> None:
    assert learning_rate_factor(ScheduleConfig("cosine", warmup=0.0), 0.0) == 1.0


@pytest.mark.parametrize(
    ("by_time", "step", "minutes", "limit", "progress"),
    [
        (False, 25, 90.0, 100.0, 0.25),
        (True, 25, 90.0, 100.0, 0.9),  # slow machine: the time is nearly up
        (True, 80, 10.0, 100.0, 0.8),  # fast machine: the steps are
        (True, 25, 90.0, None, 0.25),
        (True, 25, 101.0, 100.0, 1.0),
    ],
)
def test_progress(by_time: bool, step: int, minutes: float, limit: float | None, progress: float) -> None:
    assert progress_of(ScheduleConfig(by_time=by_time), step, 100, minutes, limit) == pytest.approx(progress)


def test_the_average_follows_and_swaps_back() -> None:
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    with torch.no_grad():
        model[0].weight.fill_(0.0)  # type: ignore[operator]
    average = AveragedWeights(model, 0.9)
    with torch.no_grad():
        model[0].weight.fill_(1.0)  # type: ignore[operator]
    average.update(model)  # the first decay is 2 / 11
    assert average.average["0.weight"].item() == pytest.approx(9 / 11)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    average.swap(model)
    assert model[0].weight.item() == pytest.approx(9 / 11)
    average.swap(model)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_decay_grows_to_its_bound() -> None:
    model = nn.Linear(1, 1, bias=False)
    average = AveragedWeights(model, 0.5)
    for _ in range(200):
        average.update(model)
    start = average.average["weight"].clone()
    with torch.no_grad():
        model.weight.add_(1.0)
    average.update(model)
    assert torch.allclose(average.average["weight"], start + 0.5)


def test_no_decay_keeps_no_average() -> None:
    model = nn.Linear(2, 2)
    average = AveragedWeights(model, 0.0)
    before = model.weight.clone()
    average.update(model)
    average.swap(model)
    assert torch.equal(model.weight, before) and average.state_dict() == {"updates": 0, "average": {}}


def test_the_average_is_restored_exactly() -> None:
    model = nn.Linear(3, 3)
    first, second = AveragedWeights(model, 0.9), AveragedWeights(nn.Linear(3, 3), 0.9)
    first.update(model)
    second.load_state_dict(first.state_dict())
    assert second.updates == 1
    assert all(torch.equal(value, second.average[name]) for name, value in first.average.items())
