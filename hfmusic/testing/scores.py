"""Small scores for two hands as MusicXML, for tests: quarters above whole notes, at 120 quarters a minute."""

from __future__ import annotations

import numpy as np

STEPS = {60: ("C", 4), 64: ("E", 4), 67: ("G", 4), 71: ("B", 4), 74: ("D", 5), 77: ("F", 5), 81: ("A", 5)}
_LOW = {48: ("C", 3), 43: ("G", 2), 45: ("A", 2), 41: ("F", 2)}


def piano_notes(measures: int, seed: int = 0) -> list[tuple[int, float, float]]:
    """(MIDI pitch, onset, length) in quarters: four different quarters a measure, and a bass."""
    rng = np.random.default_rng(seed)
    notes: list[tuple[int, float, float]] = []
    before = 0
    for measure in range(measures):
        for beat in range(4):
            before = int(rng.choice([pitch for pitch in STEPS if pitch != before]))
            notes.append((before, 4.0 * measure + beat, 1.0))
        notes.append((int(rng.choice(list(_LOW))), 4.0 * measure, 4.0))
    return sorted(notes, key=lambda note: (note[1], -note[0]))


def piano_musicxml(measures: int, seed: int = 0, *, title: str = "Study", composer: str = "Anna Example") -> str:
    """The MusicXML of `piano_notes`."""
    notes = piano_notes(measures, seed)
    bars = []
    for measure in range(measures):
        inside = [note for note in notes if measure * 4 <= note[1] < measure * 4 + 4]
        above = "".join(_note(*STEPS[pitch], 4, "quarter", 1) for pitch, _, length in inside if length == 1)
        below = "".join(_note(*_LOW[pitch], 16, "whole", 2) for pitch, _, length in inside if length == 4)
        bars.append(above + "<backup><duration>16</duration></backup>" + below)
    return musicxml(bars, title=title, composer=composer, staves=2)


def musicxml(bars: list[str], *, title: str = "Study", composer: str = "Anna Example", staves: int = 1) -> str:
    """A part of one or two staves in 4/4, four divisions a quarter, of what stands in each measure."""
    clefs = "".join(
        f'<clef number="{number + 1}"><sign>{"GF"[number]}</sign><line>{(2, 4)[number]}</line></clef>'
        for number in range(staves)
    )
    begin = (
        f"<attributes><divisions>4</divisions><key><fifths>0</fifths></key><time><beats>4</beats><beat-type>4"
        f"</beat-type></time><staves>{staves}</staves>{clefs}</attributes>"
    )
    music = "".join(
        f'<measure number="{number}">{begin if number == 1 else ""}{bar}</measure>'
        for number, bar in enumerate(bars, 1)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<score-partwise version="4.0">'
        f"<movement-title>{title}</movement-title>"
        f'<identification><creator type="composer">{composer}</creator></identification>'
        '<part-list><score-part id="P1"><part-name>Piano</part-name></score-part></part-list>'
        f'<part id="P1">{music}</part></score-partwise>\n'
    )


def _note(step: str, octave: int, duration: int, kind: str, staff: int) -> str:
    pitch = f"<pitch><step>{step}</step><octave>{octave}</octave></pitch>"
    length = f"<duration>{duration}</duration><voice>{staff}</voice><type>{kind}</type>"
    return f"<note>{pitch}{length}<staff>{staff}</staff></note>"
