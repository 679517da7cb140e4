"""Bar lines of what was heard: an ear without accents to go by may miss many of them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from hfmusic.hearing.ear import Heard
from hfmusic.symbolic.barring import rebar
from hfmusic.symbolic.score import Clef, KeySignature, MultiRest, Note, Rest, TimeSignature
from hfmusic.symbolic.semantic import element_of

_REGULAR = 0.5  # share of the music in full measures below which bar lines are set anew


def signs_at_start(tokens: Sequence[str]) -> int:
    """How many clefs, keys and meters the tokens begin with."""
    signs = 0
    while signs < len(tokens) and isinstance(element_of(tokens[signs]), Clef | KeySignature | TimeSignature):
        signs += 1
    return signs


def meter_place(tokens: Sequence[str]) -> int | None:
    """Place of the meter among the signs that the tokens begin with."""
    signs = range(signs_at_start(tokens))
    return next((place for place in signs if tokens[place].startswith("timeSignature-")), None)


def readable(heard: Heard) -> Heard:
    """The same music with a bar line after each measure of its meter, if most of it does not lie in full measures.

    The first bar line goes where most of those that were heard fall into place.
    """
    place = meter_place(heard.tokens)
    if place is None or any(isinstance(element_of(token), MultiRest) for token in heard.tokens):
        return heard
    meter = element_of(heard.tokens[place])
    assert isinstance(meter, TimeSignature)
    if _share_in_full_measures(heard.tokens, meter.quarters) >= _REGULAR:
        return heard
    return rebarred(heard, place, upbeat(heard, meter.quarters))


def rebarred(heard: Heard, place: int, upbeat: Fraction) -> Heard:
    """With bar lines by the meter that stands at `place`, the first after `upbeat` quarters (0: after a measure)."""
    meter = element_of(heard.tokens[place])
    assert isinstance(meter, TimeSignature)
    begin = place + 1
    music = [(token, at + begin) for token, at in rebar(heard.tokens[begin:], meter.quarters, upbeat)]
    new = [*((token, at) for at, token in enumerate(heard.tokens[:begin])), *music]
    confidences = tuple(heard.confidences[at] for _, at in new)
    return Heard(tuple(token for token, _ in new), confidences, tuple(heard.spans[at] for _, at in new), heard.tempo)


def upbeat(heard: Heard, measure: Fraction) -> Fraction:
    """Quarters before the first bar line, less than a measure, with which the surest bar lines stay where they are."""
    votes: dict[Fraction, float] = {}
    now = Fraction(0)
    for token, sure in zip(heard.tokens, heard.confidences, strict=True):
        element = element_of(token)
        if token == "barline":
            votes[now % measure] = votes.get(now % measure, 0.0) + sure
        elif isinstance(element, Note | Rest):
            now += element.quarters
    return max(votes, key=lambda at: votes[at]) if votes else Fraction(0)


def _share_in_full_measures(tokens: Sequence[str], measure: Fraction) -> float:
    """Of all quarters; the first and the last measure count as full if they are not too long."""
    measures = [Fraction(0)]
    for token in tokens:
        element = element_of(token)
        if token == "barline":
            measures.append(Fraction(0))
        elif isinstance(element, Note | Rest):
            measures[-1] += element.quarters
    ends = (0, len(measures) - 1)
    full = sum(
        length for place, length in enumerate(measures) if length == measure or (place in ends and length < measure)
    )
    return float(full / sum(measures)) if sum(measures) else 1.0
