"""MIDI of a score, as PrIMuS's converter plays it, and scores and note events of MIDI.

The converter plays 120 quarters a minute at velocity 64, ends a note exactly where it ends on paper, and neither plays
grace notes nor gives them time (measured on its own sample files). Ties are merged into one note here; in those sample
files they are not.
"""

from __future__ import annotations

import io
import struct
from collections import defaultdict, deque
from fractions import Fraction

import mido

from .midi_notation import score_of_events
from .score import MAJOR_KEYS, Element, KeySignature, MultiRest, Note, NoteEvent, Rest, Score, TimeSignature

TICKS_PER_QUARTER = 960
_VELOCITY = 64


def sounding_notes(score: Score) -> list[tuple[Fraction, Fraction, int]]:
    """(onset, offset, MIDI pitch) in quarter notes of what sounds: ties merged, grace notes left out.

    A tie between two pitches is none: each note sounds.
    """
    sounding: list[tuple[Fraction, Fraction, int]] = []
    tied = False
    now, measure = Fraction(0), Fraction(4)
    for element in score.elements:
        if isinstance(element, Note):
            if element.grace:
                continue
            end, pitch = now + element.quarters, element.pitch.midi
            if tied and sounding[-1][2] == pitch:
                sounding[-1] = (sounding[-1][0], end, pitch)
            else:
                sounding.append((now, end, pitch))
            tied, now = element.tie, end
        elif isinstance(element, Rest):
            now += element.quarters
        elif isinstance(element, MultiRest):
            now += measure * element.measures
        elif isinstance(element, TimeSignature):
            measure = element.quarters
    return sounding


def note_events(score: Score) -> list[NoteEvent]:
    """What sounds, as events timed in quarter notes. See `sounding_notes`.

    >>> from .semantic import read_semantic
    >>> note_events(read_semantic("note-C4_quarter tie barline note-C4_half gracenote-D4_eighth note-E4_half"))[0]
    NoteEvent(onset=0.0, offset=3.0, pitch_midi=60, velocity=64)
    """
    return [NoteEvent(float(on), float(off), pitch, _VELOCITY) for on, off, pitch in sounding_notes(score)]


def write_midi(score: Score, tempo: float = 120.0) -> bytes:
    """A standard MIDI file of what sounds: 960 ticks a quarter; meters and key signatures go along as meta events.

    `tempo`: quarters a minute, at least 4.

    >>> from .semantic import read_semantic
    >>> write_midi(read_semantic("note-C4_quarter"))[:4]
    b'MThd'
    """
    notes: list[tuple[int, int, int]] = []
    for onset, offset, pitch in sounding_notes(score):
        notes += [(_ticks(onset), _VELOCITY, pitch), (_ticks(offset), 0, pitch)]
    notes.sort(key=lambda event: event[:2])  # ends before beginnings
    events = [(tick, bytes((0x90, pitch, velocity))) for tick, velocity, pitch in notes]
    header = b"MThd" + struct.pack(">IHHH", 6, 1, 2, TICKS_PER_QUARTER)
    timeline = list(score.timeline())
    end = timeline[-1][1] + timeline[-1][2] if timeline else Fraction(0)
    return header + _track(_signs(score, timeline, tempo), 0) + _track(events, _ticks(end))


def _track(events: list[tuple[int, bytes]], end: int) -> bytes:
    """A track chunk of (tick, message) in order. Written here: mido's messages take ten times as long."""
    now, body = 0, bytearray()
    for tick, message in [*events, (max([end, *(tick for tick, _ in events[-1:])]), _meta(0x2F, b""))]:
        body += _variable_length(tick - now) + message
        now = tick
    return b"MTrk" + struct.pack(">I", len(body)) + body


def _meta(kind: int, data: bytes) -> bytes:
    return bytes((0xFF, kind, len(data))) + data


def _variable_length(number: int) -> bytes:
    """MIDI's number of seven bits a byte, all but the last with the high bit set."""
    parts = [number & 0x7F]
    while number := number >> 7:
        parts.append(number & 0x7F | 0x80)
    return bytes(reversed(parts))


def _ticks(quarters: Fraction) -> int:
    """The nearest tick. In integers: `round` of a fraction takes ten times as long."""
    return (2 * quarters.numerator * TICKS_PER_QUARTER + quarters.denominator) // (2 * quarters.denominator)


