"""Accidentals that no rule asks for: scribes and editors repeat them, most of all where bar lines are few."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hfmusic.symbolic.score import KeySignature, Note, Score


def with_courtesy_accidentals(score: Score, rng: np.random.Generator, *, share: float = 0.25) -> Score:
    """In a `share` of scores, some notes draw an accidental again that an earlier note of the measure had drawn.

    Only notes that differ from the key signature are marked: what the notes sound like, and the semantic text, stay.
    """
    if rng.random() >= share:
        return score
    often = rng.uniform(0.2, 1.0)
    key, tied, elements = KeySignature(0), False, []
    for element in score.elements:
        if isinstance(element, KeySignature):
            key = element
        elif isinstance(element, Note):
            altered = element.pitch.alter != key.alter_of(element.pitch.step)
            if altered and not tied and rng.random() < often:
                elements.append(replace(element, courtesy=True))
                tied = element.tie
                continue
            tied = element.tie
        elements.append(element)
    return Score(tuple(elements))
