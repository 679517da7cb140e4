"""What the builders of dataset_scripts/ for recordings share: a plan and a maker of rows as a `datasets` builder."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
from datasets.builder import Key

from hfmusic.data.primus import plan_shards
from hfmusic.data.shard_plans import SPLITS
from hfmusic.data.shards import Row, RowMaker, Shard

_ROWS = 4  # of a table: recordings are long


@dataclass
class PlannedConfig(datasets.BuilderConfig):
    """Options of a builder, as its dataclass has them."""

    def write_plan(self, folder: Path) -> dict[str, Any]:
        """Write the plan of the build in a folder, as `hfmusic.data.shard_plans.write_item_plan` does."""
        raise NotImplementedError

    def rows(self) -> RowMaker:
        """The maker of rows."""
        raise NotImplementedError

    def features(self) -> datasets.Features:
        """The columns."""
        raise NotImplementedError


class PlannedBuilder(datasets.ArrowBasedBuilder):
    """Tables, not examples: datasets would ask for torchcodec to encode these, which are encoded already."""

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(description=self.config.description, features=self.config.features())

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        # The plan is read when rows are made, perhaps by other processes: it lives as long as this one.
        folder = Path(tempfile.mkdtemp(prefix="recordings-plan-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        shards = plan_shards(self.config.write_plan(folder), folder, folder)
        parts = {split: [shard for shard in shards if shard.path.name.startswith(f"{split}-")] for split in SPLITS}
        return [
            datasets.SplitGenerator(name=split, gen_kwargs={"shards": part}) for split, part in parts.items() if part
        ]

    def _generate_tables(self, shards: list[Shard]) -> Iterator[tuple[Any, pa.Table]]:
        make_row, schema = self.config.rows(), self.config.features().arrow_schema
        for number, shard in enumerate(shards):
            rows: list[Row] = []
            for place, item in enumerate(shard.items(), 1):
                rows.append(make_row(item))
                if len(rows) == _ROWS or place == shard.count:
                    yield Key(number, place), pa.Table.from_pylist(rows, schema=schema)
                    rows = []
