"""Rows of datasets with sounds in them, undecoded and one at a time: from Parquet shards, or streamed from the Hub."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any


def parquet_rows(shard: Path, columns: Sequence[str], what: str) -> Iterator[dict[str, Any]]:
    """The rows of a shard.

    Args:
        what: the dataset holds, in the plural, for messages.

    Raises:
        ValueError: a damaged file, or one without a column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(shard)
        missing = [column for column in columns if column not in file.schema_arrow.names]
        if missing:
            raise ValueError(f"{shard} holds no {what}: it has no column {', '.join(missing)}")
        for batch in file.iter_batches(batch_size=1, columns=list(columns)):
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{shard} is a damaged Parquet file ({str(error).splitlines()[0]})") from None


def hub_rows(name: str, split: str, features: Mapping[str, Any], what: str) -> Iterator[dict[str, Any]]:
    """The rows of a dataset on the Hub, owner/name.

    Args:
        features: of `datasets`, by column: those that are not to be decoded.

    Raises:
        ValueError: another kind of name, or no such dataset.
    """
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise ValueError(f"{what} must be a folder, or owner/name of a dataset on the Hub, got {name}")
    import datasets

    try:
        rows = datasets.load_dataset(name, split=split, streaming=True)
        for column, feature in features.items():
            rows = rows.cast_column(column, feature)
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name}: no folder, and no such dataset on the Hub ({str(error).splitlines()[0]})") from None
    yield from rows
