"""Sheets unrolled and sounds analysed once: memory-mapped rows and spectrograms, and a table of the pairs in them.

Renditions of one piece share its row. A folder of the cache is complete or absent: it is written beside its name and
renamed.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm.auto import tqdm

from hfmusic.data.sheets import Sheet, SheetAudio, SheetRow, read_sheet_audio, unroll
from hfmusic.data.snippets import SnippetGeometry, snippet_pairs
from hfmusic.models.audio_reading import open_sound
from hfmusic.models.processing_audio_score import AudioScoreProcessor, scaled
from hfmusic.training.checkpoint import write_folder
from hfmusic.training.sound_cache import dataset_key, raw_to_npy

_VERSION = 1
TICKS = 24  # a quarter, by which the music of two pairs is compared


class CachedRendition(NamedTuple):
    """A row of the dataset; `row` is the number of its picture."""

    id: str
    work: str
    piece: str
    font: str
    tempo_factor: float
    row: int


class PairPlace(NamedTuple):
    """A notehead and its onset: `x` in pixels of an unscaled row, `frame` of the spectrogram, the music's number, and
    the quarter of the score."""

    x: float
    frame: int
    content: int
    quarter: float


@dataclass(frozen=True)
class PairCache:
    """Pairs of a split. Pair i is at `xs[i]` (unscaled pixels) of row `renditions[owners[i]].row`, and at `frames[i]`
    of the spectrogram of that rendition; pairs with the same `contents` are the same music.

    Rows are uint8, higher than a snippet by `margin` page pixels above and below, already scaled."""

    renditions: list[CachedRendition]
    owners: np.ndarray
    xs: np.ndarray
    frames: np.ndarray
    contents: np.ndarray
    row_height: int
    row_values: np.ndarray
    row_offsets: np.ndarray
    spectrum_values: np.ndarray
    spectrum_offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.owners)

    @property
    def rows(self) -> int:
        """How many pictures there are."""
        return len(self.row_offsets) - 1

    def row(self, number: int) -> np.ndarray:
        """A row, uint8 (height, width), a view of the file."""
        return self.row_values[self.row_offsets[number] : self.row_offsets[number + 1]].reshape(self.row_height, -1)

    def spectrogram(self, rendition: int) -> np.ndarray:
        """A recording's, float16 (T, bands), a view of the file."""
        return self.spectrum_values[self.spectrum_offsets[rendition] : self.spectrum_offsets[rendition + 1]]

    @classmethod
    def open(cls, folder: Path) -> PairCache:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        rows, spectra = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("rows", "spectra"))
        with np.load(folder / "pairs.npz") as table:
            pairs = {name: table[name] for name in ("owners", "xs", "frames", "contents")}
        return cls(
            renditions=[CachedRendition(*entry) for entry in index["renditions"]],
            row_height=index["row_height"],
            row_values=rows,
            row_offsets=np.asarray(index["row_offsets"], np.int64),
            spectrum_values=spectra.reshape(-1, index["bands"]),
            spectrum_offsets=np.asarray(index["spectrum_offsets"], np.int64),
            **pairs,
        )


def pair_cache(dataset: str | Path, split: str, processor: AudioScoreProcessor, cache_dir: str | Path) -> PairCache:
    """Open the pairs of a split, making them first if they are not there.

    Raises:
        ValueError: no such dataset, no pair in the split, or a rendition that cannot be read (named).
    """
    options = {name: float(value) for name, value in processor.to_dict().items() if isinstance(value, int | float)}
    description = f"pairs {_VERSION}|{json.dumps(options, sort_keys=True)}"
    folder = Path(cache_dir) / dataset_key(dataset, split, description)
    if not (folder / "index.json").is_file():
        title = f"pairs {Path(dataset).name} {split}"
        write_folder(folder, lambda partial: _write(dataset, split, processor, partial, title))
    return PairCache.open(folder)


def margin(processor: AudioScoreProcessor) -> int:
    """Page pixels of a cached row above a snippet, and as many below: a tenth of it, for shifts and scales.

    They are whole pixels of the scaled row too, where the scale allows: snippets are then what the processor cuts.
    """
    rows = math.ceil(round(processor.image_height / 10 * processor.image_scale, 6))
    return round(rows / processor.image_scale)


