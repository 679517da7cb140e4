"""Beats and measures of notes that were heard."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hfmusic.symbolic.performance import Beats, NoteLike

_RATE = 50  # frames a second of what beats are tracked in
_START_TEMPO = 120.0  # quarters a minute, most likely
_OCTAVES = 0.8  # how far tempos lie around it
_RIVALS = (2 / 3, 1.0, 3 / 2)  # tempos that are easily taken for one another
_WINDOW = 8.0  # seconds in which a tempo shows
_TIGHTNESS = 100.0  # librosa's: how evenly beats follow each other
_SNAP = 0.15  # of a beat: a beat moves to the notes this near
_BASS = 0.5  # how much more a note two octaves lower counts for the measure
_CROWD = 0.2  # how much many notes count
_METERS = (4, 3)
_THREE = 1.1  # how much stronger accents of threes must be: most music is in fours
_SLOWEST, _FASTEST = 20.0, 480.0


def track_beats(notes: Sequence[NoteLike], *, tempo: float | None = None) -> Beats:
    """Beats from the first note to the last, and measures of three or four of them.

    Tracked by librosa (Ellis 2007) in the notes' beginnings, which are clearer than the sound's; each beat then moves
    to the notes that begin there.

    Args:
        notes: at least one.
        tempo: quarters a minute, 20 to 480, of beats that are all equally long; None: found out, and followed.

    Raises:
        ValueError: no notes, or a tempo out of range.
    """
    if not notes:
        raise ValueError("beats are tracked in notes, and there are none")
    if tempo is not None and not _SLOWEST <= tempo <= _FASTEST:
        raise ValueError(f"the tempo must be {_SLOWEST:.0f} to {_FASTEST:.0f} quarter notes a minute, got {tempo}")
    onsets = np.array([note.onset_seconds for note in notes], dtype=float)
    weights = np.array([note.velocity for note in notes], dtype=float)
    times = _tracked(onsets, weights) if tempo is None else _even(onsets, weights, tempo)
    last = max(float(note.offset_seconds) for note in notes)
    times = _reaching(times, float(onsets.min()), max(last, float(onsets.max())))
    meter, upbeat = _measures(notes, times)
    return Beats(tuple(times.tolist()), meter, upbeat)


def _strength(onsets: np.ndarray, weights: np.ndarray, start: float) -> np.ndarray:
    """How much begins in each frame, spread over its neighbours; chords grow less than their notes."""
    frames = np.zeros(round((onsets.max() - start) * _RATE) + 2 * _RATE)
    np.add.at(frames, np.round((onsets - start) * _RATE).astype(int), weights / 64)
    bell = np.exp(-0.5 * (np.arange(-4, 5) / 1.5) ** 2)
    return np.sqrt(np.convolve(frames, bell, mode="same"))


def _tracked(onsets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    start = max(0.0, float(onsets.min()) - 0.5)
    strength = _strength(onsets, weights, start)
    likely = _likely_tempo(strength)
    found = [_at_pace(strength, likely * rival) for rival in _RIVALS if _SLOWEST < likely * rival < _FASTEST / 2]
    tracks = [_snapped(start + frames / _RATE, onsets, weights) for frames in found if len(frames) >= 4]
    if not tracks:  # too little music to follow
        return _even(onsets, weights, likely)
    return max(tracks, key=lambda beats: _halving(beats, onsets) * _usual(60 / float(np.median(np.diff(beats)))) ** 0.3)


def _at_pace(strength: np.ndarray, tempo: float) -> np.ndarray:
    from librosa.beat import beat_track

    options = {"bpm": tempo, "tightness": _TIGHTNESS, "trim": False, "units": "frames"}
    return np.asarray(beat_track(onset_envelope=strength, sr=_RATE, hop_length=1, **options)[1])


def _usual(tempo: float) -> float:
    return float(np.exp(-0.5 * (np.log2(tempo / _START_TEMPO) / _OCTAVES) ** 2))


def _likely_tempo(strength: np.ndarray) -> float:
    """By the autocorrelation of windows, as librosa does it, in less time."""
    size = round(_WINDOW * _RATE)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(strength, (size // 2, size)), size)[:: _RATE // 2]
    spectra = np.abs(np.fft.rfft(windows * np.hanning(size), 2 * size)) ** 2
    correlation = np.fft.irfft(spectra)[:, :size]
    shares = (correlation / np.maximum(correlation[:, :1], 1e-9)).mean(axis=0)
    lags = np.arange(round(60 / _FASTEST * 2 * _RATE), round(60 / _SLOWEST * _RATE))
    tempos = 60 * _RATE / lags
    score = np.log1p(1e3 * np.maximum(shares[lags], 0)) + np.log([_usual(tempo) for tempo in tempos])
    return float(tempos[int(score.argmax())])


def _halving(beats: np.ndarray, onsets: np.ndarray) -> float:
    """The share of notes on beats, halves and quarters of them, more for larger parts: most music is not in thirds."""
    inside = np.interp(onsets, beats, np.arange(len(beats))) % 1.0
    bells = [np.exp(-0.5 * ((inside * n - np.round(inside * n)) / n / 0.04) ** 2) for n in (1, 2, 4)]
    return float(np.maximum.reduce([bells[0], 0.8 * bells[1], 0.6 * bells[2]]).mean())


def _snapped(beats: np.ndarray, onsets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Each beat at the mean of the notes near it, and still one after the other."""
    order = np.argsort(onsets)
    onsets, weights = onsets[order], weights[order]
    reach = _SNAP * float(np.median(np.diff(beats)))
    firsts, lasts = np.searchsorted(onsets, beats - reach), np.searchsorted(onsets, beats + reach)
    moved = beats.copy()
    for place, (first, last) in enumerate(zip(firsts, lasts, strict=True)):
        if first < last:
            moved[place] = np.average(onsets[first:last], weights=weights[first:last])
    return moved


