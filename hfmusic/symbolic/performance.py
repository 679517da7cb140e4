"""Notes as they are played, timed in seconds: MIDI with velocities, with or without a map of the beats, and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import mido
import numpy as np

from .midi import TICKS_PER_QUARTER, open_midi

_PERCUSSION = 9
_SHARPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_COLUMNS = ("onset_seconds", "offset_seconds", "pitch_midi", "pitch_name", "velocity")
_SLOWEST = (1 << 24) - 1  # microseconds a quarter, MIDI's
_SHORTEST = 1e-3  # seconds from a file's start to its first beat


class NoteLike(Protocol):
    """Anything with a note's four facts, such as the models' note events."""

    @property
    def onset_seconds(self) -> float: ...

    @property
    def offset_seconds(self) -> float: ...

    @property
    def pitch_midi(self) -> int: ...

    @property
    def velocity(self) -> int: ...


class PerformedNote(NamedTuple):
    """A note that was played: when it begins and ends, 0..127 (60 is middle C), and how hard, 1..127."""

    onset_seconds: float
    offset_seconds: float
    pitch_midi: int
    velocity: int = 64


@dataclass(frozen=True)
class Beats:
    """Where the beats of a performance are.

    Attributes:
        times: seconds of each beat, increasing, two at least; a beat is a quarter note. The first may be below 0.
        meter: beats a measure.
        upbeat: how many of the beats come before the first that begins a measure.
    """

    times: tuple[float, ...]
    meter: int = 4
    upbeat: int = 0

    def __post_init__(self) -> None:
        if len(self.times) < 2 or np.diff(self.times).min() <= 0:
            raise ValueError(f"beats need two increasing times at least, got {len(self.times)}")

    @property
    def tempo(self) -> float:
        """Quarters a minute, by the median beat."""
        return 60.0 / float(np.median(np.diff(self.times)))

    def quarters(self, seconds: np.ndarray) -> np.ndarray:
        """Where moments are, in beats after the first; those beyond the ends at the pace of the beats there."""
        times = np.asarray(self.times)
        inside = np.interp(seconds, times, np.arange(len(times)))
        before = (seconds - times[0]) / (times[1] - times[0])
        after = len(times) - 1 + (seconds - times[-1]) / (times[-1] - times[-2])
        return np.where(seconds < times[0], before, np.where(seconds > times[-1], after, inside))


def pitch_name(pitch_midi: int) -> str:
    """The name of a key, black ones as sharps.

    >>> pitch_name(60), pitch_name(22)
    ('C4', 'A#0')
    """
    return f"{_SHARPS[pitch_midi % 12]}{pitch_midi // 12 - 1}"


def untangled(notes: Iterable[NoteLike]) -> list[PerformedNote]:
    """By onset, then pitch; a note ends where the next of its key begins, of two that begin together the longer stays.

    A key is struck again only after it was released: MIDI cannot tell which of two notes of a key has ended.

    >>> untangled([PerformedNote(0, 2, 60), PerformedNote(1, 3, 60), PerformedNote(1, 1.5, 60)])[0].offset_seconds
    1.0
    """
    kept: list[PerformedNote] = []
    last: dict[int, int] = {}
    for note in sorted(notes, key=lambda one: (one.onset_seconds, one.pitch_midi, -one.offset_seconds)):
        before = last.get(note.pitch_midi)
        if before is not None:
            if kept[before].onset_seconds == note.onset_seconds:
                continue
            end = min(kept[before].offset_seconds, float(note.onset_seconds))
            kept[before] = kept[before]._replace(offset_seconds=end)
        last[note.pitch_midi] = len(kept)
        times = (float(note.onset_seconds), float(note.offset_seconds))
        kept.append(PerformedNote(*times, int(note.pitch_midi), int(note.velocity)))
    return kept


def write_performance(
    notes: Iterable[NoteLike],
    *,
    beats: Beats | None = None,
    tempo: float = 120.0,
    program: int = 0,
    end_seconds: float = 0.0,
    start_seconds: float = 0.0,
) -> bytes:
    """A standard MIDI file that sounds at the seconds the notes have, to less than a millisecond.

    Args:
        notes: in any order.
        beats: the file's quarters follow them, a tempo event a beat. None: one `tempo` throughout.
        tempo: quarters a minute where there are no beats; it changes what a sequencer shows, not what sounds.
        program: General MIDI, 0 to 127.
        end_seconds: the file lasts until then at least.
        start_seconds: of the recording, where the file begins.

    Raises:
        ValueError: a pitch, velocity, program or tempo that MIDI does not have.

    >>> data = write_performance([PerformedNote(0.5, 1.25, 60, 80)])
    >>> read_performance(data)
    [PerformedNote(onset_seconds=0.5, offset_seconds=1.25, pitch_midi=60, velocity=80)]
    """
    if not 0 <= program <= 127:
        raise ValueError(f"a General MIDI program is 0 to 127, got {program}")
    if not 4 <= tempo <= 60_000_000:
        raise ValueError(f"the tempo must be at least 4 quarter notes a minute, got {tempo}")
    played = untangled(notes)
    clock = _Clock.steady(tempo) if beats is None else _Clock.following(beats, start_seconds)
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_QUARTER)
    end = max([end_seconds, *(note.offset_seconds for note in played)]) - start_seconds
    file.tracks.append(_conductor(clock, None if beats is None else beats.meter))
    file.tracks.append(_player(played, clock, program, start_seconds, end))
    data = io.BytesIO()
    file.save(file=data)
    return data.getvalue()


@dataclass(frozen=True)
class _Clock:
    """`lengths`: microseconds of each quarter from the file's start, int (n,), n at least 1; the last goes on."""

    lengths: np.ndarray

    @classmethod
    def steady(cls, tempo: float) -> _Clock:
        return cls(np.array([round(60_000_000 / tempo)], dtype=np.int64))

    @classmethod
    def following(cls, beats: Beats, start: float) -> _Clock:
        """The beats from the file's start on. As many quarters are put before the first as make measures whole."""
        times = np.asarray(beats.times) - start
        inside = np.flatnonzero(times > _SHORTEST)
        if len(inside) < 2:
            return cls.steady(beats.tempo)
        times = times[inside[0] :]
        place = (int(inside[0]) - beats.upbeat) % beats.meter
        about = times[0] * beats.tempo / 60
        before = place + beats.meter * max(0, round((about - place) / beats.meter))
        lead_in = np.linspace(0, times[0], before or beats.meter, endpoint=False)
        marks = np.round(np.concatenate([lead_in, times]) * 1e6).astype(np.int64)
        return cls(np.clip(np.diff(marks), 1, _SLOWEST))

    @cached_property
    def _marks(self) -> np.ndarray:
        """Where the tempo events, as they are written, put each quarter: roundings do not add up."""
        return np.concatenate([[0], np.cumsum(self.lengths)])

    def tick(self, seconds: float) -> int:
        """The nearest tick."""
        now = seconds * 1e6
        quarter = min(max(0, int(np.searchsorted(self._marks, now, side="right")) - 1), len(self.lengths) - 1)
        inside = (now - self._marks[quarter]) / self.lengths[quarter]
        return max(0, round(TICKS_PER_QUARTER * (quarter + inside)))


