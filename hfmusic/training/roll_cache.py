"""Sounds analysed once, with their notes and beats: memory-mapped spectra, and a table of the windows in them.

Rolls are drawn and spectra brought to the beat as windows are cut, from the same notes and the same grid. A folder of
the cache is complete or absent: it is written beside its name and renamed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm.auto import tqdm

from hfmusic.data.rolls import RollGeometry, RollPiece, read_rolls, roll_numbers, roll_of, window_seconds, windows
from hfmusic.models.audio_reading import open_sound
from hfmusic.models.processing_audio_roll import AudioRollProcessor
from hfmusic.training.checkpoint import write_folder
from hfmusic.training.pair_augment import PairAugmentConfig, drawn_decibels
from hfmusic.training.sound_cache import dataset_key, raw_to_npy

_VERSION = 1
_FLICKER = 0.03  # of a noise floor in decibels, in parts of their range


class CachedRolls(NamedTuple):
    """A row of the dataset; those with the same `row` are of one piece in one key."""

    id: str
    work: str
    piece: str
    font: str
    row: int

    @property
    def tempo_factor(self) -> float:
        """Beside sheets, renditions differ in it."""
        return 1.0


@dataclass(frozen=True)
class RollCache:
    """Windows of a split. Window i begins at step `starts[i]` of `renditions[owners[i]]`; those with the same
    `contents` have the same binary roll.

    `notes` are of dtype `hfmusic.data.rolls.NOTES`, `grids` the seconds of steps, `spectra` float16 (T, bins): each of
    all renditions after each other, from one offset to the next."""

    renditions: list[CachedRolls]
    owners: np.ndarray
    starts: np.ndarray
    contents: np.ndarray
    notes: np.ndarray
    note_offsets: np.ndarray
    grids: np.ndarray
    grid_offsets: np.ndarray
    spectra: np.ndarray
    spectrum_offsets: np.ndarray
    steps_per_beat: int

    def __len__(self) -> int:
        return len(self.owners)

    @property
    def rows(self) -> int:
        """How many pieces in different keys there are."""
        return len({entry.row for entry in self.renditions})

    @property
    def xs(self) -> np.ndarray:
        """Where windows are in their pieces, in steps: what places on a page are beside sheets."""
        return self.starts

    @property
    def frames(self) -> np.ndarray:
        """Where windows are in their recordings, in steps."""
        return self.starts

    def spectrogram(self, rendition: int) -> np.ndarray:
        """A recording's, float16 (T, bins), a view of the file."""
        return self.spectra[self.spectrum_offsets[rendition] : self.spectrum_offsets[rendition + 1]]

    def piece(self, rendition: int) -> RollPiece:
        """A rendition without its sound."""
        entry = self.renditions[rendition]
        grid = self.grids[self.grid_offsets[rendition] : self.grid_offsets[rendition + 1]]
        notes = self.notes[self.note_offsets[rendition] : self.note_offsets[rendition + 1]]
        about = {"id": entry.id, "work": entry.work, "piece": entry.piece, "composer": "", "source": ""}
        numbers = {"program": -1, "transposition": 0, "seconds": float(grid[-1])}
        rest = {"audio": b"", "steps_per_beat": self.steps_per_beat, "notes": notes, "step_seconds": grid}
        return RollPiece(font=entry.font, **about, **numbers, **rest)  # type: ignore[arg-type]

    @classmethod
    def open(cls, folder: Path) -> RollCache:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        with np.load(folder / "windows.npz") as table:
            arrays = {name: table[name] for name in table.files}
        return cls(
            renditions=[CachedRolls(*entry) for entry in index["renditions"]],
            spectra=np.load(folder / "spectra.npy", mmap_mode="r").reshape(-1, index["bins"]),
            steps_per_beat=index["steps_per_beat"],
            **arrays,
        )


def roll_cache(dataset: str | Path, split: str, processor: AudioRollProcessor, cache_dir: str | Path) -> RollCache:
    """Open the windows of a split, making them first if they are not there.

    Raises:
        ValueError: no such dataset, nothing that sounds in the split, or a rendition that cannot be read (named).
    """
    options = {name: value for name, value in processor.to_dict().items() if isinstance(value, int | float | str)}
    options.pop("roll", None)  # which is drawn when windows are cut
    description = f"rolls {_VERSION}|{json.dumps(options, sort_keys=True)}"
    folder = Path(cache_dir) / dataset_key(dataset, split, description)
    if not (folder / "index.json").is_file():
        title = f"rolls {Path(dataset).name} {split}"
        write_folder(folder, lambda partial: _write(dataset, split, processor, partial, title))
    return RollCache.open(folder)


