"""MSMD in both forms: noteheads get the notes that their files join them to, and no pickle is loaded."""

from __future__ import annotations

import io
from pathlib import Path

import mido
import numpy as np
import pytest
from PIL import Image

from hfmusic.data.msmd import msmd_pieces, read_msmd_sheet
from hfmusic.data.sheets import read_sheet_audio

NOTES = [(74, 0), (55, 0), (76, 480), (77, 960)]  # pitch, tick


def write_midi(path: Path) -> None:
    file, track = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack()
    events = [(tick, "note_on", pitch) for pitch, tick in NOTES] + [(tick + 240, "note_off", p) for p, tick in NOTES]
    now = 0
    for tick, kind, pitch in sorted(events, key=lambda event: event[0]):
        track.append(mido.Message(kind, note=pitch, velocity=80, time=tick - now))
        now = tick
    file.tracks.append(track)
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(path)


def write_unrolled(folder: Path, numbers: object, name: str = "Anon__study__study") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    coordinates = np.array([[60, 75], [62, 101], [124, 75], [59, 121]], np.float32)
    image = np.full((200, 300), 255, np.uint8)
    np.savez(folder / f"{name}.npz", sheet=image, coords=coordinates, coord2onset=np.array([numbers], dtype=object))
    write_midi(folder / f"{name}.mid")
    return folder / f"{name}.npz"


def test_an_unrolled_piece(tmp_path: Path) -> None:
    path = write_unrolled(tmp_path / "score", {0: 0, 1: 2, 2: 1, 3: 3})
    (piece,) = msmd_pieces(tmp_path)
    assert (piece.path, piece.piece, piece.source) == (path, "msmd/Anon__study__study", "msmd")
    sheet = read_msmd_sheet(path)
    assert [(note.pitch_midi, note.x, note.y, note.staff, note.onset_seconds) for note in sheet.notes] == [
        (74, 75, 60, 1, 0),
        (55, 75, 124, 2, 0),
        (76, 101, 62, 1, 0.5),
        (77, 121, 59, 1, 1),
    ]
    assert sheet.notes[3].offset_seconds == 1.25 and sheet.notes[3].onset_quarters == 2
    (row,) = read_sheet_audio(tmp_path, "test")
    assert row.audio[:4] == b"fLaC" and row.source == "msmd" and len(row.sheet.notes) == 4 and 1.2 < row.seconds < 5


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("evil"),)


def test_pickles_are_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_unrolled(tmp_path / "score", Evil())
    with pytest.raises(ValueError, match="do not belong to its 4 notes"):
        read_msmd_sheet(path)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("numbers", [{0: 9}, {7: 0}, {}])
def test_numbers_of_no_note(tmp_path: Path, numbers: dict[int, int]) -> None:
    with pytest.raises(ValueError, match="study.npz: its noteheads do not belong"):
        read_msmd_sheet(write_unrolled(tmp_path, numbers))


def write_pages(folder: Path) -> Path:
    """A page with two systems, four heads of which the last has no onset, and two performances."""
    score = folder / "scores" / "study_ly"
    for name in ("img", "mung"):
        (score / name).mkdir(parents=True)
    picture = io.BytesIO()
    Image.fromarray(np.full((400, 835), 255, np.uint8)).save(picture, format="PNG")
    (score / "img" / "01.png").write_bytes(picture.getvalue())
    heads = [(74, 100, 120, 0.0), (55, 100, 180, 0.0), (76, 300, 320, 0.5), (76, 350, 320, None)]
    signs = [_sign("staff", 20, top, 790, 80, "") for top in (300, 110)]
    for pitch, x, y, seconds in heads:
        data = f'<DataItem key="midi_pitch_code" type="int">{pitch}</DataItem>'
        if seconds is not None:
            told = "study_tempo-1000_Piano_onset_seconds"
            data += f'<DataItem key="{told}" type="float">{seconds}</DataItem>'
        signs.append(_sign("notehead-full", x - 4, y - 3, 8, 6, data))
    text = f"<CropObjectList><CropObjects>{''.join(signs)}</CropObjects></CropObjectList>"
    (score / "mung" / "01.xml").write_text(text)
    for tempo in ("0900", "1000"):
        name = f"study_tempo-{tempo}_Piano"
        write_midi(folder / "performances" / name / f"{name}.mid")
    return folder


def _sign(kind: str, left: int, top: int, wide: int, high: int, data: str) -> str:
    place = f"<Top>{top}</Top><Left>{left}</Left><Width>{wide}</Width><Height>{high}</Height>"
    return f"<CropObject><Id>1</Id><ClassName>{kind}</ClassName>{place}<Data>{data}</Data></CropObject>"


def test_a_piece_as_published(tmp_path: Path) -> None:
    folder = write_pages(tmp_path / "Anon__study__study")
    assert [piece.path for piece in msmd_pieces(tmp_path)] == [folder]
    sheet = read_msmd_sheet(folder)
    assert [(system.top, system.bottom) for system in sheet.systems] == [(110, 190), (300, 380)]
    assert [(note.pitch_midi, note.system, note.x, note.onset_seconds, note.staff) for note in sheet.notes] == [
        (74, 0, 100, 0, 1),
        (55, 0, 100, 0, 2),
        (76, 1, 300, 0.5, 1),
    ]
    (folder / "scores" / "study_ly" / "mung" / "01.xml").write_text("<torn")
    with pytest.raises(ValueError, match="01.xml: no MuNG file"):
        read_msmd_sheet(folder)


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be a folder of MSMD"):
        list(msmd_pieces(tmp_path / "gone"))
    with pytest.raises(ValueError, match="neither Parquet files of sheet_audio nor pieces of MSMD"):
        list(read_sheet_audio(tmp_path))
    (tmp_path / "torn.npz").write_bytes(b"PK no more")
    write_midi(tmp_path / "torn.mid")
    with pytest.raises(ValueError, match=r"torn.npz: no .npz archive"):
        read_msmd_sheet(tmp_path / "torn.npz")
