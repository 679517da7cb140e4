"""The pieces that a reproduction of paper 004 trains and tests on: chosen once, and copied to its own folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfmusic.data.shard_plans import digest
from hfmusic.data.staves import parquet_files
from hfmusic.reproduce.dorfer2017_data import copy_rows

KINDS = ("loud", "quiet")
SPLITS = ("train", "validation", "test")  # of the datasets; whose piece is tested here is decided anew


@dataclass(frozen=True)
class Places:
    """Where the renditions come from, and where those that are used, and the runs, are.

    Attributes:
        loud, quiet: datasets of the same pieces, struck as their MIDI says, and all with velocity 1.
    """

    loud: str
    quiet: str
    out: Path
    cache_dir: str

    def rolls(self, kind: str) -> Path:
        """The dataset of the renditions that are used: splits "train", "leaked" (as many pieces, those that are tested
        among them) and "test"."""
        return self.out / "rolls" / kind


def choose_pieces(places: Places, *, pieces: int | None, tested: int) -> dict[str, Any]:
    """Draw `tested` compositions to test on and `pieces` others to train on (None: all), by the hash of their names,
    and copy the renditions of theirs, of both datasets. What was chosen, by number.

    Raises:
        ValueError: too few compositions, or datasets of different ones.
    """
    known = {kind: _renditions(getattr(places, kind)) for kind in KINDS}
    if set(known["loud"]) != set(known["quiet"]):
        raise ValueError(
            f"{places.loud} and {places.quiet} hold different renditions: build both of the same files, fonts and "
            "seed, the second with --velocity one"
        )
    works = sorted(set(known["loud"].values()), key=digest)
    others = works[tested:][:pieces]
    if len(others) < tested:
        raise ValueError(f"{places.loud} has {len(works)} compositions, {2 * tested} are needed")
    used = {"train": others, "leaked": [*works[:tested], *others[: len(others) - tested]], "test": works[:tested]}
    counts = {}
    for split, chosen in used.items():
        ids = [name for name, work in known["loud"].items() if work in chosen]
        counts[split] = len(ids)
        for kind in KINDS:
            shards = [shard for known in SPLITS for shard in parquet_files(Path(getattr(places, kind)), known)]
            copy_rows(shards, ids, places.rolls(kind) / f"{split}-00000-of-00001.parquet")
    return counts


def _renditions(folder: str) -> dict[str, str]:
    """The work of each rendition in its own key.

    Raises:
        ValueError: no such folder, or files of something else.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    shards = [shard for split in SPLITS for shard in parquet_files(Path(folder), split)]
    if not shards:
        raise ValueError(f"{folder} has no renditions of rolls: make it with `hfmusic build pianoroll_audio`")
    try:
        tables = [pq.read_table(shard, columns=["id", "work", "transposition"]) for shard in shards]
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{folder} holds no renditions of rolls ({str(error).splitlines()[0]})") from None
    return {row["id"]: row["work"] for table in tables for row in table.to_pylist() if not row["transposition"]}
