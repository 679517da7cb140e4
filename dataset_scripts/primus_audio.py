"""Staves in PrIMuS's manner, played, as a datasets builder: audio, semantic, MIDI.

    PrimusAudioBuilder(n=1000, seed=0, fonts=("FluidR3_GM",)).download_and_prepare()

`hfmusic build primus_audio` is the resumable way and writes Parquet; this is for programs that want a builder or a
stream without a folder. Rows, splits and order are the same, and ids are those of dataset_scripts/primus.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

from hfmusic.build import default_sources
from hfmusic.data.planned_builder import PlannedBuilder, PlannedConfig
from hfmusic.data.primus import ENCODINGS, PrimusSettings
from hfmusic.data.primus_audio import PrimusAudioSettings, write_audio_plan
from hfmusic.data.primus_audio_rows import PrimusAudioRows
from hfmusic.data.schema import PRIMUS_AUDIO_FEATURES


@dataclass
class PrimusAudioConfig(PlannedConfig):
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

    def write_plan(self, folder: Path) -> dict[str, Any]:
        return write_audio_plan(self.settings(), folder)

    def rows(self) -> PrimusAudioRows:
        return self.settings().rows()

    def features(self) -> datasets.Features:
        return PRIMUS_AUDIO_FEATURES


class PrimusAudioBuilder(PlannedBuilder):
    """One configuration, "default"; the arguments of `PrimusAudioConfig` are those of the builder."""

    BUILDER_CONFIG_CLASS = PrimusAudioConfig
    BUILDER_CONFIGS = [
        PrimusAudioConfig(
            name="default",
            version=datasets.Version("1.0.0"),
            description="Incipits in PrIMuS's manner, played by FluidSynth, with their labels.",
        )
    ]
    DEFAULT_CONFIG_NAME = "default"
