"""What an embedding makes of a split of renditions on a grid of beats: vectors of windows of their rolls and sounds.

Candidates are rolls that differ from each other: a roll that comes again, in another rendition or in the same piece, is
one candidate, found by the sound of its first place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hfmusic.data.rolls import STEPS_PER_BEAT, RollGeometry, RollPiece, read_rolls, roll_numbers, roll_of, windows
from hfmusic.embed_pairs import evenly
from hfmusic.hearing.roll_space import RollSpace, on_grid


@dataclass(frozen=True)
class RollBase:
    """All different rolls of a split, in its order.

    Attributes:
        score: float32 (M, d).
        rolls: uint8 (M, bytes), as those of `RollPairs`.
        places: (N,), which of them the candidates are.
    """

    score: np.ndarray
    rolls: np.ndarray
    places: np.ndarray


@dataclass(frozen=True)
class RollPairs:
    """Windows whose rolls all differ, row i of all arrays of the same.

    Attributes:
        audio, score: float32 (N, d).
        rolls: uint8 (N, bytes), whether each of 128 keys sounds at each step, packed (`numpy.packbits`).
        works, composers: names, (N,).
        windows, unique: how many the split has in which something sounds, and how many rolls there are among them.
        base: all of these rolls, where they were asked for.
    """

    audio: np.ndarray
    score: np.ndarray
    rolls: np.ndarray
    works: np.ndarray
    composers: np.ndarray
    windows: int
    unique: int
    base: RollBase | None = None


@dataclass
class _Parts:
    """What `RollPairs` is joined of, piece by piece."""

    audio: list[np.ndarray] = field(default_factory=list)
    score: list[np.ndarray] = field(default_factory=list)
    rolls: list[np.ndarray] = field(default_factory=list)
    works: list[str] = field(default_factory=list)
    composers: list[str] = field(default_factory=list)


def geometry_of(space: RollSpace) -> RollGeometry:
    """The windows of a space; their spectra are its own business.

    >>> from hfmusic.hearing.roll_space import KeysSpace
    >>> geometry_of(KeysSpace()).beats
    2
    """
    return RollGeometry(beats=space.steps // STEPS_PER_BEAT, steps_per_beat=STEPS_PER_BEAT)


def embed_rolls(
    space: RollSpace,
    data: str | Path,
    split: str = "test",
    *,
    n: int | None = None,
    first_step: int = 0,
    whole: bool = False,
) -> RollPairs:
    """Embed `n` different rolls of a split, evenly spread over it (None: all), and the sounds they stand for.

    Args:
        first_step: of each piece; 1: windows that begin between those that a training has seen of it.
        whole: the rolls of all others too, as a base to search in.

    Raises:
        ValueError: no such data, a damaged rendition, or no roll in which something sounds.
    """
    from tqdm.auto import tqdm

    places, total = _different(data, split, geometry_of(space), first_step)
    chosen = evenly(len(places), n)
    if not len(chosen):
        raise ValueError(f"{data} has no roll in which something sounds in split {split!r}")
    starts = _by_rendition(places[at] for at in chosen.tolist())
    others = _by_rendition(places) if whole else {}
    parts, base = _Parts(), _Parts()
    bar = tqdm(total=len(starts), desc="embedding", unit="rendition", disable=None)
    for number, piece in enumerate(read_rolls(data, split)):
        if number in others:
            _embed_rolls(space, piece, others[number], base)
        if number in starts:
            _embed(space, piece, starts[number], parts)
            bar.update()
    bar.close()
    return RollPairs(
        audio=np.concatenate(parts.audio),
        score=np.concatenate(parts.score),
        rolls=np.concatenate(parts.rolls),
        works=np.array(parts.works),
        composers=np.array(parts.composers),
        windows=total,
        unique=len(places),
        base=RollBase(np.concatenate(base.score), np.concatenate(base.rolls), chosen) if whole else None,
    )


def _by_rendition(places: Iterable[tuple[int, int]]) -> dict[int, np.ndarray]:
    starts: dict[int, list[int]] = {}
    for number, start in places:
        starts.setdefault(number, []).append(start)
    return {number: np.array(steps, np.int64) for number, steps in starts.items()}


def _different(
    data: str | Path, split: str, geometry: RollGeometry, first_step: int
) -> tuple[list[tuple[int, int]], int]:
    """(rendition, step) of each roll where it comes first, and how many windows there are."""
    silence = roll_numbers(on_grid(np.arange(2.0)), np.zeros(1, np.int64), geometry)
    seen, total = set(silence.tolist()), 0
    places = []
    for number, piece in enumerate(read_rolls(data, split)):
        starts = first_step + windows(piece, geometry)
        total += len(starts)
        for start, roll in zip(starts.tolist(), roll_numbers(piece, starts, geometry).tolist(), strict=True):
            if roll not in seen:
                seen.add(roll)
                places.append((number, start))
    return places, total


def _embed(space: RollSpace, piece: RollPiece, starts: np.ndarray, parts: _Parts) -> None:
    from hfmusic.models.audio_reading import open_sound

    sound = open_sound(piece.audio, sampling_rate=space.sampling_rate, name=piece.id)
    parts.audio.append(space.excerpts(space.listen(sound), piece, starts))
    parts.works += [piece.work] * len(starts)
    parts.composers += [piece.composer] * len(starts)
    _embed_rolls(space, piece, starts, parts)


def _embed_rolls(space: RollSpace, piece: RollPiece, starts: np.ndarray, parts: _Parts) -> None:
    parts.score.append(space.rolls(piece, starts))
    parts.rolls.append(np.stack(list(_packed(piece, starts, space.steps))))


def _packed(piece: RollPiece, starts: np.ndarray, steps: int) -> Iterator[np.ndarray]:
    for start in starts.tolist():
        yield np.packbits(roll_of(piece.notes, start, steps) > 0)
