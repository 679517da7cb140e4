"""The loop on rolls that are decoded: its labels, learning a piece by heart, resuming bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from hfmusic.data.rolls import notes_on_grid, roll_of
from hfmusic.models.modeling_audio_roll_decoder import RollDecoder
from hfmusic.retrieval.roll_rows import roll_row, window_of
from hfmusic.testing.rolls import write_rolls
from hfmusic.training.checkpoint import read_log
from hfmusic.training.config import RECIPES, TrainingConfig, load_recipe
from hfmusic.training.loop import Training
from hfmusic.training.roll_decoder_task import build_roll_decoder, roll_labels

from ..models.test_audio_roll_decoder import TINY


class Killed(Exception):
    pass


@pytest.fixture(scope="module")
def rolls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rolls(tmp_path_factory.mktemp("rolls") / "rolls", train=1, other=1, beats=8)


@pytest.fixture
def recipe(rolls: Path, tmp_path: Path) -> Any:
    def make(name: str, **changes: Any) -> TrainingConfig:
        raw = {
            "name": name,
            "architecture": "audio_roll_decoder",
            "model": TINY,
            "train": [{"path": str(rolls)}],
            "validation": [{"path": str(rolls), "split": "train", "name": "own", "n": 16}],
            "pair_augment": {"gain_db": 2, "floor": 0.1, "stretch": 0.02},
            "batch_size": 4,
            "max_steps": 6,
            "evaluate_every": 3,
            "save_every": 2,
            "log_every": 1,
            "num_workers": 0,
            "output_dir": str(tmp_path / "runs"),
            "cache_dir": str(tmp_path / "cache"),
            **changes,
        }
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(raw), encoding="utf-8")
        return load_recipe(path)

    return make


def test_labels_are_those_of_an_index_row() -> None:
    grid = np.arange(40) / 10
    notes = notes_on_grid([(0.0, 1.5), (1.5, 2.0), (0.5, 9.0)], [60, 60, 70], [80, 127, 1], grid)
    row = roll_row(notes[["onset_step", "offset_step", "pitch_midi", "velocity"]].tolist())
    for start in (-3, 0, 4):
        window = np.rint(roll_of(notes, start, 24, "strokes") * 255).astype(np.uint8)
        assert np.array_equal(window, window_of(row, start, 24))
    labels = roll_labels(torch.from_numpy(window)[None])
    assert labels["onset"].sum() == 2 and labels["frame"][0, 70, 1:].all()
    assert labels["velocity"][0, 60, 11] == 1 and labels["velocity"].max() == 1


def test_a_killed_training_resumes_bit_for_bit(recipe: Any) -> None:
    whole = Training(recipe("whole")).run()
    broken = Training(recipe("broken", max_steps=6))
    take = broken._step

    def or_stop(batch: dict[str, Any]) -> None:
        if broken.position.step == 3:
            raise Killed
        take(batch)

    broken._step = or_stop  # type: ignore[method-assign]
    with pytest.raises(Killed):
        broken.run()
    resumed = Training(recipe("broken"), resume=True)
    assert resumed.position.step == 2
    resumed.run()
    logs = [[one for one in read_log(run / "log.jsonl") if "loss" in one] for run in (whole, broken.folder)]
    told = [[(one["step"], one["loss"], one["loss/matching"], one["loss/kl"]) for one in log] for log in logs]
    assert len(told[0]) == 6 and told[0] == told[1]
    weights = [RollDecoder.from_pretrained(run / "model").state_dict() for run in (whole, broken.folder)]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_it_learns_a_piece_and_exports_what_decodes_it(recipe: Any) -> None:
    changes = {"pair_augment": {}, "optimizer": {"lr": 0.01}, "schedule": {"warmup": 0.2}, "ema_decay": 0.0}
    changes |= {"batch_size": 8, "max_steps": 80, "evaluate_every": 80, "save_every": 1000, "log_every": 40}
    run = Training(recipe("learns", **changes)).run()
    last = [one for one in read_log(run / "log.jsonl") if "decoding_error" in one][-1]
    assert last["frame_f1/own"] > 60 and last["mrr/own"] > 60
    assert last["decoding_error"] == pytest.approx(100 - (last["frame_f1/own"] + last["onset_f1/own"]) / 2)
    more = recipe("more", initial=str(run / "model"), model={"positive_weight": 2.0})
    model, processor = build_roll_decoder(more)
    assert (model.config.positive_weight, model.config.embedding_size, processor.roll) == (2.0, 16, "strokes")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"transfer": {"source": "x"}}, "has no section transfer"),
        ({"initial": "nowhere", "model": {"beats": 2}}, "model takes only .*; got beats"),
        ({"initial": "nowhere", "model": {}}, "initial must be a model folder or a Hub name, got 'nowhere'"),
        ({"model": {"decoder_channels": [1]}}, "five positive numbers"),
    ],
)
def test_wrong_recipes_say_what_is_wrong(recipe: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_roll_decoder(recipe("wrong", **changes))


def test_the_recipe_is_whole() -> None:
    config = load_recipe(RECIPES / "audio_roll_decoder.yaml")
    assert build_roll_decoder(config)[1].score_size == (128, 24)
