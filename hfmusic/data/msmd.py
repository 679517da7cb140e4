"""MSMD, the Multimodal Sheet Music Dataset (M. Dorfer et al., TISMIR 2018), in both forms that it comes in.

As published (https://zenodo.org/records/2597505): a folder a piece, with the pages in scores/NAME/img/*.png, what is on
them in scores/NAME/mung/*.xml, and a MIDI file of each performance. And as score followers pass it around: NAME.npz,
one unrolled system, its noteheads and the number of each one's note in NAME.mid.

Performances are played anew: MSMD is published without its audio. CC BY-NC-SA 4.0 holds for it.
"""

from __future__ import annotations

import io
import pickletools
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import mido
import numpy as np
from PIL import Image

from hfmusic.data.sheet_pieces import ScorePiece, slug
from hfmusic.render.sheet import Sheet, SheetNote, System
from hfmusic.symbolic.midi import open_midi

_ONSET = re.compile(r"(?P<performance>.+)_onset_seconds$")
_SAME_SECONDS = 0.02


def msmd_pieces(folder: str | Path) -> Iterator[ScorePiece]:
    """The pieces in a folder of MSMD, of either form, by name.

    Raises:
        ValueError: no such folder, or no piece in it.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise ValueError(f"{root} must be a folder of MSMD")
    paths = [path for path in root.rglob("*.npz") if path.with_suffix(".mid").is_file()]
    paths += [path.parents[2] for path in root.rglob("scores/*/mung") if path.is_dir()]
    if not paths:
        raise ValueError(
            f"{root} holds neither Parquet files of sheet_audio nor pieces of MSMD (NAME.npz beside NAME.mid, or "
            "NAME/scores/*/mung)"
        )
    for path in sorted(set(paths)):
        name = path.stem if path.suffix == ".npz" else path.name
        yield ScorePiece(path, f"msmd/{name}", f"msmd-{slug(name)}", "msmd")


def read_msmd_sheet(path: str | Path) -> Sheet:
    """A piece of MSMD; its seconds are those of the performance in the tempo of the score.

    Args:
        path: NAME.npz, or the folder of a piece.

    Raises:
        ValueError: a file that is missing or damaged; names it.
    """
    path = Path(path)
    sheet = _unrolled_sheet(path) if path.suffix == ".npz" else _page_sheet(path)
    if not sheet.notes:
        raise ValueError(f"{path}: no notehead of it has an onset")
    return sheet


@dataclass(frozen=True)
class _Played:
    """A note of a MIDI file, in the file's order."""

    quarters: float
    onset: float
    offset: float
    pitch: int


def _unrolled_sheet(path: Path) -> Sheet:
    with _opened(path) as archive:
        image, coordinates = (_array(archive, name, path) for name in ("sheet", "coords"))
        numbers = _note_numbers(archive, path)
    if image.dtype != np.uint8 or image.ndim != 2 or coordinates.shape != (len(coordinates), 2):
        raise ValueError(f"{path}: a sheet {image.dtype} {image.shape} with coordinates {coordinates.shape}")
    played = _played(path.with_suffix(".mid"))
    if not numbers or not (max(numbers) < len(coordinates) and max(numbers.values()) < len(played)):
        raise ValueError(f"{path}: its noteheads do not belong to its {len(played)} notes")
    chords = defaultdict[tuple[float, int], list[tuple[float, float, _Played]]](list)
    for place, number in numbers.items():
        note, (y, x) = played[number], map(float, coordinates[place])
        chords[note.quarters, 1 if y < image.shape[0] / 2 else 2].append((y, x, note))
    notes = [
        SheetNote(0, 0, x, y, note.pitch, staff, note.quarters, note.onset, note.offset)
        for (_, staff), chord in chords.items()
        for x, y, note in _highest_first(chord)
    ]
    system = System(0, 0.0, 0.0, float(image.shape[1]), float(image.shape[0]))
    return Sheet(pages=(image,), systems=(system,), notes=_ordered(notes), title=path.stem.split("__")[-1])


def _highest_first(chord: list[tuple[float, float, _Played]]) -> list[tuple[float, float, _Played]]:
    """(x, y, note) of a staff's notes that begin together, of (y, x, note) as the file joins them. Which is which it
    only tells by their order in the MIDI file: what is printed higher sounds higher."""
    heads = sorted((y, x) for y, x, _ in chord)
    notes = sorted((note for _, _, note in chord), key=lambda note: -note.pitch)
    return [(x, y, note) for (y, x), note in zip(heads, notes, strict=True)]


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"{path}: no .npz archive ({error})") from None


def _array(archive: zipfile.ZipFile, name: str, path: Path) -> np.ndarray:
    try:
        return np.asarray(np.load(io.BytesIO(archive.read(f"{name}.npy")), allow_pickle=False))
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: no array {name} in it ({error})") from None


