"""Features of the datasets travel inside Parquet."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Features, Image, Value

from hfmusic.data.schema import PRIMUS_FEATURES, parquet_schema


def test_primus_columns() -> None:
    names = ["id", "work", "source", "image", "distorted", "semantic", "agnostic", "midi", "mei"]
    assert list(PRIMUS_FEATURES) == names
    assert isinstance(PRIMUS_FEATURES["image"], Image)
    assert PRIMUS_FEATURES["midi"] == Value("binary")


def test_features_survive_parquet(tmp_path: Path) -> None:
    schema = parquet_schema(PRIMUS_FEATURES)
    row = dict.fromkeys(PRIMUS_FEATURES) | {"id": "a", "image": {"bytes": b"png", "path": None}, "midi": b"\x00"}
    pq.write_table(pa.Table.from_pylist([row], schema=schema), tmp_path / "one.parquet")
    there = pq.read_schema(tmp_path / "one.parquet")
    assert Features.from_arrow_schema(there) == PRIMUS_FEATURES
