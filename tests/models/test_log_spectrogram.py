"""Spectrograms of paper 003: 92 bands, frames that begin at their moment, whatever the chunks."""

from __future__ import annotations

import numpy as np
import pytest

from hfmusic.models import log_spectrogram as module
from hfmusic.models.log_spectrogram import LogSpectrogram


@pytest.mark.parametrize(("bands_per_octave", "bands"), [(16, 92), (24, 126), (12, 73)])
def test_bands_are_as_many_as_madmoms(bands_per_octave: int, bands: int) -> None:
    assert LogSpectrogram(bands_per_octave=bands_per_octave).bands == bands


def test_the_papers_highest_frequency_does_not_give_its_bands() -> None:
    assert LogSpectrogram(fmax=11000).bands in (106, 107)


def test_bands_are_triangles_of_area_one_that_overlap() -> None:
    filters = LogSpectrogram().filters
    assert filters.shape == (1024, 92) and np.allclose(filters.sum(axis=0), 1)
    peaks = filters.argmax(axis=0)
    assert (np.diff(peaks) > 0).all()
    assert peaks[0] * 22050 / 2048 < 50 and 5600 < peaks[-1] * 22050 / 2048 < 6000
    first = np.flatnonzero(filters[:, 0])
    assert first.tolist() == [4] and filters[4, 0] == 1  # narrow ones hold one bin


def test_a_tone_is_where_it_should_be_and_as_loud() -> None:
    spectrogram = LogSpectrogram()
    sound = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(22050) / 22050)
    found = spectrogram(sound)
    assert found.shape == (20, 92) and found.dtype == np.float32
    band = int(found[5].argmax())
    centre = spectrogram.filters[:, band] @ np.arange(1024) * 22050 / 2048
    assert abs(centre - 1000) < 40
    # under a Hann window a sine of amplitude a has magnitude a n / 4 in its bin
    spread = (10 ** found[5] - 1).max()
    assert 0.5 * 2048 / 4 * 0.15 < spread < 0.5 * 2048 / 4


def test_frames_begin_at_their_moment() -> None:
    """A click is heard in the frames that hold it: those that begin up to 2047 samples before."""
    sound = np.zeros(22050, np.float32)
    sound[11025 + 500] = 1
    heard = np.flatnonzero(LogSpectrogram()(sound).max(axis=1) > 1e-3)
    assert heard.tolist() == [9, 10]  # which begin at 9922 and 11025
    assert LogSpectrogram().frame_of(0.5) == 10


def test_the_hop_is_a_fraction_and_does_not_drift() -> None:
    spectrogram = LogSpectrogram()
    assert spectrogram.hop == 1102.5
    assert [spectrogram.frames(samples) for samples in (1, 1102, 1103, 22050, 22051)] == [1, 1, 2, 20, 21]
    sound = np.zeros(22050 * 60, np.float32)
    sound[22050 * 59] = 1
    heard = np.flatnonzero(spectrogram(sound).max(axis=1) > 0)
    assert heard.tolist() == [1179]  # frame 1180 begins with the click, where the window is 0


def test_chunks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = np.random.default_rng(0).standard_normal(22050).astype(np.float32) / 10
    whole = LogSpectrogram()(sound)
    monkeypatch.setattr(module, "CHUNK", 7)
    assert np.allclose(LogSpectrogram()(sound), whole, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LogSpectrogram()(np.zeros(0, np.float32)), r"a sound must be float \(n,\) with samples"),
        (lambda: LogSpectrogram()(np.zeros((2, 9), np.float32)), r"got float32 of shape \(2, 9\)"),
        (lambda: LogSpectrogram()(np.zeros(9, np.int16)), "got int16"),
        (lambda: LogSpectrogram()(np.full(3000, np.nan, np.float32)), "a sound must be finite numbers"),
        (lambda: LogSpectrogram(frame_rate=0), "frame_rate and bands_per_octave must be positive"),
        (lambda: LogSpectrogram(fmin=7000), "fmin must be positive and below fmax, got 7000"),
        (lambda: LogSpectrogram(fmin=500, fmax=501).bands, "no band lies between 500 and 501 Hz"),
    ],
)
def test_bad_options_and_sounds_say_what_is_wrong(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call()
