"""GuitarSet (Xi, Bittner, Pauwels, Ye, Bello 2018): 360 half-minute recordings of an acoustic guitar, by string.

From https://zenodo.org/records/3371780 (CC BY 4.0). `data_dir` holds the annotations and one or several of the sounds,
packed or unpacked:

    annotation.zip                     md5 b39b78e63d3446f2e54ddb7a54df9b10
    audio_mono-mic.zip                 md5 275966d6610ac34999b58426beb119c3   _mic: a microphone
    audio_mono-pickup_mix.zip          md5 aecce79f425a44e2055e46f680e10f6a   _mix: the pickup's channels mixed
    audio_hex-pickup_original.zip      md5 f9911bf217cb40e9e68edf3726ef86cc   _hex: a channel a string; paper 001's
    audio_hex-pickup_debleeded.zip     md5 c31d97279464c9a67e640cb9061fb0c6   _hex_cln: the same, cleaned

Notes are those of the JAMS files' strings, see `hfmusic.data.note_files.jams_notes`; velocities are not annotated: 64.

A work is a style and progression (Rock1, Jazz3 ...: fifteen): all six players, both tempi, chords and solo are one
work, so that no chord sequence is on both sides. Paper 001 draws 80/10/10 of the recordings without a seed, which
cannot be had again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hfmusic.data.places import SOUND_ENDINGS, find_pairs
from hfmusic.data.recording_rows import RecordingRows
from hfmusic.data.shard_plans import write_item_plan
from hfmusic.data.shards import Row
from hfmusic.data.splits import split_of
from hfmusic.data.works import work_of

SOUNDS = {"mic": "_mic", "hex": "_hex", "hex_cln": "_hex_cln", "mix": "_mix"}
# Of fifteen works, hashes leave a split to chance: two for validation and two for the test, each of another style.
_SPLITS = {
    "guitarset-funk2": "validation",
    "guitarset-ss1": "validation",
    "guitarset-bn3": "test",
    "guitarset-rock1": "test",
}
_STYLES = ("bn", "funk", "jazz", "rock", "ss")


@dataclass(frozen=True)
class GuitarsetSettings:
    """What a build of GuitarSet depends on.

    Attributes:
        data_dir: folder of GuitarSet, see above.
        sound: mic, hex, hex_cln or mix; several channels are averaged. None: the first of these that a recording has.
        n: recordings at most, the first by name.
        sampling_rate: Hz of the FLAC.
    """

    data_dir: str
    sound: str | None = None
    n: int | None = None
    sampling_rate: int = 16000
    rows_per_shard: int = 16

    def __post_init__(self) -> None:
        if self.sound is not None and self.sound not in SOUNDS:
            raise ValueError(f"sound must be one of {', '.join(SOUNDS)}, got {self.sound!r}")
        if self.n is not None and self.n < 1:
            raise ValueError(f"n must be at least 1, got {self.n}")

    def rows(self) -> RecordingRows:
        """The maker of rows."""
        return RecordingRows("guitarset", "guitar", self.sampling_rate)

    def public(self) -> dict[str, Any]:
        """The settings as build.json keeps them: no path of this machine."""
        return asdict(self) | {"data_dir": Path(self.data_dir).name}


def guitarset_split(work: str) -> str:
    """Split of a work of GuitarSet: 11 train, 2 validate, 2 test. Works by another name are split by hash."""
    known = work.removeprefix("guitarset-").rstrip("123") in _STYLES
    return _SPLITS.get(work, "train" if known else split_of(work))


def write_guitarset_plan(settings: GuitarsetSettings, folder: Path) -> dict[str, Any]:
    """Write the plan of a build in `folder`, see `write_item_plan`.

    Raises:
        ValueError: no recordings of GuitarSet in the data folder, or a damaged archive.
    """
    return write_item_plan(guitarset_items(settings), folder, settings.rows_per_shard, Counter())


def guitarset_items(settings: GuitarsetSettings) -> Iterator[Row]:
    """The recordings in a data folder with their splits."""
    endings = SOUND_ENDINGS if settings.sound is None else (SOUNDS[settings.sound],)
    pairs = [pair for pair in find_pairs(Path(settings.data_dir), endings) if pair[1].suffix == ".jams"]
    if not pairs:
        wanted = settings.sound or " or ".join(SOUNDS)
        raise ValueError(f"no .jams files with sounds ({wanted}) in {settings.data_dir}")
    for sound, label in pairs[: settings.n]:
        name = label.name.stem
        work = work_of(name)
        places = {"sound": sound.as_json(), "label": label.as_json()}
        yield {"id": name, "work": work, "split": guitarset_split(work), **places}
