"""A score that plays: engraved for wide and for narrow screens, with what sounds and where the cursor goes."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator

from hfmusic.render.engrave_lines import engrave_lines
from hfmusic.symbolic.beaming import with_beams
from hfmusic.symbolic.mei import write_mei
from hfmusic.symbolic.midi import sounding_notes
from hfmusic.symbolic.score import MultiRest, Note, Rest, Score, TimeSignature

# Of the lines, for a screen and for a telephone: units of `engrave_lines`.
WIDTHS = (2000, 780)
MOST_SYMBOLS = 4000
_TEMPO, _SLOWEST, _FASTEST = 100.0, 30, 240
_NOTHING = '<div class="hfm-player hfm-empty"></div>'


def player(score: Score, *, tempo: float | None = None) -> str:
    """HTML of the engraved score with a button to play it; the script in `hfmusic.demo.theme.head` does the rest.

    Nothing that the score says stands in it as markup: it is our own engraving, and numbers.

    Args:
        tempo: quarters a minute to begin with; 100 by default. The page has a slider from 30 to 240.

    Raises:
        ValueError: music that cannot be engraved, or more than 4000 symbols of it.
    """
    if not score.elements:
        return _NOTHING
    if len(score.elements) > MOST_SYMBOLS:
        raise ValueError(f"the music has {len(score.elements)} symbols; at most {MOST_SYMBOLS} are shown")
    wide, narrow = engrave_lines(write_mei(with_beams(score)), WIDTHS)
    pace = round(min(max(tempo or _TEMPO, _SLOWEST), _FASTEST))
    plan = html.escape(json.dumps(plan_of(score), separators=(",", ":")), quote=True)
    return (
        f'<div class="hfm-player" data-plan="{plan}"><div class="hfm-bar">'
        '<button type="button" class="hfm-play">▶ Play</button>'
        f'<label>Tempo <input type="range" class="hfm-tempo" min="{_SLOWEST}" max="{_FASTEST}" value="{pace}">'
        f"♩ = <output>{pace}</output></label></div>"
        f'<div class="hfm-paper"><div class="hfm-wide">{wide}</div><div class="hfm-narrow">{narrow}</div>'
        '<div class="hfm-cursor" hidden></div></div></div>'
    )


def plan_of(score: Score) -> dict[str, object]:
    """What sounds and where the cursor is, in quarter notes.

    `sounds`: [onset, length, MIDI pitch] each; `moments`: [onset, id of the symbol in the engraving]; `end`.

    >>> from hfmusic.symbolic.semantic import read_semantic
    >>> plan_of(read_semantic("clef-G2 note-A4_half tie barline note-A4_half rest-half"))
    {'sounds': [[0.0, 4.0, 69]], 'moments': [[0.0, 'n1'], [2.0, 'n3'], [4.0, 'n4']], 'end': 6.0}
    """
    moments = list(_moments(score))
    sounds = [[float(onset), float(offset - onset), pitch] for onset, offset, pitch in sounding_notes(score)]
    return {"sounds": sounds, "moments": [list(moment[:2]) for moment in moments], "end": _end(moments)}


def _moments(score: Score) -> Iterator[tuple[float, str, float]]:
    """(onset, id, length) of each note and rest; grace notes have no time."""
    now, measure = 0.0, 4.0
    for index, element in enumerate(score.elements):
        length = 0.0
        if isinstance(element, TimeSignature):
            measure = float(element.quarters)
        elif isinstance(element, MultiRest):
            length = measure * element.measures
        elif isinstance(element, Note | Rest):
            length = float(element.quarters)
        if length:
            yield now, f"n{index}", length
        now += length


def _end(moments: list[tuple[float, str, float]]) -> float:
    return moments[-1][0] + moments[-1][2] if moments else 0.0
