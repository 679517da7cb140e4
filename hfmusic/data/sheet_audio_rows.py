"""The row that a rendition of the plan becomes: its score engraved and played. Worker processes import this."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from hfmusic.data.msmd import read_msmd_sheet
from hfmusic.data.primus_audio_rows import Voice, flac_bytes
from hfmusic.data.primus_rows import item_rng
from hfmusic.data.shards import Row
from hfmusic.render.engrave import png_bytes
from hfmusic.render.engrave_score import engrave_score
from hfmusic.render.play_sheet import play_sheet
from hfmusic.render.score_sheet import Layout
from hfmusic.render.sheet import Sheet
from hfmusic.render.synthesize import SAMPLING_RATE, Synthesizer

# FluidSynth does not keep its samples below half its rate: at twice the rate wanted, what folds back lies above it.
_OVERSAMPLING = 2
_PEAK = 0.5
_LOUD = (55, 100)  # velocities that a whole piece has in the middle, where it is played with expression
_SPREAD = (3.0, 12.0)  # and how far single notes are from it
_MELODY = 8  # that the highest note of those that begin together is louder


@dataclass(frozen=True)
class SheetAudioRows:
    """Makes the row of an item, {id, work, split, piece, source, path, voice, tempo, engraving}. Picklable.

    Attributes:
        voices: of training and validation, `test_voices` of the test split; an item's "voice" counts in these.
        expressive: training items are played with varied loudness, in a room or none.
        max_seconds: a longer piece gives no row.
    """

    seed: int
    voices: tuple[Voice, ...]
    test_voices: tuple[Voice, ...] = ()
    layout: Layout = "pages"
    expressive: bool = False
    max_seconds: float | None = None

    def __call__(self, item: Row) -> Row:
        sheet = _engraved(item["path"], item["source"], self.layout, item["engraving"])
        length = max(note.offset_seconds for note in sheet.notes)
        if self.max_seconds is not None and length > self.max_seconds:
            raise ValueError(f"it lasts {length:.0f} s, longer than max_seconds {self.max_seconds:g}")
        voice = self.voices_of(item["split"])[item["voice"]]
        synthesizer, keys = _synthesizer(voice)
        sheet = replace(sheet, notes=tuple(note for note in sheet.notes if note.pitch_midi in keys))
        if not sheet.notes:
            raise ValueError(f"no note of it is in the compass of {voice.name}:{voice.program}")
        sound = self._played(item, sheet, synthesizer)
        return {
            **{name: item[name] for name in ("id", "work", "piece", "source")},
            "composer": sheet.composer,
            "title": sheet.title,
            "font": voice.name,
            "program": voice.program,
            "tempo_factor": item["tempo"],
            "audio": {"bytes": flac_bytes(sound, SAMPLING_RATE), "path": None},
            "seconds": len(sound) / SAMPLING_RATE,
            **sheet_columns(sheet.at_tempo(item["tempo"])),
        }

    def voices_of(self, split: str) -> tuple[Voice, ...]:
        """The voices that a split is played with."""
        return self.test_voices if split == "test" and self.test_voices else self.voices

    def _played(self, item: Row, sheet: Sheet, synthesizer: Synthesizer) -> np.ndarray:
        import soxr

        velocities, reverb = None, None
        if self.expressive and item["split"] == "train":
            rng = item_rng(self.seed, item["id"], "expression")
            velocities, reverb = expressive_velocities(sheet, rng), bool(rng.random() < 0.5)
        sound = play_sheet(sheet, synthesizer, item["tempo"], velocities=velocities, reverb=reverb)
        sound = soxr.resample(sound, SAMPLING_RATE * _OVERSAMPLING, SAMPLING_RATE)
        return np.asarray(sound * np.float32(_PEAK / max(float(np.abs(sound).max(initial=0.0)), 1e-6)))


def sheet_columns(sheet: Sheet) -> Row:
    """The columns pages, systems, notes and measures."""
    return {
        "pages": [{"bytes": png_bytes(page), "path": None} for page in sheet.pages],
        "systems": [system._asdict() for system in sheet.systems],
        "notes": [note._asdict() for note in sheet.notes],
        "measures": [measure._asdict() for measure in sheet.measures],
    }


def expressive_velocities(sheet: Sheet, rng: np.random.Generator) -> list[int]:
    """A velocity for each note: a piece is soft or loud, its notes differ, and what lies above is louder."""
    highest: dict[float, int] = {}
    for note in sheet.notes:
        highest[note.onset_quarters] = max(note.pitch_midi, highest.get(note.onset_quarters, 0))
    middle, spread = rng.uniform(*_LOUD), rng.uniform(*_SPREAD)
    drawn = rng.normal(middle, spread, len(sheet.notes))
    above = [_MELODY * (note.pitch_midi == highest[note.onset_quarters]) for note in sheet.notes]
    return [int(velocity) for velocity in np.clip(np.round(drawn + above), 20, 127)]


@lru_cache(maxsize=2)
def _engraved(path: str, source: str, layout: Layout, font: str) -> Sheet:
    """Renditions of a piece follow each other in a shard: each is engraved once."""
    if source == "msmd":
        return read_msmd_sheet(Path(path))
    return engrave_score(Path(path), layout=layout, font=font)


@cache
def _synthesizer(voice: Voice) -> tuple[Synthesizer, frozenset[int]]:
    """One for each voice and process, and the keys at which it sounds."""
    synthesizer = Synthesizer(voice.path, program=voice.program, sampling_rate=SAMPLING_RATE * _OVERSAMPLING)
    return synthesizer, frozenset(synthesizer.audible_keys())
