"""Small drawn staves with labels, for tests and benchmarks: no engraver, no files of anyone."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hfmusic.symbolic.agnostic import write_agnostic
from hfmusic.symbolic.semantic import read_semantic

_PLACES = "C4 D4 E4 F4 G4 A4 B4 C5 D5 E5 F5 G5".split()
_SPACE = 10
_TOP = 40


def draw_staff(rng: np.random.Generator, *, notes: int = 6) -> tuple[np.ndarray, list[str]]:
    """A staff of round heads with stems and its semantic tokens: uint8 (120, W), 255 = paper."""
    gaps = rng.integers(28, 45, 2 * notes)
    image = np.full((120, 90 + int(gaps.sum())), 255, np.uint8)
    for line in range(5):
        image[_TOP + _SPACE * line : _TOP + _SPACE * line + 2] = 0
    cv2.putText(image, "G", (5, 85), cv2.FONT_HERSHEY_SIMPLEX, 2, 0, 4)
    tokens, x = ["clef-G2"], 75
    for number in range(notes):
        place, filled = int(rng.integers(len(_PLACES))), bool(rng.random() < 0.5)
        y = _TOP + 5 * _SPACE - place * _SPACE // 2
        cv2.ellipse(image, (x, y), (7, 5), 0, 0, 360, 0, -1 if filled else 2)
        cv2.line(image, (x + 7, y), (x + 7, y - 30), 0, 2)
        tokens.append(f"note-{_PLACES[place]}_{'quarter' if filled else 'half'}")
        x += int(gaps[number])
        if rng.random() < 0.3:
            cv2.line(image, (x, _TOP), (x, _TOP + 4 * _SPACE), 0, 2)
            tokens.append("barline")
            x += int(gaps[notes + number])
    return image[:, : x + 10], tokens


def write_dataset(folder: Path, *, train: int = 8, other: int = 4, notes: int = 6, seed: int = 0) -> Path:
    """A Parquet dataset of drawn staves in the schema `hfmusic build primus` writes, as far as training reads it."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", train), ("validation", other), ("test", other)):
        rows = [_row(f"{split}{number}", *draw_staff(rng, notes=notes)) for number in range(count)]
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{split}-00000-of-00001.parquet", row_group_size=4)
    return folder


def write_pairs(folder: Path, *, count: int = 4, notes: int = 6, seed: int = 0) -> Path:
    """A folder of drawn pairs, `ID.png` beside `ID.semantic`."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        image, tokens = draw_staff(rng, notes=notes)
        cv2.imwrite(str(folder / f"{number}.png"), image)
        (folder / f"{number}.semantic").write_text("\t".join(tokens), encoding="utf-8")
    return folder


def _row(name: str, image: np.ndarray, tokens: list[str]) -> dict[str, object]:
    blurred = cv2.GaussianBlur(image, (0, 0), 1)
    return {
        "id": name,
        "image": {"bytes": cv2.imencode(".png", image)[1].tobytes(), "path": None},
        "distorted": {"bytes": cv2.imencode(".jpg", blurred)[1].tobytes(), "path": None},
        "semantic": "\t".join(tokens),
        "agnostic": "\t".join(write_agnostic(read_semantic(tokens))),
    }
