"""VERB  recording + score -> a time map: when each note of the score is played."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

import numpy as np

from hfmusic.embedding import (
    CHROMA,
    DEFAULT_MODEL,
    Embedder,
    ModelEmbedder,
    embedder,
    onset_places,
    recorded_energies,
    score_chroma,
)
from hfmusic.files import write_atomic
from hfmusic.models.audio_reading import Sound, open_sound
from hfmusic.render.engrave import png_bytes
from hfmusic.render.follow_page import Moment, data_url, follow_page
from hfmusic.render.sheet import Sheet
from hfmusic.retrieval import chroma
from hfmusic.retrieval.follow import (
    FRAME_STEP,
    SHEET_STEP,
    Followed,
    Passage,
    between,
    follow_chroma,
    follow_plain,
    with_vectors,
)
from hfmusic.retrieval.score_time import ScoreTime
from hfmusic.scores import read_sheet

Method = Literal["auto", "better", "plain", "chroma"]
METHODS = ("auto", "better", "plain", "chroma")
COLUMNS = ("audio_seconds", "quarter", "measure", "beat", "page", "x_pixels")
POOR_FIT = 0.65  # below it a recording is hardly of this score (benchmarks/confidence.md)
_MOST_INSIDE = 30_000_000  # bytes of a recording that is put into the web page
_KINDS = {".wav": "wav", ".flac": "flac", ".mp3": "mpeg", ".ogg": "ogg", ".opus": "ogg", ".m4a": "mp4"}


class MapRow(NamedTuple):
    """An onset of the score: when it is played, and where it is written.

    Attributes:
        quarter: from the score's beginning, repeats played once.
        measure: as the score numbers them.
        beat: quarters since the measure began, and 1.
        page: from 1. x_pixels: of a page 835 pixels wide.
    """

    audio_seconds: float
    quarter: float
    measure: str
    beat: float
    page: int
    x_pixels: float


@dataclass(frozen=True)
class TimeMap:
    """A recording aligned with a score.

    Attributes:
        rows: by time; an onset comes as often as it is played.
        measures: (number, audio_seconds) of each measure that is passed, by time.
        fit: 1 where the recording is like the score, about 0 where it is of something else.
        seconds: of the recording.
    """

    source: str
    score: str
    method: str
    rows: tuple[MapRow, ...]
    measures: tuple[tuple[str, float], ...]
    fit: float
    seconds: float
    sheet: Sheet = field(repr=False, compare=False)
    passages: tuple[Passage, ...] = field(default=(), repr=False, compare=False)

    @property
    def likely(self) -> bool:
        """Whether the recording is likely to be of this score."""
        return self.fit >= POOR_FIT

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        about = {"source": self.source, "score": self.score, "method": self.method, "seconds": round(self.seconds, 3)}
        measures = [{"measure": number, "audio_seconds": round(at, 3)} for number, at in self.measures]
        rows = [dict(zip(COLUMNS, _rounded(row), strict=True)) for row in self.rows]
        return {**about, "fit": round(self.fit, 4), "likely": self.likely, "measures": measures, "rows": rows}

    def to_csv(self) -> str:
        """A line for each row, under a line of names."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(map(_rounded, self.rows))
        return text.getvalue()

    def to_html(self, audio: str) -> str:
        """A page that plays the recording with a moving cursor (`hfmusic.render.follow_page`)."""
        pages = self.sheet.pages
        title = " · ".join(filter(None, (self.sheet.title or Path(self.score).stem, self.sheet.composer)))
        heights = [page.shape[0] for page in pages]
        moments = list(_moments(self))
        return follow_page([png_bytes(page) for page in pages], pages[0].shape[1], heights, moments, audio, title)


def _rounded(row: MapRow) -> tuple[Any, ...]:
    beat, quarter = round(row.beat, 4), round(row.quarter, 4)
    return round(row.audio_seconds, 3), quarter, row.measure, beat, row.page, round(row.x_pixels, 1)


