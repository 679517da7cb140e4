"""Places on the staff by PrIMuS's names: `L1` is the bottom line, `S1` the space above it, `L0` a ledger line below."""

from __future__ import annotations

from .score import STEPS, Clef, KeySignature

# Where the seven sharps and the seven flats stand, in steps above the bottom line, by that line's step in the clef.
_KEY_POSITIONS = {
    "E": ((8, 5, 9, 6, 3, 7, 4), (4, 7, 3, 6, 2, 5, 1)),  # G2, F5
    "G": ((6, 3, 7, 4, 1, 5, 2), (2, 5, 1, 4, 0, 3, -1)),  # F4, G1
    "B": ((4, 1, 5, 2, 6, 3, 7), (7, 3, 6, 2, 5, 1, 4)),  # F3, C5
    "C": ((3, 0, 4, 1, 5, 2, 6), (6, 2, 5, 1, 4, 0, 3)),  # C1
    "A": ((5, 2, 6, 3, 7, 4, 8), (8, 4, 7, 3, 6, 2, 5)),  # C2
    "F": ((7, 4, 8, 5, 2, 6, 3), (3, 6, 2, 5, 1, 4, 0)),  # C3
    "D": ((2, 6, 3, 7, 4, 8, 5), (5, 8, 4, 7, 3, 6, 2)),  # C4
}


def position_name(steps: int) -> str:
    """Name of a place `steps` above the bottom line.

    >>> [position_name(steps) for steps in (-3, -2, -1, 0, 1, 8)]
    ['S-1', 'L0', 'S0', 'L1', 'S1', 'L5']
    """
    return f"S{(steps + 1) // 2}" if steps % 2 else f"L{steps // 2 + 1}"


def key_positions(key: KeySignature, clef: Clef) -> tuple[int, ...]:
    """Where a key signature's accidentals stand, in steps above the bottom line, in the order they are drawn."""
    sharps, flats = _KEY_POSITIONS[STEPS[clef.bottom_line_diatonic % 7]]
    return sharps[: key.fifths] if key.fifths > 0 else flats[: -key.fifths]
