"""The embedding's processor: excerpts and snippets are centred where they should be, and it travels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from transformers import AutoProcessor

from hfmusic.models.configuration_audio_score import AudioScoreConfig
from hfmusic.models.modeling_audio_score import AudioScoreModel
from hfmusic.models.processing_audio_score import AudioScoreProcessor, scaled

SMALL = {"frames": 8, "image_height": 40, "image_width": 60, "image_scale": 0.5}


def test_excerpts_are_centred_on_their_moments() -> None:
    processor = AudioScoreProcessor(frames=4)
    spectrogram = np.repeat(np.arange(10, dtype=np.float32)[:, None], 92, axis=1) + 1
    found = processor.excerpts(spectrogram, [0.25, 0.0, 0.42])
    assert found.shape == (3, 1, 4, 92) and found.dtype == np.float32
    assert found[:, 0, :, 0].tolist() == [[4, 5, 6, 7], [0, 0, 1, 2], [8, 9, 10, 0]]  # in the third the onset's is 9
    assert processor.excerpts(spectrogram, every=4)[:, 0, 2, 0].tolist() == [1, 5, 9]
    assert processor.centres(10, 4).tolist() == [0, 4, 8]


def test_snippets_are_centred_on_their_places() -> None:
    row = np.full((60, 300), 255, np.uint8)
    row[:, 100:102], row[30, :] = 0, 0  # a bar line, a staff line on the row's middle
    whole = AudioScoreProcessor(**{**SMALL, "image_scale": 1.0}).snippets(row, [101, 2, 299])
    assert whole.shape == (3, 1, 40, 60) and whole.dtype == np.float32
    assert np.flatnonzero(whole[0, 0, 0] == 0).tolist() == [29, 30]
    assert np.flatnonzero(whole[0, 0, :, 0] == 0).tolist() == [20]
    assert (whole[1, 0, 20] == 0).sum() == 32 and (whole[2, 0, 20] == 0).sum() == 31  # paper beyond
    half = AudioScoreProcessor(**SMALL).snippets(row, [101])
    assert half.shape == (1, 1, 20, 30) and np.flatnonzero(half[0, 0, 0] == 0).tolist() == [14]
    assert half[0, 0, 10, 0] == pytest.approx(128 / 255)


def test_rows_of_any_height_are_cut_around_their_middle() -> None:
    processor = AudioScoreProcessor(**{**SMALL, "image_scale": 1.0})
    for height in (30, 40, 60):
        row = np.full((height, 90), 255, np.uint8)
        row[height // 2] = 0
        assert np.flatnonzero((processor.row(row) == 0).all(axis=1)).tolist() == [20]


@pytest.mark.parametrize("scale", [1.0, 0.5, 1 / 3, 0.4])
def test_scaling_keeps_places(scale: float) -> None:
    picture = np.full((60, 301), 255, np.uint8)
    picture[:, 150:156] = 0
    small = scaled(picture, scale)
    ink = (255.0 - small).sum(axis=0)
    assert small.shape == (round(60 * scale), round(301 * scale))
    assert (ink * (np.arange(len(ink)) + 0.5)).sum() / ink.sum() == pytest.approx(153 * scale, abs=0.1)


def test_single_excerpts_and_snippets_make_a_batch(tmp_path: Path) -> None:
    processor = AudioScoreProcessor(**SMALL)
    time = np.arange(22050) / 22050
    tone = 0.3 * np.sin(2 * np.pi * 440 * time)
    soundfile.write(tmp_path / "tone.wav", np.stack([tone, tone], axis=1), 22050)
    Image.new("RGB", (100, 80), "white").save(tmp_path / "paper.png")
    batch = processor(
        audio=[tone, str(tmp_path / "tone.wav"), tone[:4000]],
        images=[Image.new("L", (20, 10)), tmp_path / "paper.png"],
        return_tensors="pt",
    )
    assert batch["input_features"].shape == (3, 1, 8, 92) and batch["pixel_values"].shape == (2, 1, 20, 30)
    assert torch.allclose(batch["input_features"][0], batch["input_features"][1], atol=1e-3)
    assert np.flatnonzero(batch["input_features"][2].amax(dim=(0, 2)) > 0).tolist() == [2, 3, 4, 5]
    small, paper = batch["pixel_values"][:, 0]
    assert (paper == 1).all() and (small == 0).sum() == 40 and (small[8:12, 10:20] == 0).all()
    resampled = processor(audio=(np.sin(2 * np.pi * 440 * np.arange(16000) / 16000) * 0.3), sampling_rate=16000)
    assert np.abs(resampled["input_features"][0] - batch["input_features"][0].numpy()).max() < 0.1


def test_it_is_the_configs_and_is_saved(tmp_path: Path) -> None:
    for config in (AudioScoreConfig.paper(), AudioScoreConfig.public(), AudioScoreConfig.recommended()):
        processor = AudioScoreProcessor.for_config(config)
        assert processor.score_size == config.score_size and processor.frames == config.frames
    processor.save_pretrained(tmp_path)
    config.save_pretrained(tmp_path)
    loaded = AutoProcessor.from_pretrained(tmp_path)
    assert isinstance(loaded, AudioScoreProcessor)
    assert {**processor.to_dict(), **loaded.to_dict()} == processor.to_dict()
    with pytest.raises(ValueError, match="the spectrogram has 92 bands, the model reads 90"):
        AudioScoreProcessor.for_config(AudioScoreConfig(bands=90))


def test_bad_inputs_say_what_is_wrong() -> None:
    processor = AudioScoreProcessor(**SMALL)
    for call, message in (
        (lambda: processor(), "audio or images are needed, got neither"),
        (lambda: processor(audio=[]), "at least one sound or picture is needed, got none"),
        (lambda: processor(audio=np.zeros(0)), "the sound is empty"),
        (lambda: processor(images="nowhere.png"), "nowhere.png: no such file"),
        (lambda: processor.excerpts(np.zeros((5, 90))), r"a spectrogram must be \(T, 92\), got \(5, 90\)"),
        (lambda: processor.centres(5, 0), "at least one frame apart, got 0"),
        (lambda: AudioScoreProcessor(frames=0), "image_scale must be positive, got 0, 250"),
        (lambda: AudioScoreProcessor(fmin=0), "fmin must be positive"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


STRANGER = """
import sys
sys.modules["hfmusic"] = None  # any import of it fails
import json, numpy as np, torch
from transformers import AutoModel, AutoProcessor
folder, again = sys.argv[1:]
model = AutoModel.from_pretrained(folder, trust_remote_code=True)
processor = AutoProcessor.from_pretrained(folder, trust_remote_code=True)
inputs = processor(audio=np.linspace(-1, 1, 9000), images=np.zeros((30, 30), np.uint8), return_tensors="pt")
with torch.inference_mode():
    output = model(**inputs)
