"""Accidentals that no rule asks for: scribes and editors repeat them, most of all where bar lines are few."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hfmusic.symbolic.score import Element, KeySignature, Note, Score


def with_courtesy_accidentals(score: Score, rng: np.random.Generator, *, share: float = 0.25) -> Score:
    """In a `share` of scores, some notes draw an accidental that key and measure do not ask for.

    Marked are notes that differ from the key signature, and notes back in the key after one of their step that was not.
    What the notes sound like, and the semantic text, stay.
    """
    if rng.random() >= share:
        return score
    often = rng.uniform(0.2, 1.0)
    key, tied = KeySignature(0), False
    altered: dict[str, bool] = {}
    elements: list[Element] = []
    for element in score.elements:
        if isinstance(element, KeySignature):
            key, altered = element, {}
        elif isinstance(element, Note):
            step, before = element.pitch.step, altered.get(element.pitch.step, False)
            altered[step] = element.pitch.alter != key.alter_of(step)
            courtesy = (altered[step] or before) and not tied and rng.random() < often
            tied = element.tie
            element = replace(element, courtesy=bool(courtesy))
        elements.append(element)
    return Score(tuple(elements))
