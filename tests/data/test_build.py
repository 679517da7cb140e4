"""`hfmusic build`: whole builds of few staves, broken off, repeated, and opened with datasets."""

from __future__ import annotations

import importlib
import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from hfmusic.build import build, build_primus, default_sources
from hfmusic.data.building import only_one
from hfmusic.data.staves import read_staves
from hfmusic.symbolic.midi import read_midi
from hfmusic.symbolic.semantic import split_tokens

# The package exports the verb under the module's name.
build_module = importlib.import_module("hfmusic.build")
# RISM's first tunes: all three splits, several shards.
OPTIONS = {"n": 40, "seed": 3, "sources": ("rism",), "rows_per_shard": 12}


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of 40 staves. Nothing may write into it."""
    out = tmp_path_factory.mktemp("build") / "primus"
    build_primus(out, num_proc=1, **OPTIONS)
    return out


def test_the_folder(built: Path) -> None:
    names = {path.relative_to(built).as_posix().split("-")[0] for path in built.rglob("*") if path.is_file()}
    assert names == {"README.md", "build.json", "failed.jsonl", "data/train", "data/validation", "data/test"}
    summary = json.loads((built / "build.json").read_text())["summary"]
    assert sum(summary["rows"].values()) + summary["failed"] == 40
    assert "CC BY 3.0" in (built / "README.md").read_text()
    assert not (built / ".build").exists()


def test_load_dataset_opens_it_with_images(built: Path, tmp_path: Path) -> None:
    loaded = datasets.load_dataset(str(built), cache_dir=str(tmp_path))
    assert list(loaded) == ["train", "validation", "test"]
    row = loaded["train"][0]
    assert isinstance(loaded["train"].features["image"], datasets.Image)
    assert row["image"].mode in ("1", "L") and row["image"].format == "PNG"
    assert row["distorted"].mode == "L" and row["distorted"].format == "JPEG"
    assert row["mei"].lstrip().startswith("<?xml") and read_midi(row["midi"])
    assert split_tokens(row["semantic"])[0].startswith("clef-")
    assert split_tokens(row["agnostic"])[0].startswith("clef.")


def test_it_streams(built: Path, tmp_path: Path) -> None:
    streamed = datasets.load_dataset(str(built), split="train", streaming=True, cache_dir=str(tmp_path))
    rows = list(streamed.take(2))
    first = min((built / "data").glob("train-*.parquet"))
    assert [row["id"] for row in rows] == pq.read_table(first, columns=["id"]).column(0).to_pylist()[:2]
    assert isinstance(rows[0]["image"], Image.Image)


def test_images_are_cropped_to_the_ink(built: Path) -> None:
    for stave in read_staves(built, split="train", n=5):
        pixels = np.asarray(Image.open(io.BytesIO(stave.encoded)).convert("L"))
        assert 80 <= pixels.shape[0] <= 250
        assert pixels[0].min() < 255 and pixels[-1].min() < 255
        assert pixels[:, 0].min() < 255 and pixels[:, -1].min() < 255


def test_no_text_is_twice_in_the_whole_dataset(built: Path) -> None:
    texts = [stave.text for split in ("train", "validation", "test") for stave in read_staves(built, split=split)]
    assert len(texts) == len(set(texts)) > 30


def test_two_builds_with_one_seed_are_the_same_bytes(built: Path, tmp_path: Path) -> None:
    build_primus(tmp_path / "again", num_proc=2, **OPTIONS)
    assert content(tmp_path / "again") == content(built)


def test_another_seed_engraves_otherwise(built: Path, tmp_path: Path) -> None:
    build_primus(tmp_path / "other", num_proc=1, **(OPTIONS | {"seed": 4, "n": 8}))
    ours = {stave.id: stave for stave in read_staves(built, split="train")}
    others = [stave for stave in read_staves(tmp_path / "other", split="train") if stave.id in ours]
    assert others and all(ours[stave.id].text == stave.text for stave in others)
    assert any(ours[stave.id].encoded != stave.encoded for stave in others)


def test_killed_and_resumed_is_the_bytes_of_an_unbroken_build(built: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys\nsys.path[:0] = {[*sys.path]!r}\nfrom hfmusic.build import build_primus\n"
        f"if __name__ == '__main__':\n    build_primus({str(out)!r}, num_proc=1, **{OPTIONS!r})\n"
    )
    process = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while not list(out.glob("data/*.parquet")):
        assert process.poll() is None and time.monotonic() < deadline, "the build to be killed made no shard"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (out / ".build").is_dir()
    for path in out.glob("data/*.parquet"):  # what is there is whole
        assert pq.read_metadata(path).num_rows > 0
    build_primus(out, num_proc=1, **OPTIONS)
    assert content(out) == content(built)


ABORTING = """
import os
from hfmusic.data.primus_rows import PrimusRows

