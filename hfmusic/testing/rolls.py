"""Small pieces on a grid of beats, played, for tests: decaying harmonics, no sound font and no MIDI files of anyone."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from hfmusic.data.rolls import NOTES, STEPS_PER_BEAT, notes_on_grid
from hfmusic.testing.recordings import RATE, play_notes

_HALF = STEPS_PER_BEAT // 2


def draw_roll(rng: np.random.Generator, *, beats: int = 16, pitches: tuple[int, int] = (52, 76)) -> dict[str, Any]:
    """Chords of one to three notes every half beat, some held, while the tempo changes in the middle: the columns
    notes, step_seconds and steps_per_beat."""
    pace = np.repeat([0.4, 0.6], beats // 2 * STEPS_PER_BEAT)[: beats * STEPS_PER_BEAT] / STEPS_PER_BEAT
    grid = 0.1 + np.concatenate([[0.0], np.cumsum(pace)])
    times, sounding, loud = [], [], []
    for half in range(2 * beats - 1):
        for pitch in rng.choice(np.arange(*pitches), size=int(rng.integers(1, 4)), replace=False).tolist():
            length = _HALF * int(rng.choice([1, 1, 2]))
            times.append((grid[half * _HALF], grid[min(half * _HALF + length, len(grid) - 1)]))
            sounding.append(pitch)
            loud.append(int(rng.integers(50, 110)))
    notes = notes_on_grid(times, sounding, loud, grid)
    rows = [dict(zip(NOTES.names or (), note, strict=True)) for note in notes.tolist()]
    return {"notes": rows, "step_seconds": grid.tolist(), "steps_per_beat": STEPS_PER_BEAT}


def roll_row(name: str, music: dict[str, Any], *, transposition: int = 0) -> dict[str, Any]:
    """A row of pianoroll_audio."""
    notes = [{**note, "pitch_midi": note["pitch_midi"] + transposition} for note in music["notes"]]
    seconds = max(note["offset_seconds"] for note in notes) + 0.3
    sound = io.BytesIO()
    soundfile.write(sound, play_notes(notes, seconds=seconds), RATE, format="FLAC")
    about = {"id": f"{name}{transposition:+d}", "work": name, "piece": name, "composer": "nobody", "source": "drawn"}
    return {
        **about,
        "font": "one",
        "program": 0,
        "transposition": transposition,
        "audio": {"bytes": sound.getvalue(), "path": None},
        "seconds": seconds,
        **{**music, "notes": notes},
    }


def write_rolls(
    folder: Path, *, train: int = 3, other: int = 1, beats: int = 16, keys: tuple[int, ...] = (0,), seed: int = 0
) -> Path:
    """A Parquet dataset as `hfmusic build pianoroll_audio` writes it; pieces of the split "train" in each of `keys`."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", train), ("validation", other), ("test", other)):
        pieces = {f"{split}{number}": draw_roll(rng, beats=beats) for number in range(count)}
        rows = [
            roll_row(name, music, transposition=key)
            for name, music in pieces.items()
            for key in (keys if split == "train" else (0,))
        ]
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{split}-00000-of-00001.parquet", row_group_size=1)
    return folder