def _write(dataset: str | Path, split: str, processor: AudioScoreProcessor, folder: Path, title: str) -> None:
    height = processor.image_height + 2 * margin(processor)
    rows = round(height * processor.image_scale)
    known: dict[str, int] = {}
    renditions: list[CachedRendition] = []
    owners: list[int] = []
    places: list[PairPlace] = []
    row_offsets, spectrum_offsets = [0], [0]
    with ExitStack() as stack:
        pictures, spectra = (stack.enter_context((folder / f"{name}.raw").open("wb")) for name in ("rows", "spectra"))
        for rendition in tqdm(read_sheet_audio(dataset, split), desc=title, unit="rendition"):
            unrolled = unroll(rendition.sheet, height=height, fit=processor.fitted_height)
            picture = scaled(unrolled.image, processor.image_scale, rows)
            number = known.setdefault(hashlib.sha256(picture.tobytes()).hexdigest(), len(known))
            if number == len(row_offsets) - 1:
                pictures.write(picture.tobytes())
                row_offsets.append(row_offsets[-1] + picture.size)
            spectrogram = _spectrogram(rendition, processor)
            spectra.write(spectrogram.tobytes())
            spectrum_offsets.append(spectrum_offsets[-1] + len(spectrogram))
            found = list(pair_places(rendition.sheet, unrolled, processor, len(spectrogram)))
            places += found
            owners += [len(renditions)] * len(found)
            told = (rendition.id, rendition.work, rendition.piece, rendition.font, rendition.tempo_factor)
            renditions.append(CachedRendition(*told, number))
    if not places:
        raise ValueError(f"no pair of a notehead and its onset in {dataset} {split}")
    raw_to_npy(folder / "rows.raw", folder / "rows.npy", np.uint8)
    raw_to_npy(folder / "spectra.raw", folder / "spectra.npy", np.float16)
    _write_table(folder / "pairs.npz", owners, places)
    index: dict[str, Any] = {"renditions": renditions, "row_height": rows, "bands": processor.front_end().bands}
    index |= {"row_offsets": row_offsets, "spectrum_offsets": spectrum_offsets}
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")


def _write_table(path: Path, owners: list[int], places: list[PairPlace]) -> None:
    np.savez(
        path,
        owners=np.asarray(owners, np.int32),
        xs=np.asarray([place.x for place in places], np.float32),
        frames=np.asarray([place.frame for place in places], np.int32),
        contents=np.asarray([place.content for place in places], np.int64),
    )


def _spectrogram(rendition: SheetAudio, processor: AudioScoreProcessor) -> np.ndarray:
    try:
        sound = open_sound(rendition.audio, sampling_rate=processor.sampling_rate)
        return processor.spectrogram(sound).astype(np.float16)
    except ValueError as error:
        raise ValueError(f"rendition {rendition.id} cannot be decoded: {error}") from None


def pair_places(sheet: Sheet, row: SheetRow, processor: AudioScoreProcessor, frames: int) -> Iterator[PairPlace]:
    """The pairs of a rendition, of its unscaled row and a spectrogram of so many frames; see `snippet_pairs`.

    Windows may reach beyond the row and the recording: there is paper and silence, as where a piece is searched in.
    """
    onsets = np.array([note.onset_seconds for note in sheet.notes])
    sounds = np.array([(note.onset_quarters * TICKS, note.pitch_midi) for note in sheet.notes]).reshape(-1, 2).round()
    reach = processor.frames / processor.frame_rate / 2
    unscaled = replace(geometry_of(processor), image_scale=1.0)
    for pair in snippet_pairs(sheet, row, frames, unscaled, pad=True, frame_rate=processor.frame_rate):
        near = slice(*np.searchsorted(onsets, [onsets[pair.note] - reach, onsets[pair.note] + reach]))
        music = sounds[near] - (sounds[pair.note, 0], 0)
        music = music[np.lexsort((music[:, 1], music[:, 0]))].astype(np.int32)
        digest = hashlib.blake2b(music.tobytes(), digest_size=8).digest()
        quarter = sheet.notes[pair.note].onset_quarters
        yield PairPlace(pair.x, pair.frame, int.from_bytes(digest, "big", signed=True), quarter)


def geometry_of(processor: AudioScoreProcessor) -> SnippetGeometry:
    """How large a processor's snippets and excerpts are."""
    sizes = (processor.image_height, processor.image_width, processor.image_scale, processor.frames)
    return SnippetGeometry(*sizes)
