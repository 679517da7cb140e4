"""The command line's contract, with the shipped model and real files."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path

import mido
import numpy as np
import pytest
from PIL import Image

from hfmusic.cli import main
from hfmusic.hub import Loaded, load
from hfmusic.symbolic.mei import read_mei
from hfmusic.symbolic.midi import note_events
from hfmusic.symbolic.musicxml import read_musicxml
from hfmusic.symbolic.semantic import read_semantic, split_tokens

GOLDEN = Path(__file__).parent / "golden" / "primus" / "000051652-1_2_1.png"
REFERENCE = split_tokens(GOLDEN.with_suffix(".semantic").read_text())


def run(*arguments: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `hfmusic ARGUMENTS`."""
    code: object = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["hfmusic", *map(str, arguments)])
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    assert isinstance(code, int)
    return code, out, err


@pytest.fixture(scope="session")
def reader() -> Loaded:
    return load("crnn-omr")


def test_help_in_under_a_second() -> None:
    times = []
    for _ in range(3):
        begun = time.monotonic()
        done = subprocess.run([sys.executable, "-m", "hfmusic", "--help"], capture_output=True, text=True, check=True)
        times.append(time.monotonic() - begun)
    assert "transcribe" in done.stdout
    assert min(times) < 1.0


def test_an_overlay_shows_what_was_read_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run("transcribe", GOLDEN, "--format", "overlay", "-o", tmp_path, capsys=capsys)
    assert (code, err) == (0, "")
    assert Image.open(tmp_path / f"{GOLDEN.stem}.overlay.png").width == 1600


def test_the_picture_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "photo.png"
    picture.write_bytes(GOLDEN.read_bytes())
    code, _, err = run("transcribe", picture, "--format", "png", "-o", tmp_path, capsys=capsys)
    assert code == 1 and "would be overwritten" in err and len(err.strip().splitlines()) == 1
    assert picture.read_bytes() == GOLDEN.read_bytes()


def test_transcribe_writes_every_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    formats = "semantic,agnostic,musicxml,midi,mei,svg,png"
    code, out, err = run("transcribe", GOLDEN, "--format", formats, "-o", tmp_path, capsys=capsys)
    assert (code, err) == (0, "")
    assert len(out.strip().splitlines()) == 1
    stem = GOLDEN.stem
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {f"{stem}.{e}" for e in ("semantic", "agnostic", "musicxml", "mid", "mei", "svg", "png")}
    text = (tmp_path / f"{stem}.semantic").read_text()
    assert text.endswith("\n")
    assert text.strip().split("\t") == REFERENCE
    score = read_semantic(REFERENCE)
    assert read_mei((tmp_path / f"{stem}.mei").read_text()).without("beam") == score
    notes = [note.pitch for note in score.notes]
    assert [note.pitch for note in read_musicxml(tmp_path / f"{stem}.musicxml").notes] == notes
    sounding = [m.note for m in mido.MidiFile(tmp_path / f"{stem}.mid") if m.type == "note_on" and m.velocity]
    assert sounding == [event.pitch_midi for event in note_events(score)]
    assert Image.open(tmp_path / f"{stem}.png").height > 60
    assert (tmp_path / f"{stem}.svg").read_text().lstrip().startswith("<")


def test_a_folder_goes_on_past_bad_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"")
    (folder / "b.png").write_bytes(GOLDEN.read_bytes())
    (folder / "c.jpg").write_bytes(GOLDEN.read_bytes()[:500])
    (folder / "notes.txt").write_text("not a picture, and not asked for")
    code, out, err = run("transcribe", folder, "--format", "semantic", "-o", tmp_path / "out", capsys=capsys)
    assert code == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.semantic"]
    assert "b.png: " in out
    lines = err.strip().splitlines()
    assert len(lines) == 2
    assert "a.png: the file is empty" in lines[0]
    assert "c.jpg: " in lines[1]


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run("transcribe", GOLDEN, tmp_path / "none.png", "--json", "-o", tmp_path, capsys=capsys)
    assert code == 1
    read, missing = json.loads(out)
    assert [symbol["token"] for symbol in read["symbols"]] == REFERENCE
    width = Image.open(GOLDEN).width
    for symbol in read["symbols"]:
        left, right = symbol["span"]
        assert 0 <= symbol["confidence"] <= 1
        assert -20 <= left < right <= width + 20
    assert missing["error"].endswith("none.png: no such file")


