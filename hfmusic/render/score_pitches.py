"""The pitches at which notes of a score sound, by Verovio's ids.

Verovio tells the pitch of one note in time that grows with the score: of a quartet's 4,400 notes in 9 s. So pitches are
reckoned from what is written, transposed as the first notes of their staves are, and compared with the MIDI file that
Verovio makes in a moment. Only where that has none of a note is Verovio asked for each.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Set
from typing import Any

import numpy as np

from hfmusic.symbolic.midi import open_midi

_SAME_SECONDS = 0.03


def sounding_pitches(toolkit: Any, notes: dict[str, tuple[int, int, float]], tied_to: Set[str]) -> dict[str, int]:
    """MIDI pitch of each note, by its id; -1 where it has none.

    Args:
        toolkit: Verovio's, with the score loaded.
        notes: id -> (staff, written pitch or -1, onset in seconds).
        tied_to: ids of notes that the MIDI file may not have, being tied to others before them.
    """
    shifts: dict[int, int] = {}
    for name, (staff, written, _) in notes.items():
        if written >= 0 and staff not in shifts:
            shifts[staff] = _asked(toolkit, name) - written
    reckoned = {name: written + shifts[staff] if written >= 0 else -1 for name, (staff, written, _) in notes.items()}
    onsets = _midi_onsets(toolkit)
    begin = [(reckoned[name], seconds) for name, (_, _, seconds) in notes.items() if name not in tied_to]
    if all(pitch >= 0 and _near(onsets.get(pitch), seconds) for pitch, seconds in begin):
        return reckoned
    return {name: _asked(toolkit, name) for name in notes}


def _asked(toolkit: Any, name: str) -> int:
    return int(toolkit.getMIDIValuesForElement(name).get("pitch", -1))


def _midi_onsets(toolkit: Any) -> dict[int, np.ndarray]:
    """Onsets in seconds of each pitch, in order."""
    found = defaultdict(list)
    now = 0.0
    for message in open_midi(base64.b64decode(toolkit.renderToMIDI())):
        now += message.time
        if message.type == "note_on" and message.velocity:
            found[message.note].append(now)
    return {pitch: np.array(times) for pitch, times in found.items()}


def _near(times: np.ndarray | None, seconds: float) -> bool:
    if times is None:
        return False
    place = int(np.searchsorted(times, seconds))
    return bool(np.abs(times[max(0, place - 1) : place + 1] - seconds).min() < _SAME_SECONDS)
