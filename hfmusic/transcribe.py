"""The verb `transcribe`: a staff image or a recording goes in, a score comes out; or both go in, and one score.

file -> picture or sound -> processor -> model -> processor.decode -> Score -> writers. The command line, the
pipeline's users and the tests all call `transcribe`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hfmusic.files import write_atomic
from hfmusic.formats import FORMATS, SUFFIXES, Written, check_format, destinations, pages_of, write
from hfmusic.hub import Loaded
from hfmusic.inputs import WORDS, Kind, ModelChoice, Models, expand, kind_of
from hfmusic.symbolic.score import Score

if TYPE_CHECKING:
    from PIL import Image

    from hfmusic.models.processing_ctc import CTCResult
    from hfmusic.reading.eye import StaffReading
    from hfmusic.reading.staves import Box
    from hfmusic.symbolic.fusion import FusionConfig

__all__ = ["FORMATS", "SUFFIXES", "Transcription", "transcribe", "transcribe_files", "transcribe_pair"]

Span = tuple[float, float]


@dataclass(frozen=True)
class Transcription:
    """What was read on one staff, heard in one recording, or both.

    Attributes:
        source: the file, or what the input was.
        tokens: PrIMuS tokens, in `encoding` "semantic" or "agnostic".
        confidences: 0..1, one a token.
        spans: one a token: (left, right) in pixels of the picture or (start, end) in seconds of the recording, as
            `unit` says. None for a token of a picture and a recording that only the ear gave, and for a bar line
            between two lines of a page that neither shows.
        tempo: quarters a minute of a recording.
        heard: of a picture and a recording: (start, end) in seconds of each token that was heard.
        staves: of a picture: each staff as it was found and read, before their texts were joined.
        boxes: of a picture: (left, top, right, bottom) in its pixels, one a token: its columns, between the staff's
            outer lines. None for a bar line between two lines of a page that neither shows.
        pages: of a picture: the number of the page, from 0, that each token is on.
        pictures: the page pictures, uint8 (H, W), turned upright, where they were asked for.
    """

    source: str
    tokens: tuple[str, ...]
    confidences: tuple[float, ...]
    spans: tuple[Span | None, ...]
    encoding: str = "semantic"
    unit: Literal["pixels", "seconds"] = "pixels"
    tempo: float | None = None
    heard: tuple[Span | None, ...] | None = None
    staves: tuple[StaffReading, ...] = ()
    boxes: tuple[Box | None, ...] = ()
    pages: tuple[int, ...] = ()
    pictures: tuple[np.ndarray, ...] = field(default=(), compare=False, repr=False)

    @cached_property
    def score(self) -> Score:
        """The tokens as music. What breaks the grammar (a tie that joins nothing) is left out."""
        from hfmusic.symbolic.agnostic import read_agnostic
        from hfmusic.symbolic.semantic import read_semantic

        return read_semantic(self.tokens, repair=True) if self.encoding == "semantic" else read_agnostic(self.tokens)

    @property
    def confidence(self) -> float:
        """Mean confidence of the tokens, 0..1; 0 where nothing was read."""
        return sum(self.confidences) / len(self.confidences) if self.confidences else 0.0

    def to(self, format: str) -> str | bytes:
        """The score in one of `FORMATS`; MIDI and MusicXML have the tempo of a recording.

        Raises:
            ValueError: an unknown format, or music the format cannot write.
        """
        check_format(format)
        pages = pages_of(self, self.pictures)
        return write(format, Written(self.tokens, self.encoding, self.score, self.tempo, pages))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        rows = zip(self.tokens, self.confidences, self.spans, strict=True)
        symbols: list[dict[str, Any]] = [
            {"token": token, "confidence": round(sure, 4), "span": span and list(span)} for token, sure, span in rows
        ]
        for symbol, box in zip(symbols, self.boxes, strict=False):
            symbol["box"] = box and [round(edge, 1) for edge in box]
        for symbol, page in zip(symbols, self.pages if any(self.pages) else (), strict=False):
            symbol["page"] = page
        for symbol, span in zip(symbols, self.heard or (), strict=False):
            symbol["heard"] = span and list(span)
        known = {} if self.tempo is None else {"tempo": round(self.tempo, 1)}
        return {"source": self.source, "encoding": self.encoding, "unit": self.unit, **known, "symbols": symbols}


def transcribe(
    source: str | Path | Image.Image | np.ndarray,
    model: ModelChoice = None,
    *,
    method: str | None = None,
    tempo: float | None = None,
    sampling_rate: int = 22050,
) -> Transcription:
    """Read one picture of a staff or of a page of a melody, or one recording of a melody.

    Args:
        source: an image, PDF or sound file (its content tells, else its name), a PIL image, pixels uint8 (H, W) or
            (H, W, 3), or a sound float (n,) in -1..1 at `sampling_rate`. The staves of a page, and the pages of a PDF,
            are one melody, line after line.
        model: a name or path as `hfmusic.load` takes, or what it returned (load once, read many). None: crnn-omr for
            pictures, crnn-amt for recordings.
        method: "greedy"; "beam": prefix beam search, with the bigram model of the training tokens if it came along;
            "meter": by meter and rhythm, if the model has a meter model. None: "meter" where it can, else "greedy".
        tempo: quarters a minute of a recording; None: found out.

    Raises:
        ValueError: no such file or model, neither picture nor recording, no staff or no music in it, or a page that
            is no single melody (a grand staff, two pages side by side); one sentence.
    """
    named = isinstance(source, str | Path)
    if named:
        kind = kind_of(source)  # type: ignore[arg-type]
    else:
        kind = "audio" if isinstance(source, np.ndarray) and source.ndim == 1 else "image"
    loaded = Models(model, [kind]).of(kind)
    if kind == "audio":
        return _hear(source, loaded, method, tempo, sampling_rate)  # type: ignore[arg-type]
    return _see(source, loaded, method)


def _see(
    source: str | Path | Image.Image | np.ndarray, loaded: Loaded, method: str | None, keep: bool = False
) -> Transcription:
    from hfmusic.models.image_reading import grey_pixels
    from hfmusic.reading.look import look
    from hfmusic.reading.pages import open_pages

    named = isinstance(source, str | Path)
    name = str(source) if named else "picture"
    pages = open_pages(source) if named else iter([grey_pixels(source)])  # type: ignore[arg-type]
    encoding = loaded.processor.encoding
    try:
        seen = look(pages, reader_of(loaded, method), encoding, keep=keep)
    except ValueError as error:
        raise error if str(error).startswith(f"{name}: ") else ValueError(f"{name}: {error}") from None
    return Transcription(
        name,
        tuple(one.token for one in seen.symbols),
        tuple(one.confidence for one in seen.symbols),
        tuple(one.span for one in seen.symbols),
        encoding,
        staves=seen.staves,
        boxes=tuple(one.box for one in seen.symbols),
        pages=tuple(one.page for one in seen.symbols),
        pictures=seen.pictures,
    )


def reader_of(loaded: Loaded, method: str | None = None) -> Callable[[np.ndarray], CTCResult]:
    """What reads the picture of one staff, uint8 (H, W), with a model."""
    import torch

    def read(pixels: np.ndarray) -> CTCResult:
        inputs = loaded.processor(images=pixels, return_tensors="pt")
        with torch.inference_mode():
            outputs = loaded.model(**inputs)
        return loaded.processor.decode(outputs, inputs, method=method)[0]

    return read


def _hear(
    source: str | Path | np.ndarray,
    loaded: Loaded,
    method: str | None,
    tempo: float | None,
    sampling_rate: int = 22050,
    alone: bool = True,
    **options: Any,
) -> Transcription:
    """`alone`: the reading becomes a score by itself, and gets bar lines where it has too few."""
    from hfmusic.hearing.barlines import readable
    from hfmusic.hearing.ear import Ear
    from hfmusic.hearing.listen import listen
    from hfmusic.models.audio_reading import Sound

    ear = Ear(loaded, method)
    with Sound(source, sampling_rate=ear.sampling_rate, array_rate=sampling_rate) as sound:
        found = listen(sound, ear, tempo=tempo, **options)
    found = readable(found) if alone else found
    encoding = loaded.processor.encoding
    return Transcription(sound.name, found.tokens, found.confidences, found.spans, encoding, "seconds", found.tempo)


def transcribe_pair(
    files: Sequence[str | Path],
    model: ModelChoice = None,
    *,
    method: str | None = None,
    tempo: float | None = None,
    config: FusionConfig | None = None,
    keep: bool = False,
) -> Transcription:
    """Read a picture and a recording of the same music, and make one reading of both.

    Args:
        files: one picture and one recording, in any order.
        model, tempo: as for `transcribe`; a model that takes both kinds reads both.
        method: as for `transcribe`; None: "greedy", whose confidences are what was seen and heard. "meter" infers bar
            lines, which the picture shows.
        keep: the picture is kept in the result's `pictures`.
        config: how the readings are fused, `hfmusic.symbolic.fusion.EYE_AND_EAR` by default.

    Raises:
        ValueError: not one picture and one recording, or see `transcribe`.
    """
    from rapidfuzz.distance import Levenshtein

    from hfmusic.hearing.tempo import convincing
    from hfmusic.symbolic.fusion import EYE_AND_EAR, Reading, fuse_readings

    kinds: list[Kind] = [kind_of(file) for file in files]
    if sorted(kinds) != ["audio", "image"]:
        given = " and ".join(f"a {WORDS[kind]}" for kind in kinds)
        raise ValueError(f"one picture and one recording are needed to fuse, got {given or 'nothing'}")
    method = method or "greedy"
    models = Models(model, kinds)
    seen = _see(files[kinds.index("image")], models.of("image"), method, keep)
    if {models.of(kind).processor.encoding for kind in kinds} != {"semantic"}:
        raise ValueError("both models must read semantic tokens to be fused")
    heard = _hear(
        files[kinds.index("audio")],
        models.of("audio"),
        method,
        tempo,
        alone=False,
        judge=lambda one, onsets: (
            convincing(one, onsets) * (0.1 + Levenshtein.normalized_similarity(seen.tokens, one.tokens))
        ),
    )
    eye, ear = (Reading(one.tokens, one.confidences) for one in (seen, heard))
    symbols = fuse_readings(eye, ear, config or EYE_AND_EAR)
    return Transcription(
        f"{seen.source} + {heard.source}",
        tuple(symbol.token for symbol in symbols),
        tuple(symbol.confidence for symbol in symbols),
        tuple(None if symbol.first is None else seen.spans[symbol.first] for symbol in symbols),
        tempo=heard.tempo,
        heard=tuple(None if symbol.second is None else heard.spans[symbol.second] for symbol in symbols),
        staves=seen.staves,
        boxes=tuple(None if symbol.first is None else seen.boxes[symbol.first] for symbol in symbols),
        pages=tuple(0 if symbol.first is None else seen.pages[symbol.first] for symbol in symbols),
        pictures=seen.pictures,
    )


def transcribe_files(
    files: Sequence[str | Path],
    model: ModelChoice = None,
    *,
    formats: Sequence[str] = ("musicxml",),
    out: str | Path = ".",
    method: str | None = None,
    tempo: float | None = None,
    fuse: bool = False,
    boxes: bool = False,
) -> Iterator[tuple[Path, Transcription | ValueError, list[Path]]]:
    """Read many pictures and recordings and write OUT/STEM.FORMAT for each; goes on past bad ones.

    Yields (file, what was read or what was wrong, files written), in the order given. Folders stand for the pictures
    and recordings in them, in order of name. A recording beside a picture of the same stem is written under its whole
    name. With `fuse` the files are one picture and one recording of the same music: one row, named for the picture.
    With `boxes` each picture's staves are drawn as they were found, in STEM.boxes.png, even where they cannot be read.
    """
    for format in formats:
        check_format(format)
    listed = list(expand(files))
    if fuse:
        both = transcribe_pair(listed, model, method=method, tempo=tempo, keep="overlay" in formats)
        picture = next(file for file in listed if kind_of(file) == "image")
        yield picture, both, _write_all(both, picture, formats, Path(out), picture.stem)
        return
    kinds = {file: kind_of(file) for file in listed}
    models = Models(model, kinds.values())
    taken: dict[str, Path] = {}
    for file in listed:
        other = taken.get(file.stem)
        stem = file.name if other and kinds[other] != kinds[file] else file.stem
        if taken.get(stem, file) != file:
            yield file, ValueError(f"{file}: would overwrite what {taken[stem]} gave; use another -o"), []
            continue
        taken[stem] = file
        try:
            loaded = models.of(kinds[file])
            seen = kinds[file] == "image"
            keep = boxes or "overlay" in formats
            transcription = _see(file, loaded, method, keep) if seen else _hear(file, loaded, method, tempo)
            written = _write_all(transcription, file, formats, Path(out), stem)
            written += _write_boxes(transcription, Path(out), stem) if boxes and seen else []
        except ValueError as error:
            yield file, error, _write_found_boxes(file, Path(out), stem) if boxes and seen else []
            continue
        yield file, transcription, written


def _write_all(transcription: Transcription, source: Path, formats: Sequence[str], out: Path, stem: str) -> list[Path]:
    paths = destinations(source, formats, out, stem)
    try:
        contents = [transcription.to(format) for format in formats]
    except ValueError as error:
        raise ValueError(f"{transcription.source}: {error}") from None
    return [write_atomic(path, content) for path, content in zip(paths, contents, strict=True)]


def _write_boxes(transcription: Transcription, out: Path, stem: str) -> list[Path]:
    from hfmusic.reading.boxes import boxes_png

    drawn = [
        boxes_png(pixels, [staff.place for staff in transcription.staves if staff.place.page == page])
        for page, pixels in enumerate(transcription.pictures)
    ]
    return _write_pages(drawn, out, stem)


def _write_found_boxes(file: Path, out: Path, stem: str) -> list[Path]:
    """The staves of a picture that could not be read; nothing of what is no picture."""
    from hfmusic.reading.boxes import found_boxes

    try:
        return _write_pages(found_boxes(file), out, stem)
    except ValueError:
        return []


def _write_pages(drawn: Sequence[bytes], out: Path, stem: str) -> list[Path]:
    """STEM.boxes.png, or STEM.boxes-1.png and so on of several pages."""
    numbers = [""] if len(drawn) == 1 else [f"-{page}" for page in range(1, len(drawn) + 1)]
    return [write_atomic(out / f"{stem}.boxes{number}.png", data) for number, data in zip(numbers, drawn, strict=True)]
