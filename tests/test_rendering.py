"""`hfmusic render`: files of notation, among them corrected readings, into every other format."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path

import mido
import numpy as np
import pytest
from PIL import Image

from hfmusic.cli import main
from hfmusic.formats import SCORE_FORMATS, SUFFIXES, destinations
from hfmusic.rendering import read_notation, render_files
from hfmusic.symbolic.abc import write_abc
from hfmusic.symbolic.mei import read_mei, write_mei
from hfmusic.symbolic.midi import write_midi
from hfmusic.symbolic.musicxml import read_musicxml, write_musicxml
from hfmusic.symbolic.semantic import read_semantic, split_tokens, write_semantic

GOLDEN = Path(__file__).parent / "golden" / "primus" / "000051652-1_2_1.semantic"
TUNE = "clef-G2 keySignature-DM timeSignature-3/4 note-F#4_quarter note-C#5_eighth note-D5_eighth rest-quarter barline"


def run(*arguments: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `hfmusic render ARGUMENTS`."""
    code: object = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["hfmusic", "render", *map(str, arguments)])
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    assert isinstance(code, int)
    return code, out, err


def test_a_corrected_reading_is_written_in_every_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edited = tmp_path / "photo.semantic"
    edited.write_text(GOLDEN.read_text().replace("note-Eb5_quarter.", "note-F5_quarter."))
    code, out, err = run(edited, "--format", ",".join(SCORE_FORMATS), "-o", tmp_path / "new", capsys=capsys)
    assert (code, err) == (0, "")
    assert out.startswith(f"{edited}: 19 symbols -> photo.semantic, ")
    written = {path.name for path in (tmp_path / "new").iterdir()}
    assert written == {f"photo{SUFFIXES[format]}" for format in SCORE_FORMATS}
    tokens = split_tokens(edited.read_text())
    assert split_tokens((tmp_path / "new" / "photo.semantic").read_text()) == tokens
    score = read_semantic(tokens)
    assert read_mei((tmp_path / "new" / "photo.mei").read_text()).without("beam") == score
    assert read_musicxml(tmp_path / "new" / "photo.musicxml").notes[2].pitch.name == score.notes[2].pitch.name == "G4"
    sounding = [m.note for m in mido.MidiFile(tmp_path / "new" / "photo.mid") if m.type == "note_on" and m.velocity]
    assert sounding == [note.pitch.midi for note in score.notes]
    assert np.asarray(Image.open(tmp_path / "new" / "photo.png")).min() == 0


def test_it_writes_beside_the_file_by_default_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tune.semantic").write_text(TUNE)
    for _ in range(2):
        ((_, music, written),) = render_files(["tune.semantic"])
        assert not isinstance(music, ValueError)
        assert [path.name for path in written] == ["tune.png", "tune.musicxml", "tune.mid"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "tune.mid",
        "tune.musicxml",
        "tune.png",
        "tune.semantic",
    ]


SCORE = read_semantic(TUNE)
FILES = {
    "tune.semantic": TUNE.encode(),
    "tune.agnostic": b"clef.G-L2 accidental.sharp-L5 accidental.sharp-S3 digit.3-L4 digit.4-L2 note.quarter-S1 "
    b"note.beamedRight1-S3 note.beamedLeft1-L4 rest.quarter-L3 barline-L1",
    "tune.pae": b"@clef:G-2\n@keysig:xFC\n@timesig:3/4\n@data:'4F8''{CD}4-/",
    "tune.mei": write_mei(SCORE).encode(),
    "mei.xml": write_mei(SCORE).encode(),
    "tune.musicxml": write_musicxml(SCORE).encode(),
    "musicxml.xml": write_musicxml(SCORE).encode(),
    "tune.abc": write_abc(SCORE).encode(),
    "tune.mid": write_midi(SCORE, 90.0),
    "TUNE.MIDI": write_midi(SCORE),
}


@pytest.mark.parametrize("name", FILES)
def test_every_notation_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    ((file, music, written),) = render_files([path], formats=["semantic"], out=tmp_path / "out")
    assert file == path
    assert not isinstance(music, ValueError), music
    assert split_tokens(written[0].read_text()) == TUNE.split()


