"""Small renditions, for tests, whose grey and whose loudness tell which note is there: a stand-in for a network can
read both, and so is right or wrong by design."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
from PIL import Image

from hfmusic.testing.sheets import HEIGHT, LEFT, RIGHT, SPACE, TOPS, WIDTH, sheet_row

RATE = 22050
BEFORE = 12  # pixels of a note's grey before its head


def coded_notes(codes: np.ndarray) -> list[dict[str, Any]]:
    """Rows of the column `notes`: half of them in each system, slow first, then fast, a pitch for each code."""
    each = -(-len(codes) // len(TOPS))
    lengths = np.where(np.arange(len(codes)) < len(codes) // 2, 1.0, 0.4)
    seconds = 0.3 + np.concatenate([[0], np.cumsum(lengths)])
    return [
        {
            "page": 0,
            "system": number // each,
            "x": LEFT + 30 + (number % each) * (RIGHT - LEFT) / each,
            "y": TOPS[number // each] + 2.0 * SPACE,
            "pitch_midi": int(code) // 2,
            "staff": 1,
            "onset_quarters": float(number),
            "onset_seconds": float(seconds[number]),
            "offset_seconds": float(seconds[number + 1]),
        }
        for number, code in enumerate(codes)
    ]


def page_of(codes: np.ndarray, notes: list[dict[str, Any]]) -> np.ndarray:
    """A page, uint8, from a little before each note to the next as grey as the note's code."""
    page = np.full((HEIGHT, WIDTH), 255, np.uint8)
    for number, (code, note) in enumerate(zip(codes, notes, strict=True)):
        first = number == 0 or notes[number - 1]["system"] != note["system"]
        begin, top = LEFT if first else int(note["x"]) - BEFORE, TOPS[note["system"]]
        page[top - 4 * SPACE : top + 8 * SPACE, begin:RIGHT] = code
    return page


def sound_of(codes: np.ndarray, notes: list[dict[str, Any]], pitch: float) -> np.ndarray:
    """A tone, float32 (n,), each note as loud as its code over 256."""
    sound = np.zeros(int((notes[-1]["offset_seconds"] + 0.3) * RATE), np.float32)
    tone = np.sin(2 * np.pi * pitch * np.arange(len(sound)) / RATE)
    for code, note in zip(codes, notes, strict=True):
        part = slice(int(note["onset_seconds"] * RATE), int(note["offset_seconds"] * RATE))
        sound[part] = code / 256 * tone[part]
    return sound


def coded_row(piece: str, codes: np.ndarray, *, font: str = "one", tempo: float = 1.0) -> dict[str, Any]:
    """A row of sheet_audio; fonts sound as high as their names are long."""
    notes = coded_notes(codes)
    row = sheet_row(piece, notes, font=font, tempo=tempo)
    picture, sound = io.BytesIO(), io.BytesIO()
    Image.fromarray(page_of(codes, notes)).save(picture, format="PNG")
    soundfile.write(sound, sound_of(codes, row["notes"], 1000.0 + 100 * len(font)), RATE, format="FLAC")
    changed = {"pages": picture, "audio": sound}
    stored = {name: {"bytes": file.getvalue(), "path": None} for name, file in changed.items()}
    return {**row, "audio": stored["audio"], "pages": [stored["pages"]]}


def write_coded_sheets(
    folder: Path,
    pieces: Mapping[str, int],
    *,
    notes: int = 12,
    renditions: Iterable[tuple[str, float]] = (("one", 1.0),),
) -> Path:
    """A Parquet dataset as `hfmusic build sheet_audio` writes it: so many pieces of each split, in each (font, tempo)
    of `renditions`. No two notes of a split have the same code."""
    folder.mkdir(parents=True, exist_ok=True)
    played = list(renditions)
    for split, count in pieces.items():
        codes = np.round(np.linspace(20, 240, count * notes)).astype(np.uint8).reshape(count, notes)
        rows = [
            coded_row(f"{split}{piece}", codes[piece], font=font, tempo=tempo)
            for piece in range(count)
            for font, tempo in played
        ]
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{split}-00000-of-00001.parquet", row_group_size=2)
    return folder
