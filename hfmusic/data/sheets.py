"""Renditions of engraved pieces on disk: what `hfmusic build sheet_audio` writes, and MSMD, read the same way."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from hfmusic.data.dataset_rows import hub_rows, parquet_rows
from hfmusic.render.sheet import PAGE_WIDTH, Measure, Sheet, SheetNote, SheetRow, System, unroll

__all__ = [
    "PAGE_WIDTH",
    "Measure",
    "Sheet",
    "SheetAudio",
    "SheetNote",
    "SheetRow",
    "System",
    "read_sheet_audio",
    "unroll",
]


@dataclass(frozen=True)
class SheetAudio:
    """One rendition of a piece: a row of the dataset.

    Attributes:
        id: of the rendition.
        work: the composition; splits are made by it.
        piece: the name of the source's file: renditions of one piece have the same sheet, but for their seconds.
        font: the SoundFont that plays, and `program` its General MIDI program.
        tempo_factor: 1.1 is a tenth faster than the score says.
        sheet: its seconds are those of this audio.
        audio: the bytes of a FLAC file, mono, 22,050 Hz.
        seconds: of the audio.
    """

    id: str
    work: str
    piece: str
    composer: str
    title: str
    source: str
    font: str
    program: int
    tempo_factor: float
    sheet: Sheet
    audio: bytes
    seconds: float


COLUMNS = (
    *("id", "work", "piece", "composer", "title", "source", "font", "program", "tempo_factor", "audio", "seconds"),
    *("pages", "systems", "notes", "measures"),
)


def read_sheet_audio(folder: str | Path, split: str = "test") -> Iterator[SheetAudio]:
    """Read the renditions of a split in order, row by row.

    Args:
        folder: Parquet folder of `hfmusic build sheet_audio`, or owner/name of a dataset on the Hub; or a folder of
            MSMD, which has no splits: all of it is read, whatever `split`, and played by the shipped piano.

    Raises:
        ValueError: no such folder, nothing of this split in it, or a damaged row or file (named); one sentence.
    """
    path = Path(folder)
    if not path.is_dir():
        yield from _hub_sheets(str(folder), split)
        return
    from hfmusic.data.staves import parquet_files

    shards = parquet_files(path, split)
    if not shards and any(path.rglob("*.parquet")):
        raise ValueError(f"no split {split!r} in {path}: no file named {split}-*.parquet")
    if not shards:
        yield from _msmd_rows(path)
    for shard in shards:
        yield from map(row_sheet_audio, parquet_rows(shard, COLUMNS, "sheets with audio"))


def _msmd_rows(folder: Path) -> Iterator[SheetAudio]:
    from hfmusic.data.msmd import msmd_pieces
    from hfmusic.data.primus_audio_rows import Voice
    from hfmusic.data.sheet_audio_rows import SheetAudioRows
    from hfmusic.render.soundfonts import shipped_font

    rows = SheetAudioRows(0, (Voice(shipped_font(), "FluidR3_GM", 0),))
    for piece in msmd_pieces(folder):
        about = {"id": piece.piece, "work": piece.work, "piece": piece.piece, "source": piece.source}
        drawn = {"split": "test", "path": str(piece.path), "voice": 0, "tempo": 1.0, "engraving": ""}
        yield row_sheet_audio(rows(about | drawn))


def _hub_sheets(name: str, split: str) -> Iterator[SheetAudio]:
    import datasets

    undecoded = {"audio": datasets.Audio(decode=False), "pages": datasets.List(datasets.Image(decode=False))}
    yield from map(row_sheet_audio, hub_rows(name, split, undecoded, "sheets with audio"))


def row_sheet_audio(row: dict[str, Any]) -> SheetAudio:
    """A row of the dataset, sound and pages undecoded, as a rendition.

    Raises:
        ValueError: no id, no sound, a page that is no picture, or places and times that cannot be; names the row.
    """
    identifier = row.get("id")
    if not identifier:
        raise ValueError("a row of sheet_audio has no id")
    audio = (row.get("audio") or {}).get("bytes")
    if not audio:
        raise ValueError(f"rendition {identifier}: no sound in its row")
    try:
        sheet = Sheet(
            pages=tuple(_page(page) for page in row["pages"]),
            systems=tuple(System(*(one[name] for name in System._fields)) for one in row["systems"]),
            notes=tuple(SheetNote(*(one[name] for name in SheetNote._fields)) for one in row["notes"]),
            measures=tuple(Measure(*(one[name] for name in Measure._fields)) for one in row["measures"] or ()),
            title=row.get("title") or "",
            composer=row.get("composer") or "",
        )
        check_sheet(sheet)
        texts: dict[str, Any] = {
            name: row.get(name) or "" for name in ("work", "piece", "composer", "title", "source", "font")
        }
        numbers = {name: row[name] for name in ("program", "tempo_factor", "seconds")}
    except (KeyError, TypeError) as error:
        raise ValueError(f"rendition {identifier}: its row lacks a value ({error})") from None
    except ValueError as error:
        raise ValueError(f"rendition {identifier}: {error}") from None
    return SheetAudio(id=identifier, sheet=sheet, audio=audio, **texts, **numbers)


def _page(page: dict[str, Any]) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(page["bytes"] or b"")) as picture:
            return np.array(picture.convert("L"))
    except (UnidentifiedImageError, OSError, SyntaxError):
        raise ValueError("a page that is no picture, or a damaged one") from None


def check_sheet(sheet: Sheet) -> None:
    """Refuse a sheet whose parts do not belong together.

    Raises:
        ValueError: a system of no page, a note of no system, a place or a time that is no number; one sentence.
    """
    if not sheet.pages or not sheet.systems:
        raise ValueError(f"{len(sheet.pages)} pages and {len(sheet.systems)} systems, wanted one of each at least")
    for system in sheet.systems:
        if not 0 <= system.page < len(sheet.pages) or not all(map(math.isfinite, system[1:])):
            raise ValueError(f"a system that is on no page ({system})")
    places: list[SheetNote | Measure] = [*sheet.notes, *sheet.measures]
    for place in places:
        if not 0 <= place.system < len(sheet.systems) or sheet.systems[place.system].page != place.page:
            raise ValueError(f"a {type(place).__name__} of no system ({place})")
        if not (math.isfinite(place.x) and math.isfinite(place.onset_quarters) and place.onset_seconds >= 0):
            raise ValueError(f"a {type(place).__name__} without a place or time ({place})")
    for note in sheet.notes:
        if not 0 <= note.pitch_midi <= 127 or not note.onset_seconds <= note.offset_seconds < math.inf:
            raise ValueError(f"a note of pitch {note.pitch_midi} from {note.onset_seconds} to {note.offset_seconds} s")
