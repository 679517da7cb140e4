"""What the systems found, scored alike, and written as a table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers.excerpts import Excerpt
from hfmusic.data.recordings import Note
from hfmusic.metrics.notes import mean_scores, note_scores

COLUMNS = {
    "frame_f1": "frame",
    "note_f1": "note",
    "note_precision": "precision",
    "note_recall": "recall",
    "note_offset_f1": "with offset",
    "note_velocity_f1": "with velocity",
    "note_offset_velocity_f1": "with both",
}


@dataclass(frozen=True)
class Outcome:
    """A system on a set: scores and times of each track by id; `missing` are the ids that it failed on."""

    system: str
    tracks: dict[str, dict[str, Any]]
    missing: list[str]

    @property
    def mean(self) -> dict[str, float]:
        """Over all tracks; one that failed has found nothing."""
        return mean_scores([track["scores"] for track in self.tracks.values()])

    def speed(self, clock: str) -> float | None:
        """Seconds of sound in a second of "cpu" or "clock", of the tracks that were transcribed."""
        done = [track for track in self.tracks.values() if f"{clock}_seconds" in track]
        spent = sum(track[f"{clock}_seconds"] for track in done)
        return sum(track["seconds"] for track in done) / spent if spent else None

    @property
    def megabytes(self) -> float:
        """The most memory of the process."""
        return max((track.get("peak_megabytes", 0.0) for track in self.tracks.values()), default=0.0)


def score(system: str, excerpts: list[Excerpt], folder: Path) -> Outcome:
    """Score the note files of a system in `folder`."""
    tracks: dict[str, dict[str, Any]] = {}
    missing = []
    for excerpt in excerpts:
        result = transcribed(folder, excerpt)
        notes = [] if result is None else [Note(*row) for row in result["notes"]]
        track: dict[str, Any] = {"seconds": excerpt.seconds, "wanted": len(excerpt.notes), "found": len(notes)}
        track["scores"] = note_scores(excerpt.notes, notes)
        if result is None:
            missing.append(excerpt.id)
        else:
            track |= {name: result[name] for name in ("clock_seconds", "cpu_seconds", "peak_megabytes", "threads")}
        tracks[excerpt.id] = track
    return Outcome(system, tracks, missing)


def notes_path(folder: Path, excerpt: Excerpt) -> Path:
    """Where the notes that a system found in an excerpt are kept."""
    return folder / f"{excerpt.sound.stem}.json"


def transcribed(folder: Path, excerpt: Excerpt) -> dict[str, Any] | None:
    """What a system found in exactly this sound; None: not transcribed yet."""
    path = notes_path(folder, excerpt)
    if not path.is_file():
        return None
    result = json.loads(path.read_text(encoding="utf-8"))
    return result if result["sha256"] == excerpt.sha256 else None


def table(outcomes: list[Outcome]) -> list[str]:
    """Markdown: a row a system, F1 where nothing else is said."""
    names = ["system", *COLUMNS.values(), "s of sound a CPU second", "a second by the clock", "MB"]
    lines = [f"| {' | '.join(names)} |", "|---" + "|---:" * (len(names) - 1) + "|"]
    for outcome in outcomes:
        speeds = [outcome.speed(clock) for clock in ("cpu", "clock")]
        told = ["-" if speed is None else f"{speed:.3g}" for speed in speeds]
        scores = [f"{outcome.mean[name]:.3f}" for name in COLUMNS]
        lines.append(f"| {' | '.join([outcome.system, *scores, *told, f'{outcome.megabytes:.0f}'])} |")
    return lines


def track_table(outcomes: list[Outcome]) -> list[str]:
    """Markdown: note F1 of each track."""
    lines = [f"| note F1 | notes | {' | '.join(outcome.system for outcome in outcomes)} |"]
    lines.append("|---|---:" + "|---:" * len(outcomes) + "|")
    for track, values in outcomes[0].tracks.items():
        scores = [f"{outcome.tracks[track]['scores']['note_f1']:.3f}" for outcome in outcomes]
        lines.append(f"| {track} | {values['wanted']} | {' | '.join(scores)} |")
    return lines


def verdicts(outcomes: list[Outcome]) -> list[str]:
    """Where the first system is ahead of each other one, in words."""
    first, lines = outcomes[0], []
    for other in outcomes[1:]:
        parts = []
        for name in ("frame_f1", "note_f1", "note_offset_f1"):
            difference = first.mean[name] - other.mean[name]
            parts.append(f"{COLUMNS[name]} {difference:+.3f}")
        here, there = first.speed("cpu"), other.speed("cpu")
        if here and there:
            parts.append(f"{here / there:.3g} times its speed by CPU seconds")
        lines.append(f"{first.system} against {other.system}: F1 {', '.join(parts)}.")
    return lines