def _even(onsets: np.ndarray, weights: np.ndarray, tempo: float) -> np.ndarray:
    """Two beats at a tempo, where most notes fall on beats and halves of them."""
    period = 60 / float(np.clip(tempo, _SLOWEST, _FASTEST))
    phases = np.arange(0, 1, 0.01)
    away = onsets[:, None] / period - phases
    bells = sum(
        share * np.exp(-0.5 * ((away * parts - np.round(away * parts)) / parts / 0.04) ** 2)
        for parts, share in ((1, 1.0), (2, 0.5))
    )
    best = float(phases[int((weights[:, None] * bells).sum(axis=0).argmax())])
    first = float(np.floor(onsets.min() / period - best + 0.1) + best) * period
    return np.array([first, first + period])


def _reaching(beats: np.ndarray, first: float, last: float) -> np.ndarray:
    """With more beats at either end, at the pace of those there, so that all notes lie between."""
    opening, closing = (float(np.median(part)) for part in (np.diff(beats)[:4], np.diff(beats)[-4:]))
    before = max(0, int(np.ceil((beats[0] - first) / opening - 0.1)))
    after = max(0, int(np.ceil((last - beats[-1]) / closing)))
    ahead = beats[0] - opening * np.arange(before, 0, -1)
    return np.concatenate([ahead, beats, beats[-1] + closing * np.arange(1, after + 1)])


def _measures(notes: Sequence[NoteLike], beats: np.ndarray) -> tuple[int, int]:
    """(beats a measure, beats before the first whole one): where the loud, low, long and many notes begin."""
    period = float(np.median(np.diff(beats)))
    accents, counts = np.zeros(len(beats)), np.zeros(len(beats))
    for note in notes:
        place = int(np.searchsorted(beats, note.onset_seconds))
        near = min((place - 1, place), key=lambda at: abs(float(beats[at % len(beats)]) - note.onset_seconds))
        if 0 <= near < len(beats) and abs(float(beats[near]) - note.onset_seconds) < period / 6:
            low = np.clip((72 - note.pitch_midi) / 24, 0, 2) * _BASS
            long = min(2.0, (note.offset_seconds - note.onset_seconds) / period) / 2
            accents[near] = max(accents[near], note.velocity / 64 * (0.5 + low + long))
            counts[near] += 1
    accents += _CROWD * np.log1p(counts)
    mean = float(accents.mean()) or 1.0
    scores: dict[tuple[int, int], float] = {}
    for meter in _METERS:
        for upbeat in range(min(meter, len(beats))):
            share = float(accents[upbeat::meter].mean()) / mean - 1
            scores[meter, upbeat] = share if meter == 4 else share / _THREE
    return max(scores, key=lambda one: (scores[one], -one[1]))
