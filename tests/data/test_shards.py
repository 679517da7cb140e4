"""Shards: same bytes however they come about, workers that die, builds that are killed."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hfmusic.data import shards as shards_module
from hfmusic.data.shards import BuildError, Shard, write_shards

SCHEMA = pa.schema([("id", pa.string()), ("square", pa.int64())])

# Workers import the row maker by name, so it lives in a module of its own.
ROWS = """
import os, time
from pathlib import Path

class Square:
    def __init__(self, marks=None, seconds=0.0):
        self.marks, self.seconds = marks, seconds

    def __call__(self, item):
        time.sleep(self.seconds)
        if item["id"] == "abort":
            os.abort()
        if item["id"] == "once" and not Path(self.marks, "once").exists():
            Path(self.marks, "once").touch()
            os.abort()
        if item["id"] == "hang":
            time.sleep(60)
        if item["id"] == "bad":
            raise ValueError("no square of this")
        return {"id": item["id"], "square": item["number"] ** 2}
"""


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The class Square, importable in worker processes."""
    folder = tmp_path / "code"
    folder.mkdir()
    name = f"toy_rows_{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:8]}"
    (folder / f"{name}.py").write_text(ROWS)
    monkeypatch.syspath_prepend(str(folder))
    return __import__(name).Square


def plan(folder: Path, *parts: list[str]) -> list[Shard]:
    """Shards of items with these ids, numbered from 0."""
    folder.mkdir(parents=True, exist_ok=True)
    shards, number = [], 0
    for index, ids in enumerate(parts):
        path = folder / f"train-{index:05d}.jsonl"
        path.write_text("".join(json.dumps({"id": name, "number": number + i}) + "\n" for i, name in enumerate(ids)))
        number += len(ids)
        shards.append(Shard(path, folder / "data" / f"train-{index:05d}.parquet", len(ids)))
    return shards


def read(shards: list[Shard]) -> dict[str, int]:
    rows = [row for shard in shards for row in pq.read_table(shard.path).to_pylist()]
    return {row["id"]: row["square"] for row in rows}


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*.parquet"))}


def test_rows_keep_the_order_of_the_plan(tmp_path: Path, rows) -> None:
    shards = plan(tmp_path / "a", ["x", "y", "z"], ["u"])
    report = write_shards(shards, rows(), SCHEMA, num_proc=1)
    assert (report.rows, report.failed) == (4, [])
    assert read(shards) == {"x": 0, "y": 1, "z": 4, "u": 9}
    assert pq.read_table(shards[0].path).schema.names == ["id", "square"]


def test_row_groups_are_small(tmp_path: Path, rows) -> None:
    shards = plan(tmp_path / "a", [str(number) for number in range(250)])
    write_shards(shards, rows(), SCHEMA, num_proc=1)
    metadata = pq.read_metadata(shards[0].path)
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [100, 100, 50]


def test_an_abort_costs_its_item_and_is_named(tmp_path: Path, rows) -> None:
    shards = plan(tmp_path / "a", ["x", "abort", "y"], ["z"])
    report = write_shards(shards, rows(), SCHEMA, num_proc=2)
    assert read(shards) == {"x": 0, "y": 4, "z": 9}
    assert report.rows == 3
    assert [entry["id"] for entry in report.failed] == ["abort"]
    assert "died with exit code -6" in report.failed[0]["error"]


def test_a_death_that_does_not_repeat_costs_nothing(tmp_path: Path, rows) -> None:
    shards = plan(tmp_path / "a", ["x", "once", "y"])
    report = write_shards(shards, rows(str(tmp_path)), SCHEMA, num_proc=1)
    assert (report.rows, report.failed) == (3, [])
    assert (tmp_path / "once").exists()


def test_an_item_that_never_ends_is_given_up(tmp_path: Path, rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards_module, "ITEM_SECONDS", 1.0)
    shards = plan(tmp_path / "a", ["x", "hang"])
    report = write_shards(shards, rows(), SCHEMA, num_proc=1)
    assert read(shards) == {"x": 0}
    assert [entry["id"] for entry in report.failed] == ["hang"]


def test_an_exception_costs_its_item(tmp_path: Path, rows) -> None:
    shards = plan(tmp_path / "a", ["bad", "y"])
    report = write_shards(shards, rows(), SCHEMA, num_proc=1)
    assert report.failed == [{"id": "bad", "error": "ValueError: no square of this"}]
    assert read(shards) == {"y": 1}


def test_finished_shards_are_left_alone(tmp_path: Path, rows) -> None:
    shards = plan(tmp_path / "a", ["x"], ["bad"])
    write_shards(shards, rows(), SCHEMA, num_proc=1)
    stamps = [shard.path.stat().st_mtime_ns for shard in shards]
    report = write_shards(shards, rows(), SCHEMA, num_proc=1)
    assert [shard.path.stat().st_mtime_ns for shard in shards] == stamps
    assert (report.rows, len(report.failed)) == (1, 1)


def test_what_is_no_items_fault_ends_the_build(tmp_path: Path, rows) -> None:
    shards = plan(tmp_path / "a", ["x", "y"])
    (tmp_path / "a" / "data").write_text("a file where the folder should be")
    with pytest.raises(BuildError, match="train-00000.parquet: FileExistsError"):
        write_shards(shards, rows(), SCHEMA, num_proc=1)
    with pytest.raises(BuildError, match="train-00000.parquet: ArrowInvalid"):
        write_shards(plan(tmp_path / "b", ["x"]), rows(), pa.schema([("id", pa.int64())]), num_proc=1)


def test_no_worker_at_all_is_refused(tmp_path: Path, rows) -> None:
    with pytest.raises(ValueError, match="num_proc must be at least 1, got 0"):
        write_shards(plan(tmp_path / "a", ["x"]), rows(), SCHEMA, num_proc=0)


def test_killed_and_resumed_gives_the_bytes_of_an_unbroken_run(tmp_path: Path, rows) -> None:
    parts = [[f"{part}-{number}" for number in range(8)] for part in range(6)]
    unbroken = plan(tmp_path / "unbroken", *parts)
    write_shards(unbroken, rows(), SCHEMA, num_proc=1)

    shards = plan(tmp_path / "killed", *parts)
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(f"""
        import sys
        sys.path[:0] = {[*sys.path]!r}
        import pyarrow as pa
        from pathlib import Path
        from hfmusic.data.shards import Shard, write_shards
        from {rows.__module__} import Square
        if __name__ == "__main__":
            folder = Path({str(tmp_path / "killed")!r})
            shards = [Shard(p, folder / "data" / (p.stem + ".parquet"), 8) for p in sorted(folder.glob("*.jsonl"))]
            schema = pa.schema([("id", pa.string()), ("square", pa.int64())])
            write_shards(shards, Square(seconds=0.05), schema, num_proc=2)
        """)
    )
    process = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while not any(shard.finished for shard in shards):
        assert time.monotonic() < deadline, "the build to be killed made no shard"
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    finished = sum(shard.finished for shard in shards)
    assert 0 < finished < len(shards)
    time.sleep(1.0)  # its workers notice that nobody listens
    assert write_shards(shards, rows(), SCHEMA, num_proc=1).rows == 48
    assert content(tmp_path / "killed") == content(tmp_path / "unbroken")
