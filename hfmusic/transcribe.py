"""The verb `transcribe`: a staff image or a recording goes in, a score comes out; or both go in, and one score.

file -> picture or sound -> processor -> model -> processor.decode -> Score -> writers. The command line, the
pipeline's users and the tests all call `transcribe`. A recording of many voices becomes notes (`hearing.polyphonic`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hfmusic.formats import ALL_FORMATS, FORMATS, SUFFIXES, Written, check_format, pages_of, write
from hfmusic.hearing.polyphonic import Listening, PolyphonicTranscription, Voices, has_many_voices, hear_notes
from hfmusic.hub import Loaded
from hfmusic.inputs import ModelChoice, Models, expand, kind_of
from hfmusic.outputs import formats_for, voices_for, write_all, write_boxes, write_found_boxes
from hfmusic.symbolic.score import Score

if TYPE_CHECKING:
    from PIL import Image

    from hfmusic.models.processing_ctc import CTCResult
    from hfmusic.reading.eye import StaffReading
    from hfmusic.reading.staves import Box

__all__ = [
    "FORMATS",
    "SUFFIXES",
    "PolyphonicTranscription",
    "Transcription",
    "transcribe",
    "transcribe_files",
]

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
        choice: of a recording, why a melody was listened to, and how to ask for all notes.
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
    choice: str = field(default="", compare=False)

    @cached_property
    def score(self) -> Score:
        """The tokens as music. What breaks the grammar (a tie that joins nothing) is left out."""
        from hfmusic.symbolic.agnostic import read_agnostic
        from hfmusic.symbolic.semantic import read_semantic

        read = read_semantic if self.encoding == "semantic" else read_agnostic
        return read(self.tokens, repair=True)

    @property
    def confidence(self) -> float:
        """Mean confidence of the tokens, 0..1; 0 where nothing was read."""
        return sum(self.confidences) / len(self.confidences) if self.confidences else 0.0

    def to(self, format: str) -> str | bytes:
        """The score in one of `FORMATS`; MIDI and MusicXML have the tempo of a recording.

        Raises:
            ValueError: an unknown format, or music the format cannot write.
        """
        if format in ALL_FORMATS and format not in FORMATS:
            raise ValueError(f"a melody is not written as {format}: all notes of a recording are (--voices many)")
        check_format(format)
        pages = pages_of(self, self.pictures)
        return write(format, Written(self.tokens, self.encoding, self.score, self.tempo, pages))

    def summary(self) -> str:
        """What was read, in a line."""
        heard = "" if self.tempo is None else f", {self.tempo:.0f} quarter notes a minute"
        choice = f", {self.choice}" if self.choice else ""
        return f"{len(self.tokens)} symbols, {100 * self.confidence:.0f} % sure{heard}{choice}"

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
        about = {"source": self.source, "encoding": self.encoding, "unit": self.unit, **known}
        return {**about, "symbols": symbols, "confidence": round(self.confidence, 4)}


def transcribe(
    source: str | Path | Image.Image | np.ndarray,
    model: ModelChoice = None,
    *,
    method: str | None = None,
    tempo: float | None = None,
    sampling_rate: int = 22050,
    voices: Voices = "auto",
    **listening: Any,
) -> Transcription | PolyphonicTranscription:
    """Read one picture of a staff or of a page of a melody, or one recording.

    Args:
        source: an image, PDF or sound file (its content tells, else its name), a PIL image, pixels uint8 (H, W) or
            (H, W, 3), or a sound float (n,) in -1..1 at `sampling_rate`. The staves of a page, and the pages of a PDF,
            are one melody, line after line.
        model: a name or path as `hfmusic.load` takes, or what it returned (load once, read many). None:
            r2crnn-omr-semantic for pictures, crnn-amt for a melody, unet-transcriber for many voices.
        method: "greedy"; "beam": prefix beam search, with the bigram model of the training tokens if it came along;
            "meter": by meter and rhythm, if the model has a meter model. None: "meter" where it can, else "greedy".
        tempo: quarters a minute of a recording; None: found out.
        voices: of a recording: "one", a melody; "many": a `PolyphonicTranscription` of its notes; "auto": many, if
            there is a model for that and it hears notes together for more than a small share of the time.
        listening: other options of `Listening`: instrument, start, end, onset_threshold ...

    Raises:
        ValueError: no such file or model, neither picture nor recording, no staff or no music in it, or a page that
            is no single melody (a grand staff, two pages side by side); one sentence.
    """
    named = isinstance(source, str | Path)
    if named:
        kind = kind_of(source)  # type: ignore[arg-type]
    else:
        kind = "audio" if isinstance(source, np.ndarray) and source.ndim == 1 else "image"
    options = Listening(voices=voices, tempo=tempo, **listening)
    models = Models(model, [kind], piano=options.is_piano)
    if kind == "audio":
        return _listen(source, models, method, options, sampling_rate)  # type: ignore[arg-type]
    return see(source, models.of(kind), method)


def see(
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


def _listen(
    source: str | Path | np.ndarray,
    models: Models,
    method: str | None,
    listening: Listening,
    sampling_rate: int = 22050,
) -> Transcription | PolyphonicTranscription:
    """A melody or many voices, as it was asked for or as it sounds."""
    voices = listening.voices
    if voices == "auto" and not (models.offers("notes") and models.offers("audio")):
        voices = "many" if models.offers("notes") else "one"
        listening = replace(listening, voices=voices)
    many: PolyphonicTranscription | None = None
    if voices != "one":
        try:
            many = hear_notes(source, models.of("notes"), listening, sampling_rate=sampling_rate)
        except ValueError:
            if voices == "many":
                raise
        if many is not None and (voices == "many" or has_many_voices(many.notes)):
            return many if voices == "many" else replace(many, choice="many voices (a melody: --voices one)")
    try:
        one = hear(source, models.of("audio"), method, listening, sampling_rate)
    except ValueError:
        if many is None:
            raise
        return replace(many, choice="all notes, as no melody was heard")
    return one if voices == "one" else replace(one, choice="one voice (all that sounds: --voices many)")


def hear(
    source: str | Path | np.ndarray,
    loaded: Loaded,
    method: str | None,
    listening: Listening,
    sampling_rate: int = 22050,
    alone: bool = True,
    **options: Any,
) -> Transcription:
    """The melody of a recording. `alone`: it becomes a score by itself, and gets bar lines where it has too few."""
    from hfmusic.hearing.barlines import readable
    from hfmusic.hearing.ear import Ear
    from hfmusic.hearing.listen import listen
    from hfmusic.models.audio_reading import Sound

    ear = Ear(loaded, method)
    with Sound(source, sampling_rate=ear.sampling_rate, array_rate=sampling_rate) as whole:
        start, end = listening.part_of(whole)
        part = (start, end) != (0.0, whole.seconds)
        sound = Sound(whole.window(start, end), sampling_rate=ear.sampling_rate, name=whole.name) if part else whole
        found = listen(sound, ear, tempo=listening.tempo, **options).shifted(start)
    found = readable(found) if alone else found
    encoding = loaded.processor.encoding
    return Transcription(whole.name, found.tokens, found.confidences, found.spans, encoding, "seconds", found.tempo)


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
    voices: Voices = "auto",
    **listening: Any,
) -> Iterator[tuple[Path, Transcription | PolyphonicTranscription | ValueError, list[Path]]]:
    """Read many pictures and recordings and write OUT/STEM.FORMAT for each; goes on past bad ones.

    Yields (file, what was read or what was wrong, files written), in the order given. Folders stand for the pictures
    and recordings in them, in order of name. A recording beside a picture of the same stem is written under its whole
    name. With `fuse` the files are one picture and one recording of the same music: one row, named for the picture.
    With `boxes` each picture's staves are drawn as they were found, in STEM.boxes.png, even where they cannot be read.
    Formats may be "all" of what was read; where only many voices, or only a melody, can be written in one of them,
    that is what `voices` "auto" listens to. `voices` and `listening` are those of `transcribe`.
    """
    options = Listening(voices=voices_for(formats, voices), tempo=tempo, **listening)
    listed = list(expand(files))
    if fuse:
        from hfmusic.fuse import transcribe_pair

        both = transcribe_pair(listed, model, method=method, tempo=tempo, keep="overlay" in formats)
        picture = next(file for file in listed if kind_of(file) == "image")
        yield picture, both, write_all(both, picture, formats_for(both, formats), Path(out), picture.stem)
        return
    kinds = {file: kind_of(file) for file in listed}
    models = Models(model, kinds.values(), piano=options.is_piano)
    taken: dict[str, Path] = {}
    for file in listed:
        other = taken.get(file.stem)
        stem = file.name if other and kinds[other] != kinds[file] else file.stem
        if taken.get(stem, file) != file:
            yield file, ValueError(f"{file}: would overwrite what {taken[stem]} gave; use another -o"), []
            continue
        taken[stem] = file
        seen = kinds[file] == "image"
        try:
            keep = boxes or "overlay" in formats or "all" in formats
            found = see(file, models.of("image"), method, keep) if seen else _listen(file, models, method, options)
            written = write_all(found, file, formats_for(found, formats), Path(out), stem)
            if boxes and isinstance(found, Transcription) and seen:
                written += write_boxes(found, Path(out), stem)
        except ValueError as error:
            yield file, error, write_found_boxes(file, Path(out), stem) if boxes and seen else []
            continue
        yield file, found, written
