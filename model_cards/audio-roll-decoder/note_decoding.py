"""Notes to maps of keys over time, which networks learn, and maps back to notes.

A map is (frames, 88): frame t is at `t * frame_seconds`, key 0 is A0. Scheme "paper" is one map, of sounding keys
(paper 001's code); scheme "heads" has maps of onsets, sounding keys, offsets and velocities, whose onsets and offsets
are triangles that keep the exact time between frames (Q. Kong et al., 2021, "High-resolution piano transcription").

numpy only: this file travels to the Hub with the models.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil, floor
from typing import Any, Literal, NamedTuple

import numpy as np

Scheme = Literal["paper", "heads"]
SCHEMES = ("paper", "heads")
HEADS = ("onset", "frame", "offset", "velocity")
LOWEST, KEYS = 21, 88  # A0 to C8
SLOPE_FRAMES = 2  # of a triangle: half its base


class NoteEvent(NamedTuple):
    """A note that sounds. `pitch_midi` is 21 to 108 on a piano, `velocity` 1 to 127."""

    onset_seconds: float
    offset_seconds: float
    pitch_midi: int
    velocity: int = 64


@dataclass(frozen=True)
class DecodingOptions:
    """How maps become notes.

    Args:
        scheme: "paper" or "heads".
        onset_threshold: least probability of an onset, in scheme "heads".
        frame_threshold: a note goes on while its key's probability is above this.
        offset_threshold: least probability of an offset that ends a note, in scheme "heads"; above 1: none does.
        minimum_seconds: shorter notes are left out.
        onset_distance: an onset is the highest value so many frames around, in scheme "heads".
        onset_grace: frames after an onset in which the key need not sound yet, in scheme "heads".
        opening_notes: keys that sound in the first frame without an onset are notes from there on.
    """

    scheme: Scheme = "heads"
    onset_threshold: float = 0.4
    frame_threshold: float = 0.4
    offset_threshold: float = 0.5
    minimum_seconds: float = 0.03
    onset_distance: int = 2
    onset_grace: int = 1
    opening_notes: bool = True

    def __post_init__(self) -> None:
        if self.scheme not in SCHEMES:
            raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}, got {self.scheme!r}")
        for name in ("onset_threshold", "frame_threshold", "offset_threshold"):
            if not 0 < getattr(self, name) < 2:
                raise ValueError(f"{name} must be a probability above 0, got {getattr(self, name)}")
        if not 0 <= self.minimum_seconds < np.inf:
            raise ValueError(f"minimum_seconds must not be negative, got {self.minimum_seconds}")
        if self.onset_distance < 1 or self.onset_grace < 0:
            raise ValueError(
                "onset_distance must be at least 1 and onset_grace not negative, "
                f"got {self.onset_distance} and {self.onset_grace}"
            )

    @classmethod
    def paper(cls, **options: Any) -> DecodingOptions:
        """As paper 001's code decodes: threshold 0.5, nothing is too short."""
        return cls(**{"scheme": "paper", "frame_threshold": 0.5, "minimum_seconds": 0.0, **options})


def encode_notes(
    notes: Iterable[Any], frames: int, frame_seconds: float, *, start_seconds: float = 0.0, scheme: Scheme
) -> dict[str, np.ndarray]:
    """The maps that a network should give for these notes.

    Args:
        notes: anything with the first four fields of `NoteEvent`, in any order. Those outside the 88 keys, or that
            do not sound in these frames, leave no trace.
        frames: how many; the first is at `start_seconds`.

    Returns:
        Each (frames, 88) float32. "paper": `frame`, 1 from the frame nearest the onset up to that nearest the offset
        (the public code's label codes above 1: a note as short as no frame leaves none, and where notes of a key
        overlap, the offset of the later in the list silences a frame). "heads": `onset` and `offset`, 1 - |distance in
        frames| / 2 where positive; `frame`, 1 where the key sounds; `velocity`, velocity / 127 where `onset` is
        positive. A note of a key that is struck again ends there.

    Raises:
        ValueError: `frames` is negative, `frame_seconds` not positive, or the scheme unknown.
    """
    if frames < 0 or not frame_seconds > 0:
        raise ValueError(f"frames must not be negative and frame_seconds positive, got {frames} and {frame_seconds}")
    if scheme not in SCHEMES:
        raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}, got {scheme!r}")
    rows = [(note[0], note[1], note[2] - LOWEST, note[3]) for note in notes if 0 <= note[2] - LOWEST < KEYS]
    table = np.array(rows, np.float64).reshape(-1, 4)
    table[:, :2] = (table[:, :2] - start_seconds) / frame_seconds
    table = table[(table[:, 0] < frames + SLOPE_FRAMES) & (table[:, 1] > -SLOPE_FRAMES)]
    if scheme == "paper":
        return {"frame": _paper_frames(table, frames)}
    return _head_maps(_ended_by_the_next(table), frames)