def _conductor(clock: _Clock, meter: int | None) -> mido.MidiTrack:
    track, now, told = mido.MidiTrack(), 0, -1
    if meter:
        track.append(mido.MetaMessage("time_signature", numerator=meter, denominator=4))
    for quarter, length in enumerate(clock.lengths.tolist()):
        if length != told:
            tick = quarter * TICKS_PER_QUARTER
            track.append(mido.MetaMessage("set_tempo", tempo=length, time=tick - now))
            now, told = tick, length
    return track


def _player(notes: Sequence[PerformedNote], clock: _Clock, program: int, start: float, end: float) -> mido.MidiTrack:
    events: list[tuple[int, int, int]] = []  # (tick, velocity or 0, pitch): ends sort before beginnings
    for note in notes:
        if not 0 <= note.pitch_midi <= 127 or not 1 <= note.velocity <= 127:
            raise ValueError(f"MIDI has pitches 0 to 127 and velocities 1 to 127, got {note}")
        begin = clock.tick(note.onset_seconds - start)
        stop = max(begin + 1, clock.tick(note.offset_seconds - start))
        events += [(begin, note.velocity, note.pitch_midi), (stop, 0, note.pitch_midi)]
    track, now = mido.MidiTrack([mido.Message("program_change", program=program)]), 0
    for tick, velocity, pitch in sorted(events):
        track.append(mido.Message("note_on", note=pitch, velocity=velocity, time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=max(0, clock.tick(end) - now)))
    return track


