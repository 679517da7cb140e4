"""The loop on recordings: it learns four of them, resumes bit for bit, exports, and goes on from what it exported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from hfmusic.models.modeling_unet_transcriber import UNetTranscriber
from hfmusic.models.processing_unet_transcriber import TranscriberProcessor
from hfmusic.testing.recordings import write_recordings
from hfmusic.training.checkpoint import read_log
from hfmusic.training.config import RECIPES, load_recipe
from hfmusic.training.front_end import build_transcriber
from hfmusic.training.loop import Training
from hfmusic.training.note_validation import validate_notes

DAMAGE = {f"{kind}_probability": 0.5 for kind in ("detune", "equaliser", "room", "noise", "reference")}
TRANSCRIBERS = ["unet_transcriber", "unet_transcriber_paper", "unet_transcriber_piano"]


class Killed(Exception):
    pass


@pytest.mark.parametrize("workers", [0, 1])
def test_a_killed_training_resumes_bit_for_bit(hearing_recipe: Any, workers: int) -> None:
    changes = {"sound_augment": DAMAGE, "num_workers": workers}
    whole = Training(load_recipe(hearing_recipe("whole", **changes))).run()
    broken = Training(load_recipe(hearing_recipe("broken", **changes)))
    take = broken._step

    def or_die(batch: dict[str, Any]) -> None:
        if broken.position.step == 5:
            raise Killed
        take(batch)

    broken._step = or_die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        broken.run()
    resumed = Training(load_recipe(hearing_recipe("broken", **changes)), resume=True)
    assert resumed.position.step == 4
    resumed.run()
    logs = [[entry for entry in read_log(run / "log.jsonl") if "loss" in entry] for run in (whole, broken.folder)]
    losses = [[(entry["step"], entry["loss"], entry["loss/onset"]) for entry in log] for log in logs]
    assert len(losses[0]) == 6 and losses[0] == losses[1]
    weights = [UNetTranscriber.from_pretrained(run / "model").state_dict() for run in (whole, broken.folder)]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_it_learns_four_recordings_and_exports_the_best(hearing_recipe: Any, tmp_path: Path) -> None:
    four = write_recordings(tmp_path / "four", train=4, other=1, seconds=1.28, pitches=(60, 66))
    changes = {
        "model": {
            "channels": [16],
            "blocks": [1],
            "hidden_size": 16,
            "harmonics": [1, 2],
            "stem_kernel": [3, 5],
            "onset_positive_weight": 8.0,
            "loss_weights": {"onset": 1, "frame": 2, "offset": 0.2, "velocity": 0.2},
        },
        "train": [{"path": str(four)}],
        "validation": [{"path": str(four), "split": "train", "name": "four"}],
        "crop": {"seconds": 1.28, "validation_seconds": 1.28},
        "optimizer": {"lr": 0.03},
        "schedule": {"warmup": 0.2},
        "batch_size": 4,
        "max_steps": 100,
        "evaluate_every": 50,
        "save_every": 1000,
        "ema_decay": 0.8,
    }
    training = Training(load_recipe(hearing_recipe("four", **changes)))
    run = training.run()
    entries = [entry for entry in read_log(run / "log.jsonl") if "note_error" in entry]
    assert [entry["step"] for entry in entries] == [50, 100]
    assert entries[-1]["note_f1/four"] > 95 and entries[-1]["note_error"] < 5
    model, processor = (
        UNetTranscriber.from_pretrained(run / "model").eval(),
        TranscriberProcessor.from_pretrained(run / "model"),
    )
    again = validate_notes(model, training.task.validation, training.task.front_end)  # type: ignore[attr-defined]
    assert again["note_error"] == pytest.approx(training.position.best, abs=1e-6)
    cache = training.task.crops.sets[0].cache  # type: ignore[attr-defined]
    assert len(processor.transcribe(model, cache.sound(0))) == len(cache.notes_of(0))
    saved = json.loads((run / "model" / "train_config.json").read_text(encoding="utf-8"))
    assert saved["architecture"] == "unet_transcriber"


def test_a_trained_transcriber_starts_another(hearing_recipe: Any) -> None:
    run = Training(load_recipe(hearing_recipe("first", max_steps=2, validation=[]))).run()
    path = hearing_recipe("second", initial=str(run / "model"), model={"onset_positive_weight": 5.0}, processor={})
    second = Training(load_recipe(path)).plain_model
    first = UNetTranscriber.from_pretrained(run / "model")
    assert all(torch.equal(value, first.state_dict()[name]) for name, value in second.state_dict().items())
    assert second.config.onset_positive_weight == 5.0


def test_gradients_are_held_value_by_value(hearing_recipe: Any) -> None:
    changes = {"clip_value": 1e-6, "clip_norm": 1e9, "optimizer": {"name": "adam", "lr": 0.01}}
    changes["schedule"] = {"kind": "steps", "decay": 0.5, "decay_steps": 2}
    training = Training(load_recipe(hearing_recipe("held", max_steps=4, validation=[], **changes)))
    largest, take = [], training.optimizer.step

    def watch(*given: Any, **more: Any) -> Any:
        grads = [
            weight.grad.abs().max().item() for weight in training.plain_model.parameters() if weight.grad is not None
        ]
        largest.append(max(grads))
        return take(*given, **more)

    training.optimizer.step = watch  # type: ignore[method-assign]
    run = training.run()
    assert len(largest) == 4 and max(largest) <= 1.0001e-6
    rates = [entry["learning_rate"] for entry in read_log(run / "log.jsonl")]
    assert rates == pytest.approx([0.01, 0.01, 0.005, 0.005])


@pytest.mark.parametrize("name", TRANSCRIBERS)
def test_recipes_of_transcribers_build(name: str) -> None:
    config = load_recipe(name)
    assert config.name == name and (RECIPES / f"{name}.yaml").is_file()
    if config.initial is not None:
        assert config.initial == "model_cards/unet-transcriber" and not config.model.get("preset")
        return
    model, front_end = build_transcriber(config)
    learned = sum(weight.numel() for weight in model.parameters())
    if name == "unet_transcriber_paper":
        assert learned == 1_350_145 and front_end.frames(config.crop.seconds) == 640
        assert (config.optimizer.name, config.optimizer.lr, config.batch_size) == ("adam", 0.01, 32)
    else:
        assert learned <= 5_000_000 and front_end.frames(config.crop.seconds) % model.config.time_stride == 0
