"""Constant-Q magnitudes: those of librosa, whole or in blocks, whatever happens to the module that holds them."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from transformers import PreTrainedConfig, PreTrainedModel

from hfmusic.models import audio_features
from hfmusic.models.audio_features import ConstantQ, halving_filter, octave_kernels

RATE, HOP = 22050, 512
PAPER = {"fmin": 32.70319566257483, "n_bins": 120, "bins_per_octave": 24, "gamma": 0.0}
RECOMMENDED = {"fmin": 51.91, "n_bins": 96, "bins_per_octave": 18, "gamma": 4.0}
BOTH = pytest.mark.parametrize("options", [PAPER, RECOMMENDED], ids=["paper", "recommended"])


def melody() -> np.ndarray:
    """Notes of eight harmonics that die away, each cut off by the next."""
    times = np.arange(int(0.3 * RATE)) / RATE
    notes = []
    for pitch in np.random.default_rng(0).integers(52, 86, 20):
        frequency = 440 * 2 ** ((pitch - 69) / 12)
        waves = [np.sin(2 * np.pi * frequency * k * times) / k**1.5 for k in range(1, 9) if frequency * k < RATE / 2]
        notes.append(sum(waves) * np.exp(-3 * times))
    return np.concatenate(notes)


SOUNDS = {
    "melody": melody(),
    "noise": np.random.default_rng(1).standard_normal(5 * RATE),
    "sweep": librosa.chirp(fmin=30, fmax=9000, sr=RATE, duration=8),
}


def decibels(magnitudes: np.ndarray) -> np.ndarray:
    """80 dB below the maximum to 0, the maximum to 1."""
    return np.clip(1 + 20 * np.log10(np.maximum(magnitudes, 1e-12) / magnitudes.max()) / 80, 0, 1)


@pytest.mark.timeout(600)  # librosa's first call compiles
@pytest.mark.parametrize("name", SOUNDS)
@BOTH
def test_equals_librosa(options: dict, name: str) -> None:
    sound = (0.5 * SOUNDS[name] / np.abs(SOUNDS[name]).max()).astype(np.float32)
    ours = ConstantQ(**options)(torch.from_numpy(sound)[None])[0].numpy()
    theirs = np.abs(librosa.vqt(sound, sr=RATE, hop_length=HOP, **options))
    assert ours.shape == theirs.shape == (options["n_bins"], len(sound) // HOP + 1)
    assert np.abs(ours - theirs).max() < 0.01 * theirs.max()
    difference = np.abs(decibels(ours) - decibels(theirs))
    assert difference.mean() < 0.0005
    assert np.quantile(difference, 0.999) < 0.02
    assert difference.max() < 0.06


@pytest.mark.filterwarnings("ignore:n_fft=.*is too large:UserWarning")
@BOTH
def test_equals_librosa_where_all_is_edge(options: dict) -> None:
    sound = np.random.default_rng(2).standard_normal(700).astype(np.float32)
    ours = ConstantQ(**options)(torch.from_numpy(sound)[None])[0].numpy()
    theirs = np.abs(librosa.vqt(sound, sr=RATE, hop_length=HOP, **options))
    assert np.abs(decibels(ours) - decibels(theirs)).max() < 0.02


def test_paper_defaults_are_librosas_cqt() -> None:
    sound = SOUNDS["melody"].astype(np.float32)
    theirs = np.abs(librosa.cqt(sound, sr=RATE, n_bins=120, bins_per_octave=24))
    ours = ConstantQ()(torch.from_numpy(sound)[None])[0].numpy()
    assert np.abs(decibels(ours) - decibels(theirs)).mean() < 0.0005


@pytest.mark.parametrize(
    "odd",
    [
        {"hop_length": 256, "fmin": 110.0, "n_bins": 30, "bins_per_octave": 12},
        {"hop_length": 441, "fmin": 220.0, "n_bins": 40, "bins_per_octave": 24, "gamma": 20.0},
        {"sampling_rate": 16000, "hop_length": 320, "fmin": 55.0, "n_bins": 84, "bins_per_octave": 12, "gamma": 10.0},
    ],
    ids=["short hop", "odd hop", "16 kHz"],
)
def test_other_settings_equal_librosa_too(odd: dict) -> None:
    sound = (0.3 * SOUNDS["noise"][: 2 * RATE] / 4).astype(np.float32)
    renamed = {"sr" if key == "sampling_rate" else key: value for key, value in odd.items()}
    theirs = np.abs(librosa.vqt(sound, **{"sr": RATE, "gamma": 0, **renamed}))
    ours = ConstantQ(**odd)(torch.from_numpy(sound)[None])[0].numpy()
    assert np.abs(decibels(ours) - decibels(theirs)).mean() < 0.001


@pytest.mark.parametrize("frequency", [110.0, 440.0, 880.0])
@BOTH
def test_a_sine_is_loudest_in_its_bin(options: dict, frequency: float) -> None:
    sound = torch.sin(2 * torch.pi * frequency * torch.arange(2 * RATE, dtype=torch.float64) / RATE)
    bins = ConstantQ(**options)(sound[None])[0, :, 40].numpy()
    exact = options["bins_per_octave"] * np.log2(frequency / options["fmin"])
    assert abs(bins.argmax() - exact) < 0.51


@BOTH
def test_blocks_equal_the_whole(options: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    front, sound = ConstantQ(**options), torch.from_numpy(SOUNDS["melody"])[None].float()
    whole = front(sound)
    monkeypatch.setattr(audio_features, "BLOCK_FRAMES", 52)
    assert torch.allclose(front(sound), whole, atol=1e-5 * float(whole.max()))


@BOTH
def test_a_batch_equals_its_items(options: dict) -> None:
    front = ConstantQ(**options)
    batch = torch.randn(5, 3 * RATE, generator=torch.Generator().manual_seed(0))
    together = front(batch)
    alone = torch.cat([front(item[None]) for item in batch])
    assert together.shape == (5, options["n_bins"], 3 * RATE // HOP + 1)
    assert torch.allclose(together, alone, atol=1e-4)


@pytest.mark.parametrize("samples", [1, 2, 100, 511, 512, 513])
@BOTH
def test_very_short_sounds(options: dict, samples: int) -> None:
    front = ConstantQ(**options)
    magnitudes = front(torch.ones(1, samples))
    assert magnitudes.shape == (1, options["n_bins"], front.frames(samples))
    assert torch.isfinite(magnitudes).all() and float(magnitudes.max()) > 0


def test_it_is_linear_in_the_sound() -> None:
    front, sound = ConstantQ(), torch.from_numpy(SOUNDS["melody"])[None].float()
    assert torch.allclose(front(1e6 * sound), 1e6 * front(sound), rtol=1e-3, atol=1e2)
    assert float(front(torch.zeros(2, 4000)).abs().max()) == 0


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"hop_length": 0}, "must be positive"),
        ({"n_bins": 1}, "at least 2"),
        ({"gamma": -1.0}, "not negative"),
        ({"n_bins": 240}, "above half the sampling rate of 22050 Hz"),
    ],
)
def test_bad_options(bad: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ConstantQ(**bad)


@pytest.mark.parametrize("sound", [torch.zeros(100), torch.zeros(1, 0), torch.zeros(1, 100, dtype=torch.int16)])
def test_bad_sounds(sound: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"floats of shape \(B, n\)"):
        ConstantQ()(sound)


def test_the_halving_filter_passes_what_kernels_use_and_stops_what_folds_back() -> None:
    taps = halving_filter()
    response = np.abs(np.fft.rfft(taps, 4096))  # 0..2048 is 0..the old half rate; 1024 is the new one
    assert np.abs(20 * np.log10(response[:768])).max() < 0.01
    assert 20 * np.log10(response[1280:].max()) < -85


def test_kernels_are_short_where_librosas_are() -> None:
    sizes = [octave.size for octave in ConstantQ(**RECOMMENDED)._octaves]
    assert sizes == [256, 256, 256, 256, 128, 64]
    kernels = octave_kernels(RATE, 4.0, ConstantQ(**RECOMMENDED)._octaves[0])
    assert kernels.shape == (256, 36) and kernels.dtype == np.float32


class EarConfig(PreTrainedConfig):
    model_type = "tiny-ear"


class Ear(PreTrainedModel):
    """A model that begins with the transform, as any model may."""

    config_class = EarConfig

    def __init__(self, config: EarConfig) -> None:
        super().__init__(config)
        self.front = ConstantQ(**RECOMMENDED)
        self.head = torch.nn.Linear(96, 4)
        self.post_init()

    def forward(self, sound: torch.Tensor) -> torch.Tensor:
        return self.head(self.front(sound).to(self.head.weight.dtype).transpose(1, 2))


def test_survives_saving_and_loading_a_model(tmp_path: Path) -> None:
    sound = torch.from_numpy(SOUNDS["melody"])[None].float()
    model = Ear(EarConfig()).eval()
    expected = model(sound)
    model.save_pretrained(tmp_path)
    rubbish = [torch.full((n,), 3e37) for n in (64, 4096, 65536)]
    del rubbish  # memory that a lost buffer would show
    loaded = Ear.from_pretrained(tmp_path)
    assert torch.equal(loaded(sound), expected)
    assert set(model.state_dict()) == {"head.weight", "head.bias"}


def test_built_on_the_meta_device() -> None:
    with torch.device("meta"):
        front = ConstantQ()
    sound = torch.from_numpy(SOUNDS["melody"])[None].float()
    assert torch.equal(front(sound), ConstantQ()(sound))
    assert torch.equal(front.to_empty(device="cpu")(sound), ConstantQ()(sound))


def test_copies_pickles_and_types() -> None:
    front, sound = ConstantQ(), torch.from_numpy(SOUNDS["melody"])[None].float()
    expected = front(sound)
    pickled = pickle.dumps(front)
    assert len(pickled) < 20_000  # no kernels
    for twin in (copy.deepcopy(front), pickle.loads(pickled), front.to("cpu"), front.half(), front.to(torch.bfloat16)):
        assert torch.equal(twin(sound), expected)
    assert front.state_dict() == {} and list(front.parameters()) == []
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(front(sound), expected)


def test_no_gradient_flows_and_inference_mode_does_not_stick() -> None:
    front, sound = ConstantQ(), torch.zeros(1, 5000, requires_grad=True)
    with torch.inference_mode():
        front(sound)
    head = torch.nn.Conv1d(120, 2, 1)
    head(front(sound)).sum().backward()
    assert sound.grad is None and head.weight.grad is not None
