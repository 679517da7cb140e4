"""Small played recordings with their notes, for tests: decaying harmonics, no sound font and no files of anyone."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

RATE = 16000


def draw_notes(rng: np.random.Generator, *, seconds: float = 4.0, pitches: tuple[int, int] = (55, 79)) -> list[dict]:
    """Two or three notes a second, as rows of the column `notes`."""
    rows, onset = [], 0.1
    while onset < seconds - 0.6:
        for pitch in rng.choice(np.arange(*pitches), size=int(rng.integers(1, 3)), replace=False).tolist():
            length = float(rng.uniform(0.25, 0.4))
            rows.append(
                {
                    "onset_seconds": onset,
                    "offset_seconds": onset + length,
                    "pitch_midi": pitch,
                    "velocity": int(rng.integers(40, 110)),
                    "string": 0,
                }
            )
        onset += float(rng.uniform(0.45, 0.6))
    return rows


def play_notes(notes: list[dict], *, seconds: float = 4.0) -> np.ndarray:
    """Their sound, float32 (n,) at 16,000 Hz."""
    sound = np.zeros(int(seconds * RATE), np.float32)
    for note in notes:
        first, last = (int(note[name] * RATE) for name in ("onset_seconds", "offset_seconds"))
        time = np.arange(last - first, dtype=np.float32) / RATE
        hertz = 440 * 2 ** ((note["pitch_midi"] - 69) / 12)
        waves = sum(0.6**number * np.sin(2 * np.pi * hertz * (number + 1) * time) for number in range(4))
        fade = np.minimum(1, np.minimum(time * 500, (time[-1] - time) * 100)) * np.exp(-2 * time)
        sound[first:last] += (0.2 * note["velocity"] / 127 * waves * fade).astype(np.float32)
    return sound


def write_recordings(
    folder: Path,
    *,
    train: int = 4,
    other: int = 2,
    seconds: float = 4.0,
    seed: int = 0,
    prefix: str = "",
    source: str = "synthesized",
    instrument: str = "piano",
    pitches: tuple[int, int] = (55, 79),
) -> Path:
    """A Parquet dataset as `hfmusic build synthesized_instruments` writes it, as far as training reads it."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", train), ("validation", other), ("test", other)):
        rows = []
        for number in range(count):
            notes = draw_notes(rng, seconds=seconds, pitches=pitches)
            file = io.BytesIO()
            soundfile.write(file, play_notes(notes, seconds=seconds), RATE, format="FLAC")
            name = f"{prefix}{split}{number}"
            about = {"id": name, "work": name, "source": source, "instrument": instrument, "seconds": seconds}
            rows.append({**about, "audio": {"bytes": file.getvalue(), "path": None}, "notes": notes})
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{split}-00000-of-00001.parquet", row_group_size=2)
    return folder
