"""Long recordings: windows that begin with a measure, and their readings joined.

A model knows music that begins with a clef and a measure. So each window begins at a bar line that the one before has
read, where the next note's onset is; what lies after it has been read twice, and the second reading counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hfmusic.hearing.barlines import meter_place, rebarred, signs_at_start, upbeat
from hfmusic.hearing.ear import Ear, Heard
from hfmusic.hearing.loudness import Loudness
from hfmusic.hearing.onsets import Onsets
from hfmusic.hearing.timing import fit_onsets, full_measures, read_notes
from hfmusic.models.audio_reading import Sound
from hfmusic.symbolic.score import Clef, KeySignature, TimeSignature
from hfmusic.symbolic.semantic import element_of

WINDOW_SECONDS = 20.0  # at the tempo of training; slower music gets longer windows
LONGEST_WHOLE = 1.4  # windows: music up to this long is read at once
_CUT_FROM, _CUT_TO = 0.55, 0.92  # of a window: where the next one may begin
_BEFORE_ONSET = 0.04  # seconds
_TRUSTED = 0.5  # share of notes on onsets from which a reading's times are used
_DRIFT = 0.08  # how far the tempo may move from one window to the next


@dataclass(frozen=True)
class _Cut:
    """Tokens before `token` are kept; the next window begins `seconds` after this one did."""

    token: int
    seconds: float


def read_windows(
    sound: Sound, ear: Ear, span: tuple[float, float], tempo: float, levels: Loudness, *, follow: bool = True
) -> Iterator[tuple[Heard, float]]:
    """Readings of a part of a recording, window after window, times in seconds of the recording, and how far it is.

    Args:
        span: (start, end) in seconds.
        tempo: quarters a minute; with `follow` each window's tempo moves a little with the notes it turns out to have.
    """
    start, end = span
    first = tempo
    while start < end:
        length = WINDOW_SECONDS * 120.0 / tempo
        if end - start <= LONGEST_WHOLE * length:
            yield ear.read(sound.window(start, end), tempo).shifted(start), end
            return
        samples = sound.window(start, start + length)
        heard = ear.read(samples, tempo)
        onsets = ear.onsets(samples)
        cut, found = _cut_at_note(heard, onsets, levels, start, length)
        if cut is None:
            cut = _cut_anywhere(heard, levels, start, length)
        yield heard.shifted(start, last=cut.token), start + cut.seconds
        start += cut.seconds
        if follow and abs(found / tempo - 1) <= _DRIFT and abs(found / first - 1) <= 3 * _DRIFT:
            tempo = found


def _cut_at_note(
    heard: Heard, onsets: Onsets, levels: Loudness, start: float, length: float
) -> tuple[_Cut | None, float]:
    """Before a note that begins a measure, at the bar line read most surely, else before the note after the quietest
    moment; and the tempo that the notes have. No cut where notes do not lie on onsets."""
    notes = read_notes(heard.tokens)
    fit = fit_onsets(notes.quarters, onsets.times, heard.tempo)
    if fit.share < _TRUSTED:
        return None, heard.tempo
    cuts: list[tuple[tuple[bool, float], _Cut]] = []
    for token, onset in zip(notes.tokens, fit.seconds, strict=True):
        if not _CUT_FROM * length <= onset <= _CUT_TO * length:  # nan neither
            continue
        before = token
        while before > 0 and isinstance(element_of(heard.tokens[before - 1]), Clef | KeySignature | TimeSignature):
            before -= 1
        seconds = max(0.1, float(onset) - _BEFORE_ONSET)
        if before > 0 and heard.tokens[before - 1] == "barline":
            sure = float(np.mean(heard.confidences[max(0, before - 4) : before + 3]))
            cuts.append(((True, sure), _Cut(before, seconds)))
        else:
            cuts.append(((False, -levels.at(start + seconds)), _Cut(token, seconds)))
    return max(cuts, key=lambda entry: entry[0])[1] if cuts else None, fit.tempo


def _cut_anywhere(heard: Heard, levels: Loudness, start: float, length: float) -> _Cut:
    """Where it is quietest; what was read before that moment is kept."""
    seconds = levels.quietest(start + _CUT_FROM * length, start + _CUT_TO * length) - start
    token = sum((begin + end) / 2 < seconds for begin, end in heard.spans)
    return _Cut(token, seconds)


def joined(readings: Sequence[Heard]) -> Heard:
    """One reading of several in a row: clef and key of the first; none where a later one begins.

    The meter is the one that most of them speak for; those that read another get new bar lines. The tempo is their
    median.

    Raises:
        ValueError: no readings.
    """
    if not readings:
        raise ValueError("at least one reading is needed, got none")
    meter = _common_meter(readings)
    tokens: list[str] = []
    confidences: list[float] = []
    spans: list[tuple[float, float]] = []
    for heard in readings:
        heard = _in_meter(heard, meter, first=not tokens)
        skip = signs_at_start(heard.tokens) if tokens else 0
        skip += bool(tokens and tokens[-1] in ("barline", "tie") and heard.tokens[skip : skip + 1] == ("barline",))
        tokens += heard.tokens[skip:]
        confidences += heard.confidences[skip:]
        spans += heard.spans[skip:]
    tempo = float(np.median([heard.tempo for heard in readings]))
    return Heard(tuple(tokens), tuple(confidences), tuple(spans), tempo)


def _common_meter(readings: Sequence[Heard]) -> str | None:
    """Each reading counts by its length, its confidence and the share of its measures that are full."""
    votes: dict[str, float] = {}
    for heard in readings:
        place, full = meter_place(heard.tokens), full_measures(heard.tokens)
        if place is not None:
            weight = heard.confidences[place] * (0.1 + (0.4 if full is None else full)) * len(heard.tokens)
            votes[heard.tokens[place]] = votes.get(heard.tokens[place], 0.0) + weight
    return max(votes, key=lambda meter: votes[meter]) if votes else None


def _in_meter(heard: Heard, meter: str | None, *, first: bool) -> Heard:
    """A reading whose meter lasts as long as `meter` as it is, others with new bar lines."""
    place = meter_place(heard.tokens)
    if place is None or meter is None or heard.tokens[place] == meter:
        return heard
    own, wanted = element_of(heard.tokens[place]), element_of(meter)
    assert isinstance(own, TimeSignature) and isinstance(wanted, TimeSignature)
    tokens = (*heard.tokens[:place], meter, *heard.tokens[place + 1 :])
    heard = Heard(tokens, heard.confidences, heard.spans, heard.tempo)
    if own.quarters == wanted.quarters:
        return heard
    return rebarred(heard, place, upbeat(heard, own.quarters) if first else Fraction(0))
