"""The row that an excerpt of the plan becomes: its notes, played. Apart from the plan: worker processes import this."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from hfmusic.data.note_files import PlayedNote
from hfmusic.data.primus_audio_rows import Voice, flac_bytes
from hfmusic.data.primus_rows import item_rng
from hfmusic.data.recording_rows import note_rows
from hfmusic.data.renditions import within
from hfmusic.data.shards import Row
from hfmusic.data.treatments import Treatment
from hfmusic.render.synthesize import Synthesizer
from hfmusic.symbolic.instruments import PROGRAMS, compass_of

# FluidSynth does not keep its samples below half its rate: at twice the rate wanted, what folds back lies above it.
OVERSAMPLING = 2
PEAK = 0.5
BY_INSTRUMENT = "instrument"
_FADE_SECONDS = 0.05
_FAMILIES = {0: "piano", 3: "guitar", 4: "bass"}  # of eight programs each


@dataclass(frozen=True)
class SynthesizedRows:
    """Makes the row of an item, {id, work, split, notes, voice, begin_seconds, tempo ...}. Picklable.

    Attributes:
        voices: of training and validation, `test_voices` of the test split; an item's "voice" counts in these.
        treatments: among `hfmusic.data.treatments.PARTS`, for the training split.
        seconds: where a sound ends at the latest.
        offsets: where its notes end, with their "sound", their "keys", or as is usual for the "instrument".
    """

    seed: int
    voices: tuple[Voice, ...]
    test_voices: tuple[Voice, ...] = ()
    treatments: tuple[str, ...] = ()
    sampling_rate: int = 16000
    seconds: float | None = None
    offsets: str = "sound"

    def __call__(self, item: Row) -> Row:
        voice = self.voices_of(item["split"])[item["voice"]]
        synthesizer, keys = synthesizer_of(voice, self.sampling_rate * OVERSAMPLING)
        notes, shift = within([PlayedNote(*note) for note in item["notes"]], compass_of(voice.program), keys)
        if not notes:
            raise ValueError(f"no note of it is in the compass of {PROGRAMS[voice.program]}")
        rng = item_rng(self.seed, item["id"], "treatment")
        treatment = Treatment.sample(rng, self.treatments if item["split"] == "train" else ())
        # With a room of our own, FluidSynth's is off.
        sound = self._trimmed(synthesizer.play_notes(notes, reverb=not treatment.room_seconds))
        sound = treatment.of(sound, self.sampling_rate, rng)
        sound *= np.float32(PEAK / max(float(np.abs(sound).max(initial=0.0)), 1e-6))
        return {
            **{name: item[name] for name in ("id", "work", "begin_seconds", "tempo", "velocity_scale")},
            "source": "synthesized",
            "instrument": instrument_name(voice.program),
            "program": voice.program,
            "font": voice.name,
            "audio": {"bytes": flac_bytes(sound, self.sampling_rate), "path": None},
            "seconds": len(sound) / self.sampling_rate,
            "notes": note_rows([note.labelled(self.offsets_of(voice)) for note in notes]),
            "transposition": item["transposition"] + shift,
            **_columns(treatment),
        }

    def voices_of(self, split: str) -> tuple[Voice, ...]:
        """The voices that a split is played with."""
        return self.test_voices if split == "test" and self.test_voices else self.voices

    def offsets_of(self, voice: Voice) -> str:
        """Where the notes of a voice end, with their "sound" or their "keys"."""
        if self.offsets != BY_INSTRUMENT:
            return self.offsets
        return "keys" if instrument_name(voice.program) == "piano" else "sound"

    def _trimmed(self, sound: np.ndarray) -> np.ndarray:
        """At the rate wanted, and no longer than wanted."""
        import soxr

        sound = soxr.resample(sound, self.sampling_rate * OVERSAMPLING, self.sampling_rate)
        most = len(sound) if self.seconds is None else int(self.seconds * self.sampling_rate)
        if len(sound) > most:
            sound = sound[:most].copy()
            fade = min(int(_FADE_SECONDS * self.sampling_rate), most)
            sound[most - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
        return sound


def instrument_name(program: int) -> str:
    """What the column `instrument` calls a General MIDI program: piano, guitar, bass, or its own name.

    >>> instrument_name(25), instrument_name(40)
    ('guitar', 'violin')
    """
    return _FAMILIES.get(program // 8, PROGRAMS[program])


def _columns(treatment: Treatment) -> dict[str, Any]:
    return {
        "room_seconds": treatment.room_seconds,
        "room_decibels": treatment.room_decibels,
        "noise_decibels": treatment.noise_decibels,
        "eq_decibels": list(treatment.eq_decibels),
    }


@cache
def synthesizer_of(voice: Voice, sampling_rate: int) -> tuple[Synthesizer, tuple[int, ...]]:
    """One for each voice and process, and the keys at which it sounds."""
    synthesizer = Synthesizer(voice.path, program=voice.program, sampling_rate=sampling_rate)
    return synthesizer, synthesizer.audible_keys()
