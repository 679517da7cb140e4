"""`hfmusic build sheet_audio`: scores become renditions, works stay together, and what is written is read again."""

from __future__ import annotations

import importlib.util
import io
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from hfmusic.build import build
from hfmusic.data.sheet_audio import SheetAudioSettings, sheet_audio_items, write_sheet_audio_plan
from hfmusic.data.sheet_audio_rows import expressive_velocities
from hfmusic.data.sheet_pieces import folder_pieces, music21_pieces, works_in
from hfmusic.data.sheets import read_sheet_audio
from hfmusic.render.score_sheet import engrave_text
from hfmusic.render.soundfonts import shipped_font
from hfmusic.testing.scores import piano_musicxml, piano_notes

SPLITS = {"example-alpha": "train", "example-beta": "test", "example-gamma": "validation"}
SCRIPT = Path(__file__).parents[2] / "dataset_scripts" / "sheet_audio.py"


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pieces, and a file that is none."""
    folder = tmp_path_factory.mktemp("scores")
    for number, name in enumerate(("Alpha", "Beta", "Gamma")):
        (folder / f"{name.lower()}.musicxml").write_text(piano_musicxml(4, number, title=name))
    (folder / "torn.mxl").write_bytes(b"PK\x03\x04")
    return folder


@pytest.fixture(scope="module")
def fonts(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The shipped piano under three names."""
    folder = tmp_path_factory.mktemp("fonts")
    for name in ("one", "two", "three"):
        (folder / f"{name}.sf3").symlink_to(shipped_font())
    return [str(folder / f"{name}.sf3") for name in ("one", "two", "three")]


