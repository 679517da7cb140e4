"""The row that a real recording becomes: its sound as mono FLAC at one rate, its notes. Worker processes import it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from hfmusic.data.note_files import Note, parse_notes
from hfmusic.data.places import Place
from hfmusic.data.primus_audio_rows import flac_bytes
from hfmusic.data.shards import Row

_SILENT = 1e-4  # three steps of 16 bits


@dataclass(frozen=True)
class RecordingRows:
    """Makes the row of an item of a plan, {id, work, split, sound, label}; `sound` and `label` are places. Picklable.

    Attributes:
        source, instrument: those columns.
        sampling_rate: of the FLAC.
        offsets: where notes of MIDI files end, with their "sound" or their "keys".
    """

    source: str
    instrument: str
    sampling_rate: int = 16000
    offsets: str = "sound"

    def __call__(self, item: Row) -> Row:
        sound, label = (place_of(item[kind]) for kind in ("sound", "label"))
        notes = parse_notes(label.read(), label.suffix, str(label), self.offsets)
        audio, seconds = mono_flac(sound.read(), self.sampling_rate, str(sound))
        return {
            "id": item["id"],
            "work": item["work"],
            "source": self.source,
            "instrument": self.instrument,
            "program": -1,
            "font": "",
            "audio": {"bytes": audio, "path": None},
            "seconds": seconds,
            "notes": note_rows(notes),
        }


def place_of(parts: list[str]) -> Place:
    """The place that `Place.as_json` wrote."""
    return Place(Path(parts[0]), parts[1])


def note_rows(notes: list[Note]) -> list[Row]:
    """Notes as the column `notes` has them."""
    return [note._asdict() for note in notes]


def mono_flac(data: bytes, sampling_rate: int, name: str) -> tuple[bytes, float]:
    """The bytes of a sound as FLAC of one channel and 16 bits, and its seconds. What is that already stays as it is.

    Raises:
        ValueError: no sound, one that is cut off, or silence (a clip that circulates for tests is); names it.
    """
    samples, info = _decoded(data, name)
    if np.abs(samples).max(initial=0.0) < _SILENT:
        raise ValueError(f"{name} is silent")
    if (info.format, info.channels, info.samplerate, info.subtype) == ("FLAC", 1, sampling_rate, "PCM_16"):
        return data, info.frames / sampling_rate
    samples = soxr.resample(samples, info.samplerate, sampling_rate)
    return flac_bytes(samples, sampling_rate), len(samples) / sampling_rate


def _decoded(data: bytes, name: str) -> tuple[np.ndarray, Any]:
    """The mean of a sound's channels, float32 (n,), and what soundfile tells of it.

    Not by `hfmusic.models.audio_reading`: that takes torch and transformers into every worker process.
    """
    import soundfile

    if data[:4] == b"RIFF" and len(data) + 1 < int.from_bytes(data[4:8], "little") + 8 < 1 << 32:
        raise ValueError(f"{name} is cut off: {len(data)} bytes")
    try:
        info = soundfile.info(io.BytesIO(data))
        channels, _ = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise ValueError(f"{name} is no sound that can be read ({error})") from None
    if len(channels) != info.frames:
        raise ValueError(f"{name} is cut off: {len(channels)} of {info.frames} samples are there")
    return channels.mean(axis=1), info
