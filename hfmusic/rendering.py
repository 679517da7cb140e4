"""The verb `render`: a file of notation goes in, such as a corrected reading; the formats of a transcription come out.

file -> reader of its notation -> Score -> writers (`hfmusic.formats`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from hfmusic.files import write_atomic
from hfmusic.formats import SCORE_FORMATS, Written, check_format, destinations, write
from hfmusic.symbolic.score import MultiRest, NotationError, Score, TimeSignature

SLOWEST, FASTEST = 10.0, 1000.0
# Of measures in a rest, and in a meter.
LARGEST = 999
_DEFAULT_FORMATS = ("png", "musicxml", "midi")
# Edits in which a word of the vocabulary is still what may have been meant.
_NEAR = 3


def render_files(
    files: Sequence[str | Path],
    *,
    formats: Sequence[str] | None = None,
    out: str | Path = ".",
    tempo: float | None = None,
) -> Iterator[tuple[Path, Written | ValueError, list[Path]]]:
    """Read files of notation and write OUT/STEM.FORMAT for each; goes on past bad ones.

    Yields (file, what was read or what was wrong, files written), in the order given. A folder stands for the files of
    notation in it, of one name the first of `SUFFIXES` in their order.

    Args:
        formats: of `hfmusic.formats.SCORE_FORMATS`. None: png, musicxml and midi, less what the file itself is.
        tempo: quarters a minute, for MIDI and MusicXML. None: a MIDI file's own, else MIDI's 120.

    Raises:
        ValueError: an unknown format, or a tempo out of range.
    """
    for format in formats or ():
        check_format(format, SCORE_FORMATS)
    if tempo is not None and not SLOWEST <= tempo <= FASTEST:
        raise ValueError(f"the tempo must be {SLOWEST:.0f} to {FASTEST:.0f} quarter notes a minute, got {tempo}")
    taken: dict[str, Path] = {}
    for file in _expand(files):
        if taken.setdefault(file.stem, file) != file:
            yield file, ValueError(f"{file}: would overwrite what {taken[file.stem]} gave; use another -o"), []
            continue
        try:
            music = read_notation(file, tempo=tempo)
            yield file, music, _write_all(file, music, formats, Path(out))
        except ValueError as error:
            yield file, error, []


def _expand(files: Iterable[str | Path]) -> Iterator[Path]:
    for file in map(Path, files):
        if not file.is_dir():
            yield file
            continue
        inside = [path for path in file.iterdir() if path.suffix.lower() in SUFFIXES]
        first: dict[str, Path] = {}
        for path in sorted(inside, key=lambda path: (path.stem, SUFFIXES.index(path.suffix.lower()))):
            first.setdefault(path.stem, path)
        yield from first.values()


def _write_all(file: Path, music: Written, formats: Sequence[str] | None, out: Path) -> list[Path]:
    own = _NOTATIONS[file.suffix.lower()][0]
    formats = [format for format in _DEFAULT_FORMATS if format != own] if formats is None else formats
    paths = destinations(file, formats, out)
    try:
        contents = [write(format, music) for format in formats]
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    return [write_atomic(path, content) for path, content in zip(paths, contents, strict=True)]


def read_notation(file: str | Path, *, tempo: float | None = None) -> Written:
    """The music of a file: PrIMuS semantic or agnostic tokens, Plaine & Easie, MEI, MusicXML, ABC or MIDI, by its name.

    Tokens may be parted by tabs, spaces, commas and newlines, and need not be in PrIMuS's vocabulary, which lacks many
    pitches and keys, so long as they are formed as those in it are.

    Args:
        tempo: see `render_files`.

    Raises:
        ValueError: no such file, a name that says no notation, an empty file, or one that cannot be read: one sentence
            that names the file and, of tokens, the one that is wrong and its place.
    """
    path = Path(file)
    if path.suffix.lower() not in _NOTATIONS:
        raise ValueError(f"{path}: no file of notation by its name; {', '.join(SUFFIXES)} are read")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    if not data.strip():
        raise ValueError(f"{path}: the file is empty")
    try:
        music = _NOTATIONS[path.suffix.lower()][1](data)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if not music.score.elements:
        raise ValueError(f"{path}: there is no music in the file")
    _check_numbers(music.score, path)
    return music if tempo is None else music._replace(tempo=tempo)


def read_tokens(text: str, encoding: str = "semantic") -> Written:
    """The music of PrIMuS tokens that somebody wrote: `read_notation` of a file with this text.

    Raises:
        ValueError: a token that is wrong, and its place; or no music.
    """
    read = {"semantic": _semantic, "agnostic": _agnostic}
    music = read[encoding](text.encode("utf-8"))
    if not music.score.elements:
        raise ValueError("there is no music in an empty text")
    _check_numbers(music.score, "the text")
    return music


def _check_numbers(score: Score, path: Path | str) -> None:
    """No number that would be written as so many measures, or drawn as so many figures."""
    for element in score.elements:
        largest = 0
        if isinstance(element, MultiRest):
            largest = element.measures
        elif isinstance(element, TimeSignature):
            largest = max(element.numerator, element.denominator)
        if largest > LARGEST:
            kind = "a rest of measures" if isinstance(element, MultiRest) else "a meter"
            raise ValueError(f"{path}: {kind} with the number {largest}; at most {LARGEST} is written")


def _text(data: bytes) -> str:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"not a text in UTF-8 (byte {error.start + 1} is none)") from None


def _semantic(data: bytes) -> Written:
    from hfmusic.symbolic.semantic import read_semantic

    return _of_tokens(_text(data), "semantic", read_semantic)


def _agnostic(data: bytes) -> Written:
    from hfmusic.symbolic.agnostic import read_agnostic

    return _of_tokens(_text(data), "agnostic", read_agnostic)


def _of_tokens(text: str, encoding: str, read: Callable[[Sequence[str]], Score]) -> Written:
    found = [(match[0], match.start()) for match in re.finditer(r"[^\s,]+", text)]
    tokens = [token for token, _ in found]
    try:
        return Written(tokens, encoding, read(tokens), None)
    except NotationError as error:
        place = _wrong_place(tokens, error, read)
        if place is None:
            raise
        token, start = found[place]
        line, column = text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)
        wrong = _what_is_wrong(token, encoding, error)
        raise ValueError(f"token {place + 1}, {token!r} (line {line}, column {column}), {wrong}") from None


def _wrong_place(tokens: Sequence[str], error: NotationError, read: Callable[[Sequence[str]], Score]) -> int | None:
    """Which token an error is about: the readers count tokens from 0, but tell of a tie only what it follows."""
    named = re.search(r"\btoken (\d+)\b", str(error))
    if named:
        return int(named[1])
    ties = [place for place, token in enumerate(tokens) if token == "tie" or token.startswith("slur.start")]
    if error.reason != "tie":  # a token that is wrong by itself
        return next((place for place, token in enumerate(tokens) if not _is_read([token], read)), None)
    for place in ties:
        if not _is_read([token for other, token in enumerate(tokens) if other == place or other not in ties], read):
            return place
    return None


def _is_read(tokens: Sequence[str], read: Callable[[Sequence[str]], Score]) -> bool:
    try:
        read(tokens)
    except NotationError:
        return False
    return True


def _what_is_wrong(token: str, encoding: str, error: NotationError) -> str:
    if error.reason == "tie":
        return "is a tie that joins no two notes"
    if "belongs to nothing" in str(error):
        return "belongs to nothing before or after it"
    from rapidfuzz.distance import Levenshtein
    from rapidfuzz.process import extractOne

    from hfmusic.symbolic.vocabulary import load_vocabulary

    other = "agnostic" if encoding == "semantic" else "semantic"
    if token in load_vocabulary(other):
        return f"is PrIMuS {other}, not {encoding}; name the file .{other}"
    words = load_vocabulary(encoding).tokens
    near = extractOne(token, words, scorer=Levenshtein.distance, score_cutoff=_NEAR)
    return f"is no PrIMuS {encoding} token" + (f"; did you mean {near[0]!r}?" if near else "")


def _alone(score: Score, tempo: float | None = None) -> Written:
    return Written((), "score", score, tempo)


def _pae(data: bytes) -> Written:
    from hfmusic.symbolic.pae import read_pae_text

    return _alone(read_pae_text(_text(data)))


def _mei(data: bytes) -> Written:
    from hfmusic.symbolic.mei import read_mei

    return _alone(read_mei(data))


def _musicxml(data: bytes) -> Written:
    from hfmusic.symbolic.musicxml import read_musicxml

    return _alone(read_musicxml(data))


def _xml(data: bytes) -> Written:
    """MEI or MusicXML, as it says."""
    return _mei(data) if b"music-encoding.org" in data[:4096] or b"<mei" in data[:4096] else _musicxml(data)


def _abc(data: bytes) -> Written:
    from hfmusic.symbolic.abc import read_abc

    return _alone(read_abc(_text(data)))


def _midi(data: bytes) -> Written:
    """MIDI says nothing of beams: they go by the meter."""
    from hfmusic.symbolic.beaming import with_beams
    from hfmusic.symbolic.midi import open_midi, read_midi

    tempos = (message.tempo for track in open_midi(data).tracks for message in track if message.type == "set_tempo")
    microseconds = next(tempos, 0)
    tempo = 60e6 / microseconds if microseconds else math.nan
    return _alone(with_beams(read_midi(data)), tempo if SLOWEST <= tempo <= FASTEST else None)


# The format of `hfmusic.formats` that a file is already, and its reader.
_NOTATIONS: dict[str, tuple[str, Callable[[bytes], Written]]] = {
    ".semantic": ("semantic", _semantic),
    ".agnostic": ("agnostic", _agnostic),
    ".pae": ("pae", _pae),
    ".mei": ("mei", _mei),
    ".musicxml": ("musicxml", _musicxml),
    ".mxl": ("musicxml", _musicxml),
    ".xml": ("musicxml", _xml),
    ".abc": ("abc", _abc),
    ".mid": ("midi", _midi),
    ".midi": ("midi", _midi),
}
SUFFIXES = tuple(_NOTATIONS)
