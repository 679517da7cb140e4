"""Recordings as every system gets them: WAV files, whole or their first seconds, and the notes of that part."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from hfmusic.data.recordings import Note, Recording, read_recordings
from hfmusic.files import write_atomic


@dataclass(frozen=True)
class Excerpt:
    """A WAV file (mono, 16 bits, at the recording's rate) and its notes. `sha256` is of the file."""

    id: str
    sound: Path
    sha256: str
    seconds: float
    notes: list[Note]


def prepare(data: str, split: str, seconds: float | None, n: int | None, folder: Path) -> list[Excerpt]:
    """Excerpts of the first `n` recordings of a split, written into `folder`.

    Raises:
        ValueError: no such data, or none in it; a recording that cannot be read.
    """
    excerpts = []
    for place, recording in enumerate(read_recordings(data, split)):
        if n is not None and place == n:
            break
        excerpts.append(cut(recording, seconds, folder))
    if not excerpts:
        raise ValueError(f"{data} has no recordings in split {split!r}")
    return excerpts


def cut(recording: Recording, seconds: float | None, folder: Path) -> Excerpt:
    """The recording's first `seconds`, or all of it.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(recording.audio)) as file:
            rate = file.samplerate
            wanted = file.frames if seconds is None else min(file.frames, round(seconds * rate))
            sound = file.read(wanted, dtype="float32", always_2d=True).mean(axis=1)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{recording.id}: the recording cannot be read ({error})") from None
    encoded = io.BytesIO()
    soundfile.write(encoded, np.clip(sound, -1, 1), rate, format="WAV", subtype="PCM_16")
    data = encoded.getvalue()
    path = write_atomic(folder / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', recording.id)}.wav", data)
    length = len(sound) / rate
    return Excerpt(recording.id, path, hashlib.sha256(data).hexdigest(), length, notes_within(recording.notes, length))


def notes_within(notes: Sequence[Note], seconds: float) -> list[Note]:
    """Notes that begin before `seconds`, and what of them is before it.

    >>> notes_within([Note(0.0, 1.0, 60, 64), Note(0.5, 3.0, 62, 64), Note(2.0, 3.0, 64, 64)], 2.0)[1].offset_seconds
    2.0
    """
    within = (note for note in notes if note.onset_seconds < seconds)
    return [note._replace(offset_seconds=min(note.offset_seconds, seconds)) for note in within]
