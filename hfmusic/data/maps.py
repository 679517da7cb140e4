"""MAPS, "MIDI Aligned Piano Sounds" (Emiya, Bertin, David, Badeau 2010): its whole pieces with their notes.

Nine pianos of 30 pieces each: seven synthesized, and a Yamaha Disklavier recorded from near (ENSTDkCl) and from afar
(ENSTDkAm), on which transcribers are tested. From https://adasp.telecom-paris.fr/resources/2010-07-08-maps-database/
after a request to its authors (CC BY-NC-SA 2.0 FR; no checksums published). `data_dir` holds either

- what they give: zip archives, packed or unpacked, with .../MUS/MAPS_MUS-PIECE_PIANO.wav, .mid and .txt (44.1 kHz,
  stereo). The .mid is read: it has velocities and the pedal, which the .txt lacks; or
- FLAC and TSV as Onsets and Frames has them (https://github.com/jongwook/onsets-and-frames: data/MAPS).

Single notes and chords (ISOL, RAND, UCHO) are not read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hfmusic.data.note_files import check_offsets
from hfmusic.data.places import Place, find_pairs
from hfmusic.data.recording_rows import RecordingRows
from hfmusic.data.shard_plans import write_item_plan
from hfmusic.data.shards import Row
from hfmusic.data.splits import split_of
from hfmusic.data.works import maps_piano, work_of

PIANOS = (
    *("AkPnBcht", "AkPnBsdf", "AkPnCGdD", "AkPnStgb", "SptkBGAm", "SptkBGCl", "StbgTGd2"),
    *("ENSTDkAm", "ENSTDkCl"),
)
PROTOCOLS = ("leak-free", "paper")


@dataclass(frozen=True)
class MapsSettings:
    """What a build of MAPS depends on.

    Attributes:
        data_dir: folder of MAPS, see above.
        test_pianos: the pianos whose recordings are the test split.
        protocol: "leak-free": what the other pianos play of the test's compositions is left out, and a tenth of the
            other compositions, by hash, is for validation. "paper": as paper 001's code has it (not its text, which
            says 80/10/10): all recordings of the other pianos train, whether their compositions are tested on or not
            (71 of the 210 are), and validation is the test set again.
        n: recordings at most, the first by name.
        sampling_rate: Hz of the FLAC.
        offsets: notes of the .mid end with their "sound", which the pedal sustains, as in paper 001's code, or with
            their "keys", as those of the .tsv do whatever this says.
    """

    data_dir: str
    test_pianos: tuple[str, ...] = ("ENSTDkAm", "ENSTDkCl")
    protocol: str = "leak-free"
    n: int | None = None
    sampling_rate: int = 16000
    rows_per_shard: int = 8
    offsets: str = "sound"

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)}, got {self.protocol!r}")
        unknown = [piano for piano in self.test_pianos if piano not in PIANOS]
        if unknown or not self.test_pianos:
            raise ValueError(f"test_pianos must be among {', '.join(PIANOS)}, got {', '.join(unknown) or 'none'}")
        check_offsets(self.offsets)
        if self.n is not None and self.n < 1:
            raise ValueError(f"n must be at least 1, got {self.n}")

    def rows(self) -> RecordingRows:
        """The maker of rows."""
        return RecordingRows("maps", "piano", self.sampling_rate, self.offsets)

    def public(self) -> dict[str, Any]:
        """The settings as build.json keeps them: no path of this machine."""
        return asdict(self) | {"data_dir": Path(self.data_dir).name, "test_pianos": list(self.test_pianos)}


def write_maps_plan(settings: MapsSettings, folder: Path) -> dict[str, Any]:
    """Write the plan of a build in `folder`, see `write_item_plan`.

    Raises:
        ValueError: no recordings of MAPS in the data folder, or a damaged archive.
    """
    dropped: Counter[str] = Counter()
    return write_item_plan(maps_items(settings, dropped), folder, settings.rows_per_shard, dropped)


def maps_items(settings: MapsSettings, dropped: Counter[str]) -> Iterator[Row]:
    """The recordings in a data folder with their splits; `dropped` counts what is left out by reason."""
    pairs = [pair for pair in find_pairs(Path(settings.data_dir)) if maps_piano(pair[1].name.stem)][: settings.n]
    if not pairs:
        raise ValueError(f"no MAPS_MUS-PIECE_PIANO sounds with .mid, .tsv or .txt notes in {settings.data_dir}")
    tested = {work_of(label.name.stem) for _, label in pairs if maps_piano(label.name.stem) in settings.test_pianos}
    validated = _validation_works({work_of(label.name.stem) for _, label in pairs} - tested)
    for sound, label in pairs:
        item = _item(sound, label)
        if maps_piano(item["id"]) in settings.test_pianos:
            yield item | {"split": "test"}
            if settings.protocol == "paper":
                yield item | {"split": "validation"}
        elif settings.protocol == "paper":
            yield item | {"split": "train"}
        elif item["work"] in tested:
            dropped["its composition is tested on"] += 1
        else:
            yield item | {"split": "validation" if item["work"] in validated else "train"}


def _validation_works(works: set[str]) -> set[str]:
    """A tenth of the works by hash; of few works one at least, if any is left to train on."""
    chosen = {work for work in works if split_of(work) == "validation"}
    return chosen or (set(sorted(works)[-1:]) if len(works) > 1 else set())


def _item(sound: Place, label: Place) -> Row:
    name = label.name.stem
    return {"id": name, "work": work_of(name), "sound": sound.as_json(), "label": label.as_json()}
