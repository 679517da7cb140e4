"""Piano rolls and their sound on a grid of beats, as a datasets builder: what paper 004 learns from.

    PianorollAudioBuilder(labels=["midi/"], fonts=["FluidR3_GM"], test_fonts=["TimGM6mb.sf2"]).download_and_prepare()

`hfmusic build pianoroll_audio` is the resumable way and writes Parquet; this is for programs that want a builder or a
stream without a folder. Rows and splits are the same: one rendition of a piece each. Windows of one beat or four, their
rolls and their spectra are cut when rows are read: `hfmusic.data.rolls`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

from hfmusic.data.pianoroll_audio import PianorollAudioSettings, parse_transpose, write_pianoroll_audio_plan
from hfmusic.data.pianoroll_audio_rows import PianorollAudioRows
from hfmusic.data.planned_builder import PlannedBuilder, PlannedConfig
from hfmusic.data.schema import PIANOROLL_AUDIO_FEATURES


@dataclass
class PianorollAudioConfig(PlannedConfig):
    """Options of `hfmusic.data.pianoroll_audio.PianorollAudioSettings`."""

    labels: Sequence[str] = ()
    exclude_works: Sequence[str] = ()
    fonts: Sequence[str] | None = None
    test_fonts: Sequence[str] = ()
    transpose: str = "-6..6"
    variations: int = 0
    velocity: str = "as-is"
    augment: Sequence[str] = ()
    offsets: str = "sound"
    max_seconds: float | None = None
    n: int | None = None
    seed: int = 0

    def settings(self) -> PianorollAudioSettings:
        """These options as the build knows them.

        Raises:
            ValueError: an option out of range, or no `labels`.
        """
        return PianorollAudioSettings(
            labels=tuple(map(str, self.labels)),
            exclude_works=tuple(map(str, self.exclude_works)),
            fonts=tuple(self.fonts) if self.fonts is not None else None,
            test_fonts=tuple(self.test_fonts),
            transpose=parse_transpose(self.transpose),
            variations=self.variations,
            velocity=self.velocity,
            augment=tuple(self.augment),
            offsets=self.offsets,
            max_seconds=self.max_seconds,
            n=self.n,
            seed=self.seed,
        )

    def write_plan(self, folder: Path) -> dict[str, Any]:
        return write_pianoroll_audio_plan(self.settings(), self.rows(), folder)

    def rows(self) -> PianorollAudioRows:
        return self.settings().rows()

    def features(self) -> datasets.Features:
        return PIANOROLL_AUDIO_FEATURES


class PianorollAudioBuilder(PlannedBuilder):
    """One configuration, "default"; the arguments of `PianorollAudioConfig` are those of the builder."""

    BUILDER_CONFIG_CLASS = PianorollAudioConfig
    BUILDER_CONFIGS = [
        PianorollAudioConfig(name="default", version=datasets.Version("1.0.0"), description="Rolls and their sound.")
    ]
    DEFAULT_CONFIG_NAME = "default"