model.save_pretrained(again)
processor.save_pretrained(again)
print(json.dumps([output.audio_embeds.tolist(), output.score_embeds.tolist(), type(model).__module__]))
"""


def test_it_runs_where_hfmusic_is_not(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tower = {"channels": [4], "pools": [[2, 2]], "convolutions": [1]}
    config = AudioScoreConfig(**SMALL, audio_tower=tower, score_tower=tower, embedding_size=4, projection="cca")
    model, processor = AudioScoreModel(config).train(), AudioScoreProcessor.for_config(config)
    model(torch.rand(8, 1, *config.audio_size), torch.rand(8, 1, *config.score_size))
    folder, again, home = (tmp_path / name for name in ("model", "again", "home"))
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    inputs = processor(audio=np.linspace(-1, 1, 9000), images=np.zeros((30, 30), np.uint8), return_tensors="pt")
    with torch.inference_mode():
        expected = model(**inputs)
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HF_"))}
    environment |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(home), "HF_MODULES_CACHE": str(home / "modules")}
    command = [sys.executable, "-I", "-c", STRANGER, str(folder), str(again)]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    audio, score, where = json.loads(done.stdout.splitlines()[-1])
    assert where.startswith("transformers_modules.")
    assert torch.allclose(torch.tensor(audio), expected.audio_embeds, atol=1e-5)
    assert torch.allclose(torch.tensor(score), expected.score_embeds, atol=1e-5)
    files = {path.name for path in folder.iterdir()}
    assert {"modeling_audio_score.py", "canonical_correlation.py", "log_spectrogram.py"} <= files
    assert files == {path.name for path in again.iterdir()}
