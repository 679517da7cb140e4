"""The embedding of audio and piano rolls: paper 004's sizes and its code's defects, and the processor of both ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoModel, AutoProcessor

import hfmusic.models  # noqa: F401  (registers)
from hfmusic.data.rolls import KINDS, RollGeometry
from hfmusic.models.configuration_audio_score import AudioScoreConfig, vgg
from hfmusic.models.modeling_audio_score import AudioScoreModel
from hfmusic.models.processing_audio_roll import PAPER, ROLLS, AudioRollProcessor, frames_at

TOWER = {"channels": [4, 4], "pools": [[2, 2], [2, 2]], "convolutions": [1, 2]}


def small_config(**options: Any) -> AudioScoreConfig:
    sizes = {"frames": 12, "bands": 16, "steps_per_beat": 4, "embedding_size": 6}
    towers = {"audio_tower": TOWER, "score_tower": TOWER}
    return AudioScoreConfig.recommended_roll(**{**sizes, **towers, **options})


def parameters(module: nn.Module) -> int:
    return sum(value.numel() for value in module.parameters())


def test_sizes_are_the_papers() -> None:
    paper, recommended = AudioScoreConfig.dias2018(), AudioScoreConfig.recommended_roll()
    assert (paper.audio_size, paper.score_size) == ((43, 128), (128, 24))
    four = AudioScoreConfig.dias2018(beats=4, frames=172)
    assert (four.audio_size, four.score_size) == ((172, 128), (128, 96))
    assert (recommended.audio_size, recommended.score_size) == ((48, 128), (128, 48))
    with torch.device("meta"):
        model = AudioScoreModel(paper)
        assert parameters(model.audio_tower) == parameters(model.score_tower) == 331_000
        # block 4's two convolutions of 96 to 96 channels with their norms are block 3's second
        code = AudioScoreModel(AudioScoreConfig.dias2018_code())
        assert parameters(code.score_tower) == 331_000 - 2 * (96 * 96 * 9 + 2 * 96)
        assert parameters(AudioScoreModel(recommended)) < 1_000_000


def test_geometries_are_the_models() -> None:
    for config, geometry in (
        (AudioScoreConfig.dias2018(), RollGeometry.paper()),
        (AudioScoreConfig.dias2018(beats=4, frames=172), RollGeometry.paper_text()),
        (AudioScoreConfig.recommended_roll(), RollGeometry.recommended()),
    ):
        assert RollGeometry.of(AudioRollProcessor.for_config(config)) == geometry
    assert ROLLS == KINDS


def test_a_shared_convolution_comes_three_times() -> None:
    plain, code = (
        AudioScoreModel(small_config(score_tower=vgg(2, shared=shared), steps_per_beat=8)) for shared in (False, True)
    )
    kinds = [type(layer).__name__ for layer in code.score_tower.body]
    assert kinds.count("Conv2d") == 6 and len(plain.score_tower.body) == len(code.score_tower.body) + 6
    order = code.score_tower.body.order
    assert len(order) == len(plain.score_tower.body)
    repeated = [place for place in set(order) if order.count(place) > 1]
    assert [order.count(place) for place in repeated] == [3, 3, 3]  # convolution, norm, activation
    maps = torch.rand(2, 1, 128, 16)
    assert code.score_tower.body(maps).shape == plain.score_tower.body(maps).shape


def test_norms_may_follow_activations() -> None:
    body = AudioScoreModel(small_config(score_tower={**TOWER, "norm_last": True})).score_tower.body
    assert [type(layer).__name__ for layer in body][:4] == ["Conv2d", "ELU", "BatchNorm2d", "MaxPool2d"]


@pytest.mark.parametrize("options", [{}, {"score_tower": vgg(2, shared=True, norm_last=True), "loss": "ranking"}])
def test_gradients_reach_everything_and_it_saves(options: dict[str, Any], tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = small_config(**{**options, "steps_per_beat": 8})
    model, processor = AudioScoreModel(config).train(), AudioRollProcessor.for_config(config)
    audio, rolls = torch.rand(8, 1, *config.audio_size), (torch.rand(8, 1, *config.score_size) > 0.9).float()
    model(audio, rolls, return_loss=True).loss.backward()
    assert all(value.grad is not None and torch.isfinite(value.grad).all() for value in model.parameters())
    model.eval().save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    loaded, again = AutoModel.from_pretrained(tmp_path), AutoProcessor.from_pretrained(tmp_path)
    assert torch.equal(loaded(audio, rolls).logits_per_audio, model(audio, rolls).logits_per_audio)
    assert isinstance(again, AudioRollProcessor) and {**processor.to_dict(), **again.to_dict()} == processor.to_dict()
    files = {path.name for path in tmp_path.iterdir()}
    assert {"processing_audio_roll.py", "feature_extraction_transcriber.py"} <= files


def test_spectra_show_what_sounds_where_it_sounds() -> None:
    """A tone from 1 s on, of bin 60: silence before it, then the loudest bin is its own."""
    processor = AudioRollProcessor()
    time = np.arange(2 * 22050) / 22050
    tone = 0.3 * np.sin(2 * np.pi * 30 * 2 ** (60 / 16) * time) * (time >= 1)
    spectrogram = processor.spectrogram(tone)
    assert spectrogram.shape[1] == 128 and 0 <= spectrogram.min() and spectrogram.max() == pytest.approx(1)
    windows = processor.excerpts(spectrogram, np.array([[0.0, 0.8], [1.1, 1.9], [0.5, 1.5]]))
    assert windows.shape == (3, 1, 48, 128) and windows.dtype == np.float32
    assert windows[0].max() == 0 and (windows[1, 0].argmax(axis=1) == 60).all()
    onset = np.flatnonzero(windows[2, 0, :, 60] > 0.9)[0]
    assert abs(onset - 24) <= 1  # in the middle
    same = processor.excerpts(spectrogram, 0.5 + (np.arange(48)[None] + 0.5) / 48)
    assert np.allclose(same[0], windows[2])
    quiet = processor.spectrogram(tone * 0.01)
    assert np.abs(quiet - spectrogram).max() < 1e-3  # decibels below the loudest
    paper = AudioRollProcessor(hop_length=256, frames=43, beats=1, **PAPER)
    assert paper.spectrogram(tone * 0.01).max() == pytest.approx(paper.spectrogram(tone).max() * 0.01, rel=1e-3)
    assert paper.spectrogram(tone * 1e-5).max() > 0  # velocity 1 is hardly heard, not silence


def test_frames_between_frames() -> None:
    values = np.array([[0.0], [1.0], [3.0]])
    assert frames_at(values, np.array([0, 0.5, 1.25, 2, 2.5, -0.5, 7]))[:, 0].tolist() == [0, 0.5, 1.5, 3, 1.5, 0, 0]


def test_single_windows_make_a_batch() -> None:
    processor = AudioRollProcessor(frames=20, beats=1)
    tone = 0.3 * np.sin(np.arange(11025) / 8)
    batch = processor(audio=[tone, tone[:6000]], rolls=np.ones((2, 128, 24)), return_tensors="pt")
    assert batch["input_features"].shape == (2, 1, 20, 128) and batch["pixel_values"].shape == (2, 1, 128, 24)
    assert batch["pixel_values"].dtype == torch.float32
    assert processor.rolls(np.full((1, 128, 24), 255, np.uint8)).max() == 1
    assert processor(rolls=np.zeros((128, 24)))["pixel_values"].shape == (1, 1, 128, 24)
    resampled = processor(audio=0.3 * np.sin(np.arange(8000) / 8 * 22050 / 16000), sampling_rate=16000)
    assert np.abs(resampled["input_features"][0, 0, 5:15] - batch["input_features"][0, 0, 5:15].numpy()).mean() < 0.05


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: AudioRollProcessor(beats=0), "steps_per_beat must be at least 1, got 48, 0 and 24"),
        (lambda: AudioRollProcessor(scaling="log"), "scaling must be one of decibels, magnitude, got 'log'"),
        (lambda: AudioRollProcessor(roll="dots"), "roll must be one of binary, velocity, onsets, strokes, got 'dots'"),
        (lambda: AudioRollProcessor()(), "audio or rolls are needed, got neither"),
        (lambda: AudioRollProcessor()(audio=[]), "at least one sound is needed, got none"),
        (lambda: AudioRollProcessor().rolls(np.zeros((2, 128, 24))), r"rolls must be \(N, 128, 48\), got \(2, 128"),
        (
            lambda: AudioRollProcessor().excerpts(np.zeros((9, 128)), np.zeros((1, 3))),
            r"moments of windows must be \(N, 48\) or \(N, 2\), got \(1, 3\)",
        ),
        (lambda: AudioRollProcessor.for_config(AudioScoreConfig()), "score_input is roll is wanted, got image"),
        (
            lambda: AudioRollProcessor.for_config(AudioScoreConfig.recommended_roll(), beats=3),
            "do not fit the model",
        ),
        (lambda: AudioScoreConfig.recommended_roll(beats=0), "beats must be positive, got 0"),
    ],
)
def test_bad_inputs_say_what_is_wrong(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


STRANGER = """
import sys
sys.modules["hfmusic"] = None  # any import of it fails
import json, numpy as np, torch
from transformers import AutoModel, AutoProcessor
folder = sys.argv[1]
model = AutoModel.from_pretrained(folder, trust_remote_code=True)
processor = AutoProcessor.from_pretrained(folder, trust_remote_code=True)
inputs = processor(audio=np.linspace(-1, 1, 9000), rolls=np.eye(128, 16), return_tensors="pt")
with torch.inference_mode():
    output = model(**inputs)
print(json.dumps([output.audio_embeds.tolist(), output.score_embeds.tolist(), type(processor).__module__]))
"""


def test_it_runs_where_hfmusic_is_not(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = small_config(bands=128, steps_per_beat=8)
    model, processor = AudioScoreModel(config).eval(), AudioRollProcessor.for_config(config)
    folder, home = tmp_path / "model", tmp_path / "home"
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    home.mkdir()
    with torch.inference_mode():
        expected = model(**processor(audio=np.linspace(-1, 1, 9000), rolls=np.eye(128, 16), return_tensors="pt"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HF_"))}
    environment |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(home), "HF_MODULES_CACHE": str(home / "modules")}
    command = [sys.executable, "-I", "-c", STRANGER, str(folder)]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    audio, score, where = json.loads(done.stdout.splitlines()[-1])
    assert where.startswith("transformers_modules.")
    assert torch.allclose(torch.tensor(audio), expected.audio_embeds, atol=1e-5)
    assert torch.allclose(torch.tensor(score), expected.score_embeds, atol=1e-5)
