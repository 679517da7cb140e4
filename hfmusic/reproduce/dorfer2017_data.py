"""The renditions that a reproduction of paper 003 trains and tests on: chosen once, and copied to its own folder.

Of the copy, training caches no more than is used, and a dataset that is built anew changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from hfmusic.data.staves import parquet_files
from hfmusic.embed_pairs import evenly
from hfmusic.files import write_atomic

BATCH = 8  # rows that are copied at a time: each may hold megabytes


class Hears(Protocol):
    """What a cell says of the renditions that it may train on: of all fonts, of all tempi, or only of one."""

    @property
    def name(self) -> str: ...
    @property
    def fonts(self) -> bool: ...
    @property
    def tempo(self) -> bool: ...


@dataclass(frozen=True)
class Places:
    """Where the renditions come from, and where those that are used, lists of them, and the runs are.

    Attributes:
        data: the dataset that is trained on.
        tested: that of validation and test; "": the same.
    """

    data: str
    out: Path
    cache_dir: str
    tested: str = ""

    def data_of(self, split: str) -> str:
        """The dataset that a split is taken from."""
        return self.data if split == "train" else self.tested or self.data

    @property
    def sheets(self) -> Path:
        """The dataset of the renditions that are used."""
        return self.out / "sheets"

    def ids(self, cell: str) -> Path:
        """The list of the renditions that a cell trains on."""
        return self.out / "renditions" / f"{cell}.txt"

    def listed(self, cell: str) -> list[str]:
        return self.ids(cell).read_text(encoding="utf-8").splitlines()


class Rendition(NamedTuple):
    id: str
    piece: str
    font: str
    program: int
    tempo_factor: float

    @property
    def voice(self) -> str:
        """What plays: two programs of one SoundFont are two of the paper's synthesizers."""
        return f"{self.font}:{self.program}"

    @property
    def as_written(self) -> bool:
        return abs(self.tempo_factor - 1) < 1e-3


def read_renditions(folder: str | Path, split: str) -> list[Rendition]:
    """The renditions of a split, without their pages and sounds.

    Raises:
        ValueError: no such folder or split, or files of something else.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    shards = parquet_files(Path(folder), split)
    if not shards:
        raise ValueError(f"{folder} has no split {split!r}: make it with `hfmusic build sheet_audio`")
    try:
        tables = [pq.read_table(shard, columns=list(Rendition._fields)) for shard in shards]
        return [Rendition(**row) for table in tables for row in table.to_pylist()]
    except (pa.ArrowException, OSError, TypeError) as error:
        raise ValueError(f"{folder} holds no renditions of sheets ({str(error).splitlines()[0]})") from None


def choose_renditions(
    places: Places, cells: Sequence[Hears], *, pieces: int | None, tested: int | None
) -> dict[str, Any]:
    """Copy the renditions of `pieces` training pieces, and one of each of `tested` test pieces (and of all that are
    validated on), both evenly spread (None: all); write the list that each cell trains on. What was chosen, by number.

    The font (and program) of cells that hear only one is the one that plays most pieces as they are written.

    Raises:
        ValueError: no piece is played as written, no other font or tempo is there, or a piece trained on is tested.
    """
    train = read_renditions(places.data_of("train"), "train")
    count = Counter(one.voice for one in train if one.as_written)
    voice = min(count, key=lambda name: (-count[name], name)) if count else ""
    known = sorted({one.piece for one in train if one.as_written and one.voice == voice})
    chosen = {known[place] for place in evenly(len(known), pieces)}
    heard: dict[str, int] = {}
    for cell in cells:
        ids = [one.id for one in train if one.piece in chosen and _may_hear(cell, one, voice)]
        heard[cell.name] = len(ids)
        write_atomic(places.ids(cell.name), "".join(f"{one}\n" for one in ids))
    _check_variety(places, heard)
    used = {"train": [one.id for one in train if one.piece in chosen]}
    for split, limit in (("validation", None), ("test", tested)):
        renditions = read_renditions(places.data_of(split), split)
        if known := sorted(chosen & {one.piece for one in renditions}):
            raise ValueError(f"{places.data_of(split)} has in split {split!r} what is trained on: {known[0]}")
        ids = _one_a_piece(renditions)
        used[split] = [ids[place] for place in evenly(len(ids), limit)]
    for split, ids in used.items():
        target = places.sheets / f"{split}-00000-of-00001.parquet"
        copy_rows(parquet_files(Path(places.data_of(split)), split), frozenset(ids), target)
    counts = {split: len(used[split]) for split in ("validation", "test")}
    return {"pieces": len(chosen), "font": voice, "train": heard, **counts}


def _may_hear(cell: Hears, rendition: Rendition, voice: str) -> bool:
    return (cell.fonts or rendition.voice == voice) and (cell.tempo or rendition.as_written)


def _check_variety(places: Places, heard: Mapping[str, int]) -> None:
    if not 0 < heard["none"] < min(heard["tempo"], heard["fonts"]):
        raise ValueError(
            f"{places.data} has {heard['none']} renditions of one font as written, {heard['tempo']} with other tempi "
            f"and {heard['fonts']} with other fonts: build it with several of both"
        )


def _one_a_piece(renditions: Sequence[Rendition]) -> list[str]:
    """Of each piece the rendition whose tempo is closest to the written one."""
    best: dict[str, Rendition] = {}
    for one in renditions:
        before = best.setdefault(one.piece, one)
        if abs(one.tempo_factor - 1) < abs(before.tempo_factor - 1):
            best[one.piece] = one
    return [one.id for one in best.values()]


def copy_rows(shards: Sequence[Path], ids: Collection[str], target: Path) -> None:
    """Copy some rows of Parquet files of one kind to one file, unless it holds just these."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if target.is_file() and set(pq.read_table(target, columns=["id"])["id"].to_pylist()) == set(ids):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    wanted = pa.array(sorted(ids))
    with pq.ParquetWriter(partial, pq.read_schema(shards[0])) as writer:
        for shard in shards:
            for batch in pq.ParquetFile(shard).iter_batches(batch_size=BATCH):
                kept = batch.filter(pc.is_in(batch.column("id"), value_set=wanted))
                if kept.num_rows:
                    writer.write_batch(kept)
    partial.replace(target)
