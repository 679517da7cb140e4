"""Which errors of a transcription by ear no ear could have avoided.

The edits between a reference and a prediction (the least substitutions, insertions and deletions, as in
`metrics.sequence`) are split by taking away, step by step and from both, what cannot be heard; each step's share is
the edits that go away with it. The shares add up to all edits. In order:

1. "clef": clefs.
2. "key signature": key signatures.
3. "spelling": notes count by their sounding pitch (D#4 is Eb4).
4. "grace note": grace notes. They are audible in principle, but MIDI files of PrIMuS do not play them.
5. "incomplete measure": a measure is incomplete where its notes and rests do not add up to the meter in force (without
   a meter it is not judged). If the reference's first measure is incomplete, an upbeat, then no bar line of that staff
   counts. In other staves the bar lines that close incomplete measures of the reference do not count, nor a bar line
   that the prediction sets at the end of a staff that stops inside a measure.
6. "notation": what is written otherwise and sounds the same. C is 4/4 and C/ is 2/2; fermatas do not count; notes of
   one pitch that are tied within a measure are one note; neighbouring rests within a measure are one rest. (Where
   joining would make more edits, nothing is joined.) Ties over bar lines and multirests stay as they are.
7. "audible": the rest. A meter counts as audible, though a melody without accents does not always tell it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

from rapidfuzz.distance import Levenshtein

from hfmusic.metrics.sequence import edit_breakdown, edit_distance
from hfmusic.symbolic.midi import sounding_notes
from hfmusic.symbolic.score import Note, Rest, TimeSignature
from hfmusic.symbolic.semantic import element_of, read_semantic

_LENGTH = re.compile(r"((?:note-\d+|rest-)_)(\d+(?:/\d+)?)")  # as `_plain` writes them
CAUSES = ("clef", "key signature", "spelling", "grace note", "incomplete measure", "notation", "audible")


def heard_breakdown(references: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Split the edits between semantic token sequences by what an ear can know (see the module).

    Returns:
        `symbols`: reference symbols, as they stand. `edits`: a count for each of `CAUSES`. `percent`: the same in
        percent of `symbols`; it adds up to the symbol error rate. `unavoidable_percent`: all but "audible".
        `audible_kinds`: the audible edits by kind of symbol, as `metrics.sequence.KINDS`; a note wrong in both pitch
        and duration is in both.

    Raises:
        ValueError: different counts, or no reference symbol at all.

    >>> found = heard_breakdown([["clef-C1", "note-D#4_half"]], [["clef-G2", "note-Eb4_quarter"]])
    >>> found["percent"]["clef"], found["edits"]["audible"], found["audible_kinds"]
    (50.0, 1, {'note duration': 1})
    """
    if len(references) != len(predictions):
        raise ValueError(f"as many predictions as references are needed, got {len(predictions)} and {len(references)}")
    symbols = sum(len(reference) for reference in references)
    if symbols == 0:
        raise ValueError(f"shares of errors need reference symbols, got {len(references)} references with none")
    edits = dict.fromkeys(CAUSES, 0)
    left: list[tuple[list[str], list[str]]] = []
    for reference, prediction in zip(references, predictions, strict=True):
        pair = (list(reference), list(prediction))
        left.append(_take_away(pair, edits))
    kinds = edit_breakdown([pair[0] for pair in left], [pair[1] for pair in left])
    percent = {cause: 100.0 * count / symbols for cause, count in edits.items()}
    return {
        "symbols": symbols,
        "edits": edits,
        "percent": percent,
        "unavoidable_percent": sum(share for cause, share in percent.items() if cause != "audible"),
        "audible_kinds": {kind: kinds.edits(kind) for kind in kinds.symbols if kinds.edits(kind)},
    }


def sounding_error_rate(references: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]]) -> float:
    """Percent of wrong, missing and invented notes, each a sounding pitch and a length in quarters, tied ones joined.

    Micro-averaged like the symbol error rate, over the notes of semantic token sequences: what a listener to both would
    miss, apart from rests. Ties that join nothing are passed over.

    Raises:
        ValueError: different counts, no note in the references, or tokens that are not semantic.

    >>> sounding_error_rate([["note-C4_half", "tie", "barline", "note-C4_half"]], [["clef-F4", "note-C4_whole"]])
    0.0
    """
    if len(references) != len(predictions):
        raise ValueError(f"as many predictions as references are needed, got {len(predictions)} and {len(references)}")
    sounding = [[_sounding_notes(tokens) for tokens in side] for side in (references, predictions)]
    notes = sum(map(len, sounding[0]))
    if notes == 0:
        raise ValueError(f"the error rate of notes needs reference notes, got {len(references)} references with none")
    return 100.0 * sum(map(edit_distance, *sounding)) / notes


def _sounding_notes(tokens: Sequence[str]) -> list[str]:
    events = sounding_notes(read_semantic(list(tokens), repair=True))
    return [f"{pitch} for {offset - onset}" for onset, offset, pitch in events]


