"""The loop on pairs: it learns a piece, resumes bit for bit, drops its rate on a plateau, refits CCA, exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hfmusic.data.sheets import read_sheet_audio, unroll
from hfmusic.metrics.ranking import ranking_scores
from hfmusic.models.audio_reading import open_sound
from hfmusic.models.modeling_audio_score import AudioScoreModel
from hfmusic.models.processing_audio_score import AudioScoreProcessor
from hfmusic.testing.sheets import write_sheets
from hfmusic.training.checkpoint import read_log
from hfmusic.training.config import load_recipe
from hfmusic.training.loop import Training
from hfmusic.training.pair_model import build_audio_score
from hfmusic.training.schedule import Plateau

DAMAGE = {"scale": 0.05, "dy": 3, "onset_shift": 1, "noise": 0.02, "gain_db": 3, "stretch": 0.02}
PLATEAU = {"kind": "plateau", "decay": 0.5, "patience": 1, "later_patience": 1, "drops": 9}
TINY = {"channels": [4, 4, 4, 4], "convolutions": [1, 1, 1, 1]}


class Killed(Exception):
    pass


def weights(run: Path) -> dict[str, torch.Tensor]:
    return AudioScoreModel.from_pretrained(run / "model").state_dict()


@pytest.mark.parametrize("kind", ["ours", "paper"])
def test_a_killed_training_resumes_bit_for_bit(pair_recipe: Any, kind: str) -> None:
    changes: dict[str, Any] = {"pair_augment": DAMAGE, "evaluate_every": 2}
    if kind == "paper":
        small = {"frames": 24, "image_height": 80, "image_width": 100, "image_scale": 0.5, "embedding_size": 8}
        changes |= {"pairs": {"refit": 32, "validation_refit": 16}, "schedule": PLATEAU, "ema_decay": 0.0}
        changes |= {"model": {"preset": "paper", "audio_tower": TINY, "score_tower": TINY, **small}}
    whole = Training(load_recipe(pair_recipe("whole", **changes))).run()
    broken = Training(load_recipe(pair_recipe("broken", **changes)))
    take = broken._step

    def or_die(batch: dict[str, Any]) -> None:
        if broken.position.step == 5:
            raise Killed
        take(batch)

    broken._step = or_die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        broken.run()
    resumed = Training(load_recipe(pair_recipe("broken", **changes)), resume=True)
    assert resumed.position.step == 4
    resumed.run()
    logs = [[entry for entry in read_log(run / "log.jsonl") if "loss" in entry] for run in (whole, broken.folder)]
    told = [[(entry["step"], entry["loss"], entry["learning_rate"]) for entry in log] for log in logs]
    assert len(told[0]) == 6 and told[0] == told[1]
    assert all(torch.equal(value, weights(broken.folder)[name]) for name, value in weights(whole).items())


@pytest.mark.parametrize("projection", ["none", "cca"])
def test_it_learns_a_piece_and_exports_what_finds_it(pair_recipe: Any, tmp_path: Path, projection: str) -> None:
    one = write_sheets(tmp_path / "one", train=1, other=1, notes=16)
    loss = {"loss": "info_nce" if projection == "none" else "ranking", "projection": projection}
    recipe = load_recipe(pair_recipe("one"))
    changes = {
        "model": {**recipe.model, **loss},
        "train": [{"path": str(one)}],
        "validation": [{"path": str(one), "split": "train", "name": "one"}],
        "pairs": {"per_piece": 16},
        "optimizer": {"lr": 0.01},
        "schedule": {"warmup": 0.2},
        "batch_size": 16,
        "max_steps": 60,
        "evaluate_every": 30,
        "save_every": 1000,
        "ema_decay": 0.8,
    }
    training = Training(load_recipe(pair_recipe("learns", **changes)))
    run = training.run()
    entries = [entry for entry in read_log(run / "log.jsonl") if "retrieval_error" in entry]
    assert [entry["step"] for entry in entries] == [30, 60]
    assert entries[-1]["r@1/one"] >= 90 and entries[-1]["retrieval_error"] == pytest.approx(
        100 - entries[-1]["mrr/one"]
    )
    model = AudioScoreModel.from_pretrained(run / "model").eval()
    processor = AudioScoreProcessor.from_pretrained(run / "model")
    (rendition,) = read_sheet_audio(one, "train")
    row = unroll(rendition.sheet, height=processor.image_height)
    notes = rendition.sheet.notes
    snippets = processor.snippets(row.image, [row.x_of(note.system, note.x) for note in notes])
    spectrogram = processor.spectrogram(open_sound(rendition.audio, sampling_rate=22050))
    excerpts = processor.excerpts(spectrogram, [note.onset_seconds for note in notes])
    with torch.inference_mode():
        audio = model.get_audio_features(torch.from_numpy(excerpts))
        score = model.get_score_features(torch.from_numpy(snippets))
    assert ranking_scores(audio, score)["r@1"] >= 0.9
    assert {"train_config.json", "training_log.json"} <= {path.name for path in (run / "model").iterdir()}


def test_what_it_exports_goes_on(pair_recipe: Any) -> None:
    run = Training(load_recipe(pair_recipe("first", max_steps=2, validation=[]))).run()
    options = {"model": {"temperature": 0.1}, "processor": {"fit_systems": True}}
    model, processor = build_audio_score(load_recipe(pair_recipe("second", initial=str(run / "model"), **options)))
    assert model.config.temperature == 0.1 and processor.frames == 24 and processor.fit_systems
    assert torch.equal(model.score_tower.body[0].weight, weights(run)["score_tower.body.0.weight"])


def test_a_plateau_returns_to_the_best_weights_at_half_the_rate(pair_recipe: Any, monkeypatch: Any) -> None:
    schedule = {**PLATEAU, "patience": 2, "drops": 1}
    changes = {"schedule": schedule, "ema_decay": 0.0, "max_steps": 20, "evaluate_every": 1, "save_every": 100}
    training = Training(load_recipe(pair_recipe("flat", **changes)))
    errors = iter([50.0, 40.0, 45.0, 44.0, 43.0, 60.0])
    monkeypatch.setattr(training.task, "validate", lambda model: {"retrieval_error": next(errors)})
    best: list[np.ndarray] = []
    weight = training.plain_model.score_tower.body[0].weight  # type: ignore[union-attr,index]
    keep, back = training._keep_best, training._return_to_best

    def kept(folder: Path) -> None:
        best.append(weight.detach().numpy().copy())
        keep(folder)

    def returned() -> None:
        assert not np.array_equal(weight.detach().numpy(), best[-1])
        back()
        assert np.array_equal(weight.detach().numpy(), best[-1])

    training._keep_best, training._return_to_best = kept, returned  # type: ignore[method-assign]
    run = training.run()
    rates = [entry["learning_rate"] for entry in read_log(run / "log.jsonl") if "loss" in entry]
    assert rates == [2e-3] * 4 + [1e-3]  # two no better: back; one more no better: over
    assert len(best) == 2 and training.position.best_step == 2
    assert training.plateau == Plateau(factor=0.5, stale=1, drops=1, over=True)


@pytest.mark.parametrize("name", ["audio_sheet_embedding", "audio_sheet_embedding_paper"])
def test_recipes_of_embeddings_build(name: str) -> None:
    config = load_recipe(name)
    model, processor = build_audio_score(config)
    assert config.name == name and processor.score_size == model.config.score_size
    projection, loss = ("cca", "ranking") if name.endswith("paper") else ("none", "info_nce")
    assert (model.config.projection, model.config.loss) == (projection, loss)
