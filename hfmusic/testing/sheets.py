"""Small pieces, drawn and played, for tests: noteheads and decaying harmonics, no engraver and no sound font."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
from PIL import Image

from hfmusic.testing.recordings import RATE, play_notes

WIDTH, HEIGHT = 835, 260
LEFT, RIGHT, SPACE = 20, 815, 7
TOPS = (60, 180)  # of the staves' uppermost lines; they are four spaces high
STEPS = {60: 0, 62: 1, 64: 2, 65: 3, 67: 4, 69: 5, 71: 6, 72: 7, 74: 8, 76: 9, 77: 10, 79: 11}  # C4 upwards


def draw_piece(rng: np.random.Generator, notes: int = 24) -> list[dict[str, Any]]:
    """A melody of quarters and eighths as rows of the column `notes`, half of them in each system; 120 quarters a
    minute."""
    each = notes // len(TOPS)
    rows, quarters = [], 0.0
    for number in range(notes):
        system, pitch = min(number // each, len(TOPS) - 1), int(rng.choice(list(STEPS)))
        length = float(rng.choice([0.5, 1.0]))
        rows.append(
            {
                "page": 0,
                "system": system,
                "x": LEFT + 40 + (number - system * each) * (RIGHT - LEFT - 60) / each,
                "y": TOPS[system] + SPACE * (5 - STEPS[pitch] / 2),  # E4, step 2, is on the lowest line
                "pitch_midi": pitch,
                "staff": 1,
                "onset_quarters": quarters,
                "onset_seconds": 0.3 + quarters / 2,
                "offset_seconds": 0.3 + (quarters + length) / 2,
            }
        )
        quarters += length
    return rows


def draw_page(notes: Iterable[dict[str, Any]]) -> np.ndarray:
    """Their page, uint8 (260, 835): two staves and filled noteheads."""
    page = np.full((HEIGHT, WIDTH), 255, np.uint8)
    for top in TOPS:
        page[top : top + 4 * SPACE + 1 : SPACE, LEFT:RIGHT] = 0
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    for note in notes:
        page[((columns - note["x"]) / 4.5) ** 2 + ((rows - note["y"]) / 3.5) ** 2 <= 1] = 0
    return page


def sheet_row(piece: str, notes: list[dict[str, Any]], *, font: str = "one", tempo: float = 1.0) -> dict[str, Any]:
    """A row of sheet_audio."""
    times = ("onset_seconds", "offset_seconds")
    played = [{**note, **{name: note[name] / tempo for name in times}, "velocity": 90} for note in notes]
    seconds = max(note["offset_seconds"] for note in played) + 0.3
    picture, sound = io.BytesIO(), io.BytesIO()
    Image.fromarray(draw_page(notes)).save(picture, format="PNG")
    soundfile.write(sound, play_notes(played, seconds=seconds), RATE, format="FLAC")
    systems = [{"page": 0, "left": LEFT, "top": top, "right": RIGHT, "bottom": top + 4 * SPACE} for top in TOPS]
    about = {"id": f"{piece}-{font}-{tempo:g}", "work": piece, "piece": piece, "composer": "", "title": ""}
    return {
        **about,
        "source": "folder",
        "font": font,
        "program": 0,
        "tempo_factor": tempo,
        "audio": {"bytes": sound.getvalue(), "path": None},
        "seconds": seconds,
        "pages": [{"bytes": picture.getvalue(), "path": None}],
        "systems": [
            {name: float(value) if name != "page" else value for name, value in one.items()} for one in systems
        ],
        "notes": [{name: value for name, value in note.items() if name != "velocity"} for note in played],
        "measures": [],
    }


def write_sheets(
    folder: Path,
    *,
    train: int = 4,
    other: int = 2,
    notes: int = 24,
    renditions: Iterable[tuple[str, float]] = (("one", 1.0),),
    seed: int = 0,
) -> Path:
    """A Parquet dataset as `hfmusic build sheet_audio` writes it, as far as training reads it: pieces of the split
    "train" in each (font, tempo) of `renditions`, the others in its first."""
    rng, renditions = np.random.default_rng(seed), list(renditions)
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", train), ("validation", other), ("test", other)):
        pieces = {f"{split}{number}": draw_piece(rng, notes) for number in range(count)}
        rows = [
            sheet_row(piece, music, font=font, tempo=tempo)
            for piece, music in pieces.items()
            for font, tempo in (renditions if split == "train" else renditions[:1])
        ]
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{split}-00000-of-00001.parquet", row_group_size=2)
    return folder
