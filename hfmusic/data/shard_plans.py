"""Plans of builds on disk: items wait in one file, then go into the JSON-lines file of their shard, in hash order."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from hfmusic.data.shards import Row
from hfmusic.files import write_atomic

SPLITS = ("train", "validation", "test")


def digest(text: str) -> bytes:
    """16 bytes by which items are shuffled and compared."""
    return hashlib.sha256(text.encode()).digest()[:16]


def write_item_plan(items: Iterable[Row], folder: Path, rows_per_shard: int, dropped: Counter[str]) -> dict[str, Any]:
    """Write the plan of some items: `folder`/SPLIT-NNNNN.jsonl for each shard, and plan.json. Returns its content.

    Args:
        items: rows to make, each with "id" and "split"; only some 100 bytes of each stay in memory.
        dropped: reason -> count of what was left out, complete when `items` is exhausted.

    Raises:
        ValueError: two items of a split have one id.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    candidates = folder / "candidates.jsonl"
    places = defaultdict[str, dict[bytes, int]](dict)
    with candidates.open("wb") as file:
        for item in items:
            order = digest(item["id"])
            if order in places[item["split"]]:
                raise ValueError(f"two items of the sources have the id {item['id']!r}")
            places[item["split"]][order] = file.tell()
            file.write(json.dumps(item, separators=(",", ":")).encode() + b"\n")
    plan: dict[str, Any] = {"dropped": dict(sorted(dropped.items())), "shards": []}
    with candidates.open("rb") as file:
        for split in SPLITS:
            plan["shards"] += write_split_plan(split, sorted(places[split].items()), file, folder, rows_per_shard)
    candidates.unlink()
    write_atomic(folder / "plan.json", json.dumps(plan))
    return plan


def write_split_plan(
    split: str, offsets: list[tuple[bytes, int]], candidates: BinaryIO, folder: Path, rows_per_shard: int
) -> list[tuple[str, int]]:
    """Write the lines at some offsets of `candidates` as shard plans of a split; returns their names and counts."""
    total = math.ceil(len(offsets) / rows_per_shard)
    shards = []
    for number in range(total):
        chunk = offsets[number * rows_per_shard : (number + 1) * rows_per_shard]
        name = f"{split}-{number:05d}-of-{total:05d}"
        with (folder / f"{name}.jsonl").open("wb") as file:
            for _, offset in chunk:
                candidates.seek(offset)
                file.write(candidates.readline())
        shards.append((name, len(chunk)))
    return shards
