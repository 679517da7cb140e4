"""`hfmusic build primus_audio`: rows that sound as their labels say, join with the pictures, and come out the same."""

from __future__ import annotations

import io
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import datasets
import mido
import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from hfmusic.build import build, build_primus_audio
from hfmusic.data.primus import PrimusSettings, write_plan
from hfmusic.data.primus_audio import PrimusAudioSettings, write_audio_plan
from hfmusic.data.primus_audio_rows import PrimusAudioRows, Voice, flac_bytes, score_seconds
from hfmusic.data.primus_rows import pack_score
from hfmusic.data.shards import Row
from hfmusic.render.perform import Manner, perform
from hfmusic.render.soundfonts import shipped_font
from hfmusic.symbolic.midi import midi_note_events, write_midi
from hfmusic.symbolic.semantic import read_semantic

OPTIONS = {"n": 30, "seed": 3, "sources": ("rism",), "rows_per_shard": 8}


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def rows_of(folder: Path) -> list[Row]:
    return [row for path in sorted(folder.glob("data/*.parquet")) for row in pq.read_table(path).to_pylist()]


def item_of(semantic: str, name: str = "a", split: str = "train") -> Row:
    score = read_semantic(semantic)
    return {
        "id": name,
        "work": "w",
        "source": "rism",
        "split": split,
        "semantic": semantic.replace(" ", "\t"),
        "score": pack_score(score),
        "files": {},
    }


def sound_of(row: Row) -> np.ndarray:
    return soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32")[0]


