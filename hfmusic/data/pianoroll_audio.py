"""Piano rolls and their sound: MIDI files and scores, played, with the beats kept. What paper 004 learns from.

The plan finds the files, gives each composition its split, and says who plays it in which key; what a row then holds
depends on the file, the fonts and the seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hfmusic.data import treatments
from hfmusic.data.label_sources import Source
from hfmusic.data.note_files import SCORE_SUFFIXES, check_offsets
from hfmusic.data.pianoroll_audio_rows import VELOCITIES, PianorollAudioRows
from hfmusic.data.primus_audio import voices_of
from hfmusic.data.primus_audio_rows import Voice
from hfmusic.data.primus_rows import item_rng
from hfmusic.data.shard_plans import digest, write_item_plan
from hfmusic.data.shards import Row
from hfmusic.data.splits import split_of
from hfmusic.data.works import work_of
from hfmusic.render.soundfonts import shipped_font

SUFFIXES = (".mid", ".midi", *SCORE_SUFFIXES)
MOST_SEMITONES = 24


@dataclass(frozen=True)
class PianorollAudioSettings:
    """What a build depends on.

    Attributes:
        labels: folders of MIDI files and MusicXML scores, at any depth. The first folder below is the composer.
        exclude_works: folders or built datasets (FOLDER or FOLDER:SPLIT) whose compositions are left out.
        fonts: FONT or FONT:PROGRAM each (see `Voice.parse`), one drawn for each rendition. None: the shipped piano.
        test_fonts: those of the test split; none: the same.
        transpose: lowest and highest transposition of variations, semitones; 0, 0: none.
        variations: further renditions of each training piece: another key, perhaps another font.
        velocity: "as-is", or "one"; see `PianorollAudioRows`.
        augment: what is done to the sounds of the training split, among room, noise and eq.
        offsets: where notes end, with their "sound" or with their "keys".
        max_seconds: longer pieces fail, by name.
        n: pieces at most, drawn by the hash of their names.
    """

    labels: tuple[str, ...]
    exclude_works: tuple[str, ...] = ()
    fonts: tuple[str, ...] | None = None
    test_fonts: tuple[str, ...] = ()
    transpose: tuple[int, int] = (-6, 6)
    variations: int = 0
    velocity: str = "as-is"
    augment: tuple[str, ...] = ()
    offsets: str = "sound"
    max_seconds: float | None = None
    n: int | None = None
    seed: int = 0
    rows_per_shard: int = 16

    def __post_init__(self) -> None:
        if not self.labels:
            raise ValueError("labels must name a folder of MIDI files or scores at least")
        if self.fonts is not None and not self.fonts:
            raise ValueError("fonts must name one font at least")
        if self.velocity not in VELOCITIES:
            raise ValueError(f"velocity must be {' or '.join(VELOCITIES)}, got {self.velocity!r}")
        unknown = [part for part in self.augment if part not in treatments.PARTS]
        if unknown:
            known = ", ".join(treatments.PARTS)
            raise ValueError(f"augment of pianoroll_audio must be among {known}, got {', '.join(unknown)}")
        check_offsets(self.offsets)
        low, high = self.transpose
        if not -MOST_SEMITONES <= low <= 0 <= high <= MOST_SEMITONES:
            raise ValueError(f"transpose must be LOW..HIGH about 0, {MOST_SEMITONES} at most, got {low}..{high}")
        for name, least in (("n", 1), ("variations", 0), ("rows_per_shard", 1), ("max_seconds", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")

    def rows(self) -> PianorollAudioRows:
        """The maker of rows.

        Raises:
            ValueError: a font that is not here, or the same name and program twice.
        """
        voices = voices_of(self.fonts) if self.fonts is not None else (Voice(shipped_font(), "FluidR3_GM", 0),)
        test_voices = voices_of(self.test_fonts)
        manner = (self.velocity, self.augment, self.offsets, self.max_seconds)
        return PianorollAudioRows(self.seed, voices, test_voices, *manner)

    def public(self, rows: PianorollAudioRows) -> dict[str, Any]:
        """The settings as build.json keeps them: fonts by name and content, folders by name."""
        return asdict(self) | {
            "labels": [Path(label).name for label in self.labels],
            "exclude_works": [Path(folder).name for folder in self.exclude_works],
            "fonts": [voice.public() for voice in rows.voices],
            "test_fonts": [voice.public() for voice in rows.test_voices],
            "transpose": list(self.transpose),
            "augment": list(self.augment),
        }


def parse_transpose(text: str) -> tuple[int, int]:
    """LOW..HIGH.

    Raises:
        ValueError: something else.

    >>> parse_transpose("-6..6")
    (-6, 6)
    """
    low, dots, high = text.strip().partition("..")
    try:
        return (int(low), int(high if dots else low))
    except ValueError:
        raise ValueError(f"transpose must be LOW..HIGH in semitones, such as -6..6, got {text!r}") from None


def write_pianoroll_audio_plan(
    settings: PianorollAudioSettings, rows: PianorollAudioRows, folder: Path
) -> dict[str, Any]:
    """Write the plan of a build in `folder`, see `write_item_plan`.

    Raises:
        ValueError: a folder that is not there or holds no music, or pieces of one name.
    """
    dropped: Counter[str] = Counter()
    return write_item_plan(pianoroll_audio_items(settings, rows, dropped), folder, settings.rows_per_shard, dropped)


def pianoroll_audio_items(
    settings: PianorollAudioSettings, rows: PianorollAudioRows, dropped: Counter[str]
) -> Iterator[Row]:
    """The renditions of all pieces with their splits; `dropped` counts the pieces that are left out by reason."""
    excluded = {work for folder in settings.exclude_works for work in Source.parse(folder).works()}
    pieces = [piece for label in settings.labels for piece in _pieces(label)]
    kept = [piece for piece in pieces if piece["work"] not in excluded]
    if len(kept) < len(pieces):
        dropped["excluded work"] += len(pieces) - len(kept)
    if settings.n is not None:
        kept = sorted(kept, key=lambda piece: digest(piece["piece"]))[: settings.n]
    for piece in kept:
        yield from _renditions(piece, settings, rows)


def _pieces(label: str) -> Iterator[Row]:
    """The files of a folder, by name."""
    root = Path(label).expanduser()
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not paths:
        raise ValueError(f"{root} must be a folder of MIDI files or scores ({', '.join(SUFFIXES)})")
    for path in paths:
        place = path.relative_to(root)
        yield {
            "work": work_of(path.stem),
            "piece": f"{root.name}/{place.with_suffix('').as_posix()}",
            "composer": place.parts[0] if len(place.parts) > 1 else "",
            "source": root.name,
            "path": str(path),
        }


def _renditions(piece: Row, settings: PianorollAudioSettings, rows: PianorollAudioRows) -> Iterator[Row]:
    """In its own key first; the variations' keys and fonts all come once before any comes again."""
    split = split_of(piece["work"])
    rng = item_rng(settings.seed, piece["piece"], "renditions")
    low, high = settings.transpose
    others = [int(key) for key in rng.permutation([key for key in range(low, high + 1) if key])]
    fonts: list[int] = rng.permutation(len(rows.voices_of(split))).tolist()
    for number in range(1 + (settings.variations if split == "train" else 0)):
        yield {
            **piece,
            "id": f"{piece['piece']}-v{number}" if number else piece["piece"],
            "split": split,
            "voice": fonts[number % len(fonts)],
            "transposition": others[(number - 1) % len(others)] if number and others else 0,
        }
