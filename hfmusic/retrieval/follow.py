"""A recording followed in a score: passages of seconds of the recording against quarters of the score.

`follow_chroma` is the better way: chroma and beginnings of notes, a model's vectors added where there is one, several
scales, ends left free, jumps on demand. `follow_plain` is paper 003's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import chroma
from .dtw import PLAIN, Jumps, Path, warp
from .multiscale import chance_cost, warp_multiscale
from .score_time import ScoreTime

SKIP = 0.4  # of the cost of chance: what it costs to leave out a frame at an end; silence against a note costs 0.5
END_FRAMES = 10
JUMP_SECONDS = 6.0  # a jump costs as much as so long of what does not belong together
EMBEDDING_WEIGHT = 0.25  # of a model's squared distances beside those of chroma (of 0.05 to 3, on validation pieces)
SHEET_STEP, FRAME_STEP = 10, 2  # of the plain way: pixels, and frames of the spectrogram


@dataclass(frozen=True)
class Passage:
    """One way through (a part of) the score.

    Attributes:
        audio_seconds, quarters: float64 (n,), neither ever falls; straight in between.
    """

    audio_seconds: np.ndarray
    quarters: np.ndarray

    def seconds_at(self, quarters: np.ndarray) -> np.ndarray:
        """When quarters are played: the middle of the time that the passage stays there."""
        passed, place = np.unique(self.quarters, return_inverse=True)
        middles = np.bincount(place, self.audio_seconds) / np.bincount(place)
        return np.interp(quarters, passed, middles)

    def covers(self, quarters: np.ndarray) -> np.ndarray:
        """Which quarters it passes."""
        return (quarters >= self.quarters[0] - 1e-6) & (quarters <= self.quarters[-1] + 1e-6)


@dataclass(frozen=True)
class Followed:
    """Passages in the order in which they are played, and how well the recording fits them.

    Attributes:
        fit: 1 where both are alike, 0 where they are as far apart as what does not belong together; less where most
            of both is left out. By chroma, where there is chroma.
    """

    passages: list[Passage]
    fit: float


def follow_chroma(
    audio: np.ndarray,
    notes: np.ndarray,
    time: ScoreTime,
    *,
    whole: bool = False,
    jumps: bool = False,
) -> Followed:
    """Align `chroma.features` of a recording with those of a score's notes; a model's vectors may follow in both.

    Args:
        audio, notes: float32 (N, d) and (M, d), 25 frames a second.
        whole: the recording is of the whole score, from its first sample to its last.
        jumps: the player may leap from the end of a measure to the beginning of another: repeats, da capo, cuts.
    """
    path = warp_multiscale(
        audio,
        notes,
        shrink=chroma.shrink,
        skip=None if whole else SKIP,
        jumps=_leaps(time, len(notes)) if jumps else None,
    )
    pieces = path.pieces()
    reach = [(piece is pieces[0], piece is pieces[-1]) for piece in pieces]
    passages = [_passage(piece, time, *ends, len(audio), len(notes)) for piece, ends in zip(pieces, reach, strict=True)]
    heard, written = audio[:, : chroma.SIZE], notes[:, : chroma.SIZE]  # vectors are of how a score looks, too
    apart = heard[path.rows] - written[path.columns]
    mean = float(np.einsum("nd,nd->n", apart, apart).mean())
    return Followed(passages, _covered(path, heard, written) * (1 - mean / max(chance_cost(heard, written), 1e-9)))


def _covered(path: Path, audio: np.ndarray, notes: np.ndarray) -> float:
    """The share of what sounds in the recording or the score, whichever is larger, that is not left out at the ends.

    Of what does not belong together a few bars are alike, and the rest is left out.
    """
    shares = []
    for cells, features in ((path.rows, audio), (path.columns, notes)):
        sounds = np.abs(features[:, :12]).max(axis=1) > 0
        shares.append(float(sounds[cells.min() : cells.max() + 1].sum()) / max(1, int(sounds.sum())))
    return max(shares)


def _leaps(time: ScoreTime, frames: int) -> Jumps | None:
    begins, ends = (np.clip(np.round(at * chroma.FRAME_RATE), 0, frames - 1).astype(int) for at in time.bar_seconds())
    if len(begins) < 2:
        return None
    return Jumps(np.maximum(ends - 1, 0), begins, JUMP_SECONDS * chroma.FRAME_RATE)


def _passage(piece: Path, time: ScoreTime, first: bool, last: bool, height: int, width: int) -> Passage:
    """A column that stays for several rows is one point, at their middle.

    Free ends cost a path its first and last frames: the first and the last passage go on for a little.
    """
    columns, place = np.unique(piece.columns, return_inverse=True)
    rows = np.bincount(place, piece.rows) / np.bincount(place)
    rows[0], rows[-1] = piece.rows[place == 0].max(), piece.rows[place == len(columns) - 1].min()  # silence stays there
    pace = (rows[-1] - rows[0]) / max(1, columns[-1] - columns[0])
    if first:
        more = min(END_FRAMES, int(columns[0]), int(rows[0] / max(pace, 1e-9)))
        columns, rows = np.append(columns[0] - more, columns), np.append(rows[0] - more * pace, rows)
    if last:
        more = min(END_FRAMES, width - 1 - int(columns[-1]), int((height - 1 - rows[-1]) / max(pace, 1e-9)))
        columns, rows = np.append(columns, columns[-1] + more), np.append(rows, rows[-1] + more * pace)
    return Passage(rows / chroma.FRAME_RATE, time.quarter_at(columns / chroma.FRAME_RATE))


def with_vectors(features: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Chroma with a model's unit vectors (N, d) of the same frames behind it."""
    return np.concatenate([features, np.float32(EMBEDDING_WEIGHT**0.5) * vectors], axis=1).astype(np.float32)


def between(vectors: np.ndarray, places: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Unit vectors at places between those that were computed: float32 (len(wanted), d).

    >>> between(np.eye(2), np.array([0.0, 1.0]), np.array([0.0, 0.5])).astype(float).round(2).tolist()
    [[1.0, 0.0], [0.71, 0.71]]
    """
    at = np.interp(wanted, places, np.arange(len(places)))
    left = np.minimum(at.astype(int), len(places) - 1)
    right, share = np.minimum(left + 1, len(places) - 1), (at - left)[:, None]
    mixed = (1 - share) * vectors[left] + share * vectors[right]
    return np.asarray(mixed / np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-9), np.float32)


def follow_plain(
    audio: np.ndarray,
    audio_seconds: np.ndarray,
    sheet: np.ndarray,
    sheet_xs: np.ndarray,
    onset_xs: np.ndarray,
    time: ScoreTime,
) -> Followed:
    """Paper 003's way: plain warping through cosine distances; of each excerpt the first snippet on the path.

    Args:
        audio, sheet: unit vectors (N, d) of excerpts and (M, d) of snippets.
        audio_seconds: (N,) their middles.
        sheet_xs: (M,) their middles in the unrolled row.
        onset_xs: where the onsets of `time` are in the row.

    Raises:
        ValueError: more than 400 million cells: take the better way.
    """
    path = warp(audio, sheet, steps=PLAIN)
    rows, first = np.unique(path.rows, return_index=True)
    order = np.maximum.accumulate(onset_xs)
    quarters = np.interp(sheet_xs[path.columns[first]], order, time.quarters)
    return Followed([Passage(audio_seconds[rows], quarters)], 1 - path.mean / max(chance_cost(audio, sheet), 1e-9))
