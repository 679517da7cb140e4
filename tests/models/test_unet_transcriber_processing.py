"""Whole recordings: the front ends against their definitions, windows, silence, saving, and a stranger who hears."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoFeatureExtractor, AutoProcessor

import hfmusic.models  # noqa: F401  (registers)
from hfmusic.models.configuration_unet_transcriber import UNetTranscriberConfig
from hfmusic.models.feature_extraction_transcriber import TranscriberFeatureExtractor
from hfmusic.models.modeling_unet_transcriber import UNetTranscriber
from hfmusic.models.note_decoding import DecodingOptions, NoteEvent, encode_notes
from hfmusic.models.processing_unet_transcriber import TranscriberProcessor

RATE = 16000
PAPER = UNetTranscriberConfig.paper(channels=[2, 3, 4, 5], hidden_size=6)
HEADS = UNetTranscriberConfig(channels=[4, 5, 6], blocks=[1, 1, 1], hidden_size=3, hop_length=320)
SCHEMES = pytest.mark.parametrize("config", [PAPER, HEADS], ids=["paper", "heads"])


def tune(seconds: float, seed: int = 0) -> np.ndarray:
    """Decaying tones of random pitches over faint noise."""
    rng = np.random.default_rng(seed)
    sound = rng.standard_normal(round(seconds * RATE)) * 0.003
    for at in np.arange(0, seconds - 0.1, 0.25):
        begin = int(at * RATE)
        times = np.arange(min(RATE, len(sound) - begin)) / RATE
        frequency = 440 * 2 ** (rng.integers(-24, 24) / 12)
        sound[begin : begin + len(times)] += 0.2 * np.exp(-3 * times) * np.sin(2 * np.pi * frequency * times)
    return sound.astype(np.float32)


def talkative(config: UNetTranscriberConfig) -> UNetTranscriber:
    """A random network whose probabilities go up and down over most of 0..1."""
    torch.manual_seed(0)
    model = UNetTranscriber(config)
    features = TranscriberProcessor.for_config(config)(tune(3.0, seed=9), return_tensors="pt")
    model.train()
    with torch.no_grad():
        for _ in range(20):  # norms' statistics
            model(**features)
        last = model.network.head if config.scheme == "paper" else model.network.heads
        values = torch.stack(list(model.eval()(**features).logits.values()), dim=-1)
        values = values.reshape(-1, last.out_features)
        scale = 3 / values.std(dim=0)
        last.weight *= scale[:, None]
        last.bias.copy_((last.bias - values.mean(dim=0)) * scale - 1)
    return model


@SCHEMES
def test_a_batch_of_sounds(config: UNetTranscriberConfig) -> None:
    processor = TranscriberProcessor.for_config(config)
    sounds = [tune(0.5), tune(0.8)]
    batch = processor(sounds, sampling_rate=RATE, return_tensors="pt")
    frames = [-(-len(sound) // config.hop_length) for sound in sounds]
    assert batch["input_features"].shape == (2, 1, max(frames), config.n_bins)
    assert batch["attention_mask"].sum(dim=1).tolist() == frames
    for row, sound in enumerate(sounds):
        features = processor.features(sound)
        assert features.dtype == np.float32 and features.shape == (frames[row], config.n_bins)
        assert features.min() >= 0 and features.max() == pytest.approx(1, abs=1e-6)
        assert np.array_equal(batch["input_features"][row, 0, : frames[row]].numpy(), features)
    whole = processor(tune(1.0).astype(np.float64), sampling_rate=8000)
    assert whole["input_features"].shape[2] == -(-2 * RATE // config.hop_length)


def test_the_papers_crop_gives_640_frames() -> None:
    processor = TranscriberProcessor.for_config(UNetTranscriberConfig.paper())
    features = processor.features(tune(327_680 / RATE))
    assert features.shape == (640, 176)
    assert (features.min(), features.max()) == (0.0, pytest.approx(1.0))


def direct(sound: np.ndarray, frame: int, frequency: float) -> float:
    """One magnitude as nnAudio's CQT1992v2 defines it, beyond the ends mirrored."""
    quality = 1 / (2 ** (1 / 24) - 1)
    length = int(np.ceil(quality * RATE / frequency))
    start = int(np.ceil(32768 / 2 - length / 2)) - length % 2
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    wave = window * np.exp(2j * np.pi * frequency / RATE * np.arange(-length // 2, -length // 2 + length)) / length
    kernel = np.zeros(32768, complex)
    kernel[start : start + length] = wave / np.abs(wave).sum()
    padded = np.pad(sound[:-1], 16384, mode="reflect")
    return float(np.abs(padded[frame * 512 : frame * 512 + 32768] @ kernel) * np.sqrt(length))


def test_the_papers_front_end_against_its_definition() -> None:
    sound = tune(4.0)
    ear = TranscriberFeatureExtractor.for_config(UNetTranscriberConfig.paper())
    ours = np.log(ear.magnitudes(sound) + 1e-5)
    theirs = np.array([[direct(sound, t, 27.5 * 2 ** (k / 24)) for k in range(0, 176, 5)] for t in range(0, 125, 3)])
    off = np.abs(ours[::3, ::5] - np.log(theirs + 1e-5))
    span = ours.max() - ours.min()
    assert np.median(off) / span < 0.002 and np.quantile(off, 0.95) / span < 0.05


def test_decibels_below_the_loudest() -> None:
    processor = TranscriberProcessor.for_config(HEADS)
    sound = tune(1.0)
    features, magnitudes = processor.features(sound), processor.feature_extractor.magnitudes(sound)
    expected = np.clip(1 + np.log10(np.maximum(magnitudes, 1e-9) / magnitudes.max()) / 4, 0, 1)
    assert np.allclose(features, expected, atol=1e-5)
    assert np.allclose(processor.features(sound * 0.5), features, atol=1e-6)
    quieter = processor.features(sound, reference=float(magnitudes.max()) * 10)
    assert np.allclose(quieter, np.clip(features - 0.25, 0, 1), atol=1e-5)
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)
    assert processor.features(tone)[25].argmax() == 3 * (69 - 21) + 1


@SCHEMES
def test_silence_is_heard_as_silence(config: UNetTranscriberConfig) -> None:
    processor, model = TranscriberProcessor.for_config(config), talkative(config)
    for sound in (np.zeros(RATE, np.float32), np.zeros(1, np.float32), np.full(400, 1e-5, np.float32)):
        assert not processor.features(sound).any()
        maps = processor.maps(model, sound)
        assert list(maps) == config.heads and all(np.isfinite(values).all() for values in maps.values())
    single = processor.features(np.ones(1, np.float32))
    assert single.shape == (1, config.n_bins) and np.isfinite(single).all()


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 4000), st.floats(0.5, 20), st.floats(0, 0.49), st.sampled_from([1, 4, 16]))
def test_windows_keep_every_frame_once(total: int, length: float, share: float, multiple: int) -> None:
    ear = TranscriberFeatureExtractor()
    processor = TranscriberProcessor(
        ear, window_seconds=length, margin_seconds=length * share, window_multiple=multiple
    )
    windows = processor.windows(total)
    kept = [frame for window in windows for frame in range(window.first, window.last)]
    assert kept == list(range(total))
    for window in windows:
        assert window.start % multiple == 0 and 0 <= window.start <= window.first < window.last <= window.stop <= total
        margin = min(length * share / 0.02 - 1, window.stop - window.start)
        assert window.start == 0 or window.first - window.start >= margin
        assert window.stop == total or window.stop - window.last >= margin
    assert len({window.stop - window.start for window in windows[:-1]}) <= 1


