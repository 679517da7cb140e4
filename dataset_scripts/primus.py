"""Staves in PrIMuS's manner as a datasets builder: image, distorted image, semantic, agnostic, MIDI, MEI.

    PrimusBuilder(n=1000, seed=0, data_dir=None).download_and_prepare()

`hfmusic build primus` is the resumable way and writes Parquet; this is for programs that want a builder or a stream
without a folder. Rows, splits and order are the same.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

from hfmusic.build import default_sources
from hfmusic.data.primus import ENCODINGS, SPLITS, PrimusSettings, plan_shards, write_plan
from hfmusic.data.primus_rows import PrimusRows
from hfmusic.data.schema import PRIMUS_FEATURES
from hfmusic.data.shards import Shard

_DESCRIPTION = "Incipits engraved by Verovio in PrIMuS's manner, clean and as a camera sees them, with their labels."


@dataclass
class PrimusConfig(datasets.BuilderConfig):
    """Options of `hfmusic.data.primus.PrimusSettings`. `sources` None: what `data_dir` holds, or RISM and music21."""

    n: int | None = None
    seed: int = 0
    sources: Sequence[str] | None = None
    generated: int = 0
    variations: int = 0
    distorted: bool = True
    splits: str = "official"
    encodings: Sequence[str] = ENCODINGS

    def settings(self) -> PrimusSettings:
        sources = tuple(self.sources) if self.sources is not None else default_sources(self.data_dir)
        folder = str(self.data_dir) if self.data_dir is not None else None
        return PrimusSettings(
            n=self.n,
            seed=self.seed,
            sources=sources,
            generated=self.generated,
            variations=self.variations,
            distorted=self.distorted,
            data_dir=folder,
            splits=self.splits,
            encodings=tuple(self.encodings),
        )


class PrimusBuilder(datasets.GeneratorBasedBuilder):
    """One configuration, "default"; the arguments of `PrimusConfig` are those of the builder."""

    BUILDER_CONFIG_CLASS = PrimusConfig
    BUILDER_CONFIGS = [PrimusConfig(name="default", version=datasets.Version("1.0.0"), description=_DESCRIPTION)]
    DEFAULT_CONFIG_NAME = "default"

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(description=_DESCRIPTION, features=PRIMUS_FEATURES)

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        # The plan is read when rows are made, perhaps by other processes: it lives as long as this one.
        folder = Path(tempfile.mkdtemp(prefix="primus-plan-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        shards = plan_shards(write_plan(self.config.settings(), folder), folder, folder)
        parts = {split: [shard for shard in shards if shard.path.name.startswith(f"{split}-")] for split in SPLITS}
        return [
            datasets.SplitGenerator(name=split, gen_kwargs={"shards": part}) for split, part in parts.items() if part
        ]

    def _generate_examples(self, shards: list[Shard]) -> Iterator[tuple[Any, dict[str, Any]]]:
        make_row = PrimusRows(self.config.seed, self.config.distorted)
        for shard in shards:
            for item in shard.items():
                yield item["id"], make_row(item)
