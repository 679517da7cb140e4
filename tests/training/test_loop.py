"""The loop: overfit four staves, resume bit for bit, stop on time and on a signal."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from hfmusic.testing.staves import write_dataset
from hfmusic.training.checkpoint import checkpoint_folders, read_log
from hfmusic.training.config import load_recipe
from hfmusic.training.head import FactorisedLinear
from hfmusic.training.loop import Training, has_bfloat16, make_optimizer


def weights(training: Training) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in training.plain_model.state_dict().items()}


class Killed(Exception):
    pass


def killed_at(training: Training, step: int) -> None:
    """Make a training die, as by SIGKILL, once it has taken `step` steps."""
    take = training._step

    def or_die(batch: dict[str, Any]) -> None:
        if training.position.step == step:
            raise Killed
        take(batch)

    training._step = or_die  # type: ignore[method-assign]


@pytest.fixture
def kept_weights(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, torch.Tensor]]:
    """The weights each run ends with, before the best are put in their place for the export."""
    found: dict[str, dict[str, torch.Tensor]] = {}
    finish = Training._finish

    def keep(self: Training, board: Any) -> None:
        found[self.config.name] = weights(self)
        found[self.config.name + " average"] = {name: value.clone() for name, value in self.average.average.items()}
        finish(self, board)

    monkeypatch.setattr(Training, "_finish", keep)
    return found


@pytest.mark.parametrize("workers", [0, 1])
def test_a_killed_training_resumes_bit_for_bit(recipe: Any, kept_weights: dict[str, Any], workers: int) -> None:
    changes = {"augment": {}, "num_workers": workers}
    Training(load_recipe(recipe("whole", **changes))).run()
    broken = Training(load_recipe(recipe("broken", **changes)))
    killed_at(broken, 7)
    with pytest.raises(Killed):
        broken.run()
    assert [folder.name for folder in checkpoint_folders(broken.folder)] == ["checkpoint-00000004"]
    Training(load_recipe(recipe("broken", **changes)), resume=True).run()
    for kind in ("", " average"):
        whole, resumed = kept_weights["whole" + kind], kept_weights["broken" + kind]
        assert whole.keys() == resumed.keys() and len(whole) > 5
        assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
    logs = [
        [entry.get("loss") for entry in read_log(broken.folder.parent / name / "log.jsonl")]
        for name in ("whole", "broken")
    ]
    assert len(logs[0]) == len(logs[1]) == 8  # six reports, two evaluations
    assert logs[0][-1] == logs[1][-1]


def test_it_overfits_four_staves(recipe: Any, tmp_path: Path) -> None:
    four = write_dataset(tmp_path / "four", train=4, other=1, notes=4, seed=3)
    changes = {
        "train": [{"path": str(four), "distorted_probability": 0.0}],
        "validation": [{"path": str(four), "split": "train", "name": "four"}],
        "augment": {"probability": 0.0},
        "optimizer": {"lr": 0.01},
        "max_steps": 250,
        "evaluate_every": 250,
        "save_every": 1000,
        "ema_decay": 0.9,
    }
    run = Training(load_recipe(recipe("four", **changes))).run()
    entries = [entry for entry in read_log(run / "log.jsonl") if "ser" in entry]
    assert entries[-1]["ser"] == 0.0
    assert entries[-1]["sequence_error_rate/four"] == 0.0


def test_a_signal_stops_it_with_a_checkpoint_and_a_model(recipe: Any) -> None:
    training = Training(load_recipe(recipe("stopped", max_steps=1000)))
    take = training._step

    def send(batch: dict[str, Any]) -> None:
        take(batch)
        if training.position.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    training._step = send  # type: ignore[method-assign]
    before = signal.getsignal(signal.SIGTERM)
    run = training.run()
    assert signal.getsignal(signal.SIGTERM) is before
    assert [folder.name for folder in checkpoint_folders(run)] == ["checkpoint-00000003"]
    assert (run / "model" / "model.safetensors").is_file()


def test_the_schedule_ends_when_the_time_does(recipe: Any) -> None:
    changes = {"max_steps": 100_000, "schedule": {"kind": "cosine", "by_time": True, "final": 0.0}, "log_every": 1}
    training = Training(load_recipe(recipe("timed", **changes)), max_minutes=0.05)
    run = training.run()
    rates = [entry["learning_rate"] for entry in read_log(run / "log.jsonl") if "loss" in entry]
    assert 0.05 <= training.minutes < 0.2
    assert rates[-1] < 0.3 * max(rates)
    # time already spent counts: a resumed training has none left, and only exports again
    again = Training(load_recipe(recipe("timed", **changes)), resume=True, max_minutes=0.05)
    again.run()
    assert again.position.step == training.position.step


def test_checkpoints_are_limited_and_the_model_folder_is_plain(recipe: Any) -> None:
    run = Training(load_recipe(recipe("plain"))).run()
    assert [folder.name for folder in checkpoint_folders(run)] == ["checkpoint-00000008", "checkpoint-00000012"]
    assert not list(run.rglob("*.partial"))
    from hfmusic.models.modeling_crnn import CRNNForCTC

    model = CRNNForCTC.from_pretrained(run / "model")
    assert isinstance(model.ctc_head, torch.nn.Linear) and not isinstance(model.ctc_head, FactorisedLinear)
    recipe_saved = json.loads((run / "model" / "train_config.json").read_text(encoding="utf-8"))
    assert recipe_saved["name"] == "plain"
    summary = json.loads((run / "model" / "training_log.json").read_text(encoding="utf-8"))
    assert summary["log"][-1]["step"] == 12


def test_the_exported_model_has_the_best_averaged_weights(recipe: Any, dataset: Path) -> None:
    from hfmusic.models.modeling_crnn import CRNNForCTC
    from hfmusic.training.validation import validate

    training = Training(load_recipe(recipe("best")))
    run = training.run()
    model = CRNNForCTC.from_pretrained(run / "model").eval()
    results = validate(model, training.task.validation, training.task.built.tokens)
    assert results["ser"] == pytest.approx(training.position.best, abs=1.0)


def test_a_run_is_not_overwritten(recipe: Any) -> None:
    path = recipe("once", max_steps=2, validation=[])
    Training(load_recipe(path)).run()
    with pytest.raises(ValueError, match="holds a training already: resume it"):
        Training(load_recipe(path))


def test_a_trained_model_warm_starts_another(recipe: Any) -> None:
    run = Training(load_recipe(recipe("first", max_steps=4, validation=[]))).run()
    second = Training(load_recipe(recipe("second", initial=str(run / "model"), model={"dropout": 0.3})))
    from hfmusic.models.modeling_crnn import CRNNForCTC

    first = CRNNForCTC.from_pretrained(run / "model")
    head = second.plain_model.ctc_head
    assert isinstance(head, FactorisedLinear)
    assert torch.allclose(head.weight, first.ctc_head.weight, atol=1e-5)
    assert second.plain_model.crnn.dropout.p == 0.3


def test_auto_is_bfloat16_where_the_device_computes_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for found, wanted in (({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"avx2": True}, False)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=found: found, raising=False)
        assert has_bfloat16() is wanted
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert has_bfloat16() is False
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert has_bfloat16() is True


def test_biases_and_normalisation_are_not_decayed(recipe: Any) -> None:
    training = Training(load_recipe(recipe("groups")))
    optimizer = make_optimizer(training.plain_model, training.config.optimizer)
    decayed, spared = optimizer.param_groups
    assert all(weight.ndim > 1 for weight in decayed["params"]) and decayed["weight_decay"] == 0.01
    assert all(weight.ndim == 1 for weight in spared["params"]) and spared["weight_decay"] == 0.0


def test_twenty_bad_gradients_in_a_row_end_it(recipe: Any) -> None:
    training = Training(load_recipe(recipe("bad", max_steps=100, validation=[], save_every=100)))
    with torch.no_grad():
        training.plain_model.ctc_head.free_bias.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="not finite for 20 steps"):
        training.run()


def test_the_model_and_the_processor_must_agree(recipe: Any) -> None:
    with pytest.raises(ValueError, match="processor.height must be the model's input_height 48, got 32"):
        Training(load_recipe(recipe("heights", processor={"mode": "height", "height": 32})))
