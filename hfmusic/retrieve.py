"""VERB  recording or MIDI file -> the pieces of an index that it may be of, and where in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hfmusic.embedding import Embedder, embedder
from hfmusic.files import write_atomic
from hfmusic.hearing.loudness import SILENT
from hfmusic.models.audio_reading import Sound
from hfmusic.render.engrave import png_bytes
from hfmusic.retrieval.identify import NEIGHBOURS, Candidate, Matches, Ranking, identify
from hfmusic.retrieval.index import Piece, SnippetIndex
from hfmusic.retrieval.likeness import Likeness
from hfmusic.scores import is_midi, read_played

MOST_EXCERPTS = 100  # paper 003
_EXCERPT_SECONDS = 0.5  # at least, from one to the next
_PICTURE_WIDTH = 420  # pixels of the row


@dataclass(frozen=True)
class FoundPiece:
    """A piece, and where in it the recording is (`hfmusic.retrieval.identify.Candidate`).

    `page` counts from 0; a MIDI file has none, -1.
    """

    piece: Piece
    candidate: Candidate
    measure: str
    page: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; pages count from 1, None of MIDI."""
        own = self.candidate
        named = {"piece": self.piece.name, "title": self.piece.title, "composer": self.piece.composer}
        numbers = {"confidence": own.confidence, "votes": own.votes, "share": own.share, "aligned": own.aligned}
        where = {"audio_seconds": own.seconds, "quarter": own.quarter, "tempo": own.tempo}
        rounded = {name: round(value, 4) for name, value in {**numbers, **where}.items()}
        page = None if self.page < 0 else self.page + 1
        return {**named, "file": self.piece.file, **rounded, "measure": self.measure, "page": page}

    def told(self) -> str:
        """In a line."""
        name = ", ".join(filter(None, (self.piece.title, self.piece.composer))) or self.piece.name
        places = [f"measure {self.measure}"] * bool(self.measure) + [f"page {self.page + 1}"] * (self.page >= 0)
        where = ", ".join(places)
        votes = f"{self.candidate.votes} votes, {self.candidate.aligned:.0%} in line"
        extra = "" if name == self.piece.name else f" [{self.piece.name}]"
        return f"{self.candidate.confidence:.2f}  {name}{extra}: {votes}; begins at {where}"


@dataclass(frozen=True)
class Finding:
    """The pieces that a recording may be of, best first.

    Attributes:
        sure: whether the first is likely to be right.
        picture: PNG of the first piece's best matching snippet, b"" where the index keeps no pictures.
    """

    source: str
    seconds: float
    excerpts: int
    pieces: tuple[FoundPiece, ...]
    sure: bool
    picture: bytes = b""

    @property
    def confidence(self) -> float:
        """Of the first piece."""
        return self.pieces[0].candidate.confidence if self.pieces else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        about = {"source": self.source, "seconds": round(self.seconds, 3), "excerpts": self.excerpts}
        pieces = [one.as_dict() for one in self.pieces]
        return {**about, "sure": self.sure, "confidence": round(self.confidence, 4), "pieces": pieces}