def _paper_frames(table: np.ndarray, frames: int) -> np.ndarray:
    """`table` has a row a note: onset and offset in frames, key, velocity. In the order given, as later ones win."""
    codes = np.zeros((frames, KEYS), np.uint8)
    for onset, offset, key, _ in table.tolist():
        left, right = round(onset), round(offset)
        for code, first, last in ((3, left, left + 1), (2, left + 1, right), (1, right, right + 1)):
            codes[max(0, first) : max(0, last), int(key)] = code
    return (codes > 1).astype(np.float32)


def _ended_by_the_next(table: np.ndarray) -> np.ndarray:
    """Sorted by key and onset; a note ends at the latest where the next of its key begins."""
    table = table[np.lexsort((table[:, 0], table[:, 2]))]
    same = table[1:, 2] == table[:-1, 2]
    table[:-1, 1] = np.where(same, np.minimum(table[:-1, 1], table[1:, 0]), table[:-1, 1])
    return table


def _head_maps(table: np.ndarray, frames: int) -> dict[str, np.ndarray]:
    maps = {name: np.zeros((frames, KEYS), np.float32) for name in HEADS}
    for onset, offset, number, velocity in table.tolist():
        key = int(number)
        maps["frame"][max(0, ceil(onset)) : max(0, ceil(offset)), key] = 1
        for name, centre in (("onset", onset), ("offset", offset)):
            for frame in range(max(0, floor(centre) - SLOPE_FRAMES), min(frames, ceil(centre) + SLOPE_FRAMES + 1)):
                height = 1 - abs(frame - centre) / SLOPE_FRAMES
                if height > maps[name][frame, key]:
                    maps[name][frame, key] = height
                    if name == "onset":
                        maps["velocity"][frame, key] = velocity / 127
    return maps


def decode_notes(
    maps: Mapping[str, np.ndarray], frame_seconds: float, options: DecodingOptions | None = None
) -> list[NoteEvent]:
    """Notes of probabilities, sorted by onset, then pitch.

    Scheme "paper": a note is a run of frames above `frame_threshold`; its velocity is 64. Scheme "heads": a note
    begins at each peak of `onset`, between frames where its slopes meet, and ends at the first of: a peak of `offset`,
    where `frame` falls below its threshold, the next onset of the key.

    Args:
        maps: each (frames, 88): "frame", for scheme "heads" also "onset", "offset" and "velocity".

    Raises:
        ValueError: a map is missing or of another shape, or `frame_seconds` is not positive.
    """
    options = options or DecodingOptions()
    if not frame_seconds > 0:
        raise ValueError(f"frame_seconds must be positive, got {frame_seconds}")
    maps = _checked(maps, ("frame",) if options.scheme == "paper" else HEADS)
    found = []
    for key in _awake(maps, options):
        columns = {name: np.asarray(values[:, key], np.float32) for name, values in maps.items()}
        times = _paper_key(columns["frame"], options) if options.scheme == "paper" else _heads_key(columns, options)
        for onset, offset, velocity in zip(*(values.tolist() for values in times), strict=True):
            if (offset - onset) * frame_seconds >= options.minimum_seconds:
                found.append(NoteEvent(onset * frame_seconds, offset * frame_seconds, LOWEST + int(key), velocity))
    return sorted(found, key=lambda note: (note.onset_seconds, note.pitch_midi))


def _awake(maps: Mapping[str, np.ndarray], options: DecodingOptions) -> np.ndarray:
    """Keys that can have a note: most have none, and need no look at every frame."""
    frame = maps["frame"]
    if options.scheme == "paper":
        return np.flatnonzero((frame > options.frame_threshold).any(axis=0))
    opening = (frame[:1] > options.frame_threshold).any(axis=0)
    return np.flatnonzero((maps["onset"] >= options.onset_threshold).any(axis=0) | opening)


def _checked(maps: Mapping[str, np.ndarray], names: tuple[str, ...]) -> dict[str, np.ndarray]:
    missing = [name for name in names if name not in maps]
    if missing:
        raise ValueError(f"maps of {', '.join(names)} are needed, {', '.join(missing)} missing")
    chosen = {name: np.asarray(maps[name]) for name in names}
    shape = chosen["frame"].shape
    for name, values in chosen.items():
        if values.ndim != 2 or values.shape != shape or shape[1] != KEYS:
            raise ValueError(f"maps must all be (frames, {KEYS}), got {name} of shape {values.shape}")
    return chosen


