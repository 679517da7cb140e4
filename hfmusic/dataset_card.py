"""What a built dataset's card says of its contents: sizes, and a row to look at, read from its Parquet files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from hfmusic.data.licences import OTHER_TERMS
from hfmusic.packing import join_card, split_card

_MARK = "<!-- what follows is written by hfmusic from the files -->"
_SHARD = re.compile(r"(?P<split>\w+)-\d+-of-\d+\.parquet")
_CATEGORIES = [(10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M")]


def with_statistics(text: str, folder: str | Path) -> str:
    """A dataset's README.md with `size_categories` in its metadata, and at the end rows and bytes by split and a row;
    what an earlier call wrote is replaced. A licence "other" without a name and a link gets them.

    Args:
        folder: of the dataset, data/SPLIT-00000-of-00001.parquet in it.

    Raises:
        ValueError: there are no such files.
    """
    shards = sorted((Path(folder) / "data").glob("*.parquet"))
    splits: dict[str, list[Path]] = {split: [] for split in ("train", "validation", "test")}
    for path in shards:
        match = _SHARD.fullmatch(path.name)
        splits.setdefault(match["split"] if match else "train", []).append(path)
    splits = {split: paths for split, paths in splits.items() if paths}
    if not splits:
        raise ValueError(f"{folder}: no Parquet files in data/")
    front, body = split_card(text)
    counts = {split: sum(pq.read_metadata(path).num_rows for path in paths) for split, paths in splits.items()}
    if front.get("license") == "other":
        front |= {key: value for key, value in OTHER_TERMS.items() if key not in front}
    front["size_categories"] = [category(sum(counts.values()))]
    head = body.split(_MARK)[0].rstrip()
    table = ["| split | rows | files | MB |", "|---|---|---|---|"]
    for split, paths in splits.items():
        megabytes = sum(path.stat().st_size for path in paths) / 1e6
        table.append(f"| {split} | {counts[split]:,} | {len(paths)} | {megabytes:,.1f} |")
    filled = [path for path in splits.get("train", shards) if pq.read_metadata(path).num_rows]
    shown = ["## A row", "", *sample_table(filled[0])] if filled else []
    return join_card(front, "\n".join([head, "", _MARK, "", "## Sizes", "", *table, "", *shown]).rstrip() + "\n")


def category(rows: int) -> str:
    """The Hub's `size_categories` of a number of rows.

    >>> category(999), category(1000)
    ('n<1K', '1K<n<10K')
    """
    return next((name for limit, name in _CATEGORIES if rows < limit), "n>10M")


def sample_table(path: Path) -> list[str]:
    """The first row of a Parquet file as a table: texts and numbers shortened, sounds and pictures by their size."""
    batch = next(pq.ParquetFile(path).iter_batches(batch_size=1))
    row = batch.to_pylist()[0]
    lines = ["| column | type | in the first row |", "|---|---|---|"]
    for field in batch.schema:
        kind = "struct" if str(field.type).startswith("struct") else str(field.type).split("<")[0]
        lines.append(f"| {field.name} | {kind} | {_shown(row[field.name])} |")
    return lines


def _shown(value: Any) -> str:
    if isinstance(value, dict) and isinstance(value.get("bytes"), bytes):
        return f"{len(value['bytes']):,} bytes"
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    if isinstance(value, list):
        return f"{len(value)} entries" + (f", the first {_shown(value[0])}" if value else "")
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(part)}" for key, part in value.items())[:200]
    text = re.sub(r"\s+", " ", str(value)).replace("|", "\\|").replace("<", "&lt;")
    return text if len(text) <= 120 else f"{text[:117]}..."
