"""Staves that show the rare signs of the PrIMuS vocabulary as often as the common ones, for training."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache

from hfmusic.symbolic.score import (
    Barline,
    Clef,
    Element,
    KeySignature,
    Note,
    TimeSignature,
)
from hfmusic.symbolic.semantic import read_semantic
from hfmusic.symbolic.vocabulary import load_vocabulary


@cache
def _tokens_by_kind() -> dict[str, tuple[str, ...]]:
    kinds: dict[str, list[str]] = {}
    for token in load_vocabulary("semantic").tokens:
        kinds.setdefault(token.split("-")[0], []).append(token)
    return {kind: tuple(tokens) for kind, tokens in kinds.items()}


@cache
def _element(token: str) -> Element:
    return read_semantic([token]).elements[0]


@cache
def _fitting(kind: str, clef: Clef, margin: int) -> tuple[Note, ...]:
    """Notes of the vocabulary that stand within `margin` places of the staff under a clef."""
    notes = [_element(token) for token in _tokens_by_kind()[kind]]
    low = clef.bottom_line_diatonic - margin
    return tuple(n for n in notes if isinstance(n, Note) and low <= n.pitch.diatonic <= low + 8 + 2 * margin)


@cache
def _homes() -> dict[Note, tuple[Clef, ...]]:
    """For every note of the vocabulary, the clefs that write it with few ledger lines."""
    clefs = [c for c in map(_element, _tokens_by_kind()["clef"]) if isinstance(c, Clef)]
    homes = {}
    for kind in ("note", "gracenote"):
        for token in _tokens_by_kind()[kind]:
            note = _element(token)
            assert isinstance(note, Note)
            far = {clef: abs(note.pitch.diatonic - clef.bottom_line_diatonic - 4) for clef in clefs}
            near = [clef for clef in clefs if far[clef] <= 9]
            homes[note] = tuple(near or [min(clefs, key=far.__getitem__)])
    return homes


def flat_staff(rng: random.Random) -> list[Element]:
    """A staff that shows rare signs as often as common ones; its measures need not add up."""
    rare: Note = rng.choice(list(_homes()))
    clef = rng.choice(_homes()[rare])
    if rng.random() < 0.4 and Clef("G", 2) in _homes()[rare]:
        clef = Clef("G", 2)
    kinds = _tokens_by_kind()
    elements: list[Element] = [clef]
    if rng.random() < 0.85:
        elements.append(_element(rng.choice(kinds["keySignature"])))
    if rng.random() < 0.85:
        elements.append(_element(rng.choice(kinds["timeSignature"])))
    body: list[Element] = []
    goal = rng.randint(5, 22)
    margin = rng.choice((1, 3, 5, 6))
    fermatas = rng.random() < 0.4
    notes = tuple(note for note in _fitting("note", clef, margin) if fermatas or not note.fermata)
    graces = _fitting("gracenote", clef, margin)
    repeat = rng.choice((0.0, 0.2, 0.4))
    while len(body) < goal:
        chance = rng.random()
        if chance < 0.09:
            body.append(_element(rng.choice(kinds["rest"])))
        elif chance < 0.14 and graces:
            body.append(rng.choice(graces))
        elif chance < 0.17:
            body += [_element(rng.choice(kinds["multirest"])), Barline()]
        elif chance < 0.29 and body and not isinstance(body[-1], Barline):
            body.append(Barline())
        elif chance < 0.30 and body and isinstance(body[-1], Barline):
            body.append(_element(rng.choice(kinds[rng.choice(("keySignature", "timeSignature"))])))
        else:
            body += _flat_note(rng, notes, body, repeat)
    for note in (rare, *rng.choices(_near(rare.pitch.diatonic, rare.grace), k=3)):
        body.insert(rng.randrange(len(body) + 1), note)
    while isinstance(body[-1], (KeySignature, TimeSignature)):
        body.pop()
    return elements + body


@cache
def _near(diatonic: int, grace: bool) -> tuple[Note, ...]:
    """Notes of the vocabulary within a fifth of a pitch: they stand well under the same clef."""
    return tuple(n for n in _homes() if abs(n.pitch.diatonic - diatonic) <= 4 and n.grace == grace)


def _flat_note(rng: random.Random, notes: tuple[Note, ...], body: list[Element], repeat: float) -> list[Element]:
    """One or two notes of the vocabulary; now and then an earlier pitch again, or a tie."""
    note = rng.choice(notes)
    before = [e for e in body[-6:] if isinstance(e, Note)]
    if before and rng.random() < repeat:
        again = replace(note, pitch=rng.choice(before).pitch)
        note = again if again in _homes() else replace(rng.choice(before), tie=False)
    if rng.random() < 0.06 and not note.grace:
        return [replace(note, tie=True), note]
    return [note]
