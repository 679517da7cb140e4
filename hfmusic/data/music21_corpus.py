"""Tunes out of ABC and MusicXML files, through music21, each file read once and kept.

music21 needs 20 to 40 ms a tune, seconds a song with piano. What it reads is kept as JSON in a cache folder, one file
a source file, written whole or not at all, so a broken-off reading continues. The folder is `cache_dir`, or
$HFMUSIC_CACHE, or ~/.cache/hfmusic.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

from tqdm.auto import tqdm

from hfmusic.symbolic.music21_part import part_to_score
from hfmusic.symbolic.score import Score, TimeSignature

from .corpora import Tune
from .incipits import incipits, with_shared_works
from .primus_rows import pack_score, unpack_score

# Raise when reading changes: older caches are then read no more.
READER_VERSION = 1
CORPORA = ("essenFolksong", "airdsAirs", "oneills1850", "ryansMammoth")
# Test files of the corpus, and a second transcription of tunes that stand in another file already.
_LEFT_OUT = re.compile(r"test\w*\.abc|\d+-\d+_mh\.abc")
# From 2.0 on an accidental holds to the barline, which these files rely on and few of them say.
ABC_VERSION = (2, 1, 0)
INCIPITS_A_TUNE, INCIPITS_A_PART = 3, 8

Read = tuple[str, Score]
_log = logging.getLogger(__name__)


def read_tunes(limit: int | None, cache_dir: str | Path | None) -> Iterator[Tune]:
    """See `corpora.music21_tunes`."""
    import music21

    root = Path(music21.__file__).parent / "corpus"
    paths = [p for corpus in CORPORA for p in sorted((root / corpus).glob("*.abc")) if not _LEFT_OUT.fullmatch(p.name)]
    cache = cache_folder(cache_dir) / f"music21-{music21.__version__}-{READER_VERSION}"
    melodies: list[Tune] = []
    for path in tqdm(paths, desc="music21 corpus", unit="file", disable=len(paths) < 2):
        for number, score in _cached(path, cache, read_abc_file):
            name = f"{path.parent.name}-{path.stem}-{number}"
            melodies.append(Tune(name, f"music21:{name}", score, "music21"))
        if limit is not None and len(melodies) >= limit:
            break
    yield from _cut(with_shared_works(melodies[:limit]), INCIPITS_A_TUNE)


def read_parts(folder: Path, cache_dir: str | Path | None) -> Iterator[Tune]:
    """See `corpora.openscore_tunes`."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".mxl", ".musicxml"))
    if not paths:
        raise ValueError(f"no .mxl or .musicxml file in {folder}")
    cache = cache_folder(cache_dir) / f"musicxml-{READER_VERSION}"
    melodies: list[Tune] = []
    for path in tqdm(paths, desc="MusicXML", unit="file"):
        name = "-".join(path.relative_to(folder).with_suffix("").parts)
        for part, score in _cached(path, cache, read_musicxml_file):
            melodies.append(Tune(f"{name}-{part}", f"openscore:{path.stem}", score, "openscore"))
    yield from _cut(with_shared_works(melodies), INCIPITS_A_PART)


def _cut(melodies: list[Tune], most: int) -> Iterator[Tune]:
    for melody in melodies:
        for number, score in enumerate(incipits(melody.score, melody.id, most=most)):
            yield Tune(f"{melody.id}-{number + 1}", melody.work, score, melody.source)


def cache_folder(cache_dir: str | Path | None = None) -> Path:
    """The folder of what was read, not made yet."""
    return Path(cache_dir or os.environ.get("HFMUSIC_CACHE") or Path.home() / ".cache" / "hfmusic")


