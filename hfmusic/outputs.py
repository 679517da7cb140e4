"""What a transcription is written to: STEM.FORMAT in a folder, and which formats there are of what was read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hfmusic.files import write_atomic
from hfmusic.formats import ALL_FORMATS, FORMATS, NOTE_FORMATS, SCORE_FORMATS, check_format, destinations
from hfmusic.hearing.polyphonic import PolyphonicTranscription, Voices

if TYPE_CHECKING:
    from hfmusic.transcribe import Transcription

EVERYTHING = "all"


def voices_for(formats: Sequence[str], voices: Voices) -> Voices:
    """What to listen to where any will do: what can be written in the formats.

    Raises:
        ValueError: an unknown format.

    >>> voices_for(["midi", "csv"], "auto"), voices_for(["mei"], "auto"), voices_for(["midi"], "auto")
    ('many', 'one', 'auto')
    """
    for format in formats:
        check_format(format, (*ALL_FORMATS, EVERYTHING))
    if voices != "auto":
        return voices
    if set(formats) & (set(NOTE_FORMATS) - set(FORMATS)):
        return "many"
    return "one" if set(formats) & (set(FORMATS) - set(NOTE_FORMATS)) else "auto"


def formats_for(found: Transcription | PolyphonicTranscription, formats: Sequence[str]) -> tuple[str, ...]:
    """The formats, "all" being those that what was read has."""
    if isinstance(found, PolyphonicTranscription):
        every: tuple[str, ...] = NOTE_FORMATS
    else:
        every = FORMATS if found.pictures else SCORE_FORMATS
    return tuple(dict.fromkeys(one for format in formats for one in (every if format == EVERYTHING else (format,))))


def write_all(
    transcription: Transcription | PolyphonicTranscription, source: Path, formats: Sequence[str], out: Path, stem: str
) -> list[Path]:
    paths = destinations(source, formats, out, stem)
    try:
        contents = [transcription.to(format) for format in formats]
    except ValueError as error:
        raise ValueError(f"{transcription.source}: {error}") from None
    return [write_atomic(path, content) for path, content in zip(paths, contents, strict=True)]


def write_boxes(transcription: Transcription, out: Path, stem: str) -> list[Path]:
    from hfmusic.reading.boxes import boxes_png

    drawn = [
        boxes_png(pixels, [staff.place for staff in transcription.staves if staff.place.page == page])
        for page, pixels in enumerate(transcription.pictures)
    ]
    return _write_pages(drawn, out, stem)


def write_found_boxes(file: Path, out: Path, stem: str) -> list[Path]:
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
