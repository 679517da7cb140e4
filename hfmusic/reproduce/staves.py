"""Which staves a reproduction trains and measures on: the same in both domains, written down as lists of ids."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from hfmusic.data.collate import frames_needed
from hfmusic.data.feature_cache import FeatureCache
from hfmusic.data.staves import parquet_files
from hfmusic.files import write_atomic
from hfmusic.symbolic.vocabulary import load_vocabulary
from hfmusic.training.config import TrainingConfig
from hfmusic.training.data import open_cache
from hfmusic.training.export import SoundExtractor, StaffExtractor

SPLITS = ("train", "validation", "test")
DOMAINS = ("image", "audio")


@dataclass(frozen=True)
class Curation:
    """Which staves are taken. Every rule holds in both domains at once.

    Attributes:
        image: column of the pictures, "distorted" (paper) or "image".
        multirests: False leaves out staves with one (our reading of the paper's curation).
        max_tokens, max_columns: longest text, and widest features of either domain; None: any.
        sources: prefixes of the ids taken, none: all.
        held_out: works of the training split that are measured on instead, one in so many (0: none), by a hash of
            their name. Half of them go to validation.
        limits: staves of each split at most, the first in the order of the pictures.
    """

    image: str = "distorted"
    multirests: bool = False
    max_tokens: int | None = None
    max_columns: int | None = None
    sources: tuple[str, ...] = ()
    held_out: int = 0
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Folders:
    """Where the pictures and the sounds of the same staves lie."""

    image: str
    audio: str

    def of(self, domain: str) -> str:
        return self.image if domain == "image" else self.audio


@dataclass(frozen=True)
class Chosen:
    """Ids of each part, and how many of it lie in which split of the folders: `places[part]` lists splits."""

    ids: dict[str, list[str]]
    places: dict[str, list[str]]

    def write(self, folder: Path) -> None:
        """One list a part, and what they are in `places.json`."""
        for part, ids in self.ids.items():
            write_atomic(list_file(folder, part), "\n".join(ids) + "\n")
        write_atomic(folder / "places.json", json.dumps(self.places) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Chosen:
        places = json.loads((folder / "places.json").read_text(encoding="utf-8"))
        ids = {part: list_file(folder, part).read_text(encoding="utf-8").split() for part in SPLITS}
        return cls(ids, places)


def list_file(folder: Path, part: str) -> Path:
    """The list of a part's ids, one a line."""
    return folder / f"{part}.txt"


def column(curation: Curation, domain: str) -> str:
    return "audio" if domain == "audio" else curation.image


def split_cache(config: TrainingConfig, folders: Folders, curation: Curation, domain: str, split: str) -> FeatureCache:
    """Features of a split in one domain, computed if they are not there."""
    extract: dict[str, StaffExtractor | SoundExtractor] = {
        "image": StaffExtractor(dict(config.processor)),
        "audio": SoundExtractor(dict(config.audio_processor)),
    }
    return open_cache(config, extract, folders.of(domain), split, column(curation, domain))


def choose(config: TrainingConfig, folders: Folders, curation: Curation, stride: int) -> Chosen:
    """Choose the staves of each part. `stride`: columns of features a frame of the network covers.

    Raises:
        ValueError: the folders share no staves that can be taken.
    """
    ids: dict[str, list[str]] = {part: [] for part in SPLITS}
    places: dict[str, list[str]] = {part: [] for part in SPLITS}
    for split in SPLITS:
        caches = {domain: split_cache(config, folders, curation, domain, split) for domain in DOMAINS}
        works = _works(Path(folders.image), split) if curation.held_out and split == "train" else {}
        for stave in _fitting(caches, curation, stride, config.vocabulary):
            part = _part(works[stave], curation.held_out) if works else split
            ids[part].append(stave)
            if split not in places[part]:
                places[part].append(split)
    for part, most in curation.limits.items():
        ids[part] = ids[part][:most]
    for part, found in ids.items():
        if not found:
            raise ValueError(f"{folders.image} and {folders.audio} share no {part} staves that can be taken")
    return Chosen(ids, places)


def _fitting(caches: Mapping[str, FeatureCache], curation: Curation, stride: int, vocabulary: str) -> list[str]:
    """Ids that the rules leave, in the order of the pictures."""
    words = load_vocabulary(vocabulary)
    columns = {domain: dict(zip(cache.ids, cache.widths.tolist(), strict=True)) for domain, cache in caches.items()}
    found = []
    for stave, text in zip(caches["image"].ids, caches["image"].texts, strict=True):
        tokens = text.split()
        if stave not in columns["audio"] or not _taken(stave, tokens, curation):
            continue
        widths = [columns[domain][stave] for domain in DOMAINS]
        try:
            least = frames_needed(np.asarray(words.encode(tokens)))
        except ValueError:
            continue
        wide = curation.max_columns is not None and max(widths) > curation.max_columns
        if not wide and 0 < least <= min(widths) // stride:
            found.append(stave)
    return found


def _taken(stave: str, tokens: Sequence[str], curation: Curation) -> bool:
    if curation.sources and not stave.startswith(curation.sources):
        return False
    if curation.max_tokens is not None and len(tokens) > curation.max_tokens:
        return False
    return curation.multirests or not any(token.startswith("multirest") for token in tokens)


def _works(folder: Path, split: str) -> dict[str, str]:
    """The work that each staff is of."""
    works: dict[str, str] = {}
    for path in parquet_files(folder, split):
        table = pq.read_table(path, columns=["id", "work"])
        works |= dict(zip(table["id"].to_pylist(), table["work"].to_pylist(), strict=True))
    return works


def _part(work: str, held_out: int) -> str:
    """The part a work of the training split goes to."""
    number = int.from_bytes(hashlib.sha256(work.encode()).digest()[:8], "big")
    if number % held_out:
        return "train"
    return "test" if number // held_out % 2 else "validation"
