"""Engraved scores and their sound, with every notehead joined to its onset, as a datasets builder.

    SheetAudioBuilder(scores=["lieder/"], music21=["mozart"], test_fonts=["TimGM6mb.sf2"]).download_and_prepare()

`hfmusic build sheet_audio` is the resumable way and writes Parquet; this is for programs that want a builder or a
stream without a folder. Rows and splits are the same. What becomes of repeats, grace notes, ornaments and ties:
`hfmusic.render.score_sheet`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

from hfmusic.data.planned_builder import PlannedBuilder, PlannedConfig
from hfmusic.data.schema import SHEET_AUDIO_FEATURES
from hfmusic.data.sheet_audio import ENGRAVINGS, TEMPO, SheetAudioSettings, write_sheet_audio_plan
from hfmusic.data.sheet_audio_rows import SheetAudioRows


@dataclass
class SheetAudioConfig(PlannedConfig):
    """Options of `hfmusic.data.sheet_audio.SheetAudioSettings`."""

    scores: Sequence[str] = ()
    music21: Sequence[str] = ()
    msmd: Sequence[str] = ()
    exclude_works: Sequence[str] = ()
    fonts: Sequence[str] | None = None
    draw_fonts: bool = False
    test_fonts: Sequence[str] = ()
    tempo: Sequence[float] = TEMPO
    variations: int = 0
    engravings: Sequence[str] = ENGRAVINGS
    layout: str = "pages"
    expressive: bool = False
    max_seconds: float | None = None
    n: int | None = None
    seed: int = 0

    def settings(self) -> SheetAudioSettings:
        """These options as the build knows them.

        Raises:
            ValueError: an option out of range, or no scores.
        """
        return SheetAudioSettings(
            scores=tuple(map(str, self.scores)),
            music21=tuple(self.music21),
            msmd=tuple(map(str, self.msmd)),
            exclude_works=tuple(map(str, self.exclude_works)),
            fonts=tuple(self.fonts) if self.fonts is not None else None,
            draw_fonts=self.draw_fonts,
            test_fonts=tuple(self.test_fonts),
            tempo=tuple(self.tempo),
            variations=self.variations,
            engravings=tuple(self.engravings),
            layout=self.layout,
            expressive=self.expressive,
            max_seconds=self.max_seconds,
            n=self.n,
            seed=self.seed,
        )

    def write_plan(self, folder: Path) -> dict[str, Any]:
        return write_sheet_audio_plan(self.settings(), self.rows(), folder)

    def rows(self) -> SheetAudioRows:
        return self.settings().rows()

    def features(self) -> datasets.Features:
        return SHEET_AUDIO_FEATURES


class SheetAudioBuilder(PlannedBuilder):
    """One configuration, "default"; the arguments of `SheetAudioConfig` are those of the builder."""

    BUILDER_CONFIG_CLASS = SheetAudioConfig
    BUILDER_CONFIGS = [
        SheetAudioConfig(name="default", version=datasets.Version("1.0.0"), description="Scores and their sound.")
    ]
    DEFAULT_CONFIG_NAME = "default"
