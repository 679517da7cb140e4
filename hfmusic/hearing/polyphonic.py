"""A recording of many voices to notes: of which part, by which thresholds, and for which instrument."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from tqdm import tqdm

from hfmusic.hearing.beats import track_beats
from hfmusic.hub import Loaded
from hfmusic.symbolic.instruments import compass_of, program_of
from hfmusic.symbolic.performance import Beats, NoteLike, PerformedNote, untangled

if TYPE_CHECKING:
    from hfmusic.models.audio_reading import Sound

Voices = Literal["one", "many", "auto"]
VOICES = ("one", "many", "auto")
# Share of the time in which notes sound together, above which a recording has many voices. As unet-transcriber hears
# the sounds of validation splits, one of 20 melodies is above it (rooms, pedals), and of many voices all, from 0.39.
_TOGETHER = 0.3
_PIANOS = range(6)  # General MIDI programs
_RINGING = 0.12  # seconds that a note may sound on into the next of the same voice


@dataclass(frozen=True)
class Listening:
    """How recordings are listened to.

    Attributes:
        voices: "one", a melody; "many"; or "auto": what is heard tells.
        instrument: a name of General MIDI or its program, 0 to 127; its range limits the notes, and it plays them.
        start, end: seconds of the recording between which is listened; None: its beginning and its end.
        tempo: quarters a minute; None: found out.
        tempo_map: MIDI of many voices follows the beats that were tracked.
        onset_threshold, frame_threshold, minimum_seconds: of the notes of many voices; None: the model's.

    Raises:
        ValueError: an unknown word or instrument, or a number out of range.
    """

    voices: Voices = "auto"
    instrument: str | int | None = None
    start: float | None = None
    end: float | None = None
    tempo: float | None = None
    tempo_map: bool = False
    onset_threshold: float | None = None
    frame_threshold: float | None = None
    minimum_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.voices not in VOICES:
            raise ValueError(f"voices must be one of {', '.join(VOICES)}, got {self.voices!r}")
        if self.instrument is not None:
            program_of(self.instrument)
        start = 0.0 if self.start is None else self.start
        if not 0 <= start or not start < (np.inf if self.end is None else self.end):
            raise ValueError(
                f"a part of a recording begins at 0 s or later and ends after that, got {start} to {self.end}"
            )

    @property
    def program(self) -> int:
        """General MIDI, of what plays the notes."""
        return 0 if self.instrument is None else program_of(self.instrument)

    @property
    def is_piano(self) -> bool:
        """Whether a piano was asked for."""
        return self.instrument is not None and self.program in _PIANOS

    @property
    def decoding(self) -> dict[str, float]:
        """The thresholds that were given."""
        names = ("onset_threshold", "frame_threshold", "minimum_seconds")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def part_of(self, sound: Sound) -> tuple[float, float]:
        """(start, end) in seconds of what is listened to.

        Raises:
            ValueError: it begins after the recording's end.
        """
        start, end = self.start or 0.0, sound.seconds if self.end is None else min(self.end, sound.seconds)
        if start >= end:
            raise ValueError(
                f"{sound.name}: the recording lasts {sound.seconds:.1f} s, asked for from {start:.1f} s on"
            )
        return start, end


@dataclass(frozen=True)
class PolyphonicTranscription:
    """The notes that were heard in a recording of many voices.

    Attributes:
        source: the file, or "sound".
        notes: by onset, then pitch; times in seconds of the recording, also where only a part was listened to.
        seconds: how long what was listened to lasts.
        start_seconds: where it begins in the recording.
        program: General MIDI, of MIDI files and of what is played.
        instrument: its name, where it was named.
        tempo: quarters a minute, where they were given.
        tempo_map: MIDI follows the tracked beats.
        sound: the recording, to draw its spectrogram: a file, or samples and their rate.
        choice: why many voices were listened to, and how to ask for one.
    """

    source: str
    notes: tuple[PerformedNote, ...]
    seconds: float
    start_seconds: float = 0.0
    program: int = 0
    instrument: str = ""
    given_tempo: float | None = None
    tempo_map: bool = False
    model: str = ""
    sound: str | Path | tuple[np.ndarray, int] | None = field(default=None, compare=False, repr=False)
    choice: str = field(default="", compare=False)

    @cached_property
    def beats(self) -> Beats:
        """Tracked in the notes, or even at the given tempo. Raises ValueError where there are no notes."""
        return track_beats(self.notes, tempo=self.given_tempo)

    @property
    def tempo(self) -> float:
        """Quarters a minute."""
        return self.given_tempo or self.beats.tempo

    def to(self, format: str) -> str | bytes:
        """ "midi", "musicxml", "csv", "roll" (PNG) or "sound" (WAV).

        Raises:
            ValueError: another format, or one for which a library, a font or the recording is missing.
        """
        from hfmusic.hearing.written import written

        return written(self, format)

    def summary(self) -> str:
        """What was heard, in a line."""
        many = f"{len(self.notes)} note{'s' * (len(self.notes) != 1)} in {self.seconds:.1f} s"
        return f"{many}, {self.choice}" if self.choice else many

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        rows = [[round(note.onset_seconds, 4), round(note.offset_seconds, 4), *note[2:]] for note in self.notes]
        about = {"source": self.source, "voices": "many", "unit": "seconds", "seconds": round(self.seconds, 3)}
        names = ("onset_seconds", "offset_seconds", "pitch_midi", "velocity")
        return {**about, "notes": [dict(zip(names, row, strict=True)) for row in rows]}


def hear_notes(
    source: str | Path | np.ndarray,
    loaded: Loaded,
    listening: Listening,
    *,
    sampling_rate: int = 22050,
    model: str = "",
) -> PolyphonicTranscription:
    """The notes of a recording of many voices.

    Args:
        source: a file, or samples (n,) in -1..1 at `sampling_rate`.
        loaded: a transcriber: its processor has `transcribe`.
        model: what the transcriber is called.

    Raises:
        ValueError: a recording that cannot be decoded, or nothing to hear in it; one sentence.
    """
    from hfmusic.hearing.loudness import SILENT
    from hfmusic.models.audio_reading import Sound

    processor: Any = loaded.processor
    with Sound(source, sampling_rate=processor.sampling_rate, array_rate=sampling_rate) as sound:
        start, end = listening.part_of(sound)
        samples = sound.window(start, end)
        name = sound.name
    if float(np.abs(samples).max(initial=0.0)) < SILENT:
        raise ValueError(f"no music in {name}: it is silent")
    with tqdm(total=round(end - start), unit="s", desc="listening", leave=False, disable=None) as bar:
        tell = lambda done: bar.update(round(done * (end - start)) - bar.n)  # noqa: E731
        found = processor.transcribe(loaded.model, samples, progress=tell, **listening.decoding)
    notes = _kept(found, listening, start, end)
    if not notes:
        raise ValueError(f"no music in {name}: no note was heard")
    return PolyphonicTranscription(
        name,
        notes,
        end - start,
        start,
        listening.program,
        "" if listening.instrument is None else str(listening.instrument),
        listening.tempo,
        listening.tempo_map,
        model,
        (source, sampling_rate) if isinstance(source, np.ndarray) else source,
    )


def _kept(found: Sequence[NoteLike], listening: Listening, start: float, end: float) -> tuple[PerformedNote, ...]:
    """Those that the instrument has, in seconds of the recording."""
    low, high = (0, 127) if listening.instrument is None else compass_of(listening.program)
    notes = [
        PerformedNote(
            note.onset_seconds + start,
            min(end, max(note.offset_seconds, note.onset_seconds) + start),
            int(note.pitch_midi),
            min(127, max(1, int(note.velocity))),
        )
        for note in found
        if low <= note.pitch_midi <= high and note.onset_seconds + start < end
    ]
    return tuple(untangled(notes))


def sounds_together(notes: Sequence[NoteLike]) -> float:
    """The share of the time with notes in which two or more sound; what rings on a little into the next does not count.

    >>> chord = [PerformedNote(0, 1, 60), PerformedNote(0, 1, 64), PerformedNote(1, 2, 67)]
    >>> sounds_together(chord), sounds_together([PerformedNote(0, 1.1, 60), PerformedNote(1, 2, 62)])
    (0.5, 0.0)
    """
    edges = []
    for note in notes:
        end = max(
            note.onset_seconds + min(_RINGING, note.offset_seconds - note.onset_seconds), note.offset_seconds - _RINGING
        )
        edges += [(note.onset_seconds, 1), (end, -1)]
    one = two = 0.0
    sounding, before = 0, 0.0
    for moment, change in sorted(edges):
        one += (moment - before) * (sounding >= 1)
        two += (moment - before) * (sounding >= 2)
        sounding, before = sounding + change, moment
    return round(two / one, 4) if one else 0.0


def has_many_voices(notes: Sequence[NoteLike]) -> bool:
    """Whether notes are more than a melody."""
    return sounds_together(notes) > _TOGETHER


def seconds_of(text: str) -> float:
    """Seconds of "90", "1:30" or "1:02:03.5".

    Raises:
        ValueError: another text.

    >>> seconds_of("1:30"), seconds_of("1:02:03.5"), seconds_of("7.25")
    (90.0, 3723.5, 7.25)
    """
    match = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?)", text.strip())
    if match is None or (match[2] is not None and float(match[3]) >= 60):
        raise ValueError(f"a time is seconds (75.5) or minutes and seconds (1:15.5), got {text!r}")
    return 3600 * int(match[1] or 0) + 60 * int(match[2] or 0) + float(match[3])
