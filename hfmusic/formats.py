"""What a transcription can be written as: text, MIDI, MusicXML, MEI or a drawn staff."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from hfmusic.symbolic.score import Score


class Written(NamedTuple):
    """What is written: tokens in an `encoding` ("semantic" or "agnostic"), the score of them, and quarters a minute."""

    tokens: Sequence[str]
    encoding: str
    score: Score
    tempo: float | None


def check_format(format: str) -> None:
    """Raises ValueError for a format that is none of `FORMATS`."""
    if format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")


def write(format: str, music: Written) -> str | bytes:
    """The music in one of `FORMATS`.

    Raises:
        ValueError: an unknown format, or music the format cannot write.
    """
    check_format(format)
    return _WRITERS[format](music)


def _semantic(music: Written) -> str:
    from hfmusic.symbolic.semantic import semantic_text, write_semantic

    return semantic_text(music.tokens if music.encoding == "semantic" else write_semantic(music.score)) + "\n"


def _agnostic(music: Written) -> str:
    from hfmusic.symbolic.agnostic import write_agnostic

    return "\t".join(music.tokens if music.encoding == "agnostic" else write_agnostic(_beamed(music))) + "\n"


def _beamed(music: Written) -> Score:
    """With conventional beams: semantic tokens say nothing of them."""
    from hfmusic.symbolic.beaming import with_beams

    return with_beams(music.score) if music.encoding == "semantic" else music.score


def _musicxml(music: Written) -> str:
    from hfmusic.symbolic.musicxml import write_musicxml

    return write_musicxml(_beamed(music), music.tempo)


def _midi(music: Written) -> bytes:
    from hfmusic.symbolic.midi import write_midi

    return write_midi(music.score, music.tempo or 120.0)


def _mei(music: Written) -> str:
    from hfmusic.symbolic.mei import write_mei

    return write_mei(_beamed(music))


def _svg(music: Written) -> str:
    from hfmusic.render.engrave import EngravingStyle, engrave_svg

    return engrave_svg(_mei(music), EngravingStyle())


def _png(music: Written) -> bytes:
    from hfmusic.render.engrave import engrave, png_bytes

    return png_bytes(engrave(_beamed(music)))


_WRITERS: dict[str, Callable[[Written], str | bytes]] = {
    "semantic": _semantic,
    "agnostic": _agnostic,
    "musicxml": _musicxml,
    "midi": _midi,
    "mei": _mei,
    "svg": _svg,
    "png": _png,
}
FORMATS = tuple(_WRITERS)
SUFFIXES = {format: ".mid" if format == "midi" else f".{format}" for format in FORMATS}
