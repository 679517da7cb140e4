"""General MIDI's instruments by name, and which notes some of them have."""

from __future__ import annotations

import re

_FAMILIES = """
acoustic grand piano|bright acoustic piano|electric grand piano|honky-tonk piano|electric piano 1|electric piano 2|\
harpsichord|clavinet|celesta|glockenspiel|music box|vibraphone|marimba|xylophone|tubular bells|dulcimer|drawbar organ|\
percussive organ|rock organ|church organ|reed organ|accordion|harmonica|tango accordion|acoustic guitar (nylon)|\
acoustic guitar (steel)|electric guitar (jazz)|electric guitar (clean)|electric guitar (muted)|overdriven guitar|\
distortion guitar|guitar harmonics|acoustic bass|electric bass (finger)|electric bass (pick)|fretless bass|\
slap bass 1|slap bass 2|synth bass 1|synth bass 2|violin|viola|cello|contrabass|tremolo strings|pizzicato strings|\
orchestral harp|timpani|string ensemble 1|string ensemble 2|synth strings 1|synth strings 2|choir aahs|voice oohs|\
synth voice|orchestra hit|trumpet|trombone|tuba|muted trumpet|french horn|brass section|synth brass 1|synth brass 2|\
soprano sax|alto sax|tenor sax|baritone sax|oboe|english horn|bassoon|clarinet|piccolo|flute|recorder|pan flute|\
blown bottle|shakuhachi|whistle|ocarina|lead 1 (square)|lead 2 (sawtooth)|lead 3 (calliope)|lead 4 (chiff)|\
lead 5 (charang)|lead 6 (voice)|lead 7 (fifths)|lead 8 (bass + lead)|pad 1 (new age)|pad 2 (warm)|pad 3 (polysynth)|\
pad 4 (choir)|pad 5 (bowed)|pad 6 (metallic)|pad 7 (halo)|pad 8 (sweep)|fx 1 (rain)|fx 2 (soundtrack)|fx 3 (crystal)|\
fx 4 (atmosphere)|fx 5 (brightness)|fx 6 (goblins)|fx 7 (echoes)|fx 8 (sci-fi)|sitar|banjo|shamisen|koto|kalimba|\
bag pipe|fiddle|shanai|tinkle bell|agogo|steel drums|woodblock|taiko drum|melodic tom|synth drum|reverse cymbal|\
guitar fret noise|breath noise|seashore|bird tweet|telephone ring|helicopter|applause|gunshot
"""
PROGRAMS = tuple(_FAMILIES.strip().split("|"))
# Where the first of several names is not what people mean.
_MEANT = {"organ": 19, "strings": 48, "sax": 65, "saxophone": 65, "bass": 32, "voice": 52, "choir": 52, "harp": 46}
_GUITARS, _BASSES = range(24, 32), range(32, 40)
_RANGES = {40: (55, 103), 41: (48, 91), 42: (36, 84), 68: (58, 93), 71: (50, 94), 73: (59, 98)}


def program_of(instrument: str | int) -> int:
    """General MIDI program, 0 to 127, of a number or of a name; of several that fit, the first.

    Raises:
        ValueError: no such program or name.

    >>> program_of("guitar"), program_of("Flute"), program_of("steel guitar"), program_of("0")
    (24, 73, 25, 0)
    """
    name = str(instrument).strip().lower()
    if re.fullmatch(r"\d+", name) and int(name) < len(PROGRAMS):
        return int(name)
    if name in _MEANT:
        return _MEANT[name]
    words = _words(name)
    if any(word.isalpha() for word in words):
        for program, known in enumerate(PROGRAMS):
            if words <= _words(known):
                return program
    raise ValueError(
        f"no instrument {str(instrument)!r}: give a name of General MIDI (piano, guitar, violin ...) or 0 to 127"
    )


def _words(name: str) -> set[str]:
    return set(re.findall(r"[a-z0-9-]+", name))


def compass_of(program: int) -> tuple[int, int]:
    """The lowest and highest MIDI pitch of a program's notes, 0 to 127 where nothing is known.

    >>> compass_of(24), compass_of(0)
    ((40, 88), (21, 108))
    """
    if program < 8:
        return 21, 108
    if program in _GUITARS:
        return 40, 88
    return (23, 67) if program in _BASSES else _RANGES.get(program, (0, 127))
