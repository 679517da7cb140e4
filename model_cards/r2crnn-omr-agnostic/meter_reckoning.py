"""Lengths of semantic tokens and measures in ticks, and a staff as the row of notes and rests that are played."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

TICKS_PER_QUARTER = 64
TIME = "timeSignature-"
_WHOLES = ("whole", "half", "quarter", "eighth", "sixteenth", "thirty_second", "sixty_fourth", "hundred_twenty_eighth")
_PLAIN = {"quadruple_whole": 16 * 64, "double_whole": 8 * 64} | {
    figure: 4 * TICKS_PER_QUARTER >> power for power, figure in enumerate(_WHOLES)
}
_TICKS = {
    figure + "." * dots: ticks * (2 ** (dots + 1) - 1) // 2**dots
    for figure, ticks in _PLAIN.items()
    for dots in range(3)
    if ticks * (2 ** (dots + 1) - 1) % 2**dots == 0
}
FIGURE_OF = {ticks: figure for figure, ticks in _TICKS.items()}


def ticks_of(token: str) -> int | None:
    """Length of a note or rest token in ticks (64 a quarter); None for all others.

    >>> ticks_of("note-Bb4_eighth."), ticks_of("rest-half_fermata"), ticks_of("gracenote-C4_eighth")
    (48, 128, None)
    """
    if token.startswith("note-"):
        figure = token.partition("_")[2]
    elif token.startswith("rest-"):
        figure = token[len("rest-") :]
    else:
        return None
    return _TICKS.get(figure.removesuffix("_fermata").removesuffix("_trill"))


def measure_ticks(meter: str) -> int | None:
    """Length of a measure of a meter ("3/4", "C", "C/") in ticks; None for what is no meter.

    >>> measure_ticks("3/4"), measure_ticks("C/"), measure_ticks("waltz")
    (192, 256, None)
    """
    if meter in ("C", "C/"):
        return 4 * TICKS_PER_QUARTER
    above, slash, below = meter.partition("/")
    if not (slash and above.isdigit() and below.isdigit() and int(below)):
        return None
    length, rest = divmod(int(above) * 4 * TICKS_PER_QUARTER, int(below))
    return None if rest or not length else length


class Played(NamedTuple):
    """A note or rest: its token without what ties it to others, ticks, and the first and last place in the reading.

    `before` are places of what stands before it and is not played (grace notes, a new clef). `sure`: how sure it is,
    where that is not what the reading says of its first place.
    """

    token: str
    ticks: int
    first: int
    last: int
    before: tuple[int, ...] = ()
    sure: float | None = None

    @property
    def kind(self) -> str:
        """ "n" or "r" and the ticks."""
        return f"{self.token[0]}{self.ticks}"


def played(tokens: Sequence[str]) -> list[Played]:
    """Notes and rests of a staff; tied notes of one pitch are one.

    >>> [(event.token, event.ticks) for event in played("note-C4_half tie barline note-C4_eighth rest-half".split())]
    [('note-C4_half', 160), ('rest-half', 128)]
    """
    events: list[Played] = []
    before: list[int] = []
    tied = False
    for place, token in enumerate(tokens):
        ticks = ticks_of(token)
        if token == "tie":
            tied = True
        elif ticks is not None:
            last = events[-1] if events else None
            if tied and last is not None and not before and last.token.partition("_")[0] == token.partition("_")[0]:
                events[-1] = last._replace(ticks=last.ticks + ticks, last=place)
            else:
                events.append(Played(token, ticks, place, place, tuple(before)))
                before = []
            tied = False
        elif events and token != "barline":
            before.append(place)
    return events


def start_place(tokens: Sequence[str], measure: int) -> int:
    """Where in a measure a staff begins, in ticks: 0, or later where its first measure is an upbeat.

    >>> start_place("note-C4_quarter barline note-D4_half".split(), 192)
    128
    """
    filled = 0
    for token in tokens:
        if token == "barline":
            return (measure - filled) % measure if filled < measure else 0
        filled += ticks_of(token) or 0
    return 0


def cut(event: Played, place: int, measure: int) -> list[tuple[str, int]]:
    """The tokens that write an event from `place` of a measure on, each with its ticks: figures, ties, bar lines.

    >>> cut(Played("note-C4_half", 128, 0, 0), 128, 192)
    [('note-C4_quarter', 64), ('tie', 0), ('barline', 0), ('note-C4_quarter', 64)]
    """
    written: list[tuple[str, int]] = []
    left = event.ticks
    head = event.token.partition("_")[0] + "_" if event.token[0] == "n" else "rest-"
    while left:
        room = min(left, measure - place)
        ticks = max((known for known in FIGURE_OF if known <= room), default=0)
        if not ticks:
            break  # shorter than any figure
        whole = ticks == event.ticks and ticks_of(event.token) == ticks
        written.append((event.token if whole else head + FIGURE_OF[ticks], ticks))
        left, place = left - ticks, (place + ticks) % measure
        if left and event.token[0] == "n":
            written.append(("tie", 0))
        if place == 0:
            written.append(("barline", 0))
    return written
