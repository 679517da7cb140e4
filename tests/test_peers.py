"""benchmarks/peers: what every system gets, what is scored, and that nothing is done twice."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from benchmarks.peers import __main__ as peers
from benchmarks.peers import systems
from benchmarks.peers.excerpts import cut, notes_within
from benchmarks.peers.scoring import score
from hfmusic.data.recordings import Note, Recording

RATE = 22050
NOTES = [Note(0.1, 0.5, 60, 40), Note(0.8, 2.5, 64, 90), Note(2.0, 2.4, 67, 70)]
# A system of this test: "hears" in each sound the notes that it was told, and counts its calls.
RUNNER = """
import json, sys
from pathlib import Path
sys.path.insert(0, {loop!r})
from loop import run

def load(options):
    def transcribe(sound):
        with Path({calls!r}).open("a") as file:
            print(Path(sound).stem, file=file)
        if Path(sound).stem == "broken":
            raise RuntimeError("somebody else's program failed")
        return [(0.12, 0.5, 60, 50)]
    return transcribe

run(load)
"""


def sound(seconds: float) -> bytes:
    data = io.BytesIO()
    soundfile.write(data, np.full((int(seconds * RATE), 2), 0.25), RATE, format="FLAC")
    return data.getvalue()


def recording(seconds: float = 3.0) -> Recording:
    return Recording("a/b: c", "work", "maps", "piano", sound(seconds), NOTES)


def test_labels_are_cut_as_the_sound_is(tmp_path: Path) -> None:
    excerpt = cut(recording(), 2.0, tmp_path)
    written, rate = soundfile.read(excerpt.sound)
    assert rate == RATE and len(written) == 2 * RATE and written.ndim == 1
    assert excerpt.sound.name == "a_b__c.wav" and excerpt.seconds == 2.0
    assert excerpt.notes == [NOTES[0], NOTES[1]._replace(offset_seconds=2.0)]
    assert cut(recording(), None, tmp_path).notes == NOTES and cut(recording(), 60.0, tmp_path).seconds == 3.0
    assert notes_within(NOTES, 2.0) == excerpt.notes


def test_a_sound_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a/b: c: the recording cannot be read"):
        cut(Recording("a/b: c", "", "", "", b"nothing", []), None, tmp_path)


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Name "basic-pitch" is the system above, in this environment; returns the file that counts its calls."""
    calls, script = tmp_path / "calls.txt", tmp_path / "run_test.py"
    script.write_text(RUNNER.format(loop=str(systems.RUNNERS), calls=str(calls)), encoding="utf-8")
    monkeypatch.setitem(systems.SYSTEMS, "basic-pitch", systems.System(str(script), "a test"))
    monkeypatch.chdir(Path(__file__).parent)
    return calls


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    folder.mkdir()
    rows = "".join("\t".join(map(str, note[:4])) + "\n" for note in NOTES)
    for name, seconds in (("one", 3.0), ("two", 1.5)):
        (folder / f"{name}.flac").write_bytes(sound(seconds))
        (folder / f"{name}.tsv").write_text(rows, encoding="utf-8")
    return folder


def words(folder: Path, *more: str) -> list[str]:
    work = folder.parent / "work"
    return ["--data", f"set={folder}", "--work", str(work), "--systems", "basic-pitch", "--threads", "1", *more]


def test_it_writes_scores_and_speed_and_goes_on_where_it_was(folder: Path, system: Path) -> None:
    output = folder.parent / "peers.md"
    peers.main(words(folder, "--seconds", "1", "--output", str(output)))
    assert system.read_text().split() == ["warm_up", "one", "two"]
    outcome = json.loads(output.with_suffix(".json").read_text(encoding="utf-8"))["sets"]["set"]["basic-pitch"]
    assert outcome["mean"]["note_precision"] == 1.0 and outcome["mean"]["note_recall"] == 0.5  # the third is cut off
    assert outcome["tracks"]["one"]["cpu_seconds"] >= 0 and outcome["missing"] == []
    text = output.read_text(encoding="utf-8")
    assert "2 recordings, 2 s (the first 1 s of each), 4 notes." in text
    assert f"--data set={folder.parent.name}/recordings" in text and str(folder) not in text
    (folder / "two.flac").write_bytes(sound(1.4))
    peers.main(words(folder, "--seconds", "1"))
    assert system.read_text().split() == ["warm_up", "one", "two"]  # the same first second
    peers.main(words(folder, "--seconds", "1", "--again", "basic-pitch"))
    assert len(system.read_text().split()) == 6


