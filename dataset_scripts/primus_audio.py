"""Staves in PrIMuS's manner, played, as a datasets builder: audio, semantic, MIDI.

    PrimusAudioBuilder(n=1000, seed=0, fonts=("FluidR3_GM",)).download_and_prepare()

`hfmusic build primus_audio` is the resumable way and writes Parquet; this is for programs that want a builder or a
stream without a folder. Rows, splits and order are the same, and ids are those of dataset_scripts/primus.py.
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
import pyarrow as pa
from datasets.builder import Key

from hfmusic.build import default_sources
from hfmusic.data.primus import ENCODINGS, SPLITS, PrimusSettings, plan_shards
from hfmusic.data.primus_audio import PrimusAudioSettings, write_audio_plan
from hfmusic.data.schema import PRIMUS_AUDIO_FEATURES
from hfmusic.data.shards import ROW_GROUP, Row, Shard

_DESCRIPTION = "Incipits in PrIMuS's manner, played by FluidSynth, with their labels."


@dataclass
class PrimusAudioConfig(datasets.BuilderConfig):
    """Options of `hfmusic.data.primus_audio.PrimusAudioSettings` and of the plan of tunes.

    `sources` None: what `data_dir` holds, or RISM and music21. `fonts` None: the shipped piano.
    """

    n: int | None = None
    seed: int = 0
    sources: Sequence[str] | None = None
    generated: int = 0
    variations: int = 0
    splits: str = "official"
    encodings: Sequence[str] = ENCODINGS
    fonts: Sequence[str] | None = None
    test_fonts: Sequence[str] = ()
    curate: bool = False
    max_seconds: float | None = None
    expressive: bool = False
    gain: float = 0.2

    def settings(self) -> PrimusAudioSettings:
        plan = PrimusSettings(
            n=self.n,
            seed=self.seed,
            sources=tuple(self.sources) if self.sources is not None else default_sources(self.data_dir),
            generated=self.generated,
            variations=self.variations,
            data_dir=str(self.data_dir) if self.data_dir is not None else None,
            splits=self.splits,
            encodings=tuple(self.encodings),
        )
        return PrimusAudioSettings(
            plan=plan,
            fonts=tuple(self.fonts) if self.fonts is not None else None,
            test_fonts=tuple(self.test_fonts),
            curate=self.curate,
            max_seconds=self.max_seconds,
            expressive=self.expressive,
            gain=self.gain,
        )


class PrimusAudioBuilder(datasets.ArrowBasedBuilder):
    """One configuration, "default"; the arguments of `PrimusAudioConfig` are those of the builder.

    Tables, not examples: datasets would ask for torchcodec to encode these, which are encoded already.
    """

    BUILDER_CONFIG_CLASS = PrimusAudioConfig
    BUILDER_CONFIGS = [PrimusAudioConfig(name="default", version=datasets.Version("1.0.0"), description=_DESCRIPTION)]
    DEFAULT_CONFIG_NAME = "default"

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(description=_DESCRIPTION, features=PRIMUS_AUDIO_FEATURES)

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        # The plan is read when rows are made, perhaps by other processes: it lives as long as this one.
        folder = Path(tempfile.mkdtemp(prefix="primus-audio-plan-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        shards = plan_shards(write_audio_plan(self.config.settings(), folder), folder, folder)
        parts = {split: [shard for shard in shards if shard.path.name.startswith(f"{split}-")] for split in SPLITS}
        return [
            datasets.SplitGenerator(name=split, gen_kwargs={"shards": part}) for split, part in parts.items() if part
        ]

    def _generate_tables(self, shards: list[Shard]) -> Iterator[tuple[Any, pa.Table]]:
        make_row, schema = self.config.settings().rows(), PRIMUS_AUDIO_FEATURES.arrow_schema
        for number, shard in enumerate(shards):
            rows: list[Row] = []
            for place, item in enumerate(shard.items(), 1):
                rows.append(make_row(item))
                if len(rows) == ROW_GROUP or place == shard.count:
                    yield Key(number, place), pa.Table.from_pylist(rows, schema=schema)
                    rows = []
