"""GuitarSet with its notes, as a datasets builder: audio and notes with their strings, split by style and progression.

    GuitarsetBuilder(data_dir="GuitarSet/", sound="mic").download_and_prepare()

Where GuitarSet is from and what the folder holds: `hfmusic.data.guitarset`. `hfmusic build guitarset` is the resumable
way and writes Parquet; this is for programs that want a builder or a stream without a folder. Rows and splits are the
same.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

from hfmusic.data.guitarset import GuitarsetSettings, write_guitarset_plan
from hfmusic.data.planned_builder import PlannedBuilder, PlannedConfig
from hfmusic.data.recording_rows import RecordingRows
from hfmusic.data.schema import RECORDING_FEATURES, at_rate


@dataclass
class GuitarsetConfig(PlannedConfig):
    """Options of `hfmusic.data.guitarset.GuitarsetSettings`."""

    n: int | None = None
    sound: str | None = None
    sampling_rate: int = 16000

    def settings(self) -> GuitarsetSettings:
        """These options as the build knows them.

        Raises:
            ValueError: an option out of range, or no `data_dir`.
        """
        if self.data_dir is None:
            raise ValueError("GuitarSet must be at hand: give data_dir, the folder it lies in")
        return GuitarsetSettings(str(self.data_dir), self.sound, self.n, self.sampling_rate)

    def write_plan(self, folder: Path) -> dict[str, Any]:
        return write_guitarset_plan(self.settings(), folder)

    def rows(self) -> RecordingRows:
        return self.settings().rows()

    def features(self) -> datasets.Features:
        return at_rate(RECORDING_FEATURES, self.sampling_rate)


class GuitarsetBuilder(PlannedBuilder):
    """One configuration, "default"; the arguments of `GuitarsetConfig` are those of the builder."""

    BUILDER_CONFIG_CLASS = GuitarsetConfig
    BUILDER_CONFIGS = [
        GuitarsetConfig(name="default", version=datasets.Version("1.0.0"), description="GuitarSet with its notes.")
    ]
    DEFAULT_CONFIG_NAME = "default"