class Rows(PrimusRows):
    def __call__(self, item):
        if item["id"] == {victim!r}:
            import hfmusic.render.engrave as module
            module.engrave = lambda *_, **__: os.abort()
        return super().__call__(item)
"""


def test_an_abort_of_the_engraver_costs_one_stave(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [stave.id for stave in read_staves(built, split="train")]
    (tmp_path / "aborting_rows.py").write_text(ABORTING.format(victim=ids[3]))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(build_module, "PrimusRows", __import__("aborting_rows").Rows)
    summary = build_primus(tmp_path / "out", num_proc=1, **OPTIONS)
    assert summary["failed"] == 1
    failed = [json.loads(line) for line in (tmp_path / "out" / "failed.jsonl").read_text().splitlines()]
    assert [entry["id"] for entry in failed] == [ids[3]]
    assert [stave.id for stave in read_staves(tmp_path / "out", split="train")] == ids[:3] + ids[4:]


def test_files_of_genuine_primus_go_through_as_they_are(tmp_path: Path) -> None:
    given = Path(__file__).parents[1] / "golden" / "primus"
    name = "000051652-1_2_1"
    summary = build("primus", tmp_path / "out", data_dir=given, num_proc=1)
    assert summary["rows"] == {"test": 1}  # it is one of the official test ids
    row = pq.read_table(next((tmp_path / "out" / "data").glob("test-*.parquet"))).to_pylist()[0]
    assert (row["id"], row["work"], row["source"]) == (name, "rism:000051652", "primus")
    assert row["image"]["bytes"] == (given / f"{name}.png").read_bytes()
    assert row["mei"] == (given / f"{name}.mei").read_text()
    for encoding in ("semantic", "agnostic"):
        assert split_tokens(row[encoding]) == split_tokens((given / f"{name}.{encoding}").read_text())
    assert row["distorted"]["bytes"][:2] == b"\xff\xd8"  # the sample has none: made from its image
    assert str(given) not in (tmp_path / "out" / "build.json").read_text()
    assert "license: other\nlicense_name: terms-of-the-sources\n" in (tmp_path / "out" / "README.md").read_text()


def test_a_finished_build_is_not_made_again(built: Path) -> None:
    before = content(built)
    summary = build("primus", built, **OPTIONS)
    assert sum(summary["rows"].values()) == 40 and content(built) == before


def test_other_settings_in_one_folder_are_refused(built: Path) -> None:
    with pytest.raises(ValueError, match=r"build of other settings \(seed 3 there, 9 now\): choose another folder"):
        build_primus(built, **(OPTIONS | {"seed": 9}))


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="is not empty and holds no build"):
        build_primus(tmp_path, **OPTIONS)


def test_two_builds_at_once_in_one_folder_are_refused(tmp_path: Path) -> None:
    with only_one(tmp_path), pytest.raises(ValueError, match="another build is at work"):
        with only_one(tmp_path):
            pass


def test_unknown_datasets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="dataset must be one of primus, primus_audio, maps, .* got 'imagenet'"):
        build("imagenet", tmp_path)


def test_sources_that_a_folder_speaks_for(tmp_path: Path) -> None:
    assert default_sources(None) == ("rism", "music21")
    with pytest.raises(ValueError, match="must hold PrIMuS .* or OpenScore"):
        default_sources(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "a.semantic").write_text("clef-G2")
    assert default_sources(tmp_path) == ("primus",)
    (tmp_path / "song.mxl").write_bytes(b"")
    assert default_sources(tmp_path) == ("rism", "music21", "openscore")
    with pytest.raises(ValueError, match="data_dir must be a folder"):
        default_sources(tmp_path / "nowhere")