def _cached(path: Path, cache: Path, read: Callable[[Path], list[Read]]) -> list[Read]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    kept = cache / f"{path.stem}-{digest}.json.gz"
    if kept.is_file():
        with gzip.open(kept, "rt", encoding="utf-8") as file:
            return [(name, unpack_score(packed)) for name, packed in json.load(file)]
    result = read(path)
    cache.mkdir(parents=True, exist_ok=True)
    partial = kept.with_name(f"{kept.name}.{os.getpid()}.tmp")
    with gzip.open(partial, "wt", encoding="utf-8", compresslevel=5) as file:
        json.dump([(name, pack_score(score)) for name, score in result], file, separators=(",", ":"))
    partial.replace(kept)
    return result


def read_abc_file(path: Path) -> list[Read]:
    """(tune number, melody) of each tune of an ABC file that a Score carries; tunes of several voices are left out."""
    from music21 import abcFormat
    from music21.abcFormat import translate

    result: list[Read] = []
    for text in re.split(r"(?m)^(?=X:)", _text(path))[1:]:
        number = re.sub(r"\D", "", text.split("\n", 1)[0]) or "0"
        if re.search(r"(?m)^V:", text):
            continue
        try:
            # music21 raises whatever comes on ABC that it does not understand: one tune lost, not the file.
            handler = abcFormat.ABCHandler(abcVersion=ABC_VERSION)
            handler.process(text)
            part = translate.abcToStreamScore(handler).parts[0]
            score = part_to_score(part, partial=True)
        except Exception as error:
            _log.info("%s, tune %s left out: %s: %s", path.name, number, type(error).__name__, error)
            continue
        result.append((_unused(number, result), _with_one_meter(score) if _meters(text) < 2 else score))
    return result


def _text(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _unused(number: str, result: list[Read]) -> str:
    names = {name for name, _ in result}
    while number in names:
        number += "b"
    return number


def _meters(text: str) -> int:
    return len(re.findall(r"(?m)^M:|\[M:", text))


def _with_one_meter(score: Score) -> Score:
    """Without the changes of meter that music21 makes up for measures that are too short."""
    first = next((e for e in score.elements if isinstance(e, TimeSignature)), None)
    return Score(tuple(e for e in score.elements if not isinstance(e, TimeSignature) or e is first))


def read_musicxml_file(path: Path) -> list[Read]:
    """(part id, melody) of the parts of one staff and one voice; the others are left out before music21 sees them."""
    from music21 import converter

    result: list[Read] = []
    for name, text in single_staff_parts(path):
        try:
            parts = converter.parseData(text, format="musicxml").parts
            result.append((name, part_to_score(parts[0], partial=True)))
        except Exception as error:
            _log.info("%s, part %s left out: %s: %s", path.name, name, type(error).__name__, error)
    return result


def single_staff_parts(path: Path) -> Iterator[tuple[str, str]]:
    """(part id, MusicXML of that part alone) for each part of pitched notes without a second staff."""
    text = _musicxml(path)
    for part in ElementTree.fromstring(text).findall("part"):
        if part.find(".//staves") is not None or part.find(".//pitch") is None or part.find(".//unpitched") is not None:
            continue
        name = str(part.get("id"))
        yield name, _part_alone(text, name)


def _part_alone(text: bytes, name: str) -> str:
    """The document without other parts, and without what a Score has no place for: words, directions, layout."""
    root = ElementTree.fromstring(text)
    part_list = root.find("part-list")
    for parent in (root, *([] if part_list is None else [part_list])):
        for child in [c for c in parent if c.tag in ("part", "score-part", "part-group") and c.get("id") != name]:
            parent.remove(child)
    for parent in root.iter():
        for child in [c for c in parent if c.tag in ("lyric", "direction", "harmony", "print", "credit")]:
            parent.remove(child)
    return ElementTree.tostring(root, encoding="unicode")


def _musicxml(path: Path) -> bytes:
    if path.suffix != ".mxl":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        container = ElementTree.fromstring(archive.read("META-INF/container.xml"))
        inside = next(element.get("full-path") for element in container.iter() if element.tag.endswith("rootfile"))
        return archive.read(str(inside))