def _write(dataset: str | Path, split: str, processor: AudioRollProcessor, folder: Path, title: str) -> None:
    geometry, known = RollGeometry.of(processor), dict[tuple[str, int], int]()
    renditions: list[CachedRolls] = []
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ("owners", "starts", "contents", "notes", "grids")}
    lengths: list[int] = []
    with (folder / "spectra.raw").open("wb") as file:
        for piece in tqdm(read_rolls(dataset, split), desc=title, unit="rendition"):
            spectrogram = _spectrogram(piece, processor)
            file.write(spectrogram.tobytes())
            lengths.append(len(spectrogram))
            starts = windows(piece, geometry)
            found = (np.full(len(starts), len(renditions), np.int32), starts.astype(np.int32))
            rolls = roll_numbers(piece, starts, geometry)
            for name, values in zip(parts, (*found, rolls, piece.notes, piece.step_seconds), strict=True):
                parts[name].append(values)
            row = known.setdefault((piece.piece, piece.transposition), len(known))
            renditions.append(CachedRolls(piece.id, piece.work, piece.piece, piece.font, row))
    if not sum(map(len, parts["owners"])):
        raise ValueError(f"nothing sounds in {dataset} {split}")
    raw_to_npy(folder / "spectra.raw", folder / "spectra.npy", np.float16)
    ends = {"note_offsets": map(len, parts["notes"]), "grid_offsets": map(len, parts["grids"])}
    offsets = {name: np.cumsum([0, *sizes]) for name, sizes in (ends | {"spectrum_offsets": iter(lengths)}).items()}
    arrays: dict[str, Any] = {name: np.concatenate(part) for name, part in parts.items()} | offsets
    np.savez(folder / "windows.npz", **arrays)
    index: dict[str, Any] = {"renditions": renditions, "bins": processor.n_bins}
    index["steps_per_beat"] = processor.steps_per_beat
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")


def _spectrogram(piece: RollPiece, processor: AudioRollProcessor) -> np.ndarray:
    try:
        return processor.spectrogram(open_sound(piece.audio, sampling_rate=processor.sampling_rate)).astype(np.float16)
    except ValueError as error:
        raise ValueError(f"rendition {piece.id} cannot be decoded: {error}") from None


def cut_roll(
    cache: RollCache, place: int, processor: AudioRollProcessor, augment: PairAugmentConfig, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Window `place`: its spectrum float32 (frames, bins), damaged, and its roll uint8 (128, steps) in 0..255."""
    owner, start, geometry = int(cache.owners[place]), int(cache.starts[place]), RollGeometry.of(processor)
    piece = cache.piece(owner)
    roll = roll_of(piece.notes, start, geometry.steps, processor.roll)
    begin = start + augment.onset_shift * rng.uniform(-1, 1)
    moments = window_seconds(piece, [begin], geometry, 1 + augment.stretch * rng.uniform(-1, 1))
    excerpt = processor.excerpts(cache.spectrogram(owner), moments)[0, 0]
    return _coloured(excerpt, processor, augment, rng), np.rint(roll * 255).astype(np.uint8)


def _coloured(
    excerpt: np.ndarray, processor: AudioRollProcessor, config: PairAugmentConfig, rng: np.random.Generator
) -> np.ndarray:
    """Gain, equaliser and noise."""
    if not (config.gain_db or config.equaliser_db or config.floor):
        return excerpt
    decibels = drawn_decibels(excerpt.shape[1], config, rng)
    level, noise = config.floor * rng.random(), rng.standard_normal(excerpt.shape, np.float32)
    if processor.scaling == "magnitude":
        louder = excerpt * (10 ** (decibels / 20)).astype(np.float32)
        return louder + np.abs(noise) * np.float32(level)
    louder = excerpt + (decibels / processor.top_db).astype(np.float32)
    if config.floor:
        louder = np.maximum(louder, np.float32(level) + np.float32(_FLICKER) * noise)
    return np.clip(louder, 0, 1)
