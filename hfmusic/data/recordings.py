"""Recordings with their notes on disk, read the same way whatever their layout.

A folder is either Parquet built by `hfmusic build maps | guitarset | synthesized_instruments`, or plain pairs: sounds
beside note files of the same stem (`hfmusic.data.note_files` says which), flat or in folders of their own (flac/ tsv/,
audio_mic/ annotation/ ...) or in zip archives.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfmusic.data.dataset_rows import hub_rows, parquet_rows
from hfmusic.data.note_files import NOTE_SUFFIXES, Note, parse_notes
from hfmusic.data.places import SOUND_SUFFIXES, Place, find_pairs
from hfmusic.data.staves import parquet_files
from hfmusic.data.works import maps_piano, work_of

__all__ = ["Note", "Recording", "read_recordings"]

COLUMNS = ("id", "work", "source", "instrument", "audio", "notes")


@dataclass(frozen=True)
class Recording:
    """A sound and what is played in it.

    Attributes:
        work: the composition; splits are made by it.
        source: "maps", "guitarset", "synthesized", or "" where a plain folder does not tell.
        instrument: "piano", "guitar" ..., or "".
        audio: the bytes of a FLAC, WAV, OGG or MP3 file of any rate; `hfmusic.models.audio_reading.open_sound` opens
            them.
        notes: by onset, then pitch.
    """

    id: str
    work: str
    source: str
    instrument: str
    audio: bytes
    notes: list[Note]


def read_recordings(folder: str | Path, split: str = "test") -> Iterator[Recording]:
    """Read the recordings of a split in order, row by row.

    Args:
        folder: Parquet folder, folder of pairs, or owner/name of a dataset on the Hub. Pairs have no splits: all of
            them are read whatever `split`.

    Raises:
        ValueError: no such folder, nothing of this split in it, or a damaged row or file (named); one sentence.
    """
    path = Path(folder)
    if not path.is_dir():
        yield from _hub_recordings(str(folder), split)
        return
    shards = parquet_files(path, split)
    if not shards and any(path.rglob("*.parquet")):
        raise ValueError(f"no split {split!r} in {path}: no file named {split}-*.parquet")
    if shards:
        for shard in shards:
            yield from map(_row_recording, parquet_rows(shard, COLUMNS, "recordings"))
        return
    pairs = find_pairs(path)
    if not pairs:
        raise ValueError(
            f"no Parquet files in {path}, and no pairs of a sound ({', '.join(SOUND_SUFFIXES)}) and a file of its "
            f"notes ({', '.join(NOTE_SUFFIXES)})"
        )
    for sound, label in pairs:
        yield _pair_recording(sound, label)


def _pair_recording(sound: Place, label: Place) -> Recording:
    name = label.name.stem
    source = "maps" if maps_piano(name) else "guitarset" if label.suffix == ".jams" else ""
    instrument = {"maps": "piano", "guitarset": "guitar"}.get(source, "")
    notes = parse_notes(label.read(), label.suffix, str(label))
    return Recording(name, work_of(name), source, instrument, sound.read(), notes)


def _hub_recordings(name: str, split: str) -> Iterator[Recording]:
    import datasets

    rows = hub_rows(name, split, {"audio": datasets.Audio(decode=False)}, "recordings")
    yield from map(_row_recording, rows)


def _row_recording(row: dict[str, Any]) -> Recording:
    """A row as a recording.

    Raises:
        ValueError: no id, no sound, or notes that cannot be; names the row.
    """
    identifier = row.get("id")
    if not identifier:
        raise ValueError("a row of the recordings has no id")
    audio = (row.get("audio") or {}).get("bytes")
    if not audio:
        raise ValueError(f"recording {identifier}: no sound in its row")
    if row.get("notes") is None:
        raise ValueError(f"recording {identifier}: no notes in its row")
    notes = [_row_note(note, identifier) for note in row["notes"]]
    texts = {name: row.get(name) or "" for name in ("work", "source", "instrument")}
    return Recording(id=identifier, audio=audio, notes=sorted(notes, key=lambda note: (note[0], note[2])), **texts)


def _row_note(fields: dict[str, Any], identifier: str) -> Note:
    values = [fields[name] if fields is not None else None for name in Note._fields]
    if None in values:
        raise ValueError(f"recording {identifier}: a note without {Note._fields[values.index(None)]}")
    note = Note(*values)
    times = math.isfinite(note.onset_seconds) and math.isfinite(note.offset_seconds)
    if not times or not 0 <= note.onset_seconds <= note.offset_seconds:
        raise ValueError(f"recording {identifier}: a note from {note.onset_seconds} to {note.offset_seconds} s")
    if not 0 <= note.pitch_midi <= 127 or not 0 <= note.velocity <= 127 or not 0 <= note.string <= 12:
        raise ValueError(
            f"recording {identifier}: a note of pitch {note.pitch_midi}, velocity {note.velocity}, "
            f"string {note.string}, wanted 0 to 127 each and a string up to 12"
        )
    return note