def _signs(score: Score, timeline: list[tuple[int, Fraction, Fraction]], tempo: float) -> list[tuple[int, bytes]]:
    """Tempo, meters and keys. MIDI holds only denominators that are powers of two: others are left out."""
    events = [(0, _meta(0x51, round(60_000_000 / tempo).to_bytes(3, "big")))]
    for index, onset, _ in timeline:
        element = score.elements[index]
        if isinstance(element, KeySignature):
            events.append((_ticks(onset), _meta(0x59, struct.pack(">bB", element.fifths, 0))))
        elif isinstance(element, TimeSignature) and _fits_midi(element):
            power = element.denominator.bit_length() - 1
            events.append((_ticks(onset), _meta(0x58, bytes((element.numerator, power, 24, 8)))))
    return events


def _fits_midi(meter: TimeSignature) -> bool:
    return meter.numerator < 256 and meter.denominator & (meter.denominator - 1) == 0


def open_midi(data: bytes) -> mido.MidiFile:
    """A standard MIDI file as mido has it.

    Raises:
        ValueError: bytes that are no standard MIDI file, or one timed in SMPTE frames.
    """
    try:
        file = mido.MidiFile(file=io.BytesIO(data))
    except (OSError, EOFError, ValueError, KeyError, IndexError) as error:
        raise ValueError(f"not a standard MIDI file: {len(data)} bytes beginning {data[:4]!r} ({error})") from None
    if file.ticks_per_beat <= 0 or file.ticks_per_beat >= 0x8000:
        raise ValueError(f"MIDI timed in ticks of a quarter wanted, got SMPTE division {file.ticks_per_beat}")
    return file


def _timed_notes(file: mido.MidiFile) -> list[tuple[Fraction, Fraction, int, int]]:
    """(onset, offset, pitch, velocity) in quarters, by onset. A note never ended ends with its track."""
    notes = []
    for track in file.tracks:
        now = 0
        sounding: dict[tuple[int, int], deque[tuple[int, int]]] = defaultdict(deque)
        for message in track:
            now += message.time
            if message.type not in ("note_on", "note_off"):
                continue
            waiting = sounding[message.channel, message.note]
            if message.type == "note_on" and message.velocity:
                waiting.append((now, message.velocity))
            elif waiting:
                begun, velocity = waiting.popleft()
                notes.append((begun, now, message.note, velocity))
        for (_, pitch), waiting in sounding.items():
            notes += [(begun, now, pitch, velocity) for begun, velocity in waiting]
    quarter = file.ticks_per_beat
    return sorted((Fraction(on, quarter), Fraction(off, quarter), pitch, vel) for on, off, pitch, vel in notes)


def midi_note_events(data: bytes) -> list[NoteEvent]:
    """Notes of a MIDI file in quarter notes, whatever its tempo, ordered by onset and pitch; all tracks and channels.

    Raises:
        ValueError: bytes that are no standard MIDI file, or one timed in SMPTE frames.
    """
    return [NoteEvent(float(on), float(off), pitch, vel) for on, off, pitch, vel in _timed_notes(open_midi(data))]


def read_midi(data: bytes) -> Score:
    """A score of a MIDI file that holds one voice in exact rhythm, such as `write_midi` gives.

    MIDI has no spelling, clef, beam or tie: spelling follows the key signature (C major where none is given), the clef
    is the one of G2 and F4 that lies closer, durations are cut at barlines and into tied figures.

    Raises:
        ValueError: see `midi_note_events`.
        NotationError: "chord" where notes overlap, "rhythm" for a time that is no multiple of a 128th note.
    """
    file = open_midi(data)
    end = Fraction(0)
    signs: list[tuple[Fraction, Element]] = []
    for track in file.tracks:
        now = 0
        for message in track:
            now += message.time
            at = Fraction(now, file.ticks_per_beat)
            if message.type == "time_signature":
                signs.append((at, TimeSignature(message.numerator, message.denominator)))
            elif message.type == "key_signature" and message.key in MAJOR_KEYS:
                signs.append((at, KeySignature(MAJOR_KEYS.index(message.key) - 7)))
        end = max(end, Fraction(now, file.ticks_per_beat))
    return score_of_events([note[:3] for note in _timed_notes(file)], signs, end)