def align(
    recording: str | Path | np.ndarray,
    score: str | Path | Sheet,
    *,
    method: Method = "auto",
    model: str | Embedder | None = None,
    whole: bool = False,
    jumps: bool = False,
    sampling_rate: int = 22050,
) -> TimeMap:
    """Find out when each note of a score is played in a recording.

    Args:
        recording: a file, or samples (n,) in -1..1 at `sampling_rate`.
        score: a file (.mxl, .musicxml, .mei, .krn, .abc), or its sheet.
        method: "plain", paper 003's: a model's vectors and plain warping; "chroma", of notes and pitch classes, with no
            model; "better", both at once; "auto", better where a model is given, else chroma.
        model: as `hfmusic.embedding.embedder` takes it. None, where the method needs one: audio-sheet-embedding.
        whole: the recording is of the whole score from its first moment to its last. By default what comes before and
            after may be left out on both sides: applause, speech, or the rest of the score.
        jumps: repeats are played, or measures left out (not in the plain way).

    Raises:
        ValueError: no recording or score that can be read, no model for the method, or no onset that is followed; one
            sentence.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    own = _model_for(method, model)
    sheet = score if isinstance(score, Sheet) else read_sheet(score)
    time = ScoreTime(sheet)
    with Sound(recording, sampling_rate=22050, array_rate=sampling_rate) as sound:
        if method == "plain":
            assert own is not None
            followed = _plain(sound, sheet, time, own)
        else:
            followed = _better(sound, sheet, time, own, whole=whole, jumps=jumps)
        name, seconds = sound.name, sound.seconds
    rows, measures = _rows(followed.passages, time)
    told = "plain" if method == "plain" else "chroma" if own is None else "better"
    written = "sheet" if isinstance(score, Sheet) else str(score)
    if not rows:
        raise ValueError(f"{name}: no onset of {written} is found in it the {told} way; it may be of something else")
    passages = tuple(followed.passages)
    return TimeMap(name, written, told, tuple(rows), tuple(measures), followed.fit, seconds, sheet, passages)


def _model_for(method: str, model: str | Embedder | None) -> ModelEmbedder | None:
    if method == "chroma" or (method == "auto" and model in (None, CHROMA)):
        return None
    own = embedder(model or DEFAULT_MODEL) if model is None or isinstance(model, str) else model
    if isinstance(own, ModelEmbedder):
        return own
    raise ValueError(f"the {method} method needs a model: give one, such as {DEFAULT_MODEL}, or take chroma")


def _plain(sound: Sound, sheet: Sheet, time: ScoreTime, own: ModelEmbedder) -> Followed:
    row = own.row(sheet)
    xs = np.arange(SHEET_STEP / 2, row.image.shape[1], SHEET_STEP)
    moments = np.arange(0, sound.seconds, FRAME_STEP / own.frame_rate)
    audio, snippets = own.sound(sound, moments), own.snippets(row, xs)
    return follow_plain(audio, moments, snippets, xs, onset_places(row, time), time)


def _better(
    sound: Sound, sheet: Sheet, time: ScoreTime, own: ModelEmbedder | None, *, whole: bool, jumps: bool
) -> Followed:
    audio, notes = chroma.features(recorded_energies(sound)), score_chroma(sheet)
    if own is not None:
        row = own.row(sheet)
        moments = np.arange(0, sound.seconds, FRAME_STEP / own.frame_rate)
        frames = np.arange(len(audio)) / chroma.FRAME_RATE
        audio = with_vectors(audio, between(own.sound(sound, moments), moments, frames))
        xs = np.arange(SHEET_STEP / 2, row.image.shape[1], SHEET_STEP)
        wanted = np.interp(np.arange(len(notes)) / chroma.FRAME_RATE, time.seconds, onset_places(row, time))
        notes = with_vectors(notes, between(own.snippets(row, xs), xs, wanted))
    return follow_chroma(audio, notes, time, whole=whole, jumps=jumps)


def _rows(passages: list[Passage], time: ScoreTime) -> tuple[list[MapRow], list[tuple[str, float]]]:
    """Each onset, and each measure's beginning, as often as a passage covers it."""
    rows, measures = [], []
    numbers, begins = zip(*time.measures, strict=True) if time.measures else ((), ())
    for passage in passages:
        quarters = time.quarters[passage.covers(time.quarters)]
        for quarter, seconds in zip(quarters.tolist(), passage.seconds_at(quarters).tolist(), strict=True):
            place = time.place(quarter)
            rows.append(MapRow(seconds, quarter, place.measure, place.beat, place.page + 1, place.x))
        covered = passage.covers(np.array(begins))
        at = passage.seconds_at(np.array(begins))
        measures += [(numbers[n], float(at[n])) for n in np.nonzero(covered)[0]]
    return rows, measures


def _moments(found: TimeMap) -> Iterator[Moment]:
    """Where the cursor is: at each onset, and at a system's end before the next begins."""
    time = ScoreTime(found.sheet)
    before: tuple[MapRow, int] | None = None
    for row in found.rows:
        place = time.place(row.quarter)
        box = found.sheet.systems[place.system]
        label = f"measure {row.measure}, beat {row.beat:.3g}" if row.measure else f"quarter {row.quarter:.4g}"
        if before is not None and before[1] != place.system and row.quarter > before[0].quarter:
            last = found.sheet.systems[before[1]]
            at = max(before[0].audio_seconds, row.audio_seconds - 0.05)
            yield Moment(at, last.page, last.right, last.top, last.bottom, label)
        yield Moment(row.audio_seconds, place.page, row.x_pixels, box.top, box.bottom, label)
        before = (row, place.system)


def write_alignment(found: TimeMap, out: Path, formats: tuple[str, ...] = ("csv", "json", "html")) -> list[Path]:
    """STEM.align.csv, .json and .html in a folder; a long recording is copied beside the page, not into it.

    Raises:
        ValueError: an unknown format, or a file that cannot be written; one sentence.
    """
    unknown = set(formats) - {"csv", "json", "html"}
    if unknown:
        raise ValueError(f"an alignment is written as csv, json and html, got {', '.join(sorted(unknown))}")
    stem = f"{Path(found.source).stem}.align"
    written = []
    for format in formats:
        if format == "html":
            written += _write_page(found, out, stem)
            continue
        text = found.to_csv() if format == "csv" else json.dumps(found.as_dict(), ensure_ascii=False, indent=1) + "\n"
        written.append(write_atomic(out / f"{stem}.{format}", text))
    return written


def _write_page(found: TimeMap, out: Path, stem: str) -> list[Path]:
    name, content, kind = _playable(Path(found.source), stem)
    if len(content) <= _MOST_INSIDE:
        return [write_atomic(out / f"{stem}.html", found.to_html(data_url(content, kind)))]
    sound = write_atomic(out / name, content)
    return [write_atomic(out / f"{stem}.html", found.to_html(quote(name))), sound]


def _playable(path: Path, stem: str) -> tuple[str, bytes, str]:
    """A name, a file's content and its kind, as browsers play it: the recording's own, or FLAC of it."""
    kind = _KINDS.get(path.suffix.lower())
    if kind is not None:
        return f"{stem}{path.suffix.lower()}", path.read_bytes(), f"audio/{kind}"
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, open_sound(path), 22050, format="FLAC")
    return f"{stem}.flac", buffer.getvalue(), "audio/flac"