Pair = tuple[list[str], list[str]]


def _take_away(pair: Pair, edits: dict[str, int]) -> Pair:
    """Adds each cause's edits to `edits`; what is left of the pair."""
    steps: list[tuple[str, Callable[[Pair], Pair]]] = [
        ("clef", _each(lambda tokens: (t for t in tokens if not t.startswith("clef-")))),
        ("key signature", _each(lambda tokens: (t for t in tokens if not t.startswith("keySignature-")))),
        ("spelling", _each(lambda tokens: map(_sounding, tokens))),
        ("grace note", _each(lambda tokens: (t for t in tokens if not t.startswith("gracenote-")))),
        ("incomplete measure", _without_incomplete),
        ("notation", _each(lambda tokens: map(_plain, tokens))),
        ("notation", _each(_tied_together)),
        ("notation", _each(_rests_together)),
    ]
    distance = edit_distance(*pair)
    for cause, step in steps:
        changed = step(pair)
        now = edit_distance(*changed)
        if now <= distance:
            edits[cause] += distance - now
            pair, distance = changed, now
    edits["audible"] += distance
    return pair


def _each(change: Callable[[list[str]], Iterable[str]]) -> Callable[[Pair], Pair]:
    return lambda pair: (list(change(pair[0])), list(change(pair[1])))


def _sounding(token: str) -> str:
    """A note by its MIDI number: note-Bb4_half -> note-70_half."""
    element = element_of(token)
    if not isinstance(element, Note):
        return token
    head, _, value = token.partition("_")
    return f"{head.partition('-')[0]}-{element.pitch.midi}_{value}"


def _quarters(token: str) -> Fraction:
    """Measured length of a token; its pitch may be a MIDI number."""
    kind, _, value = token.partition("_")
    element = element_of(token if token.startswith("rest-") else f"rest-{value}" if kind.startswith("note-") else "tie")
    return element.quarters if isinstance(element, Rest) else Fraction(0)


def _without_incomplete(pair: Pair) -> Pair:
    reference, prediction = pair
    closing, upbeat, open_end = _incomplete(reference)
    if upbeat:
        return [t for t in reference if t != "barline"], [t for t in prediction if t != "barline"]
    dropped = set()
    for block in Levenshtein.editops(prediction, reference).as_matching_blocks():
        dropped |= {block.a + place - block.b for place in closing if block.b <= place < block.b + block.size}
    if open_end and prediction and prediction[-1] == "barline" and len(prediction) - 1 not in dropped:
        dropped.add(len(prediction) - 1)
    kept = [token for place, token in enumerate(reference) if place not in closing]
    return kept, [token for place, token in enumerate(prediction) if place not in dropped]


def _incomplete(tokens: Sequence[str]) -> tuple[set[int], bool, bool]:
    """Places of bar lines that close incomplete measures; is the first measure one; do the tokens stop inside one."""
    closing: set[int] = set()
    meter: Fraction | None = None
    filled, first, upbeat, whole = Fraction(0), True, False, False
    for place, token in enumerate(tokens):
        element = element_of(token)
        if isinstance(element, TimeSignature):
            meter = element.quarters
        elif token.startswith("multirest-"):
            whole = True
        elif token == "barline":
            short = meter is not None and not whole and filled not in (0, meter)
            if short:
                closing.add(place)
            upbeat = upbeat or (first and short)
            first = first and not filled and not whole
            filled, whole = Fraction(0), False
        filled += _quarters(token)
    open_end = meter is not None and not whole and 0 < filled < meter
    return closing, upbeat, open_end


def _plain(token: str) -> str:
    """Meters in numbers, notes and rests without fermata and with their length in quarters."""
    if token.startswith("timeSignature-"):
        return {"timeSignature-C": "timeSignature-4/4", "timeSignature-C/": "timeSignature-2/2"}.get(token, token)
    quarters = _quarters(token)
    return f"{token.partition('_')[0] if token.startswith('note-') else 'rest-'}_{quarters}" if quarters else token


def _tied_together(tokens: list[str]) -> list[str]:
    joined: list[str] = []
    tied = False
    for token in tokens:
        here, before = _LENGTH.fullmatch(token), _LENGTH.fullmatch(joined[-2]) if tied else None
        if here and before and here[1] == before[1]:
            joined[-2:] = [f"{here[1]}{Fraction(before[2]) + Fraction(here[2])}"]
        else:
            joined.append(token)
        tied = token == "tie" and len(joined) > 1
    return joined


def _rests_together(tokens: list[str]) -> list[str]:
    joined: list[str] = []
    for token in tokens:
        here, before = _LENGTH.fullmatch(token), _LENGTH.fullmatch(joined[-1]) if joined else None
        if here and before and here[1] == before[1] == "rest-_":
            joined[-1] = f"rest-_{Fraction(before[2]) + Fraction(here[2])}"
        else:
            joined.append(token)
    return joined
