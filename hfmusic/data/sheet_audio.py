"""Engraved scores and their sound, with every notehead joined to its onset: what paper 003 learns from.

The plan finds the scores, gives each composition its split, and says who plays it how fast; what a row then holds
depends on the score's file, the fonts and the seed.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from tqdm.auto import tqdm

from hfmusic.data.msmd import msmd_pieces
from hfmusic.data.primus_audio import voices_of
from hfmusic.data.primus_audio_rows import Voice
from hfmusic.data.primus_rows import item_rng
from hfmusic.data.shard_plans import SPLITS, digest, write_split_plan
from hfmusic.data.shards import Row
from hfmusic.data.sheet_audio_rows import SheetAudioRows
from hfmusic.data.sheet_pieces import ScorePiece, folder_pieces, music21_pieces, works_in
from hfmusic.data.splits import split_of
from hfmusic.files import write_atomic
from hfmusic.render.engrave import FONTS
from hfmusic.render.score_sheet import Layout
from hfmusic.render.soundfonts import shipped_font

TEMPO = (0.9, 0.925, 0.95, 0.975, 1.025, 1.05, 1.075, 1.1)  # MSMD's
ENGRAVINGS = ("Leipzig", "Bravura", "Leland")


@dataclass(frozen=True)
class SheetAudioSettings:
    """What a build depends on.

    Attributes:
        scores: folders of scores (MusicXML, MEI, Humdrum, ABC), at any depth.
        music21: composers of music21's corpus.
        msmd: folders of MSMD, see `hfmusic.data.msmd`.
        exclude_works: folders of scores or built datasets (FOLDER or FOLDER:SPLIT) whose compositions are left out.
        fonts: FONT or FONT:PROGRAM each (see `Voice.parse`). None: the shipped piano. Every training piece is played by
            the first of them as it is written; validation pieces by one that is drawn.
        draw_fonts: training pieces too are played by one that is drawn.
        test_fonts: those of the test split; none: the same.
        tempo: factors of which those of the variations are drawn.
        variations: further renditions of each training piece, in turn: another font, another tempo, both.
        engravings: Verovio's music fonts, of which one is drawn for each piece.
        layout: "pages", or "row": each piece as one system.
        expressive: training pieces are played with varied loudness.
        max_seconds: longer pieces fail, by name.
        n: pieces at most, drawn by the hash of their names.
    """

    scores: tuple[str, ...] = ()
    music21: tuple[str, ...] = ()
    msmd: tuple[str, ...] = ()
    exclude_works: tuple[str, ...] = ()
    fonts: tuple[str, ...] | None = None
    draw_fonts: bool = False
    test_fonts: tuple[str, ...] = ()
    tempo: tuple[float, ...] = TEMPO
    variations: int = 0
    engravings: tuple[str, ...] = ENGRAVINGS
    layout: str = "pages"
    expressive: bool = False
    max_seconds: float | None = None
    n: int | None = None
    seed: int = 0
    rows_per_shard: int = 16

    def __post_init__(self) -> None:
        if not self.scores and not self.music21 and not self.msmd:
            raise ValueError("sheet_audio needs scores: give scores, music21 or msmd")
        if self.fonts is not None and not self.fonts:
            raise ValueError("fonts must name one font at least")
        if not self.tempo or not all(0.25 <= factor <= 4 for factor in self.tempo):
            raise ValueError(f"tempo must be factors from 0.25 to 4, got {', '.join(map(str, self.tempo)) or 'none'}")
        unknown = [font for font in self.engravings if font not in FONTS]
        if unknown or not self.engravings:
            raise ValueError(f"engravings must be among {', '.join(FONTS)}, got {', '.join(unknown) or 'none'}")
        if self.layout not in ("pages", "row"):
            raise ValueError(f"layout must be pages or row, got {self.layout!r}")
        for name, least in (("n", 1), ("variations", 0), ("rows_per_shard", 1), ("max_seconds", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")

    def rows(self) -> SheetAudioRows:
        """The maker of rows.

        Raises:
            ValueError: a font that is not here, or the same name and program twice.
        """
        voices = voices_of(self.fonts) if self.fonts is not None else (Voice(shipped_font(), "FluidR3_GM", 0),)
        layout = cast(Layout, self.layout)
        return SheetAudioRows(self.seed, voices, voices_of(self.test_fonts), layout, self.expressive, self.max_seconds)

    def public(self, rows: SheetAudioRows) -> dict[str, Any]:
        """The settings as build.json keeps them: fonts by name and content, folders by name."""
        folders = {
            name: [Path(folder).name for folder in getattr(self, name)] for name in ("scores", "msmd", "exclude_works")
        }
        lists = {name: list(getattr(self, name)) for name in ("music21", "tempo", "engravings")}
        voices = {
            "fonts": [voice.public() for voice in rows.voices],
            "test_fonts": [voice.public() for voice in rows.test_voices],
        }
        return asdict(self) | folders | lists | voices


def write_sheet_audio_plan(settings: SheetAudioSettings, rows: SheetAudioRows, folder: Path) -> dict[str, Any]:
    """Write the plan of a build in `folder`: its shards hold all renditions of a piece after each other.

    Raises:
        ValueError: a folder that is not there, or two pieces of one name.
    """
    dropped: Counter[str] = Counter()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    candidates = folder / "candidates.jsonl"
    places = defaultdict[str, dict[bytes, int]](dict)
    with candidates.open("wb") as file:
        for item in sheet_audio_items(settings, rows, dropped):
            order = digest(item["piece"]) + digest(item["id"])
            if order in places[item["split"]]:
                raise ValueError(f"two pieces of the sources have the name {item['piece']!r}")
            places[item["split"]][order] = file.tell()
            file.write(json.dumps(item, separators=(",", ":")).encode() + b"\n")
    plan: dict[str, Any] = {"dropped": dict(sorted(dropped.items())), "shards": []}
    with candidates.open("rb") as file:
        for split in SPLITS:
            ordered = sorted(places[split].items())
            plan["shards"] += write_split_plan(split, ordered, file, folder, settings.rows_per_shard)
    candidates.unlink()
    write_atomic(folder / "plan.json", json.dumps(plan))
    return plan


def sheet_audio_items(settings: SheetAudioSettings, rows: SheetAudioRows, dropped: Counter[str]) -> Iterator[Row]:
    """The renditions of all pieces with their splits; `dropped` counts the pieces that are left out by reason."""
    excluded = {work for folder in settings.exclude_works for work in works_in(folder)}
    refused: list[str] = []
    pieces = []
    for piece in tqdm(_pieces(settings, refused), desc="plan", unit="piece", mininterval=1.0):
        if piece.work in excluded:
            dropped["excluded work"] += 1
        else:
            pieces.append(piece)
    if refused:
        dropped["unreadable"] += len(refused)
    if settings.n is not None:
        pieces = sorted(pieces, key=lambda piece: digest(piece.piece))[: settings.n]
    for piece in pieces:
        yield from _renditions(piece, settings, rows)


def _pieces(settings: SheetAudioSettings, refused: list[str]) -> Iterator[ScorePiece]:
    for folder in settings.scores:
        yield from folder_pieces(folder, refused)
    yield from music21_pieces(settings.music21)
    for folder in settings.msmd:
        yield from msmd_pieces(folder)


def _renditions(piece: ScorePiece, settings: SheetAudioSettings, rows: SheetAudioRows) -> Iterator[Row]:
    split = split_of(piece.work)
    voices = len(rows.voices_of(split))
    rng = item_rng(settings.seed, piece.piece, "renditions")
    engraving = str(rng.choice(settings.engravings))
    first = 0 if split == "train" and not settings.draw_fonts else int(rng.integers(voices))
    drawn = [(first, 1.0)] + (_variations(settings, first, voices, rng) if split == "train" else [])
    for number, (voice, tempo) in enumerate(drawn):
        yield {
            "id": f"{piece.piece}-v{number}" if number else piece.piece,
            "work": piece.work,
            "split": split,
            "piece": piece.piece,
            "source": piece.source,
            "path": str(piece.path),
            "voice": voice,
            "tempo": tempo,
            "engraving": engraving,
        }


def _variations(
    settings: SheetAudioSettings, first: int, voices: int, rng: np.random.Generator
) -> list[tuple[int, float]]:
    """(voice, tempo) of each variation of a piece that voice `first` plays: in turn another font, another tempo, both,
    each once before any comes again."""
    fonts = [int(voice) for voice in rng.permutation([voice for voice in range(voices) if voice != first])]
    tempi = [float(factor) for factor in rng.permutation(settings.tempo)]
    if not fonts:
        return [(first, tempi[number % len(tempi)]) for number in range(settings.variations)]
    drawn = []
    for number in range(settings.variations):
        font, tempo = fonts[(number - (number + 1) // 3) % len(fonts)], tempi[(number - (number + 2) // 3) % len(tempi)]
        drawn.append([(font, 1.0), (first, tempo), (font, tempo)][number % 3])
    return drawn
