"""Performances and scores played by FluidSynth with chosen instruments: paper 001's Synthesized set, and more than it.

The plan reads the labels, gives each composition its split, plays it in so many renditions, and cuts excerpts; what is
then heard of an excerpt depends on it and the seed alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from hfmusic.data import renditions, treatments
from hfmusic.data.label_sources import Piece, Source, known_splits
from hfmusic.data.note_files import OFFSETS, check_offsets
from hfmusic.data.primus_audio import voices_of
from hfmusic.data.primus_audio_rows import Voice
from hfmusic.data.primus_rows import item_rng
from hfmusic.data.renditions import Rendition, excerpts
from hfmusic.data.shard_plans import write_item_plan
from hfmusic.data.shards import Row
from hfmusic.data.splits import split_of
from hfmusic.data.synthesized_rows import BY_INSTRUMENT, SynthesizedRows
from hfmusic.render.soundfonts import shipped_font

AUGMENTATIONS = (*renditions.PARTS, *treatments.PARTS)


@dataclass(frozen=True)
class SynthesizedSettings:
    """What a build depends on.

    Attributes:
        labels: folders of note files (.mid, .tsv, .jams, .mxl, .musicxml), at any depth, or built datasets of
            recordings; FOLDER:SPLIT takes one split.
        splits: "work": works of built datasets keep their splits (test before validation before train), others are
            split by hash. "source": each row of a built dataset keeps its own, as the paper's protocol wants, in
            which works are on both sides.
        exclude_works: folders or datasets alike: no composition in them is played. Give test sets here.
        fonts: FONT or FONT:PROGRAM each (see `Voice.parse`). None: the shipped piano.
        test_fonts: those of the test split; none: the same.
        each_font: every excerpt is played with every font, as in the paper, not with one drawn for it.
        variations: further renditions of each training piece: another font, and other draws of `augment`.
        augment: what varies in the training split, among `AUGMENTATIONS`; "humanise" where the labels are scores.
        excerpt_seconds: pieces are cut into sounds of so many seconds at most; None: one sound a piece.
        max_seconds: leave out longer pieces.
        n: pieces at most, the first by name.
        offsets: notes end with their "sound", which the pedal sustains, with their "keys", as the labels of MAPS's
            Disklavier that transcribers are measured on, or as is usual for the "instrument": those of pianos with
            their keys, all others, as in GuitarSet, with their sound. What is heard is the same.
    """

    labels: tuple[str, ...]
    exclude_works: tuple[str, ...] = ()
    fonts: tuple[str, ...] | None = None
    test_fonts: tuple[str, ...] = ()
    each_font: bool = False
    variations: int = 0
    augment: tuple[str, ...] = ()
    excerpt_seconds: float | None = None
    max_seconds: float | None = None
    n: int | None = None
    splits: str = "work"
    seed: int = 0
    sampling_rate: int = 16000
    rows_per_shard: int = 32
    offsets: str = "sound"

    def __post_init__(self) -> None:
        unknown = [part for part in self.augment if part not in AUGMENTATIONS]
        if unknown:
            raise ValueError(f"augment must be among {', '.join(AUGMENTATIONS)}, got {', '.join(unknown)}")
        if not self.labels:
            raise ValueError("labels must name a folder of notes to play at least")
        if self.fonts is not None and not self.fonts:
            raise ValueError("fonts must name one font at least")
        if self.splits not in ("work", "source"):
            raise ValueError(f"splits must be work or source, got {self.splits!r}")
        check_offsets(self.offsets, (*OFFSETS, BY_INSTRUMENT))
        if self.excerpt_seconds is not None and self.excerpt_seconds < 2:
            raise ValueError(f"excerpt_seconds must be at least 2, got {self.excerpt_seconds}")
        for name, least in (("n", 1), ("variations", 0), ("rows_per_shard", 1), ("max_seconds", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")

    def rows(self) -> SynthesizedRows:
        """The maker of rows.

        Raises:
            ValueError: a font that is not here, or the same name and program twice.
        """
        voices = voices_of(self.fonts) if self.fonts is not None else (Voice(shipped_font(), "FluidR3_GM", 0),)
        used = tuple(part for part in self.augment if part in treatments.PARTS)
        test_voices = voices_of(self.test_fonts)
        return SynthesizedRows(
            self.seed, voices, test_voices, used, self.sampling_rate, self.excerpt_seconds, self.offsets
        )

    def public(self, rows: SynthesizedRows) -> dict[str, Any]:
        """The settings as build.json keeps them: fonts by name and content, folders by name."""
        return asdict(self) | {
            "labels": [Path(label).name for label in self.labels],
            "exclude_works": [Path(folder).name for folder in self.exclude_works],
            "fonts": [voice.public() for voice in rows.voices],
            "test_fonts": [voice.public() for voice in rows.test_voices],
            "augment": list(self.augment),
        }


def write_synthesized_plan(settings: SynthesizedSettings, rows: SynthesizedRows, folder: Path) -> dict[str, Any]:
    """Write the plan of a build in `folder`, see `write_item_plan`.

    Raises:
        ValueError: a folder that is not there, or pieces of one name.
    """
    dropped: Counter[str] = Counter()
    return write_item_plan(synthesized_items(settings, rows, dropped), folder, settings.rows_per_shard, dropped)


def synthesized_items(settings: SynthesizedSettings, rows: SynthesizedRows, dropped: Counter[str]) -> Iterator[Row]:
    """The excerpts of all pieces with their splits; `dropped` counts the pieces that are left out by reason."""
    sources = [Source.parse(label) for label in settings.labels]
    excluded = {work for folder in settings.exclude_works for work in Source.parse(folder).works()}
    splits = known_splits(sources)
    for piece in tqdm(_pieces(settings, sources, excluded, dropped), desc="plan", unit="piece", mininterval=1.0):
        own = piece.split if settings.splits == "source" else splits.get(piece.work)
        split = own or split_of(piece.work)
        for number in range(1 + (settings.variations if split == "train" else 0)):
            yield from _rendition_items(piece, split, number, settings, rows)


def _pieces(
    settings: SynthesizedSettings, sources: list[Source], excluded: set[str], dropped: Counter[str]
) -> Iterator[Piece]:
    refused: list[str] = []
    count = 0
    for piece in (piece for source in sources for piece in source.pieces(refused)):
        if piece.work in excluded:
            dropped["excluded work"] += 1
        elif settings.max_seconds and max(note.offset_seconds for note in piece.notes) > settings.max_seconds:
            dropped[f"longer than {settings.max_seconds:g} s"] += 1
        else:
            count += 1
            yield piece
        if count == settings.n:
            break
    if refused:
        dropped["unreadable, or without notes"] += len(refused)


def _rendition_items(
    piece: Piece, split: str, number: int, settings: SynthesizedSettings, rows: SynthesizedRows
) -> Iterator[Row]:
    name = f"{piece.id}-v{number}" if number else piece.id
    rng = item_rng(settings.seed, name, "rendition")
    parts = settings.augment if split == "train" else ()
    rendition = Rendition.sample(rng, parts)
    voices = len(rows.voices_of(split))
    for part, (begin, notes) in enumerate(excerpts(rendition.of(piece.notes, rng), settings.excerpt_seconds)):
        identifier = name if settings.excerpt_seconds is None else f"{name}-e{part:03d}"
        drawn = int(item_rng(settings.seed, identifier, "voice").integers(voices))
        for voice in range(voices) if settings.each_font else (drawn,):
            yield {
                "id": f"{identifier}-{_slug(rows.voices_of(split)[voice])}" if settings.each_font else identifier,
                "work": piece.work,
                "split": split,
                "voice": voice,
                "notes": [note[:5] for note in notes],
                "begin_seconds": round(begin, 6),
                "tempo": rendition.tempo,
                "transposition": rendition.transposition,
                "velocity_scale": rendition.velocity_scale,
            }


def _slug(voice: Voice) -> str:
    return f"{voice.name}-{voice.program:03d}"
