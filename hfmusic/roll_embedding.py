"""A space of piano rolls and sound as an `Embedder`: MIDI and recordings, looked up among MIDI files and scores."""

from __future__ import annotations

import numpy as np

from hfmusic.data.rolls import STEPS_PER_BEAT, RollPiece
from hfmusic.hearing.beat_grid import beat_times, step_times
from hfmusic.hearing.roll_space import RollSpace, on_grid
from hfmusic.models.audio_reading import Sound
from hfmusic.render.sheet import Sheet, SheetRow, unroll
from hfmusic.retrieval.identify import Confidence
from hfmusic.retrieval.score_time import ScoreTime
from hfmusic.scores import Played
from hfmusic.symbolic.beat_map import BeatMap
from hfmusic.symbolic.performance import PerformedNote

_ROW_HEIGHT = 200


class RollEmbedder:
    """Windows of `space.steps` around moments, see `hfmusic.embedding.Embedder`.

    A recording's windows last as long as its beats, which are tracked in all of it: some seconds of one are found as
    well as their beats are.
    """

    def __init__(self, space: RollSpace) -> None:
        self.space, self.name, self.fingerprint = space, space.name, space.fingerprint
        self.confidence = Confidence()

    def row(self, sheet: Sheet) -> SheetRow:
        """What pictures of matches are cut from."""
        return unroll(sheet, height=_ROW_HEIGHT)

    def sound(self, sound: Sound, seconds: np.ndarray) -> np.ndarray:
        """Of the windows around moments (n,) of a recording at the space's rate."""
        samples = sound.window(0, None)
        grid = on_grid(step_times(beat_times(samples, self.space.sampling_rate), STEPS_PER_BEAT))
        return self.space.excerpts(self.space.listen(samples), grid, self._starts(grid, seconds))

    def notes(self, music: Played, seconds: np.ndarray) -> np.ndarray:
        """Of what is played around moments (n,) of MIDI."""
        from hfmusic.roll_index import played_on_grid

        grid = played_on_grid("", music)
        return self.space.rolls(grid, self._starts(grid, seconds))

    def score(self, sheet: Sheet, row: SheetRow, time: ScoreTime) -> np.ndarray:
        """Of what is written around the onsets of a sheet."""
        notes = [PerformedNote(note.onset_seconds, note.offset_seconds, note.pitch_midi) for note in sheet.notes]
        quarters, seconds = np.append(time.quarters, time.end_quarter), np.append(time.seconds, time.end_seconds)
        return self.notes(Played(notes, BeatMap(quarters, seconds)), time.seconds)

    def _starts(self, grid: RollPiece, seconds: np.ndarray) -> np.ndarray:
        steps = np.interp(seconds, grid.step_seconds, np.arange(len(grid.step_seconds)))
        return np.rint(steps).astype(np.int64) - self.space.steps // 2
