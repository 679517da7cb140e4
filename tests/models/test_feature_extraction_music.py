"""Sound in, pictures of sound out: what the extractor promises of its values, its times and its refusals."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import torch
from transformers import AutoFeatureExtractor

import hfmusic.models  # noqa: F401  (registers)
from hfmusic.models.feature_extraction_music import MusicFeatureExtractor, as_sound, resample

RATE = 22050
PAPER: dict = {}
RECOMMENDED = {"fmin": 51.91, "n_bins": 96, "bins_per_octave": 18, "gamma": 4.0, "height": 96}
BOTH = pytest.mark.parametrize("options", [PAPER, RECOMMENDED], ids=["paper", "recommended"])


def sine(frequency: float, seconds: float = 2.0, rate: int = RATE) -> np.ndarray:
    """A sine that swells and dies away, so that its ends add no click."""
    times = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * frequency * times) * np.sin(np.pi * times / seconds) ** 2).astype(np.float32)


def test_paper_pipeline_in_librosas_words() -> None:
    sound = sine(440) + sine(660) + 0.001 * np.random.default_rng(0).standard_normal(2 * RATE).astype(np.float32)
    magnitudes = np.abs(librosa.cqt(sound, sr=RATE, hop_length=512, n_bins=120, bins_per_octave=24))
    decibels = np.flip(librosa.amplitude_to_db(magnitudes, ref=np.max), axis=0)
    expected = torch.from_numpy(((80 + decibels) / 80).copy())[None, None]
    width = int(256 * expected.shape[-1] / 120)
    expected = torch.nn.functional.interpolate(expected, size=(256, width), mode="bilinear")[0, 0].numpy()
    values = MusicFeatureExtractor().features(sound).values
    assert values.shape == expected.shape and values.dtype == np.float32
    assert np.abs(values - expected).mean() < 0.0005 and np.abs(values - expected).max() < 0.06


@pytest.mark.parametrize(("samples", "frames", "width"), [(RATE * 10, 431, 919), (RATE * 3, 130, 277), (511, 1, 2)])
def test_paper_widths(samples: int, frames: int, width: int) -> None:
    """floor(22050 D / 512) + 1 frames, times 256/120; half as many reach the CTC (45.94 a second)."""
    extractor = MusicFeatureExtractor()
    assert extractor.front_end().frames(samples) == frames
    assert extractor.features(np.ones(samples, np.float32)).values.shape == (256, width)
    assert MusicFeatureExtractor(**RECOMMENDED).features(np.ones(samples)).values.shape == (96, frames)


def test_paper_ctc_length() -> None:
    found = MusicFeatureExtractor().features(np.zeros(RATE * 60))
    assert found.values.shape[1] // 2 == pytest.approx(45.94 * 60, rel=0.001)
    assert found.columns_per_second / 2 == pytest.approx(45.94, abs=0.01)


@BOTH
@pytest.mark.parametrize("frequency", [82.41, 220.0, 440.0, 987.77])
def test_pitches_stand_on_their_rows_the_low_ones_below(options: dict, frequency: float) -> None:
    extractor = MusicFeatureExtractor(**options)
    values = extractor.features(sine(frequency)).values
    bin_number = extractor.bins_per_octave * np.log2(frequency / extractor.fmin)
    scale = extractor.height / extractor.n_bins
    row = extractor.height - 1 - ((bin_number + 0.5) * scale - 0.5)
    assert abs(values[:, values.shape[1] // 2].argmax() - row) <= 0.5 * scale + 0.5
    assert values.max() == pytest.approx(1.0, abs=0.02) and values.min() >= 0


@BOTH
def test_the_lowest_pitch_is_in_the_last_row(options: dict) -> None:
    extractor = MusicFeatureExtractor(**options)
    values = extractor.features(sine(extractor.fmin, 4.0)).values
    middle = values[:, values.shape[1] // 2]
    assert middle[-1] == middle.max() and middle[0] < 0.1


@BOTH
def test_a_column_tells_its_time(options: dict) -> None:
    extractor = MusicFeatureExtractor(**options)
    sound = np.zeros(6 * RATE, np.float32)
    sound[4 * RATE :] = sine(440, 2.0)  # loudest at 5 s
    for stretch in (1.0, 1.5, 0.8):
        found = extractor.features(sound, stretch)
        row = found.values.sum(axis=1).argmax()
        loud = np.flatnonzero(found.values[row] > 0.999 * found.values[row].max()).mean()
        assert loud / found.columns_per_second == pytest.approx(5.0, abs=0.03)


@BOTH
def test_stretch_makes_more_columns(options: dict) -> None:
    extractor = MusicFeatureExtractor(**options)
    plain, slow, fast = (extractor.features(sine(440), stretch) for stretch in (1.0, 1.25, 0.8))
    assert slow.values.shape == (extractor.height, int(1.25 * 87 * extractor.height / extractor.n_bins))
    assert fast.values.shape[1] < plain.values.shape[1] < slow.values.shape[1]
    assert slow.columns_per_second == pytest.approx(1.25 * plain.columns_per_second, rel=0.01)
    assert 0 <= slow.values.min() and slow.values.max() <= 1


def test_no_resize_where_rows_are_bins() -> None:
    extractor = MusicFeatureExtractor(**RECOMMENDED)
    found = extractor.features(sine(440))
    magnitudes = extractor.front_end()(torch.from_numpy(sine(440) / sine(440).max())[None])[0]
    bins = (20 * torch.log10(magnitudes / magnitudes.max()) / 80 + 1).clamp(0, 1).flip(0)
    assert np.allclose(found.values, bins.numpy(), atol=1e-5)


def test_a_batch_is_padded_and_equals_its_items() -> None:
    extractor = MusicFeatureExtractor(**RECOMMENDED)
    sounds = [sine(440), sine(220, 3.1), sine(330, 0.4)]
    batch = extractor(sounds, sampling_rate=RATE, return_tensors="pt")
    widths = [extractor.front_end().frames(len(sound)) for sound in sounds]
    assert batch["input_features"].shape == (3, 1, 96, 136) and batch["input_features"].dtype == torch.float32
    assert batch["attention_mask"].dtype == torch.int64 and batch["attention_mask"].sum(1).tolist() == widths
    assert batch["geometry"].shape == (3, 2) and (batch["geometry"][:, 1] == 0).all()
    for row, (sound, width) in enumerate(zip(sounds, widths, strict=True)):
        alone = extractor(sound)
        assert np.array_equal(batch["input_features"][row, 0, :, :width], alone["input_features"][0, 0, :, :width])
        assert float(batch["input_features"][row, 0, :, width:].abs().sum()) == 0
        assert batch["geometry"][row, 0] == pytest.approx(RATE / 512)


@pytest.mark.parametrize("quiet", [np.zeros(RATE), np.full(RATE, 5e-5)], ids=["silence", "under the threshold"])
@BOTH
def test_silence_is_zeros(options: dict, quiet: np.ndarray) -> None:
    extractor = MusicFeatureExtractor(**options)
    found = extractor.features(quiet)
    assert found.values.shape == (extractor.height, int(44 * extractor.height / extractor.n_bins))
    assert found.values.dtype == np.float32 and not found.values.any()


@BOTH
@pytest.mark.parametrize("samples", [1, 2, 100, 700])
def test_very_short_sounds(options: dict, samples: int) -> None:
    values = MusicFeatureExtractor(**options).features(np.full(samples, 0.1)).values
    assert values.shape[1] >= 1 and np.isfinite(values).all() and 0 <= values.min() <= values.max() <= 1


@pytest.mark.parametrize("gain", [1e-3, 1.0, 1e4, 1e30, 1e300])
@BOTH
def test_the_level_does_not_matter(options: dict, gain: float) -> None:
    extractor = MusicFeatureExtractor(**options)
    plain = extractor.features(sine(440)).values
    assert np.abs(extractor.features(sine(440).astype(np.float64) * gain).values - plain).max() < 1e-3


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint8, np.float16, np.float64])
def test_number_types(dtype: type) -> None:
    extractor, plain = MusicFeatureExtractor(**RECOMMENDED), sine(440)
    sound = plain.astype(dtype)
    if np.issubdtype(dtype, np.integer):
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        sound = np.round(plain * (high - low) / 2 + (high + low + 1) / 2).astype(dtype)
    assert np.abs(as_sound(sound) - plain).max() < (0.01 if dtype in (np.uint8, np.float16) else 1e-4)
    loud = extractor.features(plain).values > 0.6
    assert np.abs(extractor.features(sound).values - extractor.features(plain).values)[loud].max() < 0.02


def test_lists_tensors_and_single_channels_are_sounds() -> None:
    extractor, plain = MusicFeatureExtractor(**RECOMMENDED), sine(440, 0.5)
    expected = extractor(plain)["input_features"]
    for sound in (plain.tolist(), torch.from_numpy(plain), plain[None], plain[:, None], [plain], (plain,)):
        assert np.allclose(extractor(sound)["input_features"], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((2, 4000)), r"one channel of numbers.*got float64 of shape \(2, 4000\); mix several"),
        (np.zeros((4000, 2)), r"one channel of numbers.*got float64 of shape \(4000, 2\); mix several"),
        (np.zeros((1, 2, 300)), "one channel of numbers"),
        (np.float32(0.5), "one channel of numbers"),
        (np.zeros(100, bool), "got bool"),
        (np.zeros(100, np.complex64), "got complex64"),
        (np.array(["a"] * 10), "one channel of numbers"),
        (np.zeros(0), "the sound is empty"),
        (np.array([0.1, np.nan, 0.2]), "no numbers"),
        (np.array([0.1, np.inf]), "no numbers"),
        (None, "one channel of numbers"),
    ],
)
def test_what_is_no_sound_is_refused(bad: object, message: str) -> None:
    extractor = MusicFeatureExtractor()
    with pytest.raises(ValueError, match=message):
        extractor.features(bad)
    with pytest.raises(ValueError, match=f"^sound 1: .*{message}"):
        extractor([sine(440, 0.1), bad])


def test_bad_arguments() -> None:
    extractor = MusicFeatureExtractor()
    with pytest.raises(ValueError, match="at least one sound"):
        extractor([])
    for stretch in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="stretch must be positive"):
            extractor.features(sine(440, 0.1), stretch)
    for rate in (0, -8000):
        with pytest.raises(ValueError, match="sampling rate must be positive"):
            extractor(sine(440, 0.1), sampling_rate=rate)
    with pytest.raises(ValueError, match="top_db, height and pad_multiple must be positive"):
        MusicFeatureExtractor(height=0)
    with pytest.raises(ValueError, match="above half the sampling rate"):
        MusicFeatureExtractor(sampling_rate=2000)


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_other_rates_are_resampled(rate: int) -> None:
    extractor = MusicFeatureExtractor(**RECOMMENDED)
    expected = extractor(sine(440))["input_features"]
    given = extractor(sine(440, rate=rate), sampling_rate=rate)["input_features"]
    assert given.shape == expected.shape
    loud = expected > 0.5
    assert np.abs(given - expected)[loud].max() < 0.01
    assert len(resample(sine(440, 1.0, rate), rate, RATE)) == pytest.approx(RATE, abs=2)


@pytest.mark.parametrize("rate", [RATE, 44100])
def test_files(tmp_path: Path, rate: int) -> None:
    extractor = MusicFeatureExtractor(**RECOMMENDED)
    path = tmp_path / "sine.flac"
    soundfile.write(path, sine(440, rate=rate), rate)
    expected = extractor(sine(440))["input_features"]
    batch = extractor([str(path), path, sine(440)])["input_features"]
    assert batch.shape == (3, *expected.shape[1:]) and np.array_equal(batch[0], batch[1])
    assert np.abs(batch[0] - expected[0])[expected[0] > 0.5].max() < 0.01
    with pytest.raises(ValueError, match="missing"):
        extractor(str(tmp_path / "missing.wav"))


@BOTH
def test_saves_and_loads(options: dict, tmp_path: Path) -> None:
    extractor = MusicFeatureExtractor(**options, top_db=70.0, pad_multiple=4)
    sound = sine(440, 0.7)
    expected = extractor(sound)["input_features"]  # before saving: the transform is built
    extractor.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "preprocessor_config.json").read_text(encoding="utf-8"))
    assert saved["fmin"] == extractor.fmin and saved["top_db"] == 70.0
    assert saved["feature_extractor_type"] == "MusicFeatureExtractor"
    loaded = MusicFeatureExtractor.from_pretrained(tmp_path)
    assert loaded.to_dict() == extractor.to_dict()
    for twin in (loaded, copy.deepcopy(extractor), pickle.loads(pickle.dumps(extractor))):
        assert np.array_equal(twin(sound)["input_features"], expected)
    assert np.array_equal(AutoFeatureExtractor.from_pretrained(tmp_path)(sound)["input_features"], expected)


def test_loads_where_the_package_is_not(tmp_path: Path) -> None:
    MusicFeatureExtractor(**RECOMMENDED).save_pretrained(tmp_path / "saved")
    code = (
        "import sys; sys.modules['hfmusic'] = None\n"
        "import numpy as np\n"
        "from transformers import AutoFeatureExtractor\n"
        f"extractor = AutoFeatureExtractor.from_pretrained({str(tmp_path / 'saved')!r}, trust_remote_code=True)\n"
        "print(extractor(np.ones(22050) * 0.1)['input_features'].shape)"
    )
    environment = {"HF_MODULES_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert run.stdout.strip() == "(1, 1, 96, 48)", run.stderr[-1000:]


def test_a_long_recording_takes_bounded_memory() -> None:
    code = (
        "import resource, numpy as np, torch\n"
        "from hfmusic.models.feature_extraction_music import MusicFeatureExtractor\n"
        "extractor = MusicFeatureExtractor()\n"
        "extractor.features(np.ones(1000))\n"
        "sound = np.random.default_rng(0).standard_normal(22050 * 600, dtype=np.float32)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "extractor.features(sound)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(run.stdout) < 250  # MiB for ten minutes, whose values are 54 and whose samples are 50
