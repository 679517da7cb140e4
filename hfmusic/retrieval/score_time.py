"""A sheet as time: where each quarter is on its pages, in which measure, and when it would sound."""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

import numpy as np

from hfmusic.render.sheet import Measure, Sheet

_SAME = 1e-4  # quarters


class Place(NamedTuple):
    """Where a moment of the score is.

    Attributes:
        measure: its number, "" where the score has none.
        beat: quarters since the measure began, and 1.
        page: from 0. system: from 0, through all pages.
        x: pixels of the page.
    """

    measure: str
    beat: float
    page: int
    system: int
    x: float


class ScoreTime:
    """The onsets of a sheet, each once, and what lies between them.

    Attributes:
        quarters, seconds: float64 (n,), ascending; seconds of the sheet.
        xs: of the first notehead of each, in pixels of its page.
        systems: of each.

    Raises:
        ValueError: a sheet without notes.
    """

    def __init__(self, sheet: Sheet) -> None:
        if not sheet.notes:
            raise ValueError("a score without notes")
        self._systems_of_sheet = sheet.systems
        self._measures = _whole(sheet.measures)
        self._begins = [measure.onset_quarters for measure in self._measures]
        firsts = {round(note.onset_quarters / _SAME): note for note in reversed(sheet.notes)}
        notes = [firsts[key] for key in sorted(firsts)]
        self.quarters = np.array([note.onset_quarters for note in notes])
        self.seconds = np.maximum.accumulate([note.onset_seconds for note in notes])
        self.xs = np.array([note.x for note in notes])
        self.systems = np.array([note.system for note in notes])
        self.end_seconds = max(note.offset_seconds for note in sheet.notes)
        self.end_quarter = self._end_quarter()

    def _end_quarter(self) -> float:
        """Where the music ends: the last measure's end, or the last onset."""
        ends = [measure.onset_quarters + measure.beats for measure in self._measures[-1:]]
        return max([float(self.quarters[-1]), *ends])

    @property
    def measures(self) -> list[tuple[str, float]]:
        """(number, quarter at which it begins) of each, parts of one measure joined."""
        return [(measure.number, measure.onset_quarters) for measure in self._measures]

    def bar_seconds(self) -> tuple[np.ndarray, np.ndarray]:
        """When each measure begins and ends, in seconds of the sheet."""
        begins = np.array([measure.onset_seconds for measure in self._measures])
        return begins, np.append(begins[1:], self.end_seconds)

    def quarter_at(self, seconds: np.ndarray) -> np.ndarray:
        """Quarters at seconds of the sheet, straight between onsets."""
        ends = max(self.end_seconds, float(self.seconds[-1]) + _SAME), max(self.end_quarter, float(self.quarters[-1]))
        return np.interp(seconds, [*self.seconds, ends[0]], [*self.quarters, ends[1]])

    def place(self, quarter: float) -> Place:
        """Where a quarter is; x is straight between noteheads, and from the last one to the system's end."""
        number = max(0, bisect_right(self.quarters, quarter + _SAME) - 1)
        system = int(self.systems[number])
        box = self._systems_of_sheet[system]
        x = float(self.xs[number])
        last = number + 1 == len(self.quarters)
        next_quarter = self.end_quarter if last else float(self.quarters[number + 1])
        next_x = box.right if last or self.systems[number + 1] != system else float(self.xs[number + 1])
        if next_quarter > self.quarters[number]:
            share = (quarter - float(self.quarters[number])) / (next_quarter - float(self.quarters[number]))
            x += (next_x - x) * min(max(share, 0.0), 1.0)
        measure, beat = self._measure(quarter)
        return Place(measure, beat, box.page, system, x)

    def _measure(self, quarter: float) -> tuple[str, float]:
        if not self._measures:
            return "", 1 + quarter
        measure = self._measures[max(0, bisect_right(self._begins, quarter + _SAME) - 1)]
        return measure.number, max(0.0, quarter - measure.onset_quarters) + 1


def _whole(measures: tuple[Measure, ...]) -> list[Measure]:
    """Parts of one measure, of which a system holds each, joined; counted where the score does not count them."""
    joined: list[Measure] = []
    for measure in sorted(measures, key=lambda one: one.onset_quarters):
        before = joined[-1] if joined else None
        if before is not None and measure.number and measure.number == before.number:
            end = max(before.onset_quarters + before.beats, measure.onset_quarters + measure.beats)
            joined[-1] = before._replace(beats=end - before.onset_quarters)
        else:
            joined.append(measure)
    if any(measure.number for measure in joined):
        return joined
    return [measure._replace(number=str(count)) for count, measure in enumerate(joined, start=1)]