def test_what_a_system_fails_on_counts_as_nothing_found(
    folder: Path, system: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "two.flac").rename(folder / "broken.flac")
    (folder / "two.tsv").rename(folder / "broken.tsv")
    peers.main(words(folder))
    told = capsys.readouterr()
    assert "Failed, counted as nothing found: basic-pitch: broken." in told.out
    assert "not all recordings were transcribed" in told.err
    excerpts = peers.prepare(str(folder), "test", None, None, folder.parent / "sounds")
    outcome = score("basic-pitch", excerpts, folder.parent / "work" / "notes" / "set-test-whole" / "basic-pitch-1")
    assert outcome.missing == ["broken"] and outcome.tracks["broken"]["found"] == 0
    assert outcome.mean["note_precision"] == 0.5


@pytest.mark.parametrize(
    "more, match",
    [
        (["--systems", "magic"], "systems must be of hfmusic, basic-pitch, transkun, got magic"),
        (["--again", "magic"], "got magic"),
        (["--seconds", "0"], "seconds, threads and n must be positive"),
        (["--data", "nowhere"], "nowhere"),
        (["--work", "."], "outside the repository"),
    ],
)
def test_what_it_refuses(folder: Path, system: Path, more: list[str], match: str) -> None:
    with pytest.raises(SystemExit, match=match):
        peers.main(words(folder, *more))


def test_notes_are_kept_by_what_changes_them(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}", encoding="utf-8")
    options: Any = {"systems": ["hfmusic"], "split": "test", "n": None, "threads": 2, "work": tmp_path}
    plan = peers.Plan(sets={"a": "b"}, seconds=30.0, model=str(model), **options)
    before = plan.notes_folder("a", "hfmusic")
    assert before.parent.name == "a-test-30s"
    (model / "model.safetensors").write_bytes(b"other weights")
    assert plan.notes_folder("a", "hfmusic") != before
    assert plan.notes_folder("a", "basic-pitch").name == "basic-pitch-2"


def test_an_environment_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the environment of transkun cannot be made: .*no_python: No such file"):
        systems.environment("transkun", tmp_path, python=str(tmp_path / "no_python"))
    with pytest.raises(ValueError, match="the environment of transkun cannot be made: no message"):
        systems.environment("transkun", tmp_path, python="false")
    assert systems.environment("hfmusic", tmp_path) == Path(sys.executable)


def test_an_environment_is_made_again_when_its_recipe_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    home = tmp_path / "environments" / "transkun"
    library = home / "lib" / "python3" / "site-packages" / "torchaudio" / "lib" / "torchaudio.so"

    def done(command: list[str], name: str) -> None:
        commands.append(command)
        library.parent.mkdir(parents=True, exist_ok=True)
        library.touch()

    monkeypatch.setattr(systems, "_done", done)
    assert systems.environment("transkun", tmp_path) == home / "bin" / "python"
    assert len(commands) == 2 and commands[1][-3:] == list(systems.SYSTEMS["transkun"].packages)
    assert not library.exists()
    systems.environment("transkun", tmp_path)
    assert len(commands) == 2
    monkeypatch.setitem(systems.SYSTEMS, "transkun", systems.System("run.py", "", packages=("a",), alone=("b",)))
    systems.environment("transkun", tmp_path)
    assert [command[-1] for command in commands[2:]] == [str(home), "a", "b"]
