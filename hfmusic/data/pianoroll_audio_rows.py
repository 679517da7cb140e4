"""The row that a rendition of the plan becomes: its music on a grid of beats, played. Worker processes import this."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from hfmusic.data.note_files import SCORE_SUFFIXES, PlayedNote, midi_notes
from hfmusic.data.primus_audio_rows import Voice, flac_bytes
from hfmusic.data.primus_rows import item_rng
from hfmusic.data.renditions import Rendition, within
from hfmusic.data.rolls import NOTES, STEPS_PER_BEAT, notes_on_grid
from hfmusic.data.score_notes import score_midi
from hfmusic.data.shards import Row
from hfmusic.data.synthesized_rows import OVERSAMPLING, PEAK, synthesizer_of
from hfmusic.data.treatments import Treatment
from hfmusic.render.synthesize import SAMPLING_RATE
from hfmusic.symbolic.beat_map import BeatMap, read_beat_map
from hfmusic.symbolic.instruments import compass_of

VELOCITIES = ("as-is", "one")
_MOST_STEPS = 1_000_000  # eleven hours at 60 beats a minute: more is a damaged tempo map


@dataclass(frozen=True)
class PianorollAudioRows:
    """Makes the row of an item, {id, work, split, piece, composer, source, path, voice, transposition}. Picklable.

    Attributes:
        voices: of training and validation, `test_voices` of the test split; an item's "voice" counts in these.
        velocity: "as-is", and sounds are brought to one level; "one": all notes are struck as softly as MIDI can, and
            sounds are as FluidSynth writes them, about a step of 16 bits loud (paper 004's code).
        treatments: among `hfmusic.data.treatments.PARTS`, for the training split.
        offsets: where notes end, with their "sound", which the pedal sustains, or with their "keys".
        max_seconds: a longer piece gives no row.
    """

    seed: int
    voices: tuple[Voice, ...]
    test_voices: tuple[Voice, ...] = ()
    velocity: str = "as-is"
    treatments: tuple[str, ...] = ()
    offsets: str = "sound"
    max_seconds: float | None = None

    def __call__(self, item: Row) -> Row:
        played, beats = _music(item["path"])
        voice = self.voices_of(item["split"])[item["voice"]]
        rng = item_rng(self.seed, item["id"], "treatment")
        notes, shift = self._notes(played, voice, item["transposition"], rng)
        sound = self._sound(notes, voice, item["split"], rng)
        labelled = [note.labelled(self.offsets) for note in notes]
        grid = step_seconds(beats, max(note.offset_seconds for note in labelled))
        times = [(note.onset_seconds, note.offset_seconds) for note in labelled]
        pitches, velocities = ([getattr(note, name) for note in labelled] for name in ("pitch_midi", "velocity"))
        placed = notes_on_grid(times, pitches, velocities, grid)
        return {
            **{name: item[name] for name in ("id", "work", "piece", "composer", "source")},
            "font": voice.name,
            "program": voice.program,
            "transposition": item["transposition"] + shift,
            "audio": {"bytes": flac_bytes(sound, SAMPLING_RATE), "path": None},
            "seconds": len(sound) / SAMPLING_RATE,
            "steps_per_beat": STEPS_PER_BEAT,
            "notes": [dict(zip(NOTES.names or (), note, strict=True)) for note in placed.tolist()],
            "step_seconds": grid.tolist(),
        }

    def voices_of(self, split: str) -> tuple[Voice, ...]:
        """The voices that a split is played with."""
        return self.test_voices if split == "test" and self.test_voices else self.voices

    def _notes(
        self, played: list[PlayedNote], voice: Voice, transposition: int, rng: np.random.Generator
    ) -> tuple[list[PlayedNote], int]:
        """What sounds, and the octaves in semitones by which all of it was moved into the program's compass."""
        length = max((note.offset_seconds for note in played), default=0.0)
        if self.max_seconds is not None and length > self.max_seconds:
            raise ValueError(f"it lasts {length:.0f} s, longer than max_seconds {self.max_seconds:g}")
        moved = Rendition(transposition=transposition).of(played, rng)
        if not moved:
            raise ValueError("nothing sounds in it")
        _, keys = synthesizer_of(voice, SAMPLING_RATE * OVERSAMPLING)
        notes, shift = within(moved, compass_of(voice.program), keys)
        if not notes:
            raise ValueError(f"no note of it is in the compass of {voice.name}:{voice.program}")
        return ([note._replace(velocity=1) for note in notes] if self.velocity == "one" else notes), shift

    def _sound(self, notes: list[PlayedNote], voice: Voice, split: str, rng: np.random.Generator) -> np.ndarray:
        import soxr

        synthesizer, _ = synthesizer_of(voice, SAMPLING_RATE * OVERSAMPLING)
        treatment = Treatment.sample(rng, self.treatments if split == "train" else ())
        # With a room of our own, FluidSynth's is off.
        sound = synthesizer.play_notes(notes, reverb=not treatment.room_seconds)
        sound = treatment.of(soxr.resample(sound, SAMPLING_RATE * OVERSAMPLING, SAMPLING_RATE), SAMPLING_RATE, rng)
        if self.velocity == "one":
            return sound + fluid_dither(len(sound), rng)
        return np.asarray(sound * np.float32(PEAK / max(float(np.abs(sound).max(initial=0.0)), 1e-6)))


def fluid_dither(samples: int, rng: np.random.Generator) -> np.ndarray:
    """What FluidSynth adds to samples before it rounds them to 16 bits, float32 (n,): else the softest notes, which are
    less than a step, would be silence."""
    return (np.diff(rng.random(samples + 1)) / 32768).astype(np.float32)


def step_seconds(beats: BeatMap, end: float) -> np.ndarray:
    """When the steps of some beats begin, float64 (T,), from the first to the one after `end` seconds.

    Raises:
        ValueError: more steps than any music has.
    """
    last = int(np.ceil(beats.quarters_at(end) * STEPS_PER_BEAT)) + 1
    if last > _MOST_STEPS:
        raise ValueError(f"a tempo at which it lasts {last // STEPS_PER_BEAT} beats")
    return beats.seconds_at(np.arange(last + 1) / STEPS_PER_BEAT)


@lru_cache(maxsize=2)
def _music(path: str) -> tuple[list[PlayedNote], BeatMap]:
    """The notes and beats of a MIDI file, or of a score."""
    data = Path(path).read_bytes()
    midi = score_midi(data) if Path(path).suffix.lower() in SCORE_SUFFIXES else data
    return midi_notes(midi), read_beat_map(midi)
