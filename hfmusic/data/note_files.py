"""Files of performed notes: tab-separated (MAPS), JAMS (GuitarSet), standard MIDI and MusicXML."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from hfmusic.symbolic.midi import open_midi

# The first of several files of one name is read. Tab-separated .tsv are what the MAPS recordings of Onsets and Frames
# come with (their notes end with the keys: the pedal is not in them); of MAPS as its authors give it the .mid has
# velocities and pedal, the .txt not.
NOTE_SUFFIXES = (".tsv", ".jams", ".mid", ".midi", ".txt")
SCORE_SUFFIXES = (".mxl", ".musicxml", ".xml")
OFFSETS = ("sound", "keys")  # where labels end: see `PlayedNote.labelled`
DEFAULT_VELOCITY = 64
SHORTEST_SECONDS = 0.01  # of a note that sounds
GUITAR_RANGE = (40, 88)  # E2 to E6: six strings in standard tuning with 24 frets
_PEDAL, _PEDAL_DOWN, _PERCUSSION = 64, 64, 9


class Note(NamedTuple):
    """A note of a recording.

    Attributes:
        onset_seconds, offset_seconds: from the beginning of the recording.
        pitch_midi: 0 to 127, 60 is middle C.
        velocity: 1 to 127.
        string: of a guitar, 1 (the highest, E4) to 6 (the lowest, E2); 0 where it is unknown.
    """

    onset_seconds: float
    offset_seconds: float
    pitch_midi: int
    velocity: int = DEFAULT_VELOCITY
    string: int = 0


class PlayedNote(NamedTuple):
    """A note with both of its ends, which the sustain pedal parts.

    Attributes:
        onset_seconds, pitch_midi, velocity, string: those of `Note`.
        offset_seconds: where its sound is damped: key and pedal are let go, or the key is struck again.
        key_seconds: where its key is let go; after its sound where that was cut.
    """

    onset_seconds: float
    offset_seconds: float
    pitch_midi: int
    velocity: int
    key_seconds: float
    string: int = 0

    @classmethod
    def of(cls, note: Note) -> PlayedNote:
        """A note without pedal: both ends are one."""
        return cls(*note[:4], key_seconds=note.offset_seconds, string=note.string)

    def labelled(self, offsets: str) -> Note:
        """The note with one end, that of the "sound" or of the "keys".

        With its key a note ends 10 ms after its onset at least, but never after its sound.

        >>> PlayedNote(1.0, 3.0, 60, 64, key_seconds=1.5).labelled("keys").offset_seconds
        1.5
        """
        end = self.offset_seconds
        if offsets == "keys":
            end = min(max(self.key_seconds, self.onset_seconds + SHORTEST_SECONDS), end)
        return Note(self.onset_seconds, end, self.pitch_midi, self.velocity, self.string)


_AnyNote = TypeVar("_AnyNote", Note, PlayedNote)


def check_offsets(offsets: str, known: Sequence[str] = OFFSETS) -> None:
    """Raises ValueError where labels cannot end so."""
    if offsets not in known:
        raise ValueError(f"offsets must be one of {', '.join(known)}, got {offsets!r}")


def read_played(path: str | Path) -> list[PlayedNote]:
    """The notes of a file, by onset and pitch; see `parse_played`.

    Raises:
        ValueError: another kind, missing, or damaged; one sentence that names the file.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    return parse_played(data, path.suffix, str(path))


def parse_notes(data: bytes, suffix: str, name: str, offsets: str = "sound") -> list[Note]:
    """The notes of the bytes of a file with one end each, as `parse_played` gives them.

    Args:
        offsets: "sound" or "keys", see `PlayedNote.labelled`.
    """
    check_offsets(offsets)
    return [note.labelled(offsets) for note in parse_played(data, suffix, name)]


def parse_played(data: bytes, suffix: str, name: str) -> list[PlayedNote]:
    """The notes of the bytes of a file, by onset and pitch. All but MIDI files and scores are without pedal.

    Args:
        suffix: .tsv or .txt (see `tsv_notes`), .jams (`jams_notes`), .mid or .midi (`midi_notes`), .mxl, .musicxml or
            .xml (`hfmusic.data.score_notes.score_notes`).
        name: what messages call the file.

    Raises:
        ValueError: another kind, or damaged; one sentence that names the file.
    """
    kind = suffix.lower()
    try:
        if kind in (".tsv", ".txt"):
            return [PlayedNote.of(note) for note in tsv_notes(data.decode("utf-8"))]
        if kind == ".jams":
            return [PlayedNote.of(note) for note in jams_notes(data.decode("utf-8"))]
        if kind in (".mid", ".midi"):
            return midi_notes(data)
        if kind in SCORE_SUFFIXES:
            from hfmusic.data.score_notes import score_notes

            return score_notes(data)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    raise ValueError(f"{name}: notes are in {', '.join((*NOTE_SUFFIXES, *SCORE_SUFFIXES))} files")


def by_time(notes: Iterable[_AnyNote]) -> list[_AnyNote]:
    """Sorted by onset, then pitch."""
    return sorted(notes, key=lambda note: (note.onset_seconds, note.pitch_midi, note.offset_seconds))


