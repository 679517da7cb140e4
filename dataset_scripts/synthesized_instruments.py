"""Performances and scores played by SoundFonts, as a datasets builder: audio and notes, split by composition.

    SynthesizedInstrumentsBuilder(labels=["midi/"], fonts=["FluidR3_GM:0", "FluidR3_GM:25"]).download_and_prepare()

Paper 001's Synthesized set is the notes of MAPS and GuitarSet, each played by both of these programs:

    hfmusic build synthesized_instruments --labels dist/maps,dist/guitarset --each-font \\
        --fonts FluidR3_GM.sf2:0,FluidR3_GM.sf2:25 -o dist/synthesized-paper

`hfmusic build synthesized_instruments` is the resumable way and writes Parquet; this is for programs that want a
builder or a stream without a folder. Rows and splits are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

from hfmusic.data.planned_builder import PlannedBuilder, PlannedConfig
from hfmusic.data.schema import SYNTHESIZED_FEATURES, at_rate
from hfmusic.data.synthesized import SynthesizedSettings, write_synthesized_plan
from hfmusic.data.synthesized_rows import SynthesizedRows


@dataclass
class SynthesizedInstrumentsConfig(PlannedConfig):
    """Options of `hfmusic.data.synthesized.SynthesizedSettings`."""

    labels: Sequence[str] = ()
    exclude_works: Sequence[str] = ()
    fonts: Sequence[str] | None = None
    test_fonts: Sequence[str] = ()
    each_font: bool = False
    variations: int = 0
    augment: Sequence[str] = ()
    excerpt_seconds: float | None = None
    max_seconds: float | None = None
    n: int | None = None
    splits: str = "work"
    seed: int = 0
    sampling_rate: int = 16000
    offsets: str = "sound"

    def settings(self) -> SynthesizedSettings:
        """These options as the build knows them.

        Raises:
            ValueError: an option out of range, or no `labels`.
        """
        return SynthesizedSettings(
            labels=tuple(map(str, self.labels)),
            exclude_works=tuple(map(str, self.exclude_works)),
            fonts=tuple(self.fonts) if self.fonts is not None else None,
            test_fonts=tuple(self.test_fonts),
            each_font=self.each_font,
            variations=self.variations,
            augment=tuple(self.augment),
            excerpt_seconds=self.excerpt_seconds,
            max_seconds=self.max_seconds,
            n=self.n,
            splits=self.splits,
            seed=self.seed,
            sampling_rate=self.sampling_rate,
            offsets=self.offsets,
        )

    def write_plan(self, folder: Path) -> dict[str, Any]:
        return write_synthesized_plan(self.settings(), self.rows(), folder)

    def rows(self) -> SynthesizedRows:
        return self.settings().rows()

    def features(self) -> datasets.Features:
        return at_rate(SYNTHESIZED_FEATURES, self.sampling_rate)


class SynthesizedInstrumentsBuilder(PlannedBuilder):
    """One configuration, "default"; the arguments of `SynthesizedInstrumentsConfig` are those of the builder."""

    BUILDER_CONFIG_CLASS = SynthesizedInstrumentsConfig
    BUILDER_CONFIGS = [
        SynthesizedInstrumentsConfig(
            name="default", version=datasets.Version("1.0.0"), description="Performances played by SoundFonts."
        )
    ]
    DEFAULT_CONFIG_NAME = "default"
