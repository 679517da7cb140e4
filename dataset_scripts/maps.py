"""MAPS's pieces with their notes, as a datasets builder: audio and notes, split by composition.

    MapsBuilder(data_dir="MAPS/").download_and_prepare()

Where MAPS is from and what the folder may look like: `hfmusic.data.maps`. `hfmusic build maps` is the resumable way and
writes Parquet; this is for programs that want a builder or a stream without a folder. Rows and splits are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

from hfmusic.data.maps import MapsSettings, write_maps_plan
from hfmusic.data.planned_builder import PlannedBuilder, PlannedConfig
from hfmusic.data.recording_rows import RecordingRows
from hfmusic.data.schema import RECORDING_FEATURES, at_rate


@dataclass
class MapsConfig(PlannedConfig):
    """Options of `hfmusic.data.maps.MapsSettings`."""

    n: int | None = None
    test_pianos: Sequence[str] = ("ENSTDkAm", "ENSTDkCl")
    protocol: str = "leak-free"
    sampling_rate: int = 16000
    offsets: str = "sound"

    def settings(self) -> MapsSettings:
        """These options as the build knows them.

        Raises:
            ValueError: an option out of range, or no `data_dir`.
        """
        if self.data_dir is None:
            raise ValueError("MAPS must be at hand: give data_dir, the folder it lies in")
        return MapsSettings(
            str(self.data_dir),
            tuple(self.test_pianos),
            self.protocol,
            self.n,
            sampling_rate=self.sampling_rate,
            offsets=self.offsets,
        )

    def write_plan(self, folder: Path) -> dict[str, Any]:
        return write_maps_plan(self.settings(), folder)

    def rows(self) -> RecordingRows:
        return self.settings().rows()

    def features(self) -> datasets.Features:
        return at_rate(RECORDING_FEATURES, self.sampling_rate)


class MapsBuilder(PlannedBuilder):
    """One configuration, "default"; the arguments of `MapsConfig` are those of the builder."""

    BUILDER_CONFIG_CLASS = MapsConfig
    BUILDER_CONFIGS = [
        MapsConfig(name="default", version=datasets.Version("1.0.0"), description="Pieces of MAPS with their notes.")
    ]
    DEFAULT_CONFIG_NAME = "default"
