"""The spectrogram that a picture of notes is drawn on, of recordings of any length in little memory."""

from __future__ import annotations

import numpy as np

from hfmusic.models.audio_features import ConstantQ
from hfmusic.models.audio_reading import Sound
from hfmusic.render.roll_picture import Spectrogram

RATE = 16000  # Hz
_HOP = 320
_LOWEST, _PER_KEY, _KEYS = 21, 3, 97  # from A0
_GAMMA = 4.4  # Hz: bins of low notes are wider, their onsets sharper
_DECIBELS = 60.0  # below the loudest that are told apart
_BLOCK_SECONDS, _MARGIN_SECONDS = 60.0, 0.6
_MOST_COLUMNS = 60_000


def spectrogram(sound: Sound, start: float = 0.0, end: float | None = None) -> Spectrogram:
    """Constant-Q magnitudes of a recording opened at `RATE`, from `start` to `end` seconds: three bins a semitone."""
    import torch

    end = sound.seconds if end is None else min(end, sound.seconds)
    fmin = 440.0 * 2 ** ((_LOWEST - 1 / _PER_KEY - 69) / 12)
    constant_q = ConstantQ(RATE, _HOP, fmin, _KEYS * _PER_KEY, 12 * _PER_KEY, _GAMMA)
    column = _HOP / RATE
    total = max(1, int(np.ceil((end - start) / column)))
    fold = -(-total // _MOST_COLUMNS)
    parts = []
    for begin in np.arange(0, total, round(_BLOCK_SECONDS / column / fold) * fold).tolist():
        stop = min(total, begin + round(_BLOCK_SECONDS / column / fold) * fold)
        first = max(0, begin - round(_MARGIN_SECONDS / column))
        block = sound.window(start + first * column, min(end, start + stop * column + _MARGIN_SECONDS))
        block = np.pad(block, (0, max(0, (stop - first) * _HOP - len(block))))
        found = constant_q(torch.from_numpy(block)[None])[0].numpy()[:, begin - first : stop - first]
        found = np.pad(found, ((0, 0), (0, -found.shape[1] % fold)))
        parts.append(found.reshape(len(found), -1, fold).max(axis=2).astype(np.float16))
    magnitudes = np.concatenate(parts, axis=1).astype(np.float32)
    decibels = 20 * np.log10(np.maximum(magnitudes, 1e-7) / max(float(magnitudes.max()), 1e-4))
    values = np.round(255 * np.clip(1 + decibels / _DECIBELS, 0, 1)).astype(np.uint8)
    return Spectrogram(values, _LOWEST - 1 / _PER_KEY, _PER_KEY, column * fold, start)