@pytest.mark.parametrize(
    "data",
    [
        TUNE.replace(" ", "\t").encode() + b"\r\n",
        TUNE.replace(" ", ", ").encode(),
        b"\xef\xbb\xbf" + TUNE.replace(" ", "\r\n").encode(),
        TUNE.encode("utf-16"),
        TUNE.replace(" ", ",,\u00a0").encode(),
    ],
)
def test_tokens_may_be_parted_and_encoded_as_editors_do(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "tune.semantic"
    path.write_bytes(data)
    assert read_notation(path).tokens == TUNE.split()


def test_tokens_beyond_the_vocabulary_are_read_when_they_are_well_formed(tmp_path: Path) -> None:
    path = tmp_path / "tune.semantic"
    path.write_text("clef-G2 timeSignature-17/16 note-C#9_sixty_fourth..")
    assert read_notation(path).score.notes[0].pitch.name == "C#9"


BAD = {
    "empty.semantic": (b"", "the file is empty"),
    "blank.semantic": (b"\r\n \n", "the file is empty"),
    "commas.semantic": (b",,,", "there is no music in the file"),
    "word.semantic": (
        b"clef-G2\tnote-C4_quarter\nrest-half note-D5_quater\n",
        "token 4, 'note-D5_quater' (line 2, column 11), is no PrIMuS semantic token; did you mean 'note-D5_quarter'?",
    ),
    "bom.semantic": (
        b"\xef\xbb\xbfnote-H4_half",
        "token 1, 'note-H4_half' (line 1, column 1), is no PrIMuS semantic token",
    ),
    "nonsense.semantic": (b"hello", "token 1, 'hello' (line 1, column 1), is no PrIMuS semantic token"),
    "dots.semantic": (b"clef-G2 note-C4_half....", "token 2, 'note-C4_half....' (line 1, column 9), is no PrIMuS"),
    "first.semantic": (
        b"clef-G2 tie note-C4_half",
        "token 2, 'tie' (line 1, column 9), is a tie that joins no two notes",
    ),
    "tie.semantic": (
        b"note-C4_half tie note-C4_half tie rest-half note-C4_half",
        "token 4, 'tie' (line 1, column 31), is a tie that joins no two notes",
    ),
    "twice.semantic": (b"note-C4_half tie tie note-C4_half", "token 3, 'tie' (line 1, column 18), is a tie"),
    "other.semantic": (
        b"clef.G-L2 note.half-L2",
        "token 1, 'clef.G-L2' (line 1, column 1), is PrIMuS agnostic, not semantic; name the file .agnostic",
    ),
    "other.agnostic": (b"clef-G2 note-C4_half", "is PrIMuS semantic, not agnostic; name the file .semantic"),
    "stray.agnostic": (
        b"clef.G-L2 note.half-L2 dot-S2 accidental.flat-L2 barline-L1",
        "token 4, 'accidental.flat-L2' (line 1, column 31), belongs to nothing before or after it",
    ),
    "tie.agnostic": (
        b"note.half-L2 slur.start-L2 rest.half-L3 note.half-L2",
        "token 2, 'slur.start-L2' (line 1, column 14), is a tie that joins no two notes",
    ),
    "word.agnostic": (
        b"clef.G-L2 note.half-X2",
        "token 2, 'note.half-X2' (line 1, column 11), is no PrIMuS agnostic token",
    ),
    "long.semantic": (b"multirest-99999999", "a rest of measures with the number 99999999; at most 999 is written"),
    "meter.semantic": (b"timeSignature-4000/4 rest-half", "a meter with the number 4000; at most 999 is written"),
    "binary.semantic": (b"\xff\x81\x00", "not a text in UTF-8 (byte 1 is none)"),
    "bar.semantic": (b"barline", "the score draws nothing"),
    "text.pae": (b"hello", "no @clef: line"),
    "text.mei": (b"hello", "xml: "),
    "half.mei": (b"<mei><music>", "xml: "),
    "text.abc": (b"hello", "comes before a field K:"),
    "text.mid": (b"hello", "not a standard MIDI file"),
    "text.musicxml": (b"hello", "musicxml: "),
    "notes.txt": (TUNE.encode(), "no file of notation by its name; .semantic, .agnostic, .pae"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_sentence(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, message = BAD[name]
    path = tmp_path / name
    path.write_bytes(data)
    code, out, err = run(path, "-o", tmp_path / "out", capsys=capsys)
    assert (code, out) == (1, "")
    assert err.startswith(f"hfmusic: {path}: ")
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_it_goes_on_past_bad_files_and_fails_at_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.semantic").write_text("note-H4_half")
    (tmp_path / "b.semantic").write_text(TUNE)
    arguments = ("--format", "mei", "-o", tmp_path / "out", "--json")
    code, out, _ = run(
        tmp_path / "a.semantic", tmp_path / "b.semantic", tmp_path / "none.mei", *arguments, capsys=capsys
    )
    assert code == 1
    bad, good, missing = json.loads(out)
    assert "'note-H4_half'" in bad["error"]
    assert good == {"source": str(tmp_path / "b.semantic"), "elements": 8, "files": [str(tmp_path / "out" / "b.mei")]}
    assert missing["error"].endswith("none.mei: no such file")


def test_a_folder_gives_each_name_once_tokens_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("tune.semantic", "tune.musicxml", "tune.mid", "mei.xml"):
        (tmp_path / name).write_bytes(FILES[name])
    (tmp_path / "photo.jpg").write_bytes(b"not asked for")
    code, out, _ = run(tmp_path, "--format", "agnostic", "-o", tmp_path / "out", capsys=capsys)
    assert code == 0
    assert [line.split(": ")[0].rpartition("/")[2] for line in out.splitlines()] == ["mei.xml", "tune.semantic"]
    (tmp_path / "empty").mkdir()
    code, _, err = run(tmp_path / "empty", capsys=capsys)
    assert (code, err) == (1, "hfmusic: no files of notation in what was given\n")


def test_nothing_of_the_users_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tune, photo = tmp_path / "tune.semantic", tmp_path / "tune.png"
    tune.write_text(TUNE)
    file = io.BytesIO()
    Image.new("L", (40, 40), 200).save(file, "PNG")
    photo.write_bytes(file.getvalue())
    code, _, err = run(tune, "-o", tmp_path, capsys=capsys)
    assert code == 1
    assert err == f"hfmusic: {photo}: is there already and was not drawn by hfmusic; use another -o\n"
    assert photo.read_bytes() == file.getvalue()
    for out in (tmp_path, tmp_path / "new" / ".."):
        code, _, err = run(tune, "--format", "semantic", "-o", out, capsys=capsys)
        assert (code, tune.read_text()) == (1, TUNE)
        assert "would be overwritten by what is read from it; use another -o" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tune.png", "tune.semantic"]


def test_two_files_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    for name in ("tune.semantic", "tune.mei"):
        (tmp_path / name).write_bytes(FILES[name])
    rows = list(render_files([tmp_path / "tune.mei", tmp_path / "tune.semantic"], formats=["svg"], out=tmp_path))
    assert [path.name for path in rows[0][2]] == ["tune.svg"]
    assert "would overwrite what" in str(rows[1][1])


def test_tempo_is_what_was_asked_for_or_the_midi_files_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("tune.semantic", "tune.mid"):
        (tmp_path / name).write_bytes(FILES[name])

    def tempo_of(name: str, tempo: float | None) -> float:
        list(render_files([tmp_path / name], formats=["midi"], out=tmp_path / "out", tempo=tempo))
        found = [m.tempo for m in mido.MidiFile(tmp_path / "out" / "tune.mid") if m.type == "set_tempo"]
        return round(60e6 / found[0], 1)

    assert [tempo_of("tune.semantic", 72.0), tempo_of("tune.semantic", None)] == [72.0, 120.0]
    assert [tempo_of("tune.mid", None), tempo_of("tune.mid", 60.0)] == [90.0, 60.0]
    code, _, err = run(tmp_path / "tune.mid", "--tempo", "2", capsys=capsys)
    assert (code, err) == (1, "hfmusic: the tempo must be 10 to 1000 quarter notes a minute, got 2.0\n")


def test_midi_gets_beams_and_its_default_formats_leave_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "tune.mid"
    path.write_bytes(FILES["tune.mid"])
    assert [note.beam for note in read_notation(path).score.notes] == [None, "begin", "end"]
    ((_, _, written),) = render_files([path], out=tmp_path)
    assert [file.name for file in written] == ["tune.png", "tune.musicxml"]
    assert path.read_bytes() == FILES["tune.mid"]


def test_what_a_format_cannot_write_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "tune.abc"
    path.write_text("X:1\nL:1/8\nK:C\n(3CDE F2|\n")
    ((_, problem, written),) = render_files([path], formats=["mei", "semantic"], out=tmp_path / "out")
    assert str(problem).startswith(f"{path}: tuplet: ")
    assert not written and not (tmp_path / "out").exists()


@pytest.mark.parametrize("format", ["docx", "overlay"])
def test_formats_that_need_more_than_music_are_refused(
    format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(GOLDEN, "--format", format, "-o", tmp_path, capsys=capsys)
    assert code == 1
    assert f"format must be one of {', '.join(SCORE_FORMATS)}, got '{format}'" in err


def test_bad_usage_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys=capsys)[0] == 2


def test_a_drawn_staff_may_be_drawn_again(tmp_path: Path) -> None:
    shutil.copy(GOLDEN, tmp_path / "a.semantic")
    ((_, _, written),) = render_files([tmp_path / "a.semantic"], formats=["png"], out=tmp_path)
    assert destinations(tmp_path / "a.semantic", ["png"], tmp_path) == written
    assert Image.open(written[0]).text["Software"] == "hfmusic"  # type: ignore[attr-defined]


def test_every_shipped_incipit_survives_the_way_through_a_file(tmp_path: Path) -> None:
    from itertools import islice

    from hfmusic.data.corpora import rism_tunes
    from hfmusic.symbolic.score import NotationError

    for number, tune in enumerate(islice(rism_tunes(), 12)):
        try:
            tokens = write_semantic(tune.score)
        except NotationError:
            continue
        path = tmp_path / f"{number}.semantic"
        path.write_text("\t".join(tokens))
        ((_, music, _),) = render_files([path], formats=["musicxml", "midi", "mei"], out=tmp_path)
        assert not isinstance(music, ValueError), music
        assert read_mei((tmp_path / f"{number}.mei").read_text()).without("beam") == read_semantic(tokens)