def find(
    recording: str | Path | np.ndarray,
    index: str | Path | SnippetIndex,
    *,
    model: str | Embedder | None = None,
    top: int = 10,
    ranking: Ranking = "both",
    sampling_rate: int = 22050,
) -> Finding:
    """Look a recording up in an index of scores or MIDI files.

    Args:
        recording: a file, MIDI too where the index is of chroma or of piano rolls; or samples (n,) in -1..1 at
            `sampling_rate`: all of a piece, or some seconds.
        model: must be the one that made the index; None: that one.
        ranking: "votes" as paper 003, or "both": votes, matches in line, and likeness of the whole.

    Raises:
        ValueError: no recording, a silent one, no index, or an index of another model; one sentence.
    """
    opened = index if isinstance(index, SnippetIndex) else SnippetIndex.open(index)
    own = embedder(model or opened.model) if model is None or isinstance(model, str) else model
    if own.fingerprint != opened.fingerprint:
        raise ValueError(
            f"{opened.folder}: an index of the model {opened.model} ({opened.fingerprint}), not of {own.name} "
            f"({own.fingerprint}); index the scores anew"
        )
    name, seconds, queries = _queries(recording, own, sampling_rate)
    moments = excerpt_seconds(seconds)
    similarities, rows = opened.search(queries, neighbours_of(len(opened)))
    matches = Matches.of(moments, similarities, rows, opened.places)
    likeness = Likeness(queries, moments, opened.vectors, opened.places)
    candidates = identify(matches, likeness=likeness, confidence=own.confidence, top=top, ranking=ranking)
    pieces = tuple(_found(opened, one) for one in candidates)
    sure = bool(pieces) and candidates[0].confidence >= own.confidence.sure_from
    return Finding(name, seconds, len(moments), pieces, sure, _picture(opened, candidates))


def _queries(recording: str | Path | np.ndarray, own: Embedder, sampling_rate: int) -> tuple[str, float, np.ndarray]:
    """The recording's name, its seconds, and the vectors of its excerpts."""
    if isinstance(recording, str | Path) and is_midi(recording):
        music = read_played(recording)
        return str(recording), music.seconds, own.notes(music, excerpt_seconds(music.seconds))
    with Sound(recording, sampling_rate=22050, array_rate=sampling_rate) as sound:
        _check_sounds(sound)
        return sound.name, sound.seconds, own.sound(sound, excerpt_seconds(sound.seconds))


def excerpt_seconds(seconds: float) -> np.ndarray:
    """The middles of the excerpts that a recording is looked up by: evenly spread, at most 100.

    >>> excerpt_seconds(2.0).tolist()
    [0.25, 0.75, 1.25, 1.75]
    """
    count = min(MOST_EXCERPTS, max(1, round(seconds / _EXCERPT_SECONDS)))
    return (np.arange(count) + 0.5) * seconds / count


def neighbours_of(snippets: int) -> int:
    """How many nearest snippets of each excerpt vote: 25, and fewer in a small index, where they would be any.

    >>> neighbours_of(300), neighbours_of(2_000), neighbours_of(1_000_000)
    (3, 10, 25)
    """
    return min(NEIGHBOURS, max(3, snippets // 200))


def _check_sounds(sound: Sound) -> None:
    start, step = 0.0, 60.0
    while start < sound.seconds:
        if float(np.abs(sound.window(start, start + step)).max(initial=0.0)) >= SILENT:
            return
        start += step
    raise ValueError(f"{sound.name}: it is silent, no piece can be found by it")


def _found(index: SnippetIndex, candidate: Candidate) -> FoundPiece:
    piece = index.pieces[candidate.piece]
    places = index.places
    own = places[places["piece"] == candidate.piece]
    nearest = own[int(np.argmin(np.abs(own["quarter"] - candidate.quarter)))]
    return FoundPiece(piece, candidate, piece.measure_at(candidate.quarter), int(nearest["page"]))


def _picture(index: SnippetIndex, candidates: list[Candidate]) -> bytes:
    """The row around the best match of the first piece."""
    if not candidates:
        return b""
    row = index.row_picture(index.pieces[candidates[0].piece])
    if row is None:
        return b""
    middle = round(float(index.places["row_x"][candidates[0].best]))
    first = max(0, min(middle - _PICTURE_WIDTH // 2, row.shape[1] - _PICTURE_WIDTH))
    return png_bytes(np.ascontiguousarray(row[:, first : first + _PICTURE_WIDTH]))


def write_picture(finding: Finding, out: Path) -> Path | None:
    """STEM.find.png of the best matching snippet; None where there is none."""
    if not finding.picture:
        return None
    return write_atomic(out / f"{Path(finding.source).stem}.find.png", finding.picture)