@SCHEMES
def test_windows_give_what_one_pass_gives(config: UNetTranscriberConfig) -> None:
    sound, model = tune(13.7), talkative(config)
    whole = TranscriberProcessor.for_config(config, window_seconds=60.0).maps(model, sound)
    assert all(values.shape == (-(-len(sound) // config.hop_length), 88) for values in whole.values())
    assert all(np.ptp(values) > 0.5 for values in whole.values())
    for seconds, batch in ((6.4, 1), (7.68, 3)):
        processor = TranscriberProcessor.for_config(
            config, window_seconds=seconds, margin_seconds=2.56, batch_size=batch
        )
        done: list[float] = []
        maps = processor.maps(model, sound, progress=done.append)
        for name, values in maps.items():
            assert np.abs(values - whole[name]).max() < 1e-3, name
        assert done == sorted(done) and done[-1] == 1.0 and len(processor.windows(len(maps["frame"]))) >= 3
        expected, found = processor.decode(whole), processor.decode(maps)
        assert len(expected) > 20
        assert abs(len(expected) - len(found)) <= 1  # a value may lie on a threshold
        assert len({note[:3:2] for note in _rounded(expected)} ^ {note[:3:2] for note in _rounded(found)}) <= 2


def _rounded(notes: list[NoteEvent]) -> list[tuple[float, float, int, int]]:
    return [(round(note[0], 2), round(note[1], 2), note.pitch_midi, note.velocity) for note in notes]


def test_any_network_may_hear() -> None:
    """A callable with `forward`'s arguments, such as an exported network, that knows the answer."""
    processor = TranscriberProcessor.for_config(HEADS, window_seconds=4.0, margin_seconds=1.0)
    notes = [NoteEvent(0.5, 1.25, 60, 90), NoteEvent(3.6, 8.0, 64, 30), NoteEvent(7.99, 9.0, 61, 127)]
    labels = encode_notes(notes, 500, 0.02, scheme="heads")
    starts = iter(window.start for window in processor.windows(500))

    def network(*, input_features: torch.Tensor) -> SimpleNamespace:
        here = [next(starts) for _ in input_features]
        parts = {
            name: np.stack([values[start : start + input_features.shape[2]] for start in here])
            for name, values in labels.items()
        }
        return SimpleNamespace(logits={name: torch.logit(torch.from_numpy(part)) for name, part in parts.items()})

    found = processor.transcribe(network, tune(10.0))
    assert _rounded(found) == [tuple(note) for note in notes]
    starts = iter(window.start for window in processor.windows(500))
    assert len(processor.transcribe(network, tune(10.0), minimum_seconds=1.0)) == 2


@SCHEMES
def test_saves_and_loads(config: UNetTranscriberConfig, tmp_path: Path) -> None:
    processor = TranscriberProcessor.for_config(config, window_seconds=12.8)
    processor.decoding["onset_threshold"] = 0.37
    processor.save_pretrained(tmp_path)
    config.save_pretrained(tmp_path)
    loaded, ear = AutoProcessor.from_pretrained(tmp_path), AutoFeatureExtractor.from_pretrained(tmp_path)
    assert isinstance(loaded, TranscriberProcessor) and isinstance(ear, TranscriberFeatureExtractor)
    assert loaded.options == processor.options == DecodingOptions(**{**processor.decoding})
    assert (loaded.window_seconds, loaded.window_multiple) == (12.8, config.time_stride)
    assert (loaded.modalities, loaded.sampling_rate, loaded.frame_seconds) == (("audio",), RATE, config.frame_seconds)
    assert np.array_equal(loaded.features(tune(0.3)), processor.features(tune(0.3)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: TranscriberFeatureExtractor(scaling="x"), "scaling must be one of decibels, minmax, got 'x'"),
        (lambda: TranscriberFeatureExtractor(top_db=0), "top_db must be positive, got 0"),
        (lambda: TranscriberProcessor.for_config(HEADS, margin_seconds=30.0), "longer than two margins"),
        (
            lambda: TranscriberProcessor.for_config(HEADS).decode({}, onsets=1),
            "decoding has the options .*, got onsets",
        ),
        (lambda: TranscriberProcessor.for_config(HEADS)([]), "at least one sound is needed"),
        (lambda: TranscriberProcessor.for_config(HEADS)([tune(0.2), np.zeros(0)]), "sound 1: the sound is empty"),
    ],
)
def test_bad_input_says_what_is_wrong(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call()


STRANGER = """
import sys
sys.modules["hfmusic"] = None  # any import of it fails
import json, numpy as np
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoProcessor
folder, sound, again = sys.argv[1:]
trust = {"trust_remote_code": True}
model = AutoModel.from_pretrained(folder, **trust)
processor = AutoProcessor.from_pretrained(folder, **trust)
notes = processor.transcribe(model, np.load(sound))
parts = [model, processor, *(kind.from_pretrained(folder, **trust) for kind in (AutoConfig, AutoFeatureExtractor))]
model.save_pretrained(again)
processor.save_pretrained(again)
classes = [type(part).__name__ for part in parts]
print(json.dumps({"notes": notes, "classes": classes, "module": type(model).__module__}))
"""


def test_hears_the_same_without_hfmusic_and_can_be_passed_on(tmp_path: Path) -> None:
    folder, again, home = tmp_path / "model", tmp_path / "again", tmp_path / "home"
    home.mkdir()
    model, processor, sound = talkative(HEADS), TranscriberProcessor.for_config(HEADS), tune(3.0)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    np.save(tmp_path / "sound.npy", sound)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HF_"))}
    environment |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(home), "HF_MODULES_CACHE": str(home / "modules")}
    command = [sys.executable, "-I", "-c", STRANGER, str(folder), str(tmp_path / "sound.npy"), str(again)]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["module"].startswith("transformers_modules.")
    assert found["classes"] == [
        *("UNetTranscriber", "TranscriberProcessor", "UNetTranscriberConfig", "TranscriberFeatureExtractor")
    ]
    here = processor.transcribe(model, sound)
    assert len(here) > 5
    assert np.allclose(np.array(found["notes"]), np.array(here), atol=1e-3)
    assert {path.name for path in again.iterdir()} == {path.name for path in folder.iterdir()}
    assert {path.suffix for path in folder.iterdir()} == {".py", ".json", ".safetensors"}