def picture(pixels: np.ndarray | Image.Image, format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(file, format, **options)
    return file.getvalue()


def cat() -> np.ndarray:
    """Soft blobs and fur: what a photo without a staff is to the reader."""
    rng = np.random.default_rng(1)
    small = Image.fromarray(rng.integers(0, 255, (12, 16), dtype=np.uint8)).resize((640, 480), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(small).astype(int) + rng.integers(-20, 20, (480, 640)), 0, 255).astype(np.uint8)


BAD = {
    "empty": (b"", "the file is empty"),
    "text": (b"clef-G2 note-C4_quarter", "not a picture"),
    "pdf": (b"%PDF-1.5\n", "the PDF is damaged or cut off"),
    "one_pixel": (picture(np.zeros((1, 1), np.uint8)), "too small"),
    "blank": (picture(np.full((200, 900), 255, np.uint8)), "no staff found"),
    "black": (picture(np.zeros((200, 900), np.uint8)), "no staff found"),
    "noise": (picture(np.random.default_rng(0).integers(0, 255, (200, 900), dtype=np.uint8)), "no staff found"),
    "cat": (picture(cat(), "JPEG"), "no staff found"),
    "truncated": (GOLDEN.read_bytes()[:700], "cut off or damaged|not a picture"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, message = BAD[name]
    path = tmp_path / f"{name}.png"
    path.write_bytes(data)
    code, out, err = run("transcribe", path, "-o", tmp_path / "out", capsys=capsys)
    assert (code, out) == (1, "")
    assert len(err.strip().splitlines()) == 1
    assert f"{name}.png" in err
    assert any(part in err for part in message.split("|"))
    assert not (tmp_path / "out").exists()


def variants() -> dict[str, bytes]:
    """The genuine staff as users may send it; each must read as the file itself does."""
    image = Image.open(GOLDEN).convert("L")
    exif = Image.Exif()
    exif[0x0112] = 8
    turned = image.transpose(Image.Transpose.ROTATE_270)
    glass = Image.new("RGBA", image.size, (0, 0, 0, 0))
    glass.putalpha(image.point(lambda level: 255 - level))
    page = Image.new("L", (7000, 6000), 250)
    page.paste(image.resize((6000, round(image.height * 6000 / image.width))), (500, 2500))
    return {
        "exif": picture(turned, exif=exif.tobytes()),
        "transparent": picture(glass),
        "on_its_side": picture(turned),
        "negative": picture(image.point(lambda level: 255 - level)),
        "animated": picture(image, "GIF", save_all=True, append_images=[Image.new("L", image.size, 255)]),
        "colour": picture(image.convert("RGB"), "WEBP", lossless=True),
        "margins_40_megapixel": picture(page),
        "jpeg": picture(image, "JPEG", quality=70),
    }


@pytest.mark.parametrize(
    "name", ["exif", "transparent", "negative", "animated", "colour", "margins_40_megapixel", "jpeg"]
)
def test_the_same_staff_in_other_clothes(name: str, reader: Loaded, tmp_path: Path) -> None:
    from hfmusic.transcribe import transcribe

    path = tmp_path / "staff.img"
    path.write_bytes(variants()[name])
    assert transcribe(path, reader).tokens == transcribe(GOLDEN, reader).tokens


def test_unknown_model_format_and_method(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run("transcribe", GOLDEN, "--model", "nobody", capsys=capsys)
    assert code == 1
    assert "no model 'nobody'" in err and "crnn-omr" in err
    code, _, err = run("transcribe", GOLDEN, "--format", "docx", capsys=capsys)
    assert code == 1
    assert "format must be one of semantic, agnostic" in err
    code, _, err = run("transcribe", GOLDEN, "--method", "magic", "-o", tmp_path, capsys=capsys)
    assert code == 1
    assert "method must be one of greedy, beam, meter, got 'magic'" in err


def test_a_model_that_cannot_be_downloaded_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run("transcribe", GOLDEN, "--model", "nobody/nothing", capsys=capsys)
    assert code == 1
    assert len(err.strip().splitlines()) == 1
    assert "model 'nobody/nothing' cannot be loaded" in err


def test_beam_search_reads_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("transcribe", GOLDEN, "--method", "beam", "--format", "semantic", "-o", tmp_path)
    assert run(*arguments, capsys=capsys)[0] == 0
    assert split_tokens((tmp_path / f"{GOLDEN.stem}.semantic").read_text()) == REFERENCE


def test_bad_usage_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run("transcribe", capsys=capsys)
    assert code == 2
    assert "Missing argument 'files'" in err


def test_models_lists_the_shipped_ones(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run("models", "--json", capsys=capsys)
    assert code == 0
    assert "crnn-omr" in json.loads(out)


def test_the_same_stem_twice_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "staff.png").write_bytes(GOLDEN.read_bytes())
    files = [tmp_path / "one" / "staff.png", tmp_path / "two" / "staff.png"]
    code, out, err = run("transcribe", *files, "--format", "semantic", "-o", tmp_path / "out", capsys=capsys)
    assert code == 1
    assert len(out.strip().splitlines()) == 1
    assert "would overwrite" in err


def test_build_train_evaluate_in_a_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "primus"
    sources = ("--sources", "rism", "--n", 40, "--num-proc", 1)
    code, out, _ = run("build", "primus", "-o", data, *sources, "--json", capsys=capsys)
    assert code == 0
    assert sum(json.loads(out)["rows"].values()) == 40
    tiny = ["model.conv_channels=[2,2,2,4]", "model.hidden_size=8", "model.projection_size=8", "max_steps=2"]
    files = [f"train.0.path={data}", "validation=[]", f"output_dir={tmp_path}", f"cache_dir={tmp_path / 'cache'}"]
    options = [part for change in [*tiny, *files, "num_workers=0"] for part in ("--set", change)]
    code, out, err = run("train", "crnn_omr", *options, "--json", capsys=capsys)
    assert code == 0, err
    model = json.loads(out)["model"]
    metrics = tmp_path / "metrics.json"
    code, out, _ = run("evaluate", model, data, "--split", "train", "--n", 3, "-o", metrics, "--json", capsys=capsys)
    assert code == 0
    rows = json.loads(metrics.read_text())
    assert rows == json.loads(out)
    assert [(row["metric"], row["n"], row["unit"]) for row in rows] == [
        ("symbol_error_rate", 3, "%"),
        ("sequence_error_rate", 3, "%"),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("build", "nothing", "-o", "x"), "primus"),
        (("build", "primus", "-o", "x", "--data-dir", "none"), "none"),
        (("build", "primus", "-o", "x", "--n", "0"), "n must be at least 1"),
        (("train", "no_such_recipe"), "recipe must be a YAML file or one of"),
        (("train", "crnn_omr", "--set", "batch_size"), "key=value"),
        (("train", "crnn_omr", "--set", "batch_sizes=3"), "unknown key batch_sizes"),
        (("evaluate", "crnn-omr", "none"), "none"),
    ],
)
def test_other_verbs_fail_in_one_sentence(
    arguments: tuple[str, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run(*arguments, capsys=capsys)
    assert code == 1
    assert message in err.strip().splitlines()[-1]
    assert not list(tmp_path.iterdir())
