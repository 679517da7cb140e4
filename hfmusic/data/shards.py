"""Parquet shards written by worker processes that may die, one item a time, without a build dying with them.

A shard is a JSON-lines file of items and the Parquet file made of them. A worker says which item it begins, so that an
abort of a native library (Verovio: std::out_of_range) names its item: the shard is made again without it. A shard is
written under a temporary name and renamed, hence complete or absent, and holds the same bytes whenever it is made.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm.auto import tqdm

Row = dict[str, Any]
RowMaker = Callable[[Row], Row]
ROW_GROUP = 100  # streaming and feature caches read by row groups: small ones keep their memory small
ITEM_SECONDS = 180.0
_STRIKES = 2  # an item that kills its worker once may have met the kernel's out-of-memory killer


class BuildError(RuntimeError):
    """A shard cannot be written, and no item is to blame."""


@dataclass(frozen=True)
class Shard:
    """`plan`: JSON-lines file, an item a line, each with an "id". `path`: the Parquet file. `count`: items planned."""

    plan: Path
    path: Path
    count: int

    @property
    def report(self) -> Path:
        """JSON beside the plan: rows written and items that failed. It exists only for a finished shard."""
        return self.plan.with_suffix(".done.json")

    @property
    def finished(self) -> bool:
        return self.report.is_file() and self.path.is_file()

    def items(self) -> Iterator[Row]:
        with self.plan.open(encoding="utf-8") as file:
            yield from (json.loads(line) for line in file)


@dataclass
class ShardReport:
    """What came of the shards: rows written, and {id, error} of each item that gave none."""

    rows: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)


def write_shards(
    shards: Sequence[Shard],
    make_row: RowMaker,
    schema: pa.Schema,
    *,
    num_proc: int = 2,
    title: str = "build",
    unit: str = "staff",
) -> ShardReport:
    """Write the shards that are not there yet, in `num_proc` worker processes, and report on all of them.

    Args:
        make_row: item -> row of `schema`; picklable. An exception of it costs the item, and so does a crash.

    Raises:
        BuildError: a shard cannot be written (disk full ...), or workers cannot start.
    """
    if num_proc < 1:
        raise ValueError(f"num_proc must be at least 1, got {num_proc}")
    todo = deque(shard for shard in shards if not shard.finished)
    progress = tqdm(total=sum(shard.count for shard in shards), desc=title, unit=unit, mininterval=1.0)
    progress.update(progress.total - sum(shard.count for shard in todo))
    workers = [_Worker(make_row, schema) for _ in range(min(num_proc, len(todo)))]
    try:
        while todo or any(worker.shard for worker in workers):
            for worker in workers:
                if worker.shard is None and todo:
                    worker.begin(todo.popleft())
            _attend([worker for worker in workers if worker.shard], progress)
    finally:
        for worker in workers:
            worker.stop()
        progress.close()
    return _report(shards)


def write_shard(
    shard: Shard, make_row: RowMaker, schema: pa.Schema, *, skip: dict[str, str], begin: Callable[[str], None]
) -> None:
    """Write one shard in this process. `skip`: id -> error of items to leave out; `begin` hears each id."""
    failed: list[dict[str, str]] = []
    # A name of its own: the worker of a killed build may not have noticed yet, and write this shard too.
    temporary = shard.plan.with_suffix(f".{os.getpid()}.tmp")
    # Options are spelled out and one thread writes: the same rows give the same bytes.
    with pq.ParquetWriter(temporary, schema, compression="zstd", compression_level=3, version="2.6") as writer:
        for group in _groups(_rows(shard, make_row, skip, begin, failed), ROW_GROUP):
            writer.write_table(pa.Table.from_pylist(group, schema=schema), row_group_size=ROW_GROUP)
    report = {"rows": shard.count - len(failed), "failed": failed}
    shard.path.parent.mkdir(parents=True, exist_ok=True)
    _sync(temporary)
    temporary.replace(shard.path)
    # The report comes last: a shard without one is made again, into the same bytes.
    partial = shard.report.with_suffix(".tmp")
    partial.write_text(json.dumps(report), encoding="utf-8")
    partial.replace(shard.report)


def _rows(
    shard: Shard, make_row: RowMaker, skip: dict[str, str], begin: Callable[[str], None], failed: list[dict[str, str]]
) -> Iterator[Row]:
    for item in shard.items():
        begin(item["id"])
        try:
            if item["id"] in skip:
                raise ValueError(skip[item["id"]])
            yield make_row(item)
        except Exception as error:  # one item of many thousands, of whatever library: named in the report
            failed.append({"id": item["id"], "error": f"{type(error).__name__}: {error}"})


def _groups(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    group: list[Row] = []
    for row in rows:
        group.append(row)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _serve(connection: Connection, make_row: RowMaker, schema_bytes: bytes) -> None:
    """A worker: takes (shard, skip) until the pipe closes; sends each id it begins, then None or an error."""
    schema = pa.ipc.read_schema(pa.py_buffer(schema_bytes))
    try:
        while True:
            shard, skip = connection.recv()
            try:
                write_shard(shard, make_row, schema, skip=skip, begin=connection.send)
            except BrokenPipeError:
                raise
            except Exception as error:  # no item's fault: a full disk, a row unlike the schema
                connection.send(BuildError(f"{shard.path.name}: {type(error).__name__}: {error}"))
            else:
                connection.send(None)
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return  # the build ended or was killed: nothing to tell anybody


class _Worker:
    """A worker process as the build sees it: its shard, the item in hand, and who killed it how often."""

    def __init__(self, make_row: RowMaker, schema: pa.Schema) -> None:
        self._make_row, self._schema = make_row, schema.serialize().to_pybytes()
        self.shard: Shard | None = None
        self._start()

    def _start(self) -> None:
        # spawn: forking a process with loaded native libraries and threads is a lottery.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, self._make_row, self._schema), daemon=True)
        self.process.start()
        theirs.close()

    def begin(self, shard: Shard) -> None:
        self.shard = shard
        self._strikes: Counter[str] = Counter()
        self._skip: dict[str, str] = {}
        self._send()

    def _send(self) -> None:
        self.item, self.begun, self.since = "", 0, time.monotonic()
        self.connection.send((self.shard, self._skip))

    def hear(self) -> int:
        """Take the messages that have come; returns how many items were begun (negative where a shard starts again)."""
        before = self.begun
        try:
            while self.connection.poll():
                message = self.connection.recv()
                self.since = time.monotonic()
                if isinstance(message, BuildError):
                    raise message
                if message is None:
                    self.shard = None
                    return self.begun - before
                self.item, self.begun = message, self.begun + 1
        except (EOFError, ConnectionResetError):
            self._restart()
            return -before
        if time.monotonic() - self.since > ITEM_SECONDS and self.item:
            self.process.kill()
        return self.begun - before

    def _restart(self) -> None:
        self.process.join()
        code = self.process.exitcode
        if not self.item:
            raise BuildError(f"a worker of the build died with exit code {code} before its first item")
        self._strikes[self.item] += 1
        if self._strikes[self.item] >= _STRIKES:
            self._skip[self.item] = f"the worker process died with exit code {code} on this item, {_STRIKES} times"
        self.connection.close()
        self._start()
        self._send()

    def stop(self) -> None:
        self.connection.close()
        if self.shard is not None:  # the build is being broken off
            self.process.terminate()
        self.process.join()


def _attend(workers: Sequence[_Worker], progress: tqdm) -> None:
    wait([worker.connection for worker in workers], timeout=5.0)
    for worker in workers:
        progress.update(worker.hear())


def _report(shards: Sequence[Shard]) -> ShardReport:
    total = ShardReport()
    for shard in shards:
        report = json.loads(shard.report.read_text(encoding="utf-8"))
        total.rows += report["rows"]
        total.failed += report["failed"]
    return total
