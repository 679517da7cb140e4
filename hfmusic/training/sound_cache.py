"""Recordings decoded once, and kept as one memory-mapped array of 16-bit samples with their notes beside it.

Decoding a FLAC file takes longer than cutting a crop from it by a thousand times. A folder of the cache is complete or
absent: it is written beside its name and renamed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from hfmusic.data.recordings import Recording, read_recordings
from hfmusic.data.staves import parquet_files
from hfmusic.models.audio_reading import open_sound
from hfmusic.training.checkpoint import write_folder

_VERSION = 1
NOTE_COLUMNS = 4  # onset and offset in seconds, MIDI pitch, velocity


@dataclass(frozen=True)
class SoundCache:
    """Recordings of a split: item i is `samples[offsets[i]:offsets[i + 1]]`, int16, and rows
    `note_offsets[i]:note_offsets[i + 1]` of `notes`, float64 (N, 4): onset, offset (seconds), MIDI pitch, velocity.
    `levels[i]` is the `loudness` of its loudest moment."""

    sampling_rate: int
    samples: np.ndarray
    offsets: np.ndarray
    notes: np.ndarray
    note_offsets: np.ndarray
    ids: list[str]
    works: list[str]
    levels: list[float]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> np.ndarray:
        """Samples of each recording."""
        return np.diff(self.offsets)

    def sound(self, index: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Samples of a recording, float32 in -1..1, cut at its end."""
        begin, end = int(self.offsets[index]), int(self.offsets[index + 1])
        last = end if stop is None else min(end, begin + stop)
        return self.samples[begin + start : last].astype(np.float32) / 32768

    def notes_of(self, index: int) -> np.ndarray:
        """Notes of a recording, float64 (n, 4)."""
        return self.notes[self.note_offsets[index] : self.note_offsets[index + 1]]

    @classmethod
    def open(cls, folder: Path) -> SoundCache:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        samples = np.load(folder / "samples.npy", mmap_mode="r")
        offsets, note_offsets = (np.asarray(index[name], np.int64) for name in ("offsets", "note_offsets"))
        notes = np.load(folder / "notes.npy")
        lists = (index[name] for name in ("ids", "works", "levels"))
        return cls(index["sampling_rate"], samples, offsets, notes, note_offsets, *lists)


def sound_cache(dataset: str | Path, split: str, *, sampling_rate: int, cache_dir: str | Path) -> SoundCache:
    """Open the decoded recordings of a split, decoding them first if they are not there.

    The key of the cache is the files' names, sizes, beginnings and ends; of a dataset on the Hub its name.

    Raises:
        ValueError: no such dataset, nothing in the split, or a recording that cannot be decoded (named).
    """
    folder = Path(cache_dir) / dataset_key(dataset, split, f"sounds {_VERSION}|{sampling_rate}")
    if not (folder / "index.json").is_file():
        title = f"sounds {Path(dataset).name} {split}"
        write_folder(folder, lambda partial: _decode(dataset, split, sampling_rate, partial, title))
    return SoundCache.open(folder)


def dataset_key(dataset: str | Path, split: str, description: str) -> str:
    """The name of a cache's folder: of what it holds, and of its files' names, sizes, beginnings and ends."""
    digest = hashlib.sha256(description.encode())
    folder = Path(dataset)
    files = parquet_files(folder, split) if folder.is_dir() else []
    if folder.is_dir() and not files:  # pairs, whatever their layout
        files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        digest.update(f"|{dataset}|{split}".encode())
    for path in files:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(65536)
            file.seek(max(0, size - 65536))
            digest.update(f"|{path.name}|{size}|".encode() + head + file.read())
    return digest.hexdigest()[:24]


def _decode(dataset: str | Path, split: str, sampling_rate: int, folder: Path, title: str) -> None:
    """Decode recordings one after the other into `folder`."""
    raw, notes = folder / "samples.raw", []
    lists: dict[str, list[Any]] = {"ids": [], "works": [], "levels": []}
    offsets, note_offsets = [0], [0]
    with raw.open("wb") as file:
        for recording in tqdm(read_recordings(dataset, split), desc=title, unit="recording"):
            samples = _samples(recording, sampling_rate)
            file.write(samples.tobytes())
            notes += [tuple(note)[:NOTE_COLUMNS] for note in recording.notes]
            values = (recording.id, recording.work, loudness(samples.astype(np.float32) / 32768, sampling_rate))
            for column, value in zip(lists.values(), values, strict=True):
                column.append(value)
            offsets.append(offsets[-1] + len(samples))
            note_offsets.append(len(notes))
    if not offsets[-1]:
        raise ValueError(f"nothing to hear in {dataset} {split}")
    raw_to_npy(raw, folder / "samples.npy", np.int16)
    np.save(folder / "notes.npy", np.asarray(notes, np.float64).reshape(-1, NOTE_COLUMNS))
    index = {"sampling_rate": sampling_rate, **lists, "offsets": offsets, "note_offsets": note_offsets}
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")


def loudness(sound: np.ndarray, sampling_rate: int) -> float:
    """Root mean square of the loudest 64 ms of a sound (n,), in blocks of them."""
    block = max(1, sampling_rate * 64 // 1000)
    whole = sound[: len(sound) // block * block] if len(sound) >= block else sound
    blocks = whole.reshape(-1, min(block, max(1, len(whole))))
    return float(np.sqrt(np.square(blocks).mean(axis=1).max(initial=0.0)))


def _samples(recording: Recording, sampling_rate: int) -> np.ndarray:
    try:
        sound = open_sound(recording.audio, sampling_rate=sampling_rate)
    except ValueError as error:
        raise ValueError(f"recording {recording.id} cannot be decoded: {error}") from None
    return np.clip(np.rint(np.asarray(sound) * 32768), -32768, 32767).astype(np.int16)


def raw_to_npy(raw: Path, path: Path, dtype: type[np.generic]) -> None:
    """Give a file of raw values the head of an array file, in blocks, and remove it."""
    source = np.memmap(raw, dtype, "r")
    array = np.lib.format.open_memmap(path, "w+", dtype, source.shape)
    for start in range(0, len(source), 1 << 24):
        array[start : start + (1 << 24)] = source[start : start + (1 << 24)]
    array.flush()
    del source
    raw.unlink()
