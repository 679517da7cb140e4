"""Transcribers of many voices, measured on recordings with notes (`hfmusic evaluate unet-transcriber dist/maps`)."""

from __future__ import annotations

import random
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hfmusic
from hfmusic.metrics.notes import mean_scores, note_scores

if TYPE_CHECKING:
    from hfmusic.data.recordings import Recording
    from hfmusic.hub import Loaded

# Columns of the table a track: a score, and what it is called there.
SHOWN = {
    "frame_f1": "frame",
    "note_precision": "precision",
    "note_recall": "recall",
    "note_f1": "note",
    "note_offset_f1": "+offset",
    "note_velocity_f1": "+velocity",
    "note_offset_velocity_f1": "+both",
}


@dataclass(frozen=True)
class Track:
    """How one recording was transcribed. `wanted` and `found` count notes; `seconds` is its length, `clock` how long
    opening and transcribing it took. `failure`: why it could not be opened; its transcription is then empty.
    """

    id: str
    wanted: int
    found: int
    scores: dict[str, float]
    seconds: float
    clock: float
    failure: str = ""


@dataclass(frozen=True)
class NoteReport:
    """The tracks of a split, or some of them. `total`: how many the split has."""

    tracks: list[Track] = field(default_factory=list)
    total: int = 0

    @property
    def mean(self) -> dict[str, float]:
        """Mean over the tracks, each counting alike."""
        return mean_scores([track.scores for track in self.tracks])

    def table(self) -> str:
        """F1 (and precision and recall of notes) a track and their means, as plain text."""
        width = max(len(track.id) for track in self.tracks)
        lines = [f"{'':{width}}{'notes':>7}{'found':>7}" + "".join(f"{name:>11}" for name in SHOWN.values())]
        for track in self.tracks:
            counts = f"{track.id:{width}}{track.wanted:>7}{track.found:>7}"
            lines.append(counts + "".join(f"{track.scores[name]:>11.4f}" for name in SHOWN))
        counts = f"{'mean':{width}}{'':>14}"
        return "\n".join([*lines, counts + "".join(f"{self.mean[name]:>11.4f}" for name in SHOWN)])


def evaluate_notes(
    model: str | Path | Loaded,
    data: str | Path,
    *,
    split: str = "test",
    n: int | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    name: str | None = None,
    asked: Mapping[str, object] | None = None,
) -> list[dict[str, Any]]:
    """Measure a transcriber on recordings with notes; prints a table of the tracks and their means to stderr.

    Args:
        model: a name or path as `hfmusic.load` takes, or what it returned.
        data: a dataset of recordings or a folder of sounds with note files, as `read_recordings` takes.
        split: of a dataset; plain folders have none and are read whole.
        n: measure only so many recordings, drawn with `seed`.
        out: a `metrics.json` to write; numbers of other data in it are kept, of the same data replaced.
        name: what the rows call the model. None: what was given, or where it was loaded from.
        asked: further options of the command, for the rows; "by" is their method.

    Returns:
        Rows as `hfmusic.evaluate.evaluate`'s, one a score of `note_scores` with unit "1" (0..1), means over tracks.
        Recordings that cannot be opened count as transcribed empty.

    Raises:
        ValueError: no such model or data, no recording in it, or a damaged row.
    """
    from hfmusic.evaluate import write_metrics

    loaded = _loaded(model)
    report = transcribe_split(loaded, data, split=split, n=n, seed=seed)
    _tell(report)
    called = name or (str(model) if isinstance(model, str | Path) else str(model.model.name_or_path))
    about = _about(called, data, report, split=split, n=n, seed=seed, asked=asked or {})
    rows = [{"metric": metric, "value": value, "unit": "1", **about} for metric, value in report.mean.items()]
    if out is not None:
        write_metrics(out, rows)
    return rows


def transcribe_split(
    loaded: Loaded, data: str | Path, *, split: str = "test", n: int | None = None, seed: int = 0
) -> NoteReport:
    """Transcribe and score the recordings of a split one by one (options as `evaluate_notes`'s).

    Raises:
        ValueError: as `evaluate_notes`.
    """
    from tqdm.auto import tqdm

    from hfmusic.data.recordings import read_recordings

    if n is not None and n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    total = sum(1 for _ in read_recordings(data, split))
    if not total:
        raise ValueError(f"{data} has no recordings in split {split!r}")
    drawn = set(random.Random(seed).sample(range(total), min(n or total, total)))
    tracks = []
    with closing(tqdm(total=len(drawn), desc="transcribing", unit="recording")) as bar:
        for recording in _drawn(read_recordings(data, split), drawn):
            tracks.append(_track(loaded, recording))
            bar.update()
    return NoteReport(tracks, total)


def _drawn(recordings: Iterator[Recording], places: set[int]) -> Iterator[Recording]:
    return (recording for place, recording in enumerate(recordings) if place in places)


def _track(loaded: Loaded, recording: Recording) -> Track:
    from hfmusic.models.audio_reading import open_sound

    processor: Any = loaded.processor  # a TranscriberProcessor
    begun = time.perf_counter()
    notes: list[Any] = []
    seconds, failure = 0.0, ""
    try:
        sound = open_sound(recording.audio, sampling_rate=processor.sampling_rate, name=recording.id)
    except ValueError as error:
        failure = str(error)
    else:
        seconds = len(sound) / processor.sampling_rate
        notes = processor.transcribe(loaded.model, sound)
    clock = time.perf_counter() - begun
    scores = note_scores(recording.notes, notes)
    return Track(recording.id, len(recording.notes), len(notes), scores, seconds, clock, failure)


def _loaded(model: str | Path | Loaded) -> Loaded:
    from hfmusic.hub import load

    return load(str(model), runtime="torch") if isinstance(model, str | Path) else model


def _tell(report: NoteReport) -> None:
    print(report.table(), file=sys.stderr)
    seconds, clock = (sum(getattr(track, name) for track in report.tracks) for name in ("seconds", "clock"))
    if clock:
        print(f"{seconds:.0f} s of sound in {clock:.0f} s: {seconds / clock:.1f} x real time", file=sys.stderr)
    for track in report.tracks:
        if track.failure:
            print(f"not heard: {track.id}: {track.failure}", file=sys.stderr)


def _about(
    name: str,
    data: str | Path,
    report: NoteReport,
    *,
    split: str,
    n: int | None,
    seed: int,
    asked: Mapping[str, object],
) -> dict[str, Any]:
    """What each row says beside its number."""
    words = ["hfmusic", "evaluate", name, str(data), "--split", split]
    words += ["--n", str(n)] if n is not None else []
    words += [word for option, value in asked.items() if value is not None for word in (f"--{option}", str(value))]
    count = len(report.tracks)
    return {
        "dataset": Path(data).resolve().name,
        "split": split,
        "n": count,
        "scale": "full" if count == report.total else f"{count} of {report.total} recordings",
        "seed": seed,
        "command": shlex.join([*words, "--seed", str(seed)]),
        "date": datetime.now(UTC).date().isoformat(),
        "version": hfmusic.__version__,
        "image": "audio",
        "method": str(asked.get("by", "default")),
        "model": name,
    }
