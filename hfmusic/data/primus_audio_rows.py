"""The row of sound that an item of the plan becomes. Apart from the plan: this is what worker processes import."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from hfmusic.data.primus_rows import item_rng, unpack_score
from hfmusic.data.shards import Row
from hfmusic.render.perform import Manner, perform
from hfmusic.render.soundfonts import find_font, font_name
from hfmusic.render.synthesize import SAMPLING_RATE, Synthesizer
from hfmusic.symbolic.midi import sounding_notes, write_midi
from hfmusic.symbolic.score import Score

SECONDS_PER_QUARTER = 0.5
_FLAC_LEVEL = 0.5  # of 0 to 1: a fifth smaller than 0 in the same time; 1 is 1 % smaller and takes half as long again


@dataclass(frozen=True)
class Voice:
    """A program of a SoundFont file. `name` is what the column `font` says."""

    path: Path
    name: str
    program: int

    @classmethod
    def parse(cls, text: str) -> Voice:
        """FONT or FONT:PROGRAM, where FONT is a file, a folder of single programs, or a known name.

        Raises:
            ValueError: no such font.
        """
        font, colon, number = text.strip().rpartition(":")
        if not (colon and number.isdigit()):
            font, number = text.strip(), "0"
        if int(number) > 127:
            raise ValueError(f"program must be 0 to 127, got {text}")
        path = find_font(font, int(number))
        return cls(path, font_name(path), int(number))

    def public(self) -> str:
        """Name, program and content, and no path of this machine: for build.json."""
        return f"{self.name}:{self.program} sha256 {hashlib.sha256(self.path.read_bytes()).hexdigest()[:16]}"


@dataclass(frozen=True)
class PrimusAudioRows:
    """Makes the row of an item: its MIDI file played by one of the voices, as FLAC. Picklable.

    The voice follows from the seed and the id. A PrIMuS item's own MIDI file is what is played.

    Attributes:
        voices: of training and validation; `test_voices` of the test split (none: the same).
        expressive: training items are played as `Manner.sample` says; the column `midi` stays plain.
    """

    seed: int
    voices: tuple[Voice, ...]
    test_voices: tuple[Voice, ...] = ()
    expressive: bool = False
    gain: float = 0.2

    def __call__(self, item: Row) -> Row:
        score, given = unpack_score(item["score"]), item.get("files", {})
        midi = Path(given["midi"]).read_bytes() if "midi" in given else write_midi(score)
        voice = self.voice(item)
        sound = self._played(item, midi, voice, last_rest_seconds(score))
        row = {name: item[name] for name in ("id", "work", "source", "semantic")}
        return row | {
            "audio": {"bytes": flac_bytes(sound), "path": None},
            "font": voice.name,
            "program": voice.program,
            "midi": midi,
        }

    def voice(self, item: Row) -> Voice:
        """The voice of an item."""
        voices = self.test_voices if item["split"] == "test" and self.test_voices else self.voices
        return voices[int(item_rng(self.seed, item["id"], "voice").integers(len(voices)))]

    def _played(self, item: Row, midi: bytes, voice: Voice, last_rest: float) -> np.ndarray:
        synthesizer = _synthesizer(voice)
        if not (self.expressive and item["split"] == "train"):
            return synthesizer.play(midi, gain=self.gain, last_rest=last_rest)
        rng = item_rng(self.seed, item["id"], "manner")
        manner = Manner.sample(rng)
        return synthesizer.play(perform(midi, manner, rng), gain=manner.gain, reverb=manner.reverb, last_rest=last_rest)


def score_seconds(score: Score) -> float:
    """How long a score lasts on paper at PrIMuS's 120 quarters a minute."""
    timeline = list(score.timeline())
    return float(timeline[-1][1] + timeline[-1][2]) * SECONDS_PER_QUARTER if timeline else 0.0


def last_rest_seconds(score: Score) -> float:
    """How long a score rests after its last note; PrIMuS's own MIDI files leave this out."""
    notes = sounding_notes(score)
    return score_seconds(score) - (float(notes[-1][1]) * SECONDS_PER_QUARTER if notes else 0.0)


def flac_bytes(sound: np.ndarray, sampling_rate: int = SAMPLING_RATE) -> bytes:
    """Mono sound, float (n,) in -1..1, as a FLAC file of 16 bits.

    Raises:
        ValueError: no samples.
    """
    import soundfile

    if not len(sound):
        raise ValueError("nothing sounds and nothing rests: no sound to write")
    file, samples = io.BytesIO(), np.clip(np.round(sound * np.float32(32768)), -32768, 32767).astype(np.int16)
    soundfile.write(file, samples, sampling_rate, format="FLAC", subtype="PCM_16", compression_level=_FLAC_LEVEL)
    return file.getvalue()


@cache
def _synthesizer(voice: Voice) -> Synthesizer:
    """One for each voice and process: a font is loaded once."""
    return Synthesizer(voice.path, program=voice.program)
