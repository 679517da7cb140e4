"""Labelled staves on disk, read the same way whatever their layout.

A folder is either Parquet built by `hfmusic build` (columns `id`, `image`, `distorted`, `semantic`, `agnostic` ...) or
plain pairs: `N.png` beside `N.semantic`, as the genuine PrIMuS pairs come, or PrIMuS's own `ID/ID.png`. Sounds of
staves are read in the same ways: a column `audio`, or `N.flac` (or .wav, .ogg, .mp3) beside the label.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

COLUMNS = ("image", "distorted", "audio")
_ENDINGS = {
    "image": ("", ("png", "jpg")),
    "distorted": ("_distorted", ("jpg", "png")),
    "audio": ("", ("flac", "wav", "ogg", "mp3")),
}
ENCODINGS = ("semantic", "agnostic")

_KINDS = {"image": "an image", "distorted": "a distorted image", "audio": "a sound"}


@dataclass(frozen=True)
class Stave:
    """One labelled staff: `encoded` is a file (PNG, JPEG, FLAC ...), `text` its tokens separated by white space."""

    id: str
    encoded: bytes
    text: str


@dataclass(frozen=True)
class StaveChunk:
    """Some staves of one file or folder, small enough for one task of a worker process; picklable.

    `row_group` is the Parquet row group of `paths[0]`, or None when `paths` are files with a label beside each.
    """

    paths: tuple[Path, ...]
    count: int
    column: str
    encoding: str
    row_group: int | None = None

    def read(self) -> Iterator[Stave]:
        """Read the staves of this chunk in order."""
        if self.row_group is None:
            for path in self.paths:
                label = path.with_name(path.name.replace("_distorted", "")).with_suffix(f".{self.encoding}")
                yield Stave(label.stem, path.read_bytes(), _plain(label.read_text(encoding="utf-8")))
            return
        columns = ["id", self.column, self.encoding]
        table = pq.ParquetFile(self.paths[0]).read_row_group(self.row_group, columns=columns)
        for row in table.to_pylist():
            yield Stave(str(row["id"]), row[self.column]["bytes"], _plain(row[self.encoding]))


def stave_chunks(
    folder: str | Path, *, split: str = "train", image: str = "image", encoding: str = "semantic"
) -> list[StaveChunk]:
    """List the chunks of a split of a folder, in a fixed order.

    Args:
        folder: Parquet folder or folder of pairs. Pairs have no splits: all of them are returned whatever `split`.
        image: "image" (clean), "distorted" or "audio".
        encoding: "semantic" or "agnostic".

    Raises:
        ValueError: unknown column, no such folder, or nothing of this split in it.
    """
    folder = Path(folder)
    if image not in COLUMNS:
        raise ValueError(f"image must be one of {', '.join(COLUMNS)}, got {image!r}")
    if encoding not in ENCODINGS:
        raise ValueError(f"encoding must be one of {', '.join(ENCODINGS)}, got {encoding!r}")
    if not folder.is_dir():
        raise ValueError(f"dataset must be a folder of Parquet files or of image and label pairs, got {folder}")
    parquet = parquet_files(folder, split)
    if parquet and image not in pq.read_schema(parquet[0]).names:
        raise ValueError(f"{folder} has no column {image!r}")
    if parquet:
        return [
            StaveChunk((path,), metadata.row_group(group).num_rows, image, encoding, group)
            for path in parquet
            for metadata in [pq.read_metadata(path)]
            for group in range(metadata.num_row_groups)
        ]
    if any(folder.rglob("*.parquet")):
        raise ValueError(f"no split {split!r} in {folder}: no file named {split}-*.parquet")
    pairs = _pair_files(folder, image, encoding)
    if not pairs:
        raise ValueError(f"no Parquet files and no pairs of {_KINDS[image]} and a .{encoding} file in {folder}")
    groups = [tuple(pairs[start : start + 64]) for start in range(0, len(pairs), 64)]
    return [StaveChunk(group, len(group), image, encoding) for group in groups]


def parquet_files(folder: Path, split: str) -> list[Path]:
    """The Parquet shards of a split, `SPLIT-*.parquet` or `SPLIT.parquet`, at any depth, sorted."""
    return sorted([*folder.rglob(f"{split}-*.parquet"), *folder.rglob(f"{split}.parquet")])


def read_staves(
    folder: str | Path,
    *,
    split: str = "test",
    image: str = "image",
    encoding: str = "semantic",
    n: int | None = None,
    seed: int = 0,
) -> Iterator[Stave]:
    """Read the staves of a split in order; with `n`, that many drawn with `seed` (all of them if there are fewer)."""
    chunks = stave_chunks(folder, split=split, image=image, encoding=encoding)
    total = sum(chunk.count for chunk in chunks)
    if n is not None and n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    wanted = set(np.random.default_rng(seed).permutation(total)[:n].tolist())
    start = 0
    for chunk in chunks:
        inside = {index - start for index in range(start, start + chunk.count) if index in wanted}
        start += chunk.count
        if inside:
            yield from (stave for index, stave in enumerate(chunk.read()) if index in inside)


def spread(total: int, n: int | None) -> np.ndarray:
    """Indices of `n` of `total` items spread evenly, int64, ascending; all of them if n is None or too large.

    >>> spread(10, 3).tolist(), spread(2, 5).tolist()
    ([0, 3, 6], [0, 1])
    """
    if n is None or n >= total:
        return np.arange(total)
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    return (np.arange(n) * total) // n


def _pair_files(folder: Path, image: str, encoding: str) -> list[Path]:
    labels = sorted(folder.rglob(f"*.{encoding}"), key=lambda path: (path.parent, _natural(path.stem)))
    suffix, extensions = _ENDINGS[image]
    candidates: Sequence[list[Path]] = [
        [label.with_name(f"{label.stem}{suffix}.{extension}") for extension in extensions] for label in labels
    ]
    return [path for options in candidates for path in [next((p for p in options if p.is_file()), None)] if path]


def _natural(stem: str) -> tuple[int, str]:
    return (int(stem), "") if stem.isdigit() else (-1, stem)


def _plain(text: str | Sequence[str]) -> str:
    """One file of the genuine pairs is separated by commas, the others by tabs."""
    joined = text if isinstance(text, str) else " ".join(text)
    return " ".join(token for token in re.split(r"[\s,]+", joined) if token)
