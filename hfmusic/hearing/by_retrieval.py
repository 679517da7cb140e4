"""Transcription by retrieval (paper 004): windows of a recording are looked up among rolls, and those found are joined.

The recording is laid on a grid of beats, the grid whose windows find the nearest rolls. Each roll that was found is put
where the window was that it is most like; at each step the best of those that are there vote, and count by how like
they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from hfmusic.data.rolls import STEPS_PER_BEAT, RollPiece
from hfmusic.hearing.beat_grid import RIVALS, beat_times, step_times
from hfmusic.hearing.roll_space import RollSpace, on_grid
from hfmusic.hearing.roll_votes import RollVotes
from hfmusic.retrieval.index import SnippetIndex
from hfmusic.retrieval.roll_rows import PITCHES, beginnings, velocities, window_of
from hfmusic.symbolic.performance import PerformedNote

NEIGHBOURS = 5
VOTERS = 8  # this and the share were chosen on four pieces of MAPS' synthesized pianos
SHARE = 0.3  # of the votes that a note needs
HOP = 2  # steps from one window to the next: those of an index begin at any of them
_APART = STEPS_PER_BEAT // 2  # steps: a roll that is found again so near is at one place
_BATCH = 256
_SHARPNESS = 0.04  # by so much less cosine a roll counts a third as much
_TRIED = 48  # windows by which a grid is judged


class Match(NamedTuple):
    """A roll, by its row in the index's places, that was found for the window that begins at step `start`."""

    similarity: float
    start: int
    place: int


