"""Where a sound and its notes lie: files, flat or in folders of their own, or members of zip archives as downloaded."""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hfmusic.data.note_files import NOTE_SUFFIXES

SOUND_SUFFIXES = (".flac", ".wav", ".ogg", ".mp3")
# What stands behind the stem of a sound: GuitarSet's microphone, its hexaphonic pickup (raw, cleaned), and their mix.
SOUND_ENDINGS = ("", "_mic", "_hex", "_hex_cln", "_mix")


@dataclass(frozen=True)
class Place:
    """A file, or a member of a zip archive."""

    path: Path
    member: str = ""

    @property
    def name(self) -> PurePosixPath:
        return PurePosixPath(self.member or self.path.name)

    @property
    def suffix(self) -> str:
        return self.name.suffix.lower()

    def __str__(self) -> str:
        return f"{self.path}:{self.member}" if self.member else str(self.path)

    def read(self) -> bytes:
        """The bytes.

        Raises:
            ValueError: missing, or a damaged archive; one sentence that names the file.
        """
        try:
            if not self.member:
                return self.path.read_bytes()
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(self.member)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise ValueError(f"{self} cannot be read ({error})") from None

    def as_json(self) -> list[str]:
        return [str(self.path), self.member]


def find_places(folder: Path, suffixes: Sequence[str]) -> Iterator[Place]:
    """Files of some kinds in a folder and in the zip archives in it, at any depth, in order.

    Raises:
        ValueError: no such folder, or a damaged archive.
    """
    if not folder.is_dir():
        raise ValueError(f"a folder wanted, got {folder}")
    for path in sorted(folder.rglob("*")):
        if path.name.startswith("."):  # also what macOS leaves in archives
            continue
        if path.suffix.lower() == ".zip":
            yield from (place for place in _members(path) if place.suffix in suffixes)
        elif path.suffix.lower() in suffixes and path.is_file():
            yield Place(path)


def _members(path: Path) -> Iterator[Place]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is a damaged zip archive ({error})") from None
    for name in sorted(names):
        if not PurePosixPath(name).name.startswith("."):
            yield Place(path, name)


def find_pairs(folder: Path, endings: Sequence[str] = SOUND_ENDINGS) -> list[tuple[Place, Place]]:
    """Sounds and the files of their notes, by the name of the latter.

    Of several sounds or note files of a name, the kind is taken that comes first in `endings`, `SOUND_SUFFIXES` and
    `NOTE_SUFFIXES`.

    Raises:
        ValueError: no such folder, a damaged archive, or two files of a kind with one name.
    """
    labels, sounds = _by_stem(folder, NOTE_SUFFIXES), _by_stem(folder, SOUND_SUFFIXES)
    pairs = []
    for stem, candidates in sorted(labels.items()):
        named = next((sounds[stem + ending] for ending in endings if stem + ending in sounds), None)
        if named is not None:
            pairs.append((_best(named, SOUND_SUFFIXES), _best(candidates, NOTE_SUFFIXES)))
    return pairs


def _by_stem(folder: Path, suffixes: Sequence[str]) -> dict[str, list[Place]]:
    found = defaultdict[str, list[Place]](list)
    for place in find_places(folder, suffixes):
        found[place.name.stem].append(place)
    return found


def _best(places: Sequence[Place], suffixes: Sequence[str]) -> Place:
    ranked = sorted(places, key=lambda place: suffixes.index(place.suffix))
    if len(ranked) > 1 and ranked[0].suffix == ranked[1].suffix:
        raise ValueError(f"{ranked[0]} and {ranked[1]} have one name: give a folder in which names differ")
    return ranked[0]
