"""MIDI and scores played by FluidSynth in this process: `with Synthesizer(shipped_font()) as s: sound = s.play(midi)`.

A font is loaded once and plays many files. What is heard is what the `fluidsynth` command gives (its default gain,
reverb and chorus), in float32 and mono, without that command's long silence at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import mido
import numpy as np

from hfmusic.symbolic.midi import open_midi, write_midi
from hfmusic.symbolic.score import Score

from .fluid import BLOCK, FluidSynth
from .font_effects import CHORUS_CONTROLLER, sends_to_chorus
from .soundfonts import find_font, find_fonts, shipped_font

__all__ = ["SAMPLING_RATE", "Synthesizer", "find_font", "find_fonts", "play_score", "shipped_font", "trim_release"]

SAMPLING_RATE = 22050
TAIL_DECIBELS = 60.0  # below the peak: where a tail ends
TAIL_SECONDS = 3.0  # the longest tail
_SILENT = 1e-6  # a thirtieth of a step of 16 bits: FluidSynth's reverb hums at 1e-8
_TAIL_STEP_SECONDS = 0.2
_FADE_SECONDS = 0.01  # of a tail that is cut before it is silent
_LONGEST_SECONDS = 3600.0
_PERCUSSION = 9
_PROBE_SECONDS, _PROBE_VELOCITY = 0.25, 90
SoundingNote = tuple[Any, ...]  # onset and offset in seconds, MIDI pitch, velocity, and what else it carries


class Synthesizer:
    """One program of one font.

    Args:
        font: a .sf2 or .sf3 file, a folder of single programs (000.sf3 ...), or the name of a font that is here
            (see `find_font`).
        program: General MIDI program from 0, in bank 0; None takes the first preset of the font.
        sampling_rate: Hz, 8,000 to 96,000.
        reverb, chorus: FluidSynth's own, which its command has on.
        gain: volume, 0 to 10; that of the command.

    Raises:
        ValueError: FluidSynth is not installed, the font cannot be found or read, or it lacks the program.
    """

    def __init__(
        self,
        font: str | Path,
        *,
        program: int | None = 0,
        sampling_rate: int = SAMPLING_RATE,
        reverb: bool = True,
        gain: float = 0.2,
        chorus: bool = True,
    ) -> None:
        if not 8000 <= sampling_rate <= 96000:
            raise ValueError(f"sampling_rate must be 8,000 to 96,000 Hz, got {sampling_rate}")
        if not 0 < gain <= 10:
            raise ValueError(f"gain must be above 0 and at most 10, got {gain}")
        if program is not None and not 0 <= program <= 127:
            raise ValueError(f"program must be 0 to 127, got {program}")
        self.font, self.sampling_rate = find_font(font, program or 0), sampling_rate
        self._reverb, self._gain = reverb, gain
        self._synth = FluidSynth(
            self.font, program, sampling_rate=sampling_rate, gain=gain, reverb=reverb, chorus=chorus
        )
        self.program = self._synth.program
        self._chorus, self._sends_to_chorus = chorus, sends_to_chorus(self.font, self._synth.bank, self.program)

    def play(
        self, midi: bytes, *, reverb: bool | None = None, gain: float | None = None, last_rest: float = 0.0
    ) -> np.ndarray:
        """A standard MIDI file as sound, float32 (n,) in -1..1, mono: the mean of both sides.

        All tracks and channels sound with the synthesizer's program, at the file's tempo; percussion (channel 10) and
        program changes are left out. Events begin with FluidSynth's blocks of 64 frames, at most half a block (1.5 ms)
        from where they belong. The same file gives the same samples, whatever was played before.

        Args:
            reverb, gain: for this file only.
            last_rest: seconds that the music goes on after its last note, for files that leave this rest out.
                `trim_release` says where the sound ends.

        Raises:
            ValueError: no MIDI file, or one that lasts longer than an hour.
        """
        events, end = _timed_messages(midi)
        end = max(end, last_rest + max((event.seconds for event in events if event.is_note), default=0.0))
        return self._play(events, end, reverb=reverb, gain=gain)

    def play_notes(
        self, notes: Iterable[SoundingNote], *, reverb: bool | None = None, gain: float | None = None, end: float = 0.0
    ) -> np.ndarray:
        """Notes as sound, as `play` gives the sound of a file.

        Args:
            notes: (onset in seconds, offset in seconds, MIDI pitch, velocity 1 to 127, ...) each, in any order. A key
                that is struck again while it is down is let go first.
            end: seconds that the music lasts at least.

        Raises:
            ValueError: a note that ends before it begins, or music that lasts longer than an hour.
        """
        events = []
        for onset, offset, pitch, velocity, *_ in notes:
            if not 0 <= onset <= offset <= _LONGEST_SECONDS:
                raise ValueError(f"a note must last from 0 to {_LONGEST_SECONDS:.0f} s, got {onset} to {offset}")
            events.append(_Message(onset, "note_on", 0, pitch, velocity))
            events.append(_Message(offset, "note_off", 0, pitch, 0))
            end = max(end, offset)
        events.sort(key=lambda event: (event.seconds, event.kind))  # note_off comes before note_on
        return self._play(events, end, reverb=reverb, gain=gain)

    def _play(self, events: Sequence[_Message], end: float, *, reverb: bool | None, gain: float | None) -> np.ndarray:
        self._synth.reset()
        self._synth.switch(
            reverb=self._reverb if reverb is None else reverb,
            chorus=self._chorus and (self._sends_to_chorus or any(map(_moves_chorus, events))),
            gain=self._gain if gain is None else gain,
        )
        sides = np.zeros((2, self._blocks(end)), np.float32)
        now = 0
        for event in events:
            start = round(event.seconds * self.sampling_rate / BLOCK) * BLOCK
            if start > now:
                self._synth.render(sides[0, now:start], sides[1, now:start])
                now = start
            self._synth.send(event.kind, event.channel, event.first, event.second)
        self._synth.render(sides[0, now:], sides[1, now:])
        sound = _mono(sides)
        return trim_release(np.concatenate([sound, *self._tail(sound)]), end, self.sampling_rate)

    def audible_keys(self) -> tuple[int, ...]:
        """The MIDI pitches 0 to 127 at which the program sounds: fonts end somewhere, and some have holes."""
        peaks = []
        for pitch in range(128):
            self._synth.reset()
            self._synth.switch(reverb=False, chorus=False, gain=self._gain)
            self._synth.send("note_on", 0, pitch, _PROBE_VELOCITY)
            sides = np.zeros((2, self._blocks(_PROBE_SECONDS)), np.float32)
            self._synth.render(sides[0], sides[1])
            peaks.append(float(np.abs(_mono(sides)).max()))
        return tuple(pitch for pitch, peak in enumerate(peaks) if peak > _threshold(max(peaks), TAIL_DECIBELS))

    def _tail(self, sound: np.ndarray) -> Iterator[np.ndarray]:
        """What is heard after the music, in steps, until a whole step is silent beside the peak so far."""
        peak, step = np.abs(sound).max(initial=0.0), self._blocks(_TAIL_STEP_SECONDS)
        for _ in range(0, self._blocks(TAIL_SECONDS) + BLOCK, step):
            sides = np.zeros((2, step), np.float32)
            self._synth.render(sides[0], sides[1])
            part = _mono(sides)
            yield part
            loudest = np.abs(part).max()
            peak = max(peak, loudest)
            if loudest <= _threshold(peak, TAIL_DECIBELS):
                return

    def _blocks(self, seconds: float) -> int:
        """Frames of whole blocks that hold so many seconds."""
        return int(-(-seconds * self.sampling_rate // BLOCK)) * BLOCK

    def close(self) -> None:
        """Free the font. The synthesizer plays no more."""
        self._synth.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def play_score(score: Score, font: str | Path | None = None, *, program: int = 0) -> np.ndarray:
    """A score as sound at 22,050 Hz, see `Synthesizer.play`; without a font, the shipped piano."""
    with Synthesizer(font or shipped_font(), program=program) as synthesizer:
        return synthesizer.play(write_midi(score))


def trim_release(
    sound: np.ndarray,
    end_seconds: float,
    sampling_rate: int = SAMPLING_RATE,
    *,
    decibels: float = TAIL_DECIBELS,
    longest: float = TAIL_SECONDS,
) -> np.ndarray:
    """The sound without the silence after it, never shorter than the music.

    It ends with the last sample that is less than `decibels` below the peak, but no earlier than `end_seconds`, where
    the music ends on paper (rests at the end stay), and no later than `longest` seconds after that. A tail that is cut
    while it sounds fades over its last 10 ms.

    Args:
        sound: float32 (n,). Padded with zeros where it ends before `end_seconds`.
    """
    least = int(np.ceil(end_seconds * sampling_rate))
    most = least + int(longest * sampling_rate)
    peak = float(np.abs(sound).max(initial=0.0))
    loud = np.flatnonzero(np.abs(sound) > _threshold(peak, decibels))
    heard = int(loud[-1]) + 1 if len(loud) else 0
    if least >= len(sound):
        return np.pad(sound, (0, least - len(sound)))
    kept = sound[: min(max(least, heard), most)].copy()
    fade = min(int(_FADE_SECONDS * sampling_rate), len(kept) - least)
    if heard > len(kept) and fade > 0:
        kept[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return kept


def _threshold(peak: float, decibels: float) -> float:
    return max(_SILENT, peak * 10 ** (-decibels / 20))


def _mono(sides: np.ndarray) -> np.ndarray:
    return np.clip((sides[0] + sides[1]) * np.float32(0.5), -1, 1)


def _moves_chorus(message: _Message) -> bool:
    return message.kind == "control_change" and message.first == CHORUS_CONTROLLER


@dataclass(frozen=True, slots=True)
class _Message:
    """What FluidSynth is told, and when. `first` and `second`: the data bytes; the pitch wheel counts from 0."""

    seconds: float
    kind: str
    channel: int
    first: int
    second: int

    @property
    def is_note(self) -> bool:
        return self.kind in ("note_on", "note_off")


def _timed_messages(midi: bytes) -> tuple[list[_Message], float]:
    """The messages of a MIDI file that sound, in order, and the second where its longest track ends."""
    file = open_midi(midi)
    if file.type == 2:
        raise ValueError("a MIDI file of type 2 holds several pieces: give them one by one")
    messages, now = [], 0.0
    for message in file:
        now += message.time
        if now > _LONGEST_SECONDS:
            raise ValueError(f"the MIDI file lasts longer than {_LONGEST_SECONDS:.0f} s")
        messages += [_Message(now, *told) for told in _told(message)]
    return messages, now


def _told(message: mido.Message | mido.MetaMessage) -> Iterator[tuple[str, int, int, int]]:
    if message.is_meta or getattr(message, "channel", _PERCUSSION) == _PERCUSSION:
        return
    if message.type in ("note_on", "note_off"):
        yield message.type, message.channel, message.note, message.velocity
    elif message.type == "control_change" and message.control not in (0, 32):  # banks belong to programs
        yield message.type, message.channel, message.control, message.value
    elif message.type == "pitchwheel":
        yield message.type, message.channel, message.pitch + 8192, 0