def read_performance(data: bytes) -> list[PerformedNote]:
    """Notes of a MIDI file in seconds by its tempo map, by onset and pitch; percussion (channel 10) is left out.

    All tracks are one; a note never ended ends with the file. Pedals are not heeded.

    Raises:
        ValueError: bytes that are no standard MIDI file, or one timed in SMPTE frames.
    """
    notes, now = [], 0.0
    sounding: dict[tuple[int, int], list[tuple[float, int]]] = {}
    for message in open_midi(data):
        now += message.time
        if message.type not in ("note_on", "note_off") or message.channel == _PERCUSSION:
            continue
        waiting = sounding.setdefault((message.channel, message.note), [])
        if message.type == "note_on" and message.velocity:
            waiting.append((now, message.velocity))
        elif waiting:
            begun, velocity = waiting.pop(0)
            notes.append(PerformedNote(begun, now, message.note, velocity))
    for (_, pitch), waiting in sounding.items():
        notes += [PerformedNote(begun, now, pitch, velocity) for begun, velocity in waiting]
    return sorted(notes, key=lambda note: (note.onset_seconds, note.pitch_midi))


def write_notes_csv(notes: Iterable[NoteLike]) -> str:
    """A table, one note a line: onset_seconds, offset_seconds, pitch_midi, pitch_name, velocity.

    >>> print(write_notes_csv([PerformedNote(0.5, 1.25, 61, 80)]))
    onset_seconds,offset_seconds,pitch_midi,pitch_name,velocity
    0.5000,1.2500,61,C#4,80
    <BLANKLINE>
    """
    lines = [",".join(_COLUMNS)]
    for note in notes:
        times = f"{note.onset_seconds:.4f},{note.offset_seconds:.4f}"
        lines.append(f"{times},{note.pitch_midi},{pitch_name(note.pitch_midi)},{note.velocity}")
    return "\n".join(lines) + "\n"


def read_notes_csv(text: str) -> list[PerformedNote]:
    """The notes of a table as `write_notes_csv` writes it; columns in any order, others are left alone.

    Raises:
        ValueError: a column is missing, or a cell is no number; names the line.
    """
    rows = csv.DictReader(io.StringIO(text))
    wanted = [name for name in _COLUMNS if name != "pitch_name"]
    missing = [name for name in wanted if name not in (rows.fieldnames or [])]
    if missing:
        raise ValueError(f"a table of notes needs the columns {', '.join(wanted)}, {', '.join(missing)} is missing")
    notes = []
    for row in rows:
        try:
            times = (float(row["onset_seconds"]), float(row["offset_seconds"]))
            notes.append(PerformedNote(*times, int(row["pitch_midi"]), int(row["velocity"])))
        except (TypeError, ValueError):
            raise ValueError(f"line {rows.line_num} of a table of notes holds {row}, numbers wanted") from None
    return notes
