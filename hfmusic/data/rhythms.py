"""Rhythms of generated tunes: how a measure of some meter is filled with notes and rests.

Lengths are whole ticks, 64 to the quarter note (a 128th note is 2). Patterns are written in eighths of a beat, rests
negative, each with its weight in slow, middling and fast music.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from hfmusic.symbolic.score import FIGURES, Duration, TimeSignature

TICKS = 64
_Weighted = tuple[tuple[int, ...], tuple[float, float, float]]

_ONE_BEAT: tuple[_Weighted, ...] = (
    ((8,), (60, 34, 12)),
    ((4, 4), (20, 36, 24)),
    ((2, 2, 2, 2), (1, 7, 30)),
    ((6, 2), (7, 14, 12)),
    ((4, 2, 2), (1, 7, 12)),
    ((2, 2, 4), (1, 4, 6)),
    ((2, 4, 2), (0, 1, 2)),
    ((7, 1), (0, 0.8, 1.5)),
    ((6, 1, 1), (0.3, 2, 4)),
    ((1,) * 8, (0, 0.3, 2.5)),
    ((2, 6), (0.2, 1, 2)),
    ((4, 1, 1, 1, 1), (0, 0.6, 2)),
    ((1, 1, 1, 1, 4), (0, 0.2, 0.8)),
    ((2, 2, 2, 1, 1), (0, 0.2, 0.8)),
    ((2, 1, 1, 2, 1, 1), (0, 0.1, 0.6)),
    ((3, 1, 3, 1), (0, 0.6, 2.5)),
    ((1, 3, 1, 3), (0, 0.3, 1)),
    ((2, 1, 1, 4), (0, 0.5, 1.5)),
    ((4, 3, 1), (0, 0.5, 1.2)),
    ((-8,), (9, 9, 6)),
    ((-4, 4), (2, 7, 6)),
    ((4, -4), (1, 3, 3)),
    ((-2, 2, 2, 2), (0, 0.6, 3)),
    ((-2, 2, 4), (0, 0.4, 1)),
    ((-4, 2, 2), (0, 1, 2)),
    ((-6, 2), (0, 0.6, 1)),
    ((2, -2, 2, -2), (0, 0.1, 0.4)),
    ((2, 2, -4), (0, 0.1, 0.4)),
)
_TWO_BEATS: tuple[_Weighted, ...] = (
    ((16,), (30, 14, 8)),
    ((12, 4), (16, 16, 8)),
    ((4, 8, 4), (2, 5, 4)),
    ((12, 2, 2), (2, 4, 4)),
    ((14, 2), (0.6, 1.2, 1.5)),
    ((12, 1, 1, 1, 1), (0, 0.5, 1.2)),
    ((14, 1, 1), (0, 0.4, 0.8)),
    ((4, 12), (0.5, 1, 1)),
    ((-4, 12), (0.3, 1, 1)),
    ((-4, 8, 4), (0, 0.5, 0.8)),
    ((8, -8), (5, 4, 3)),
    ((-8, 8), (2, 2, 2)),
    ((6, 2, 8), (1, 3, 2)),
    ((10, 2, 2, 2), (0.2, 1, 2.5)),
    ((9, 1, 2, 2, 2), (0, 0.2, 0.6)),
    ((4, 8, 2, 2), (0.1, 0.6, 1)),
    ((-16,), (4, 3, 2)),
)
_THREE_BEATS: tuple[_Weighted, ...] = (
    ((24,), (12, 6, 3)),
    ((16, 8), (14, 8, 4)),
    ((8, 16), (3, 1.5, 1)),
    ((8, 8, 8), (22, 10, 4)),
    ((16, -8), (3, 2, 1)),
    ((8, -16), (1.5, 1, 0.6)),
    ((20, 4), (1, 1, 1)),
    ((16, 4, 4), (4, 4, 3)),
    ((12, 4, 8), (5, 5, 3)),
    ((-24,), (1, 1, 1)),
)
_FOUR_BEATS: tuple[_Weighted, ...] = (
    ((32,), (14, 5, 2)),
    ((16, 16), (16, 6, 3)),
    ((8, 8, 8, 8), (14, 8, 4)),
    ((16, 8, 8), (10, 6, 3)),
    ((12, 4, 8, 8), (5, 5, 3)),
    ((8, 8, 16), (4, 2, 1)),
    ((24, 8), (8, 4, 2)),
    ((28, 4), (1, 0.6, 0.5)),
    ((-16, -8, 8), (3, 3, 2)),
    ((16, 8, -8), (3, 2, 1)),
    ((8, -8, -16), (2, 2, 1.5)),
    ((8, 16, 8), (2, 1.2, 0.6)),
    ((24, 4, 4), (1, 1, 0.6)),
    ((-32,), (3, 1.5, 1)),
)
_COMPOUND: tuple[_Weighted, ...] = (
    ((24,), (24, 12, 6)),
    ((16, 8), (30, 22, 8)),
    ((8, 8, 8), (16, 34, 24)),
    ((12, 4, 8), (5, 9, 8)),
    ((4,) * 6, (0, 4, 22)),
    ((8, 4, 4, 4, 4), (0, 3, 8)),
    ((8, 4, 4, 8), (0.5, 3, 5)),
    ((8, 8, 4, 4), (0.5, 3, 5)),
    ((4, 4, 8, 8), (0.5, 3, 5)),
    ((16, 4, 4), (2, 4, 4)),
    ((8, 16), (1.5, 2, 1)),
    ((12, 2, 2, 8), (0.1, 1, 1.5)),
    ((20, 4), (0.2, 0.5, 0.6)),
    ((8, 2, 2, 2, 2, 8), (0, 0.2, 1)),
    ((4, 12, 8), (0, 0.5, 0.8)),
    ((6, 2, 8, 8), (0, 0.3, 0.6)),
    ((2,) * 12, (0, 0.05, 0.6)),
    ((-8, 8, 8), (2, 4, 4)),
    ((-16, 8), (3, 4, 3)),
    ((8, -16), (1, 2, 1.5)),
    ((16, -8), (2, 3, 2)),
    ((8, -8, 8), (0.2, 1, 1)),
    ((-24,), (2, 1.5, 1)),
)
_TWO_COMPOUND: tuple[_Weighted, ...] = (
    ((48,), (8, 3, 1.5)),
    ((40, 8), (4, 3, 2)),
    ((32, 16), (1, 1, 0.5)),
    ((24, 16, 8), (4, 4, 2)),
    ((24, 16, -8), (2, 2, 1)),
    ((16, 8, 16, 8), (8, 6, 2)),
    ((-24, -16, 8), (1, 2, 1)),
    ((-48,), (1, 0.5, 0.3)),
)
_SIMPLE_TABLES = {4: _FOUR_BEATS, 3: _THREE_BEATS, 2: _TWO_BEATS, 1: _ONE_BEAT}
_COMPOUND_TABLES = {2: _TWO_COMPOUND, 1: _COMPOUND}


@dataclass(frozen=True)
class Pulse:
    """The beat of a tune: `unit` ticks that pattern number 8 stands for, `beat` ticks, `compound` if three units."""

    unit: int
    beat: int
    compound: bool


def measure_ticks(meter: TimeSignature) -> int:
    """Ticks of a measure.

    >>> measure_ticks(TimeSignature(3, 8))
    96
    """
    return int(meter.quarters * TICKS)


def pulse_of(meter: TimeSignature, rng: random.Random) -> Pulse:
    """The beat that music in a meter moves in; where usage differs (C/ in halves or in quarters) one is drawn."""
    unit = max(4, 4 * TICKS // meter.denominator)
    if meter.denominator >= 4 and meter.numerator % 3 == 0 and (meter.numerator > 3 or meter.denominator > 4):
        compound = meter.numerator > 3 or rng.random() < 0.7
        return Pulse(unit, 3 * unit if compound else unit, compound)
    if meter.denominator == 2 and meter.numerator % 2 == 0 and rng.random() < (0.6 if meter.symbol else 0.35):
        unit //= 2
    if meter.denominator == 1 and rng.random() < 0.5:
        unit //= 2
    return Pulse(unit, unit, False)


@cache
def _weights(compound: bool, beats: int, speed: int) -> tuple[list[tuple[int, ...]], list[float]]:
    table = (_COMPOUND_TABLES if compound else _SIMPLE_TABLES)[beats]
    kept = [(pattern, weights[speed]) for pattern, weights in table if weights[speed] > 0]
    return [pattern for pattern, _ in kept], [weight for _, weight in kept]


def fill(length: int, pulse: Pulse, speed: int, rng: random.Random) -> list[int]:
    """Signed lengths in ticks, rests negative, whose sizes sum to `length`: a measure, or the end of one.

    `speed` 0 to 2: slow, middling, fast. What is left over after whole beats comes first, as in a pickup.
    """
    lengths: list[int] = []
    place = length % pulse.beat
    if place:
        lengths.append(place if rng.random() < 0.8 else -place)
    tables = _COMPOUND_TABLES if pulse.compound else _SIMPLE_TABLES
    pattern: tuple[int, ...] = ()
    while place < length:
        left = (length - place) // pulse.beat
        beats = 1
        if rng.random() < (0.6, 0.45, 0.25)[speed]:
            done = place // pulse.beat
            fitting = [n for n in tables if n <= left and (done % n == 0 or n == left) and (n != 3 or n == left)]
            beats = rng.choice(fitting)
        patterns, weights = _weights(pulse.compound, beats, speed)
        if not (sum(map(abs, pattern)) == beats * (24 if pulse.compound else 8) and rng.random() < 0.3):
            pattern = rng.choices(patterns, weights)[0]
        lengths += [part * pulse.unit // 8 for part in pattern]
        place += beats * pulse.beat
    return lengths


@cache
def _durations() -> dict[int, Duration]:
    table: dict[int, Duration] = {}
    for dots in (2, 1, 0):
        for figure, quarters in FIGURES.items():
            ticks = quarters * TICKS * (2 - Fraction(1, 2**dots))
            if ticks.denominator == 1:
                table[int(ticks)] = Duration(figure, dots)
    return table


@cache
def durations_of(ticks: int) -> tuple[Duration, ...]:
    """The figures that together last `ticks`, longest first: one where one will do, else several to be tied.

    Raises:
        ValueError: a length that no figures add up to.

    >>> [d.figure for d in durations_of(160)]
    ['half', 'eighth']
    """
    table = _durations()
    if ticks in table:
        return (table[ticks],)
    fitting = [length for length, duration in table.items() if length < ticks and duration.dots < 2]
    if not fitting:
        raise ValueError(f"no figures last {ticks} ticks of 1/{TICKS} quarter")
    longest = max(fitting)
    return (table[longest], *durations_of(ticks - longest))
