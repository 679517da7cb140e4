"""Names of compositions: one name for a piece, whether MAPS, piano-midi.de or GuitarSet calls it.

Splits are made by these names, and what is tested on is kept out of training by them.
"""

from __future__ import annotations

import re

# MAPS calls recordings MAPS_MUS-PIECE_PIANO, with the file names of piano-midi.de as PIECE.
_MAPS = re.compile(r"^maps_mus-(?P<piece>.+)_(?P<piano>[a-z0-9]{8})$")
# GuitarSet: player, style and progression, beats a minute, key, and whether chords or a solo are played.
_GUITARSET = re.compile(r"^\d\d_(?P<progression>[a-z]+\d)-\d+-[a-g][#b]?_(comp|solo)(_.*)?$")
_VARIANT = re.compile(r"[-_ ]format[01]$")  # the type of a MIDI file, in the names of piano-midi.de
# Names that say less than others do of the same piece, and arrangements: who knows one knows much of the other.
# chpn-e01 is no name of piano-midi.de; its notes are those of the study opus 10 no. 1.
_SAME = {
    "chpn-e1": "chpn-op10-e1",
    "god-chpn-op10-e1": "chpn-op10-e1",
    "god-alb-esp2": "alb-esp2",
}


def work_of(name: str) -> str:
    """The composition that the name of a file (without its ending) tells: the same for all its recordings.

    GuitarSet: the same progression in the same style is one work, by whichever player, in whichever tempo and key,
    chords or solo.

    Raises:
        ValueError: a name without letters and digits.

    >>> work_of("MAPS_MUS-chpn-e01_ENSTDkCl"), work_of("chpn_op10_e01"), work_of("MAPS_MUS-chpn-p11-format0_AkPnCGdD")
    ('chpn-op10-e1', 'chpn-op10-e1', 'chpn-p11')
    >>> work_of("00_BN1-129-Eb_comp"), work_of("03_BN1-147-Gb_solo_mic")
    ('guitarset-bn1', 'guitarset-bn1')
    """
    plain = name.strip().lower()
    if match := _GUITARSET.match(plain):
        return f"guitarset-{match['progression']}"
    if match := _MAPS.match(plain):
        plain = match["piece"]
    words = re.sub(r"[^\w]+|_", "-", _VARIANT.sub("", plain)).strip("-")
    if not words:
        raise ValueError(f"a work needs a name of letters or digits, got {name!r}")
    spelled = re.sub(r"(?<!\d)0+(?=\d)", "", words)  # e01 and e1
    return _SAME.get(spelled, spelled)


def maps_piano(name: str) -> str | None:
    """The piano of a MAPS name, as MAPS writes it, or None.

    >>> maps_piano("MAPS_MUS-chpn-e01_ENSTDkCl")
    'ENSTDkCl'
    """
    return name.strip()[-8:] if _MAPS.match(name.strip().lower()) else None