@pytest.fixture(scope="module")
def built(scores: Path, fonts: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("built") / "sheet-audio"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hfmusic.data.sheet_audio.split_of", SPLITS.__getitem__)
        summary = build(
            "sheet_audio", out, scores=[scores], fonts=fonts[:2], test_fonts=fonts[2:], variations=2, num_proc=1
        )
    return out, summary


def test_rows_are_renditions(built: tuple[Path, dict[str, Any]]) -> None:
    out, summary = built
    assert summary["rows"] == {"train": 3, "validation": 1, "test": 1} and summary["failed"] == 0
    assert summary["dropped"] == {"unreadable": 1}
    train = {one.id.rsplit("/")[-1]: one for one in read_sheet_audio(out, "train")}
    assert set(train) == {"alpha", "alpha-v1", "alpha-v2"}
    assert [(train[name].font, train[name].tempo_factor == 1) for name in ("alpha", "alpha-v1", "alpha-v2")] == [
        ("one", True),
        ("two", True),
        ("one", False),
    ]
    assert {(one.work, one.title, one.composer, one.source) for one in train.values()} == {
        ("example-alpha", "Alpha", "Anna Example", "folder")
    }
    for one in train.values():
        found = [(note.pitch_midi, note.onset_quarters) for note in one.sheet.notes]
        assert sorted(found) == sorted((pitch, onset) for pitch, onset, _ in piano_notes(4, 0))
        times = [note.onset_seconds for note in one.sheet.notes]
        assert times == pytest.approx([note.onset_quarters / 2 / one.tempo_factor for note in one.sheet.notes])
        assert np.array_equal(one.sheet.pages[0], train["alpha"].sheet.pages[0])
        assert [measure.number for measure in one.sheet.measures] == ["1", "2", "3", "4"]
        sound, rate = soundfile.read(io.BytesIO(one.audio))
        assert rate == 22050 and len(sound) / rate == pytest.approx(one.seconds, abs=1e-4)
        assert np.abs(sound).max() == pytest.approx(0.5, abs=0.02)
    (test,) = read_sheet_audio(out, "test")
    assert (test.font, test.tempo_factor, test.work) == ("three", 1.0, "example-beta")


def test_its_folder_opens(built: tuple[Path, dict[str, Any]], scores: Path, fonts: list[str]) -> None:
    out, summary = built
    card = (out / "README.md").read_text()
    assert "split: validation" in card and "Repeats are played once" in card
    table = pq.read_table(sorted(out.glob("data/train-*.parquet"))[0])
    assert b'"_type": "Image"' in table.schema.metadata[b"huggingface"]
    assert table.schema.field("notes").type.value_type.field("pitch_midi").type == pa.int16()
    again = build("sheet_audio", out, scores=[scores], fonts=fonts[:2], test_fonts=fonts[2:], variations=2)
    assert again["rows"] == summary["rows"]
    with pytest.raises(ValueError, match="holds a build of other settings"):
        build("sheet_audio", out, scores=[scores], fonts=fonts[:2], test_fonts=fonts[2:], variations=1)


def test_damaged_rows_are_named(built: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    table = pq.read_table(sorted(built[0].glob("data/test-*.parquet"))[0])
    (row,) = table.to_pylist()
    note = row["notes"][0]
    broken = [
        ({"pages": [{"bytes": b"no picture", "path": None}]}, "a page that is no picture"),
        ({"audio": {"bytes": b"", "path": None}}, "no sound in its row"),
        ({"notes": [note | {"system": 9}]}, "a SheetNote of no system"),
        ({"notes": [note | {"x": float("nan")}]}, "a SheetNote without a place or time"),
        ({"notes": [note | {"offset_seconds": -1.0}]}, "a note of pitch"),
        ({"systems": []}, "1 pages and 0 systems"),
    ]
    for number, (change, message) in enumerate(broken):
        folder = tmp_path / str(number)
        folder.mkdir()
        pq.write_table(pa.Table.from_pylist([row | change], schema=table.schema), folder / "test-0.parquet")
        with pytest.raises(ValueError, match=f"rendition .*beta: {message}"):
            list(read_sheet_audio(folder))
    short = tmp_path / "short"
    short.mkdir()
    pq.write_table(table.drop_columns(["notes"]), short / "test.parquet")
    with pytest.raises(ValueError, match="no column notes"):
        list(read_sheet_audio(short))
    with pytest.raises(ValueError, match="no split 'validation'"):
        list(read_sheet_audio(short, "validation"))
    with pytest.raises(ValueError, match="must be a folder, or owner/name"):
        list(read_sheet_audio("nowhere"))


def test_the_script_gives_the_same_plan(scores: Path, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("sheet_audio_script", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
        config = module.SheetAudioConfig(name="default", scores=[str(scores)], variations=1)
        assert config.settings() == SheetAudioSettings(scores=(str(scores),), variations=1)
        assert set(config.features()) >= {"pages", "systems", "notes", "measures", "audio"}
        plan = config.write_plan(tmp_path / "plan")
        assert sum(count for _, count in plan["shards"]) >= 3
    finally:
        del sys.modules[spec.name]


def test_renditions_of_a_piece_follow_each_other(
    scores: Path, fonts: list[str], tmp_path: Path, monkeypatch: Any
) -> None:
    """So that a worker engraves it once; variations are another font, another tempo, both."""
    monkeypatch.setattr("hfmusic.data.sheet_audio.split_of", lambda work: "train")
    settings = SheetAudioSettings(scores=(str(scores),), fonts=tuple(fonts), variations=6)
    rows = settings.rows()
    plan = write_sheet_audio_plan(settings, rows, tmp_path / "plan")
    assert [count for _, count in plan["shards"]] == [16, 5]
    items = list(sheet_audio_items(settings, rows, Counter()))
    assert [item["piece"] for item in items] == sorted(item["piece"] for item in items)
    drawn = [(item["voice"], item["tempo"] == 1) for item in items[:7]]
    assert drawn[0] == (0, True)
    assert [(voice > 0, written) for voice, written in drawn[1:]] == [(True, True), (False, False), (True, False)] * 2
    assert {voice for voice, _ in drawn} == {0, 1, 2}
    assert len({item["tempo"] for item in items[:7]}) == 5 and len({item["engraving"] for item in items[:7]}) == 1


def test_fonts_are_drawn_for_training_pieces_too(scores: Path, fonts: list[str], monkeypatch: Any) -> None:
    monkeypatch.setattr("hfmusic.data.sheet_audio.split_of", lambda work: "train")
    settings = SheetAudioSettings(scores=(str(scores),), fonts=tuple(fonts), draw_fonts=True, variations=3)
    firsts = set()
    for seed in range(4):
        rows = replace(settings, seed=seed).rows()
        items = list(sheet_audio_items(replace(settings, seed=seed), rows, Counter()))
        for first in range(0, len(items), 4):
            voices = [item["voice"] for item in items[first : first + 4]]
            assert voices[1] != voices[0] == voices[2] != voices[3]
            firsts.add(voices[0])
    assert firsts == {0, 1, 2}


def test_works_are_kept_out(scores: Path, built: tuple[Path, dict[str, Any]]) -> None:
    out = built[0]
    assert (
        works_in(out) == set(SPLITS) and works_in(f"{out}:test") == {"example-beta"} and works_in(scores) == set(SPLITS)
    )
    settings = SheetAudioSettings(scores=(str(scores),), exclude_works=(f"{out}:test", f"{out}:validation"))
    dropped: Counter[str] = Counter()
    assert [item["work"] for item in sheet_audio_items(settings, settings.rows(), dropped)] == ["example-alpha"]
    assert dropped == {"excluded work": 2, "unreadable": 1}
    few = SheetAudioSettings(scores=(str(scores),), n=2)
    assert len({item["work"] for item in sheet_audio_items(few, few.rows(), Counter())}) == 2


def test_movements_are_one_work() -> None:
    pieces = list(music21_pieces(["mozart", "beethoven"]))
    works = Counter(piece.work for piece in pieces)
    assert works["mozart-k458"] == 4 and works["beethoven-o59-1"] == 4
    assert all(piece.path.is_file() and piece.source == "music21" for piece in pieces)
    with pytest.raises(ValueError, match="music21 must be among"):
        list(music21_pieces(["../bach"]))
    with pytest.raises(ValueError, match="must be a folder of scores"):
        list(folder_pieces("nowhere"))


def test_a_piece_in_two_forms_is_one_piece() -> None:
    names = [piece.piece for piece in music21_pieces(["bach"])]
    assert names.count("music21/bach/bwv277") == 1 and len(set(names)) == len(names) > 400


def test_expression_is_loudness_only() -> None:
    sheet = engrave_text(piano_musicxml(4))
    soft, again, other = (expressive_velocities(sheet, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert soft == again != other and len(soft) == len(sheet.notes) and min(soft) >= 20 and max(soft) <= 127
    high = [velocity for velocity, note in zip(soft, sheet.notes, strict=True) if note.staff == 1]
    low = [velocity for velocity, note in zip(soft, sheet.notes, strict=True) if note.staff == 2]
    assert np.mean(high) > np.mean(low)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "sheet_audio needs scores"),
        ({"scores": ("a",), "tempo": (0.0,)}, "tempo must be factors"),
        ({"scores": ("a",), "engravings": ("Arial",)}, "engravings must be among"),
        ({"scores": ("a",), "layout": "book"}, "layout must be pages or row"),
        ({"scores": ("a",), "n": 0}, "n must be at least 1"),
        ({"scores": ("a",), "fonts": ()}, "fonts must name one font"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SheetAudioSettings(**options)
