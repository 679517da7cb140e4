"""Pictures of notes over a spectrogram."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from hfmusic.hearing.spectrogram import RATE, spectrogram
from hfmusic.models.audio_reading import Sound
from hfmusic.render.roll_picture import Spectrogram, roll_png, velocity_color
from hfmusic.symbolic.performance import PerformedNote


def opened(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def tone(pitch: int, seconds: float = 2.0) -> np.ndarray:
    times = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * times)).astype(np.float32)


def has(picture: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    return np.argwhere((picture == color).all(axis=2))


def test_a_note_lies_on_its_sound() -> None:
    with Sound(tone(69), sampling_rate=RATE) as sound:
        background = spectrogram(sound)
    picture = opened(roll_png([PerformedNote(0.5, 1.5, 69, 100)], 2.0, background))
    places = has(picture, velocity_color(100))
    places = places[places[:, 0] > 40]  # not the legend
    rows = places[:, 0]
    assert rows.max() - rows.min() < 9
    shown = opened(roll_png([PerformedNote(0, 0.01, 69, 1)], 2.0, background))[44:-60, 200:1500].mean(axis=(1, 2))
    assert rows.min() - 2 <= 44 + int(shown.argmax()) <= rows.max() + 2
    assert shown.max() > 100
    assert np.ptp(places[:, 1]) == pytest.approx(900, abs=6)  # half of the row


def test_a_background_of_a_part_is_where_it_sounds() -> None:
    sound = np.concatenate([np.zeros(RATE, np.float32), tone(60, 1.0), np.zeros(RATE, np.float32)])
    with Sound(sound, sampling_rate=RATE) as whole:
        all_of_it, part = spectrogram(whole), spectrogram(whole, 0.5, 2.5)
    loud = all_of_it.values.max(axis=0) > 200
    assert np.flatnonzero(loud)[[0, -1]] * all_of_it.column_seconds == pytest.approx([1, 2], abs=0.06)
    loud = part.values.max(axis=0) > 200
    found = part.start_seconds + np.flatnonzero(loud)[[0, -1]] * part.column_seconds
    assert found == pytest.approx([1, 2], abs=0.06)
    lowest = all_of_it.values[:, 75].argmax() / all_of_it.per_key + all_of_it.lowest
    assert lowest == pytest.approx(60, abs=0.2)


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 5 * RATE).astype(np.float32)
    with Sound(noise, sampling_rate=RATE) as sound:
        whole = spectrogram(sound)
        monkeypatch.setattr("hfmusic.hearing.spectrogram._BLOCK_SECONDS", 1.0)
        blocks = spectrogram(sound)
    assert whole.values.shape == blocks.values.shape == (291, 250)
    assert np.abs(whole.values.astype(int) - blocks.values)[:, :-40].max() <= 2


@pytest.mark.parametrize("seconds", [0.3, 3.5, 40, 200, 4000])
def test_any_length_is_a_picture_that_can_be_opened(seconds: float) -> None:
    notes = [PerformedNote(at, at + 1, 50, 64) for at in np.linspace(0, max(0.1, seconds - 1), 30)]
    picture = Image.open(io.BytesIO(roll_png(notes, seconds)))
    assert picture.info["Software"] == "hfmusic"
    assert 500 < picture.width <= 1900
    assert picture.height < 16_000


def test_every_key_and_no_note() -> None:
    keys = [PerformedNote(0.1, 0.5, pitch, 64) for pitch in (0, 21, 108, 127)]
    assert opened(roll_png(keys, 1.0)).shape[0] > 128 * 8
    assert opened(roll_png([], 1.0, title="x" * 500)).shape[0] > 200
    empty = Spectrogram(np.zeros((0, 0), np.uint8), 21, 3, 0.02)
    assert opened(roll_png([], 1.0, empty)).shape == opened(roll_png([], 1.0)).shape
    with pytest.raises(ValueError, match="a length above 0 s, got 0"):
        roll_png([], 0)