Times = tuple[np.ndarray, np.ndarray, np.ndarray]  # onsets and offsets in frames, velocities


def _paper_key(frame: np.ndarray, options: DecodingOptions) -> Times:
    sounds = np.concatenate([[False], frame > options.frame_threshold, [False]])
    onsets, offsets = (np.flatnonzero(change) for change in (sounds[1:] & ~sounds[:-1], sounds[:-1] & ~sounds[1:]))
    if not options.opening_notes:
        onsets, offsets = onsets[onsets > 0], offsets[len(offsets) - np.count_nonzero(onsets > 0) :]
    return onsets, offsets, np.full(len(onsets), 64)


def _heads_key(columns: dict[str, np.ndarray], options: DecodingOptions) -> Times:
    frame = columns["frame"]
    peaks = _peaks(columns["onset"], options.onset_threshold, options.onset_distance)
    begins = _between_frames(columns["onset"], peaks)
    if options.opening_notes and len(frame) and frame[0] > options.frame_threshold:
        if not len(peaks) or peaks[0] > options.onset_distance:
            peaks, begins = np.concatenate([[0], peaks]), np.concatenate([[0.0], begins])
    if not len(peaks):
        return peaks, begins, peaks
    following = np.append(peaks[1:], len(frame))
    silent = np.append(np.flatnonzero(frame <= options.frame_threshold), len(frame))
    falls = silent[np.searchsorted(silent, peaks + 1 + options.onset_grace, "left").clip(max=len(silent) - 1)]
    falls = np.minimum(falls, following)
    ends = np.minimum(_crossings(frame, falls, options.frame_threshold), np.append(begins[1:], len(frame)))
    ends = _ended_by_offsets(ends, falls, peaks, columns["offset"], options)
    ends = np.minimum(ends, np.append(begins[1:], len(frame)))
    velocities = np.clip(np.rint(columns["velocity"][peaks] * 127), 1, 127)
    return begins, ends, velocities.astype(int)


def _ended_by_offsets(
    ends: np.ndarray, falls: np.ndarray, peaks: np.ndarray, offset: np.ndarray, options: DecodingOptions
) -> np.ndarray:
    """`ends`, but at the first peak of `offset` after the onset's, where one comes at most a frame after the fall."""
    marks = _peaks(offset, options.offset_threshold, options.onset_distance)
    if not len(marks):
        return ends
    first = np.searchsorted(marks, peaks, "right")
    there = marks[first.clip(max=len(marks) - 1)]
    ended = (first < len(marks)) & (there <= falls + 1)
    return np.where(ended, _between_frames(offset, there), ends)


def _peaks(values: np.ndarray, threshold: float, distance: int) -> np.ndarray:
    """Frames at `threshold` or above, than which none up to `distance` away is higher; the first of neighbours that are
    equal, and of equals up to `distance` apart.

    >>> _peaks(np.array([0.0, 0.75, 0.75, 0.25, 0.75, 0.75]), 0.5, 2).tolist()
    [1, 4]
    """
    high = values >= threshold
    for step in range(1, distance + 1):
        high[step:] &= values[step:] >= values[:-step]
        high[:-step] &= values[:-step] >= values[step:]
    high[1:] &= ~high[:-1].copy()
    first = np.flatnonzero(high)
    return first[np.diff(first, prepend=-distance - 1) > distance]


def _between_frames(values: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Where the slopes of a triangle meet whose highest frame is each of `peaks`, at most half a frame away.

    Both slopes are as steep as the steeper one (Q. Kong et al., 2021, equation 5). Beyond the ends goes on what
    `encode_notes` would have there.
    """
    top = values[peaks].astype(np.float64)
    before = np.where(peaks > 0, values[peaks - 1], top - 1 / SLOPE_FRAMES)
    after = np.where(peaks < len(values) - 1, values[(peaks + 1) % len(values)], top - 1 / SLOPE_FRAMES)
    steep = top - np.minimum(before, after)
    shift = np.divide(after - before, 2 * steep, out=np.zeros_like(top), where=steep > 0)
    return np.clip(peaks + np.clip(shift, -0.5, 0.5), 0, None)


def _crossings(frame: np.ndarray, falls: np.ndarray, threshold: float) -> np.ndarray:
    """Where, between frames, `frame` passes the threshold on its way to each of `falls`."""
    high = frame[np.maximum(falls - 1, 0)].astype(np.float64)
    low = frame[np.minimum(falls, len(frame) - 1)].astype(np.float64)
    crosses = (high > threshold) & (low <= threshold) & (falls < len(frame))
    share = np.divide(high - threshold, high - low, out=np.ones_like(high), where=crosses & (high > low))
    return falls - 1 + np.where(crosses, share, 1.0)