def tsv_notes(text: str) -> list[Note]:
    """Notes of lines `onset<TAB>offset<TAB>pitch[<TAB>velocity]`; a first line that is no numbers is a header.

    Without a velocity (the .txt files of MAPS) it is 64.

    Raises:
        ValueError: a line that is none of these, or a note that ends before it begins; names the line.

    >>> tsv_notes("# onset,offset,note,velocity\\n0.5\\t0.75\\t60.0\\t80.0\\n")
    [Note(onset_seconds=0.5, offset_seconds=0.75, pitch_midi=60, velocity=80, string=0)]
    """
    notes = []
    for number, line in enumerate(text.splitlines(), 1):
        parts = line.split()
        if not parts:
            continue
        try:
            values = [float(part) for part in parts]
        except ValueError:
            if number == 1:
                continue
            values = []
        if len(values) not in (3, 4) or not _possible(values):
            raise ValueError(f"line {number} is not onset, offset, pitch and velocity: {line.strip()[:60]!r}")
        velocity = round(values[3]) if len(values) == 4 else DEFAULT_VELOCITY
        notes.append(Note(values[0], values[1], round(values[2]), velocity))
    return by_time(notes)


def _possible(values: list[float]) -> bool:
    return all(map(math.isfinite, values)) and 0 <= values[0] <= values[1] and all(0 <= v <= 127 for v in values[2:])


def jams_notes(text: str) -> list[Note]:
    """Notes of GuitarSet's JAMS: each string's `note_midi`, its pitch rounded to a semitone.

    JAMS has no velocity: it is 64. What no guitar can play (outside 40 to 88) is a mistake of the annotation and left
    out; one of the sample files that circulate has a string doubled at pitch 120.

    Raises:
        ValueError: no JAMS, or one without `note_midi`.
    """
    try:
        annotations = json.loads(text)["annotations"]
        strings = [part for part in annotations if part["namespace"] == "note_midi"]
        notes = [note for part in strings for note in _string_notes(part)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"not a JAMS file with the notes of strings ({type(error).__name__}: {error})") from None
    if not strings:
        raise ValueError("the JAMS file has no note_midi annotation")
    return by_time(notes)


def _string_notes(annotation: dict[str, Any]) -> Iterator[Note]:
    source = str(annotation["annotation_metadata"].get("data_source", ""))
    string = 6 - int(source) if source in tuple("012345") else 0  # GuitarSet counts from 0 at the lowest
    data = annotation["data"]
    if isinstance(data, dict):  # "dense": a list for each field
        data = [dict(zip(data, values, strict=True)) for values in zip(*data.values(), strict=True)]
    for entry in data:
        onset, pitch = float(entry["time"]), round(float(entry["value"]))
        offset = onset + float(entry["duration"])
        if not _possible([onset, offset, pitch]):
            raise ValueError(f"a note of pitch {pitch} from {onset} to {offset} s")
        if GUITAR_RANGE[0] <= pitch <= GUITAR_RANGE[1]:
            yield Note(onset, offset, pitch, DEFAULT_VELOCITY, string)


def midi_notes(data: bytes) -> list[PlayedNote]:
    """Notes of a standard MIDI file in seconds, all tracks and channels but percussion (channel 10).

    A sound ends with its key, or where the sustain pedal of its channel is lifted, or where its key is struck again, as
    in the paper's code (which does not part channels). What sounds at the end of the file ends with its last event. A
    key that is struck again or never let go is down until its sound ends.

    Raises:
        ValueError: bytes that are no standard MIDI file.
    """
    file = open_midi(data)
    if file.type == 2:
        raise ValueError("a MIDI file of type 2 holds several pieces: give them one by one")
    notes: list[PlayedNote] = []
    channels = defaultdict[int, _Channel](_Channel)
    now = last = 0.0
    for message in file:
        now += message.time
        if message.is_meta or getattr(message, "channel", _PERCUSSION) == _PERCUSSION:
            continue
        channel = channels[message.channel]
        if message.type in ("note_on", "note_off"):
            last = now
            velocity = message.velocity if message.type == "note_on" else 0
            notes += channel.key(message.note, velocity, now)
        elif message.type == "control_change" and message.control == _PEDAL:
            last = now
            notes += channel.pedal(message.value >= _PEDAL_DOWN, now)
    for channel in channels.values():
        notes += channel.all_off(last)
    return by_time(notes)


@dataclass
class _Channel:
    """What sounds on a channel: pitch -> (onset, velocity, when its key was let go: None while it is down)."""

    down: bool = False
    sounding: dict[int, tuple[float, int, float | None]] = field(default_factory=dict)

    def key(self, pitch: int, velocity: int, now: float) -> Iterator[PlayedNote]:
        if pitch in self.sounding and (velocity or not self.down):
            yield self._end(pitch, now)
        elif pitch in self.sounding:
            onset, struck, let_go = self.sounding[pitch]
            self.sounding[pitch] = (onset, struck, now if let_go is None else let_go)
        if velocity:
            self.sounding[pitch] = (now, velocity, None)

    def pedal(self, down: bool, now: float) -> Iterator[PlayedNote]:
        self.down = down
        if not down:
            free = [pitch for pitch, (_, _, let_go) in self.sounding.items() if let_go is not None]
            yield from [self._end(pitch, now) for pitch in free]

    def all_off(self, now: float) -> Iterator[PlayedNote]:
        yield from [self._end(pitch, now) for pitch in list(self.sounding)]

    def _end(self, pitch: int, now: float) -> PlayedNote:
        onset, velocity, let_go = self.sounding.pop(pitch)
        return PlayedNote(onset, now, pitch, velocity, now if let_go is None else let_go)