def _note_numbers(archive: zipfile.ZipFile, path: Path) -> dict[int, int]:
    """Number of a notehead -> number of its note.

    The file keeps them as a pickled dict, which could run anything: only its whole numbers are read, nothing is made.
    """
    try:
        data = archive.read("coord2onset.npy")
        stream = data[10 + int.from_bytes(data[8:10], "little") :]
        numbers: list[int] = []
        inside = False
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name == "EMPTY_DICT":
                inside = True
            elif inside and isinstance(argument, int) and opcode.name in ("BININT", "BININT1", "BININT2", "INT"):
                numbers.append(argument)
            elif inside and opcode.name not in ("MARK", "SETITEMS", "SETITEM", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
                break
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: no coord2onset in it ({error})") from None
    # What memo opcodes carry is no part of the dict: they were passed over by name.
    return dict(zip(numbers[::2], numbers[1::2], strict=True)) if len(numbers) % 2 == 0 else {}


def _played(path: Path) -> list[_Played]:
    """The notes of a MIDI file by their beginning, in the order of the file."""
    file = open_midi(path.read_bytes()) if path.is_file() else None
    if file is None:
        raise ValueError(f"{path}: no such MIDI file")
    quarters = seconds = 0.0
    tempo = 500_000
    notes: list[_Played] = []
    sounding: dict[tuple[int, int], list[int]] = defaultdict(list)
    for message in mido.merge_tracks(file.tracks):
        quarters += message.time / file.ticks_per_beat
        seconds += message.time / file.ticks_per_beat * tempo / 1e6
        if message.type == "set_tempo":
            tempo = message.tempo
        elif message.type == "note_on" and message.velocity:
            sounding[message.channel, message.note].append(len(notes))
            notes.append(_Played(quarters, seconds, seconds, message.note))
        elif message.type in ("note_on", "note_off") and sounding[message.channel, message.note]:
            number = sounding[message.channel, message.note].pop(0)
            notes[number] = _Played(notes[number].quarters, notes[number].onset, seconds, message.note)
    return notes


def _page_sheet(folder: Path) -> Sheet:
    score = next(iter(sorted(one.parent for one in folder.glob("scores/*/mung"))), None)
    midi = _performance(folder)
    if score is None or midi is None:
        raise ValueError(f"{folder}: no scores/*/mung, or no performances/*/*.mid")
    pages = [_picture(path) for path in sorted((score / "img").glob("*.png"))]
    marks = sorted((score / "mung").glob("*.xml"))
    if len(pages) != len(marks) or not pages:
        raise ValueError(f"{score}: {len(pages)} pages in img and {len(marks)} files in mung, wanted as many")
    played, systems, notes = _played(midi), list[System](), list[SheetNote]()
    for page, path in enumerate(marks):
        objects = _objects(path)
        first = len(systems)
        boxes = sorted((one.box for one in objects if one.kind == "staff"), key=lambda box: box[1])
        systems += [System(page, *box) for box in boxes]
        notes += [note for one in objects if boxes for note in _heads(one, page, first, boxes, played, midi)]
    return Sheet(pages=tuple(pages), systems=tuple(systems), notes=_ordered(notes), title=folder.name.split("__")[-1])


def _performance(folder: Path) -> Path | None:
    """The MIDI file of a performance in the score's tempo, where there is one."""
    found = sorted([*folder.glob("performances/*/*.mid"), *folder.glob("performances/*/*.midi")])
    return min(found, key=lambda path: ("tempo-1000" not in path.parent.name, path.name), default=None)


def _picture(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as picture:
            return np.array(picture.convert("L"))
    except (OSError, SyntaxError):
        raise ValueError(f"{path}: no picture") from None


@dataclass(frozen=True)
class _Object:
    """What a MuNG file says of one sign: box is left, top, right, bottom."""

    kind: str
    box: tuple[float, float, float, float]
    data: dict[str, str]


def _objects(path: Path) -> list[_Object]:
    try:
        root = ElementTree.parse(path).getroot()
        found = []
        for node in root.iter("CropObject"):
            left, top, wide, high = (float(node.findtext(name, "")) for name in ("Left", "Top", "Width", "Height"))
            data = {item.get("key", ""): (item.text or "").strip() for item in node.iter("DataItem")}
            kind = node.findtext("ClassName") or node.findtext("MLClassName") or ""
            found.append(_Object(kind, (left, top, left + wide, top + high), data))
        return found
    except (ElementTree.ParseError, ValueError, OSError) as error:
        raise ValueError(f"{path}: no MuNG file ({error})") from None


def _heads(
    one: _Object,
    page: int,
    first: int,
    boxes: list[tuple[float, float, float, float]],
    played: list[_Played],
    midi: Path,
) -> Iterator[SheetNote]:
    """The note of a notehead that begins in the performance; those that are tied to others have no onset."""
    told = {match["performance"]: key for key in one.data if (match := _ONSET.match(key))}
    key = told.get(midi.parent.name)
    if key is None or "midi_pitch_code" not in one.data:
        return
    seconds, pitch = float(one.data[key]), int(one.data["midi_pitch_code"])
    note = min(played, key=lambda note: (note.pitch != pitch, abs(note.onset - seconds)), default=None)
    if note is None or note.pitch != pitch or abs(note.onset - seconds) > _SAME_SECONDS:
        return
    left, top, right, bottom = one.box
    x, y = (left + right) / 2, (top + bottom) / 2
    system = min(range(len(boxes)), key=lambda number: abs((boxes[number][1] + boxes[number][3]) / 2 - y))
    staff = 1 if y < (boxes[system][1] + boxes[system][3]) / 2 else 2
    yield SheetNote(page, first + system, x, y, pitch, staff, note.quarters, note.onset, note.offset)


def _ordered(notes: list[SheetNote]) -> tuple[SheetNote, ...]:
    return tuple(sorted(notes, key=lambda note: (note.onset_seconds, note.system, note.x, note.y)))