class RetrievalTranscriber:
    """Hears notes as a `TranscriberProcessor` does, with an index of rolls instead of a network of notes.

    Args:
        index: what `hfmusic index --rolls` made.
        space: of the model that made it.
        tempo: quarters a minute; None: the beats are tracked.
        neighbours: rolls that each window asks.
        voters: rolls that vote at each step, of those that windows around it found: the most alike.

    Raises:
        ValueError: the index is of another model, or keeps no rolls.
    """

    modalities = ("audio",)

    def __init__(
        self,
        index: SnippetIndex,
        space: RollSpace,
        *,
        tempo: float | None = None,
        neighbours: int = NEIGHBOURS,
        voters: int = VOTERS,
    ) -> None:
        if index.fingerprint != space.fingerprint:
            raise ValueError(
                f"{index.folder}: an index of the model {index.model} ({index.fingerprint}), not of {space.name} "
                f"({space.fingerprint}); make one with `hfmusic index --rolls`"
            )
        if min(neighbours, voters) < 1:
            raise ValueError(f"at least one neighbour must be asked, and vote, got {min(neighbours, voters)}")
        self.index, self.space, self.tempo, self.neighbours, self.voters = index, space, tempo, neighbours, voters
        self.sampling_rate = space.sampling_rate
        self.name_or_path = str(index.folder)
        self._rows: dict[int, np.ndarray] = {}

    def transcribe(
        self,
        model: object,
        sound: np.ndarray,
        *,
        progress: Callable[[float], object] | None = None,
        **thresholds: float,
    ) -> list[PerformedNote]:
        """The notes of a recording (n,) at `sampling_rate`, by onset and pitch.

        Args:
            model: not asked; there for what calls all transcribers alike.
            progress: called with what is done, 0..1.
            thresholds: `onset_threshold`, `frame_threshold` (the share of the votes that a note needs, `SHARE`) and
                `minimum_seconds`.

        Raises:
            ValueError: the index keeps no rolls, or a threshold is out of range.
        """
        heard = self.space.listen(sound)
        grid = self._grid(heard, sound)
        steps, width = len(grid.step_seconds) - 1, self.space.steps
        starts = np.arange(HOP - width, steps, HOP)
        votes, found = RollVotes(steps), []
        for first in range(0, len(starts), _BATCH):
            some = starts[first : first + _BATCH]
            queries = self.space.excerpts(heard, grid, some)
            self._vote_for_silence(votes, some[np.linalg.norm(queries, axis=1) < 0.5])
            found += self._matches(queries, some)
            if progress is not None:
                progress((first + len(some)) / len(starts))
        asked = np.zeros(steps + 2 * width, np.int64)  # windows reach beyond the grid
        for match in best_of_each(found):  # the most alike come first: at each step the nearest rolls vote
            here = asked[match.start + width : match.start + 2 * width]
            free = here < self.voters
            here += free
            if free.any():
                self._vote(votes, match, free)
        return votes.notes(grid.step_seconds, **{"onset_threshold": SHARE, "frame_threshold": SHARE, **thresholds})

    def _grid(self, heard: object, sound: np.ndarray) -> RollPiece:
        """Of beats at the given tempo, or of those that the index knows the recording best by."""
        beats = beat_times(sound, self.sampling_rate, self.tempo)
        ratios = RIVALS if self.tempo is None else RIVALS[:1]
        grids = [on_grid(step_times(beats, STEPS_PER_BEAT, ratio)) for ratio in ratios]
        return grids[0] if len(grids) == 1 else max(grids, key=lambda grid: self._likeness(heard, grid))

    def _likeness(self, heard: object, grid: RollPiece) -> float:
        """The mean cosine of some windows to their nearest roll."""
        last = max(0, len(grid.step_seconds) - 1 - self.space.steps)
        queries = self.space.excerpts(heard, grid, np.unique(np.linspace(0, last, _TRIED).astype(int)))
        queries = queries[np.linalg.norm(queries, axis=1) > 0.5]
        return float(self.index.search(queries, 1)[0].mean()) if len(queries) else -1.0

    def _matches(self, queries: np.ndarray, starts: np.ndarray) -> list[Match]:
        """The rolls nearest to each window in which there is something to hear."""
        similarities, places = self.index.search(queries, self.neighbours)
        there = (places >= 0) & (np.linalg.norm(queries, axis=1) > 0.5)[:, None]
        rows = np.broadcast_to(starts[:, None], places.shape)[there].tolist()
        found = zip(similarities[there].tolist(), rows, places[there].tolist(), strict=True)
        return [Match(*one) for one in found]

    def _vote_for_silence(self, votes: RollVotes, starts: np.ndarray) -> None:
        nothing = np.zeros((128, self.space.steps), np.float32)
        for start in starts.tolist():
            votes.add(start, nothing, nothing, nothing)

    def _vote(self, votes: RollVotes, match: Match, counts: np.ndarray) -> None:
        """`counts` (steps,): where in the window it may."""
        row = self._row(int(self.index.places["piece"][match.place]))
        window = window_of(row, round(float(self.index.places["row_x"][match.place])), self.space.steps)
        weight = float(np.exp((match.similarity - 1) / _SHARPNESS))
        votes.add(match.start, window > 0, beginnings(window), velocities(window), weight * counts)

    def _row(self, number: int) -> np.ndarray:
        if number not in self._rows:
            row = self.index.row_picture(self.index.pieces[number])
            if row is None or len(row) != PITCHES:
                raise ValueError(f"{self.index.folder}: an index without rolls; make one with `hfmusic index --rolls`")
            self._rows[number] = row
        return self._rows[number]


def best_of_each(matches: Iterable[Match]) -> list[Match]:
    """Of the neighbouring windows that found a roll, the one that is most like it: it says where the roll belongs, to
    the step by a parabola through its likeness and those of the windows before and after.

    >>> found = [Match(0.75, 2, 7), Match(0.9, 4, 7), Match(0.85, 6, 7), Match(0.7, 4, 8), Match(0.8, 40, 7)]
    >>> [(one.start, one.place) for one in best_of_each(found)]
    [(4, 7), (40, 7), (4, 8)]
    """
    listed = list(matches)
    like = {(one.place, one.start): one.similarity for one in listed}
    kept: list[Match] = []
    taken: dict[int, list[int]] = {}
    for match in sorted(listed, key=lambda one: -one.similarity):
        near = taken.setdefault(match.place, [])
        if all(abs(match.start - start) >= _APART for start in near):
            near.append(match.start)
            before, after = (like.get((match.place, match.start + step)) for step in (-HOP, HOP))
            kept.append(match._replace(start=match.start + _towards(before, match.similarity, after)))
    return kept


def _towards(before: float | None, here: float, after: float | None) -> int:
    """Steps from the highest of three values to the top of the parabola through them."""
    if before is None or after is None or before + after >= 2 * here:
        return 0
    return round(HOP / 2 * (after - before) / (2 * here - before - after))
