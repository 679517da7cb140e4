"""Other bar lines for semantic tokens."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from .midi_notation import durations_of
from .score import MultiRest, NotationError, Note, Rest, TimeSignature
from .semantic import element_of


def rebar(tokens: Sequence[str], measure: Fraction, upbeat: Fraction = Fraction(0)) -> list[tuple[str, int]]:
    """Tokens with bar lines every `measure` quarters, each with the place in `tokens` that it comes from.

    What was a bar line or a meter goes; notes that a bar line now cuts are tied over it. Multirests stand alone, as
    they are, and the measure begins anew after them.

    Args:
        upbeat: quarters before the first bar line; 0: a whole measure.

    Raises:
        ValueError: a measure that is not positive.

    >>> [token for token, _ in rebar(["note-C4_quarter", "note-D4_half", "barline", "rest-quarter"], Fraction(2))]
    ['note-C4_quarter', 'note-D4_quarter', 'tie', 'barline', 'note-D4_quarter', 'rest-quarter']
    """
    if measure <= 0:
        raise ValueError(f"a measure must last longer than 0 quarters, got {measure}")
    out: list[tuple[str, int]] = []
    left = upbeat % measure or measure
    due = False  # a bar line stands before the next sign, note or rest
    for place, token in enumerate(tokens):
        element = element_of(token)
        if token == "barline" or isinstance(element, TimeSignature):
            continue
        if due and token != "tie":
            out.append(("barline", place))
            due = False
        if isinstance(element, MultiRest):
            if left < measure:
                out.append(("barline", place))
            out.append((token, place))
            left, due = measure, True
            continue
        if not isinstance(element, Note | Rest) or not element.quarters:
            out.append((token, place))
            continue
        pieces, left = _cut(element.quarters, left, measure)
        out += [(piece, place) for piece in _written(token, element, pieces)]
        due = left == measure
    return out


def _cut(length: Fraction, left: Fraction, measure: Fraction) -> tuple[list[Fraction], Fraction]:
    """Lengths of the pieces that bar lines cut, and what is left of the measure after them."""
    pieces = []
    while length > left:
        pieces.append(left)
        length, left = length - left, measure
    pieces.append(length)
    left -= length
    return pieces, left or measure


def _written(token: str, element: Note | Rest, pieces: list[Fraction]) -> list[str]:
    """Tokens of the pieces, tied and with bar lines between; one that no figures make stays whole."""
    if len(pieces) == 1:
        return [token]
    try:
        figures = [durations_of(piece) for piece in pieces]
    except NotationError:
        return [token]
    name = f"note-{element.pitch.name}" if isinstance(element, Note) else "rest"
    join = "_" if isinstance(element, Note) else "-"
    tie = ["tie"] if isinstance(element, Note) else []
    written: list[str] = []
    for place, group in enumerate(figures):
        for number, figure in enumerate(group):
            written.append(f"{name}{join}{figure.figure}{'.' * figure.dots}")
            last = place == len(figures) - 1 and number == len(group) - 1
            written += [] if last else tie
        if place < len(figures) - 1:
            written.append("barline")
    return written
