"""PrIMuS semantic encoding: one token for each musical element, pitches as they sound.

Grammar (papers facts 2.2): `clef-G2`, `keySignature-EbM` (major names only, none drawn for C major),
`timeSignature-3/4|C|C/`, `note-Bb4_quarter.[_fermata][_trill]`, `gracenote-...`, `rest-half.`, `multirest-23`,
`tie` between two notes, `barline`. Files separate tokens by tabs; the newer im3 spells `Ccut` for `C/`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from .score import (
    FIGURES,
    MAJOR_KEYS,
    Barline,
    Clef,
    Duration,
    Element,
    KeySignature,
    MultiRest,
    NotationError,
    Note,
    Pitch,
    Rest,
    Score,
    TimeSignature,
)
from .vocabulary import load_vocabulary

_FIFTHS_OF_KEY = {name: index - 7 for index, name in enumerate(MAJOR_KEYS)}
_ALTERS = {"": 0, "#": 1, "b": -1, "##": 2, "x": 2, "bb": -2, "n": 0}
_METER_SIGNS = {"C": TimeSignature(4, 4, "C"), "C/": TimeSignature(2, 2, "C/"), "Ccut": TimeSignature(2, 2, "C/")}

_VALUE = rf"(?P<figure>{'|'.join(FIGURES)})(?P<dots>\.*)(?P<fermata>_fermata)?(?P<trill>_trill)?"
_NOTE = re.compile(rf"(?P<grace>grace)?note-(?P<step>[A-G])(?P<alter>##|#|x|bb|b|n|)(?P<octave>\d)_{_VALUE}")
_REST = re.compile(rf"rest-{_VALUE}")
_CLEF = re.compile(r"clef-([GFC])([1-5])")
_KEY = re.compile(r"keySignature-([A-G][b#]?)M")
_METER = re.compile(r"timeSignature-(?:([1-9]\d*)/([1-9]\d*)|(C/|Ccut|C))")
_MULTIREST = re.compile(r"multirest-([1-9]\d*)")


def split_tokens(text: str) -> list[str]:
    """Tokens of a PrIMuS file, semantic or agnostic: parted by tabs, spaces, newlines or commas.

    >>> split_tokens("clef-G2, note-C4_half\\tbarline\\t")
    ['clef-G2', 'note-C4_half', 'barline']
    """
    return [token for token in re.split(r"[\s,]+", text) if token]


def semantic_text(tokens: Iterable[str]) -> str:
    """Tokens as PrIMuS writes them on one line, parted by tabs."""
    return "\t".join(tokens)


def in_vocabulary(tokens: Iterable[str]) -> bool:
    """Whether every token is one of the official 1,781 semantic ones."""
    vocabulary = load_vocabulary("semantic")
    return all(token in vocabulary for token in tokens)


def read_semantic(text_or_tokens: str | Sequence[str], *, repair: bool = False) -> Score:
    """Reads PrIMuS semantic tokens, or a text of them.

    Args:
        repair: the tokens come from a recogniser and may break the grammar: a `tie` that joins no two notes is dropped.

    Raises:
        NotationError: "token" for one the grammar lacks, "tie" for one that joins no two notes (unless `repair`).

    >>> read_semantic("clef-G2 note-C4_half tie barline note-C4_half").elements[1].tie
    True
    """
    tokens = split_tokens(text_or_tokens) if isinstance(text_or_tokens, str) else list(text_or_tokens)
    elements: list[Element] = []
    ties: list[int] = []
    for place, token in enumerate(tokens):
        if token != "tie":
            elements.append(_read_element(token, place))
            continue
        tied = _tie_start(elements)
        if tied is not None and tied not in ties:
            ties.append(tied)
        elif not repair:
            raise NotationError("tie", f"token {place} is a tie that no note comes before")
    untied = Score(tuple(elements))
    for index in ties:
        note = elements[index]
        if isinstance(note, Note) and untied.tied_note(index) is not None:
            elements[index] = replace(note, tie=True)
        elif not repair:
            raise NotationError("tie", f"no note follows the tie after element {index}")
    return Score(tuple(elements))


@lru_cache(maxsize=4096)
def element_of(token: str) -> Element | None:
    """What one token stands for; None for a `tie` and for what the grammar lacks.

    >>> element_of("rest-half."), element_of("tie")
    (Rest(duration=Duration(figure='half', dots=1), fermata=False, tuplet=None), None)
    """
    try:
        return _read_element(token, 0)
    except NotationError:
        return None


def _tie_start(elements: list[Element]) -> int | None:
    """The note that a `tie` standing after `elements` starts from: the last one, nothing but signs since."""
    for index in range(len(elements) - 1, -1, -1):
        if isinstance(elements[index], Note):
            return index
        if isinstance(elements[index], (Rest, MultiRest)):
            return None
    return None


def _read_element(token: str, place: int) -> Element:
    if token == "barline":
        return Barline()
    if match := _NOTE.fullmatch(token):
        pitch = Pitch(match["step"], _ALTERS[match["alter"]], int(match["octave"]))
        grace, fermata, trill = (bool(match[name]) for name in ("grace", "fermata", "trill"))
        return Note(pitch, _read_duration(match, token), grace=grace, fermata=fermata, trill=trill)
    if match := _REST.fullmatch(token):
        return Rest(_read_duration(match, token), fermata=bool(match["fermata"]))
    if match := _CLEF.fullmatch(token):
        return Clef(match[1], int(match[2]))
    if (match := _KEY.fullmatch(token)) and match[1] in _FIFTHS_OF_KEY:
        return KeySignature(_FIFTHS_OF_KEY[match[1]])
    if match := _METER.fullmatch(token):
        return _METER_SIGNS[match[3]] if match[3] else TimeSignature(int(match[1]), int(match[2]))
    if match := _MULTIREST.fullmatch(token):
        return MultiRest(int(match[1]))
    raise NotationError("token", f"{token!r} (token {place}) is not PrIMuS semantic")


def _read_duration(match: re.Match[str], token: str) -> Duration:
    if len(match["dots"]) > 3:
        raise NotationError("token", f"{token!r} has more than three dots")
    return Duration(match["figure"], len(match["dots"]))


def write_semantic(score: Score) -> list[str]:
    """PrIMuS semantic tokens of a score. Beams and the kind of a barline have no place in them.

    Raises:
        NotationError: what PrIMuS cannot express, by name: "tuplet", "trill", "double-accidental", "dots".

    >>> write_semantic(read_semantic("clef-C1 keySignature-EbM note-Bb4_quarter. barline"))
    ['clef-C1', 'keySignature-EbM', 'note-Bb4_quarter.', 'barline']
    """
    tokens: list[str] = []
    for index, element in enumerate(score.elements):
        if isinstance(element, Barline) and element.kind == "invisible":
            continue
        tokens.append(_write_element(element, index))
        if isinstance(element, Note) and element.tie:
            tokens.append("tie")
    return tokens


def _write_element(element: Element, index: int) -> str:
    match element:
        case Note():
            return _write_note(element, index)
        case Rest():
            return f"rest-{_write_value(element, index)}"
        case Clef():
            return f"clef-{element.shape}{element.line}"
        case KeySignature():
            return f"keySignature-{MAJOR_KEYS[element.fifths + 7]}M"
        case TimeSignature():
            return f"timeSignature-{element.symbol or f'{element.numerator}/{element.denominator}'}"
        case MultiRest():
            return f"multirest-{element.measures}"
        case Barline():
            return "barline"


def _write_note(note: Note, index: int) -> str:
    if note.trill:
        raise NotationError("trill", f"PrIMuS has no trill: element {index}, {note.pitch.name}")
    if abs(note.pitch.alter) > 1:
        raise NotationError("double-accidental", f"PrIMuS has no {note.pitch.name}: element {index}")
    return f"{'grace' if note.grace else ''}note-{note.pitch.name}_{_write_value(note, index)}"


def _write_value(element: Note | Rest, index: int) -> str:
    if element.tuplet is not None:
        actual, normal = element.tuplet
        raise NotationError(
            "tuplet", f"PrIMuS has no tuplets: element {index} is one of {actual} in the time of {normal}"
        )
    if element.duration.dots > 2:
        raise NotationError("dots", f"PrIMuS has at most two dots: element {index} has {element.duration.dots}")
    return f"{element.duration.figure}{'.' * element.duration.dots}{'_fermata' if element.fermata else ''}"