def two_voices(folder: Path) -> tuple[Voice, ...]:
    """The shipped piano under two names."""
    for name in ("one", "two"):
        (folder / name).mkdir()
        shutil.copy(shipped_font(), folder / name / "000.sf3")
    return tuple(Voice.parse(str(folder / name)) for name in ("one", "two"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of 30 staves. Nothing may write into it."""
    out = tmp_path_factory.mktemp("build") / "primus-audio"
    build_primus_audio(out, num_proc=1, **OPTIONS)
    return out


def test_the_folder(built: Path) -> None:
    note = json.loads((built / "build.json").read_text())
    assert sum(note["summary"]["rows"].values()) == 30 and note["summary"]["failed"] == 0
    assert note["settings"]["fonts"][0].startswith("FluidR3_GM:0 sha256 ")
    assert note["versions"]["libfluidsynth"].startswith("2.")
    card = (built / "README.md").read_text()
    assert "CC BY 3.0" in card and "22,050 Hz" in card and "our reading" in card
    assert not (built / ".build").exists() and str(shipped_font().parent) not in (built / "build.json").read_text()


def test_load_dataset_decodes_it(built: Path, tmp_path: Path) -> None:
    loaded = datasets.load_dataset(str(built), cache_dir=str(tmp_path))
    assert list(loaded) == ["train", "validation", "test"]
    assert loaded["train"].features["audio"] == datasets.Audio(sampling_rate=22050)
    stored = {row["id"]: row for row in rows_of(built)}
    for row in loaded["train"].select(range(3)):
        decoded = row["audio"]
        assert decoded["sampling_rate"] == 22050 and 0.002 < np.abs(decoded["array"]).max() < 1
        np.testing.assert_allclose(decoded["array"], sound_of(stored[row["id"]]), atol=1e-6)
    other = loaded["train"].cast_column("audio", datasets.Audio(sampling_rate=16000))[0]["audio"]
    assert len(other["array"]) == pytest.approx(len(loaded["train"][0]["audio"]["array"]) * 16000 / 22050, abs=2)


def test_it_streams(built: Path, tmp_path: Path) -> None:
    streamed = datasets.load_dataset(str(built), split="train", streaming=True, cache_dir=str(tmp_path))
    row = next(iter(streamed))
    first = pq.read_table(min((built / "data").glob("train-*.parquet"))).to_pylist()[0]
    assert row["id"] == first["id"] and len(row["audio"]["array"]) == len(sound_of(first))


def test_sounds_last_as_long_as_the_music(built: Path) -> None:
    for row in rows_of(built):
        score = read_semantic(row["semantic"].replace("\t", " "))
        seconds = len(sound_of(row)) / 22050
        assert score_seconds(score) <= seconds + 1e-4 <= score_seconds(score) + 3.01
        assert midi_note_events(row["midi"])[-1].offset / 2 <= seconds


def test_rows_join_with_the_pictures_by_id(built: Path, tmp_path: Path) -> None:
    plan = write_plan(PrimusSettings(**OPTIONS), tmp_path)
    for name, count in plan["shards"]:
        planned = [json.loads(line) for line in (tmp_path / f"{name}.jsonl").read_text().splitlines()]
        rows = pq.read_table(built / "data" / f"{name}.parquet").to_pylist()
        assert [(r["id"], r["work"], r["semantic"]) for r in rows] == [
            (item["id"], item["work"], item["semantic"]) for item in planned
        ]
        assert len(rows) == count


def test_two_builds_are_the_same_bytes(built: Path, tmp_path: Path) -> None:
    build_primus_audio(tmp_path / "again", num_proc=2, **OPTIONS)
    assert content(tmp_path / "again") == content(built)


def test_killed_and_resumed_is_the_bytes_of_an_unbroken_build(built: Path, tmp_path: Path) -> None:
    out, script = tmp_path / "killed", tmp_path / "script.py"
    script.write_text(
        f"import sys\nsys.path[:0] = {[*sys.path]!r}\nfrom hfmusic.build import build_primus_audio\n"
        f"if __name__ == '__main__':\n    build_primus_audio({str(out)!r}, num_proc=1, **{OPTIONS!r})\n"
    )
    process = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while not list(out.glob("data/*.parquet")):
        assert process.poll() is None and time.monotonic() < deadline, "the build to be killed made no shard"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (out / ".build").is_dir()
    build_primus_audio(out, num_proc=1, **OPTIONS)
    assert content(out) == content(built)


def test_a_build_with_another_font_is_another(built: Path, tmp_path: Path) -> None:
    out, font = tmp_path / "out", tmp_path / "mine.sf3"
    shutil.copytree(built, out)
    shutil.copy(shipped_font(), font)
    with pytest.raises(ValueError, match="build of other settings .*fonts.*mine:0"):
        build("primus_audio", out, fonts=[str(font)], **OPTIONS)


def test_a_folder_of_primus_with_its_own_midi(tmp_path: Path) -> None:
    given = Path(__file__).parents[1] / "golden" / "primus"
    name = "000051652-1_2_1"
    (tmp_path / name).mkdir()
    shutil.copy(given / f"{name}.semantic", tmp_path / name)
    own = write_midi(read_semantic("note-C4_quarter note-D4_quarter"))
    (tmp_path / name / f"{name}.mid").write_bytes(own)
    summary = build("primus_audio", tmp_path / "out", data_dir=tmp_path, num_proc=1)
    assert summary["rows"] == {"test": 1}
    (row,) = rows_of(tmp_path / "out")
    assert (row["id"], row["work"], row["source"], row["midi"]) == (name, "rism:000051652", "primus", own)
    assert 22050 <= len(sound_of(row)) < 4 * 22050
    assert str(tmp_path) not in (tmp_path / "out" / "build.json").read_text()


class TestRows:
    def test_a_row(self) -> None:
        item = item_of("clef-G2 note-A4_quarter rest-half")
        row = PrimusAudioRows(0, (Voice.parse("FluidR3_GM"),))(item)
        assert list(row) == ["id", "work", "source", "semantic", "audio", "font", "program", "midi"]
        assert (row["font"], row["program"]) == ("FluidR3_GM", 0)
        assert len(sound_of(row)) == 1.5 * 22050
        spectrum = np.abs(np.fft.rfft(sound_of(row)[:11025]))
        assert 2 * np.argmax(spectrum) == pytest.approx(440, abs=2)

    def test_fonts_follow_from_seed_and_id(self, tmp_path: Path) -> None:
        voices = two_voices(tmp_path)
        items = [item_of("clef-G2 note-A4_quarter", str(number)) for number in range(100)]
        drawn = [PrimusAudioRows(1, voices).voice(item).name for item in items]
        assert drawn == [PrimusAudioRows(1, voices).voice(item).name for item in items]
        assert 30 < drawn.count("one") < 70
        assert drawn != [PrimusAudioRows(2, voices).voice(item).name for item in items]

    def test_the_test_split_has_fonts_of_its_own(self, tmp_path: Path) -> None:
        one, two = two_voices(tmp_path)
        rows = PrimusAudioRows(1, (one,), (two,))
        assert {
            split: rows.voice(item_of("clef-G2", split=split)).name for split in ("train", "validation", "test")
        } == {
            "train": "one",
            "validation": "one",
            "test": "two",
        }

    def test_the_midi_file_of_a_primus_item_is_what_is_played(self, tmp_path: Path) -> None:
        item = item_of("clef-G2 note-A4_quarter rest-quarter")
        (tmp_path / "a.mid").write_bytes(write_midi(read_semantic("note-A5_quarter")))
        row = PrimusAudioRows(0, (Voice.parse("FluidR3_GM"),))(item | {"files": {"midi": str(tmp_path / "a.mid")}})
        assert row["midi"] == (tmp_path / "a.mid").read_bytes()
        assert 2 * np.argmax(np.abs(np.fft.rfft(sound_of(row)[:11025]))) == pytest.approx(880, abs=2)
        assert len(sound_of(row)) == 22050  # the rest that the file leaves out, but the label has

    def test_expression_varies_training_and_nothing_else(self) -> None:
        voice = Voice.parse("FluidR3_GM")
        plain, expressive = (PrimusAudioRows(0, (voice,), expressive=flag) for flag in (False, True))
        text = "clef-G2 note-A4_quarter note-C5_quarter note-E5_half"
        for split in ("validation", "test"):
            assert plain(item_of(text, split=split)) == expressive(item_of(text, split=split))
        row, usual = expressive(item_of(text)), plain(item_of(text))
        assert row["audio"] != usual["audio"] and row["midi"] == usual["midi"]
        assert row == expressive(item_of(text))
        assert row["audio"] != expressive(item_of(text, "b"))["audio"]

    def test_nothing_at_all_is_no_sound(self) -> None:
        with pytest.raises(ValueError, match="nothing sounds and nothing rests"):
            PrimusAudioRows(0, (Voice.parse("FluidR3_GM"),))(item_of("clef-G2"))

    def test_flac_keeps_16_bits(self) -> None:
        sound = np.sin(np.arange(3000) / 7).astype(np.float32) * 0.9
        read, rate = soundfile.read(io.BytesIO(flac_bytes(sound)), dtype="float32")
        assert rate == 22050
        np.testing.assert_allclose(read, sound, atol=1 / 32768)


class TestVoices:
    def test_font_and_program(self) -> None:
        assert Voice.parse("FluidR3_GM") == Voice.parse("FluidR3_GM:0") == Voice.parse(str(shipped_font()) + ":0")
        assert Voice.parse("FluidR3_GM").path == shipped_font()

    def test_refused(self) -> None:
        with pytest.raises(ValueError, match="program must be 0 to 127, got FluidR3_GM:500"):
            Voice.parse("FluidR3_GM:500")
        with pytest.raises(ValueError, match="no SoundFont Bechstein"):
            Voice.parse("Bechstein:3")
        with pytest.raises(ValueError, match="differ in name or program, got FluidR3_GM:0 twice"):
            PrimusAudioSettings(fonts=("FluidR3_GM", "FluidR3_GM:0")).rows()
        with pytest.raises(ValueError, match="fonts must name one font at least"):
            PrimusAudioSettings(fonts=())


class TestPlan:
    def test_curation_leaves_out_after_the_splits_are_made(self, tmp_path: Path) -> None:
        plan = PrimusSettings(sources=("rism",), rows_per_shard=100)
        whole = write_plan(plan, tmp_path / "whole")
        curated = write_audio_plan(PrimusAudioSettings(plan, curate=True), tmp_path / "curated")

        def items(folder: Path, content: dict) -> list[tuple[str, str, str]]:
            lines = [
                (name.split("-")[0], json.loads(line))
                for name, _ in content["shards"]
                for line in (folder / f"{name}.jsonl").read_text().splitlines()
            ]
            return [(split, item["id"], item["semantic"]) for split, item in lines]

        everything, kept = items(tmp_path / "whole", whole), items(tmp_path / "curated", curated)
        assert kept == [entry for entry in everything if "multirest" not in entry[2]]
        assert curated["dropped"]["curated: multirest"] == len(everything) - len(kept) > 20
        assert sum(count for _, count in curated["shards"]) == len(kept)
        assert all(count <= 100 for _, count in curated["shards"])
        assert sorted(path.name for path in (tmp_path / "curated").iterdir()) == sorted(
            [f"{name}.jsonl" for name, _ in curated["shards"]] + ["plan.json"]
        )

    def test_max_seconds(self, tmp_path: Path) -> None:
        plan = PrimusSettings(sources=("rism",), n=50)
        content = write_audio_plan(PrimusAudioSettings(plan, max_seconds=8), tmp_path)
        kept = [json.loads(line) for path in tmp_path.glob("*.jsonl") for line in path.read_text().splitlines()]
        assert len(kept) + content["dropped"]["longer than 8 s"] == 50
        for item in kept:
            assert score_seconds(read_semantic(item["semantic"].replace("\t", " "))) <= 8


class TestOptions:
    def test_of_the_other_dataset_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="primus has no option fonts, curate"):
            build("primus", tmp_path, fonts=["a"], curate=True)
        with pytest.raises(ValueError, match="primus_audio has no option distorted"):
            build("primus_audio", tmp_path, distorted=True)

    def test_the_paper_is_one_font(self, tmp_path: Path) -> None:
        summary = build_primus_audio(tmp_path / "out", paper=True, n=5, sources=("rism",), num_proc=1)
        settings = json.loads((tmp_path / "out" / "build.json").read_text())["settings"]
        assert settings["curate"] and not settings["expressive"] and len(settings["fonts"]) == 1
        assert sum(summary["rows"].values()) + summary["dropped"].get("curated: multirest", 0) == 5
        with pytest.raises(ValueError, match="paper means one font, plainly played"):
            build_primus_audio(tmp_path / "no", paper=True, fonts=["FluidR3_GM"])

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"max_seconds": 0}, "max_seconds must be above 0, got 0"),
            ({"gain": 11}, "gain must be above 0 and at most 10"),
        ],
    )
    def test_values(self, options: dict[str, float], sentence: str, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=sentence):
            build_primus_audio(tmp_path / "out", **options)
        assert not (tmp_path / "out").exists()


class TestManner:
    MIDI = write_midi(read_semantic("timeSignature-3/4 note-C4_quarter note-C4_quarter note-D4_quarter rest-half."))

    def test_onsets_pitches_and_the_end_stay(self) -> None:
        manner = Manner(70, 10, (0.85, 0.95), 0.2, True)
        before, after = (
            midi_note_events(self.MIDI),
            midi_note_events(perform(self.MIDI, manner, np.random.default_rng(0))),
        )
        assert [(e.onset, e.pitch_midi) for e in after] == [(e.onset, e.pitch_midi) for e in before]
        for event in after:
            assert 0.85 <= event.offset - event.onset <= 0.95
        assert len({event.velocity for event in after}) > 1
        played = perform(self.MIDI, manner, np.random.default_rng(0))
        lengths = [mido.MidiFile(file=io.BytesIO(data)).length for data in (self.MIDI, played)]
        assert lengths == [3.0, 3.0]

    def test_legato_keeps_the_ends(self) -> None:
        played = perform(self.MIDI, Manner(64, 0, (1.0, 1.0), 0.2, True), np.random.default_rng(0))
        assert midi_note_events(played) == midi_note_events(self.MIDI)

    def test_manners_are_within_their_ranges(self) -> None:
        manners = [Manner.sample(np.random.default_rng(seed)) for seed in range(200)]
        assert all(0.85 <= low <= high <= 1.0 for low, high in (m.articulation for m in manners))
        assert all(0.1 <= m.gain <= 1.0 for m in manners)
        assert 60 < sum(m.reverb for m in manners) < 140
