"""Two readings of the same music made one: late fusion of tokens with confidences.

Smith-Waterman alignment between sentinels (de la Fuente, Valero-Mas, Castellanos, Calvo-Zaragoza: "Multimodal image and
audio music transcription", 2022), then a decision at every place: what both read stays; where they differ the surer
one wins; what only one has stays. `FusionConfig()` is that recipe. What the recipe does not see can be switched on:
tokens may be alike without being equal, a symbol that stands alone has the other reading against it, and an ear knows
nothing of clefs. `calibrate` sets these from validation readings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from rapidfuzz.distance import Levenshtein

from .score import Note, Rest
from .semantic import element_of

# (match, mismatch, gap) that the group's papers try
PARAMETERS = ((2.0, -1.0, -1.0), (10.0, 5.0, -2.0), (20.0, 10.0, -4.0), (5.0, 2.0, -1.0))
# More aligned pairs, of two alignments with the same score: the result does not depend on which reading comes first.
_PAIR_BONUS = 1e-6
_ROUNDING = 1e-8
# What `weights` may name: the first part of a token, and the one thing in which two notes differ.
KINDS = ("clef", "keySignature", "timeSignature", "note", "gracenote", "rest", "multirest", "barline", "tie")
DIFFERENCES = ("spelling", "fermata", "accidental", "pitch", "duration")


@dataclass(frozen=True)
class FusionConfig:
    """How two readings are aligned and decided between.

    Args:
        match, mismatch, gap: scores of aligned equal tokens, of unequal ones, and of a token that stands alone.
        likeness: how far towards `match` the score of unequal tokens moves with what they share (kind, pitch,
            duration); 0..1, 0 sees only that they differ.
        lone: least weighted confidence of a symbol that stands alone in the first, or in the second reading.
        weights: for kinds of token (`KINDS`) or of difference (`DIFFERENCES`), what the confidences of the first and
            the second reading are worth; 1 for kinds not named.

    Raises:
        ValueError: a match that scores less than a mismatch or a gap, a gap above 0, a weight of an unknown kind.
    """

    match: float = 2.0
    mismatch: float = -1.0
    gap: float = -1.0
    likeness: float = 0.0
    lone: tuple[float, float] = (0.0, 0.0)
    weights: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.match > max(self.mismatch, self.gap) or self.gap > 0 or self.match <= 0:
            scores = (self.match, self.mismatch, self.gap)
            raise ValueError(f"match must be above 0 and above mismatch and gap, gap not above 0, got {scores}")
        if not 0 <= self.likeness <= 1:
            raise ValueError(f"likeness must be 0 to 1, got {self.likeness}")
        unknown = sorted(set(self.weights) - {*KINDS, *DIFFERENCES})
        if unknown:
            raise ValueError(f"weights must be of {', '.join((*KINDS, *DIFFERENCES))}, got {', '.join(unknown)}")


# An eye first, an ear second. The ear hears no clef, no spelling and no fermata, but accidentals better than most eyes.
EYE_AND_EAR = FusionConfig(
    match=10.0,
    mismatch=5.0,
    gap=-2.0,
    likeness=0.25,
    lone=(0.3, 0.6),
    weights={
        "clef": (1.0, 0.0),
        "keySignature": (1.0, 0.1),
        "timeSignature": (1.0, 0.2),
        "multirest": (1.0, 0.2),
        "barline": (1.0, 0.5),
        "tie": (1.0, 0.5),
        "rest": (1.0, 0.5),
        "gracenote": (1.0, 0.5),
        "note": (1.0, 0.7),
        "spelling": (1.0, 0.0),
        "fermata": (1.0, 0.0),
        "accidental": (0.5, 1.0),
    },
)


class Reading(NamedTuple):
    """Tokens, and how sure each is, 0..1."""

    tokens: Sequence[str]
    confidences: Sequence[float]


class FusedSymbol(NamedTuple):
    """A symbol of the fused reading; `first` and `second` are its places in the readings, None where it is not.

    Aligned symbols of which one was chosen have both places.
    """

    token: str
    confidence: float
    first: int | None
    second: int | None


def fuse(
    a_tokens: Sequence[str],
    a_confidences: Sequence[float],
    b_tokens: Sequence[str],
    b_confidences: Sequence[float],
    *,
    match: float = 2.0,
    mismatch: float = -1.0,
    gap: float = -1.0,
    config: FusionConfig | None = None,
) -> tuple[list[str], list[float]]:
    """One reading of two: tokens and confidences. `config`, if given, is used instead of the three scores.

    Raises:
        ValueError: not one confidence a token, or one outside 0..1.

    >>> fuse(["clef-G2", "note-C4_half"], [0.9, 0.4], ["clef-G2", "note-D4_half", "barline"], [0.5, 0.8, 0.7])
    (['clef-G2', 'note-D4_half', 'barline'], [0.9, 0.8, 0.7])
    """
    config = config or FusionConfig(match, mismatch, gap)
    symbols = fuse_readings(Reading(a_tokens, a_confidences), Reading(b_tokens, b_confidences), config)
    return [symbol.token for symbol in symbols], [symbol.confidence for symbol in symbols]


def fuse_readings(a: Reading, b: Reading, config: FusionConfig = FusionConfig()) -> list[FusedSymbol]:
    """As `fuse`, and where each symbol comes from. A reading without symbols has no say: the other is the result.

    Raises:
        ValueError: see `fuse`.
    """
    for reading in (a, b):
        if len(reading.tokens) != len(reading.confidences):
            raise ValueError(
                f"a reading needs one confidence a token, got {len(reading.confidences)} for {len(reading.tokens)}"
            )
        if not all(0 <= sure <= 1 for sure in reading.confidences):
            raise ValueError(
                f"confidences must be 0 to 1, got {min(reading.confidences)} to {max(reading.confidences)}"
            )
    return _decide(a, b, align(a.tokens, b.tokens, config), config)


def align(
    a: Sequence[str], b: Sequence[str], config: FusionConfig = FusionConfig()
) -> list[tuple[int | None, int | None]]:
    """Places of `a` and `b` that belong together, in order; None where a token stands alone.

    Both ends are sentinels whose match outweighs all between them, so that the best local alignment runs from end to
    end and every token is in it once.

    >>> align(["x", "y", "z"], ["x", "z"])
    [(0, 0), (1, None), (2, 1)]
    """
    rows, columns = len(a), len(b)
    pairs = _pair_scores(a, b, config)
    slope = config.gap * np.arange(columns + 1)
    best = np.empty((rows + 1, columns + 1))
    best[0] = slope
    for row in range(rows):
        entered = best[row] + config.gap
        entered[1:] = np.maximum(entered[1:], best[row, :-1] + pairs[row])
        best[row + 1] = np.maximum.accumulate(entered - slope) + slope  # gaps along the row, all at once
    places: list[tuple[int | None, int | None]] = []
    row, column = rows, columns
    while row or column:
        here = best[row, column] - _ROUNDING
        if row and column and best[row - 1, column - 1] + pairs[row - 1, column - 1] > here:
            row, column = row - 1, column - 1
            places.append((row, column))
        elif row and (not column or best[row - 1, column] + config.gap > here):
            row -= 1
            places.append((row, None))
        else:
            column -= 1
            places.append((None, column))
    return places[::-1]


def _pair_scores(a: Sequence[str], b: Sequence[str], config: FusionConfig) -> np.ndarray:
    """(len(a), len(b)) score of aligning each token with each."""
    alike = np.zeros((len(a), len(b)))
    if config.likeness:
        for share, part in ((0.2, 0), (0.4, 1), (0.4, 2)):  # kind, pitch, duration
            left, right = ([_parts(token)[part] for token in tokens] for tokens in (a, b))
            alike += share * _equal(left, right)
    scores = config.mismatch + config.likeness * alike * (config.match - config.mismatch)
    return np.where(_equal(a, b), config.match, scores) + _PAIR_BONUS


def _equal(a: Sequence[object], b: Sequence[object]) -> np.ndarray:
    """(len(a), len(b)) bool; None equals nothing."""
    ids: dict[object, int] = {None: -1}
    left = np.array([ids.setdefault(item, len(ids)) for item in a], dtype=np.int64)
    right = np.array([ids.setdefault(item, len(ids)) for item in b], dtype=np.int64)
    return (left[:, None] == right[None, :]) & (left[:, None] >= 0)


def _parts(token: str) -> tuple[str, int | None, object]:
    """Kind, sounding pitch and duration: what two tokens may share."""
    kind = token.partition("-")[0]
    element = element_of(token)
    if isinstance(element, Note):
        return kind, element.pitch.midi, element.duration
    return kind, None, element.duration if isinstance(element, Rest) else None


def _decide(
    a: Reading, b: Reading, places: Iterable[tuple[int | None, int | None]], config: FusionConfig
) -> list[FusedSymbol]:
    if not a.tokens or not b.tokens:
        config = replace(config, lone=(0.0, 0.0))
    fused = []
    for first, second in places:
        if first is not None and second is not None:
            fused.append(_choose(a, first, b, second, config))
            continue
        side, (reading, place) = (0, (a, first)) if second is None else (1, (b, second))
        assert place is not None
        token, sure = reading.tokens[place], float(reading.confidences[place])
        if sure * _weights(token, config)[side] >= config.lone[side]:
            fused.append(FusedSymbol(token, sure, first, second))
    return fused


def _choose(a: Reading, first: int, b: Reading, second: int, config: FusionConfig) -> FusedSymbol:
    """Of two aligned symbols: the surer, each confidence at its weight; the second of equals, as the papers do."""
    one, other = a.tokens[first], b.tokens[second]
    sure, sure_other = float(a.confidences[first]), float(b.confidences[second])
    if one == other:
        return FusedSymbol(one, max(sure, sure_other), first, second)
    difference = _difference(one, other) if config.weights else None
    weight = _weights(difference or one, config)[0]
    weight_other = _weights(difference or other, config)[1]
    if sure * weight > sure_other * weight_other:
        return FusedSymbol(one, sure, first, second)
    return FusedSymbol(other, sure_other, first, second)


def _weights(token: str, config: FusionConfig) -> tuple[float, float]:
    return config.weights.get(token.partition("-")[0], (1.0, 1.0))


def _difference(one: str, other: str) -> str | None:
    """The one thing in which two notes differ; None for notes that differ in more, and for all others.

    "spelling" and "fermata" sound the same; "accidental" is another note on the same line; "pitch" on another.
    """
    left, right = element_of(one), element_of(other)
    if not (isinstance(left, Note) and isinstance(right, Note)) or left.grace or right.grace:
        return None
    if left.duration != right.duration:
        return "duration" if left.pitch.midi == right.pitch.midi else None
    if left.pitch.midi == right.pitch.midi:
        return "spelling" if left.pitch != right.pitch else "fermata"
    return "accidental" if left.pitch.diatonic == right.pitch.diatonic else "pitch"


def calibrate(
    readings: Sequence[tuple[Reading, Reading]], references: Sequence[Sequence[str]], start: FusionConfig = EYE_AND_EAR
) -> FusionConfig:
    """The config with the fewest edits between fused readings and references, setting after setting from `start`.

    For validation data only: measured on what it was fitted to, a fusion looks better than it is. Of settings with
    equal edits the one tried first, the one at hand, stays.

    Raises:
        ValueError: no readings, or not as many references.
    """
    if not readings or len(readings) != len(references):
        raise ValueError(f"as many references as readings are needed, got {len(references)} and {len(readings)}")
    counted = _EditCounter(readings, references)
    best, edits = start, counted(start)
    for _ in range(3):
        before = edits
        for candidates in _variations(best):
            for candidate in (replace(best, **change) for change in candidates):
                found = counted(candidate)
                if found < edits:
                    best, edits = candidate, found
        if edits == before:
            break
    return best


def _variations(config: FusionConfig) -> list[list[dict[str, Any]]]:
    """Changes to try, one list a setting."""
    levels = (0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
    scores: list[dict[str, Any]] = [dict(zip(("match", "mismatch", "gap"), three, strict=True)) for three in PARAMETERS]
    tried = [[{**three, "likeness": likeness} for three in scores for likeness in (0.0, 0.25, 0.5, 0.75)]]
    for side in (0, 1):  # above 1: never
        lone = [(level, config.lone[1]) if side == 0 else (config.lone[0], level) for level in (*levels, 1.01)]
        tried.append([{"lone": pair} for pair in lone])
    weights = [(1.0, level) for level in (*levels, 1.0)] + [(level, 1.0) for level in levels]
    tried += [[{"weights": {**config.weights, kind: pair}} for pair in weights] for kind in (*KINDS, *DIFFERENCES)]
    return tried


class _EditCounter:
    """Edits of fusing all readings with a config. Alignments are kept: few settings change them."""

    def __init__(self, readings: Sequence[tuple[Reading, Reading]], references: Sequence[Sequence[str]]) -> None:
        self.readings, self.references = readings, [list(reference) for reference in references]
        self.aligned: dict[tuple[float, ...], list[list[tuple[int | None, int | None]]]] = {}

    def __call__(self, config: FusionConfig) -> int:
        scores = (config.match, config.mismatch, config.gap, config.likeness)
        if scores not in self.aligned:
            self.aligned[scores] = [align(a.tokens, b.tokens, config) for a, b in self.readings]
        rows = zip(self.readings, self.aligned[scores], self.references, strict=True)
        fused = (([symbol.token for symbol in _decide(a, b, at, config)], right) for (a, b), at, right in rows)
        return sum(int(Levenshtein.distance(tokens, right)) for tokens, right in fused)
