"""The whole hub, published to the rehearsal Hub, is used by a program that has no hfmusic: same answers as with it.

The program runs in a virtual environment of its own. Installing torch there again would take minutes: links lend it the
packages of the running one, all but hfmusic.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import soundfile
import torch
from huggingface_hub import HfApi, constants

import hfmusic.publish  # noqa: F401
from hfmusic.data.schema import PRIMUS_AUDIO_FEATURES
from hfmusic.hub import load
from hfmusic.testing.local_hub import TOKEN, LocalHub

verb = sys.modules["hfmusic.publish"]
ROOT = Path(__file__).parent.parent
READERS = ("crnn-omr", "crnn-amt2omr", "r2crnn-omr-semantic", "r2crnn-omr-agnostic")
LISTENERS = ("crnn-amt", "crnn-omr2amt")
TRANSCRIBERS = ("unet-transcriber", "unet-transcriber-piano")
EMBEDDINGS = ("audio-midi-embedding", "audio-roll-decoder", "audio-sheet-embedding")
ALL = (*READERS, *LISTENERS, *TRANSCRIBERS, *EMBEDDINGS)

STRANGER = """
import importlib.util, json, re, sys
assert importlib.util.find_spec("hfmusic") is None, "this environment has hfmusic"
from pathlib import Path
from huggingface_hub import hf_hub_download
from transformers import AutoModel, AutoProcessor, pipeline

def by_card(repo):  # what the model's page says, to the letter
    text = Path(hf_hub_download(repo, "README.md")).read_text(encoding="utf-8")
    snippet = re.findall(r"```python\\n(.*?)```", text, re.DOTALL)[1]
    *lines, last = snippet.strip().splitlines()
    names = {}
    exec("\\n".join([*lines, f"tokens = {last}"]), names)
    return list(names["tokens"])

answers = {"tokens": {name: by_card(f"org/{name}") for name in sys.argv[1:]}}
trust = {"trust_remote_code": True}
body = AutoModel.from_pretrained("org/crnn-amt2omr", **trust)
processor = AutoProcessor.from_pretrained("org/crnn-amt2omr", **trust)
answers["classes"] = [type(body).__name__, type(processor).__name__, type(body).__module__.split(".")[0]]
answers["read"] = list(pipeline(model="org/crnn-omr", device="cpu", **trust)("photo.jpg")["tokens"])
answers["heard"] = list(pipeline(model="org/crnn-amt", device="cpu", **trust)("melody.wav")["tokens"])

import datasets
rows = datasets.load_dataset("org/primus-audio", split="train", streaming=True)
rows = list(rows.cast_column("audio", datasets.Audio(decode=False)))
answers["rows"] = [[row["id"], row["semantic"], len(row["audio"]["bytes"])] for row in rows]

import evaluate
metric = evaluate.load("org/ser")
answers["ser"] = metric.compute(references=["clef-G2 barline"], predictions=["clef-G2"])["symbol_error_rate"]
print(json.dumps(answers))
"""


def tiny_dataset(folder: Path) -> list[dict[str, Any]]:
    """A folder as `hfmusic build primus_audio` leaves it, with two rows."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(2205, np.float32), 22050, format="FLAC")
    empty = {"string": "", "int32": 0, "binary": b"x"}
    rows = []
    for number in range(2):
        row: dict[str, Any] = {
            name: empty.get(getattr(feature, "dtype", ""), "") for name, feature in PRIMUS_AUDIO_FEATURES.items()
        }
        known = {"id": f"tune-{number}", "semantic": "clef-G2\tbarline"}
        rows.append(row | known | {"audio": {"bytes": buffer.getvalue(), "path": None}})
    (folder / "data").mkdir(parents=True)
    table = datasets.Dataset.from_list(rows, features=PRIMUS_AUDIO_FEATURES)
    table.to_parquet(folder / "data" / "train-00000-of-00001.parquet")
    front = "license: cc-by-3.0\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n"
    (folder / "README.md").write_text(f"---\n{front}    path: data/train-*.parquet\n---\n# Staves, played\n")
    (folder / "build.json").write_text(json.dumps({"summary": {"rows": {"train": 2}}}))
    return rows


def outside(home: Path) -> Path:
    """The Python of a virtual environment without hfmusic."""
    venv.create(home, symlinks=True, with_pip=False)
    packages = next((home / "lib").glob("python3*")) / "site-packages"
    for lent in Path(sysconfig.get_path("purelib")).iterdir():
        if "hfmusic" not in lent.name and lent.suffix != ".pth" and not (packages / lent.name).exists():
            (packages / lent.name).symlink_to(lent)
    return home / "bin" / "python"


def by_package(name: str, folder: Path) -> list[Any]:
    model, processor = load(name, runtime="torch")
    if name in TRANSCRIBERS:
        return [list(note) for note in processor.transcribe(model, str(folder / "song.wav"))]
    if name in EMBEDDINGS:
        inputs = processor(audio=str(folder / "song.wav"), return_tensors="pt")
        return list(model.get_audio_features(inputs["input_features"])[0].tolist())
    given = {"images": folder / "photo.jpg"} if name in READERS else {"audio": str(folder / "melody.wav")}
    inputs = processor(**given, return_tensors="pt")
    with torch.inference_mode():
        output = model(inputs["input_features"], attention_mask=inputs["attention_mask"])
    return list(processor.decode(output, inputs)[0].tokens)


@pytest.mark.timeout(1500)
def test_the_published_hub_works_without_hfmusic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout, work = tmp_path / "checkout", tmp_path / "work"
    for place in (checkout / "spaces", checkout / "model_cards", work):
        place.mkdir(parents=True)
    for name in ALL:
        (checkout / "model_cards" / name).symlink_to(ROOT / "model_cards" / name)
    (checkout / "spaces" / "metric_ser").symlink_to(ROOT / "spaces" / "metric_ser")
    rows = tiny_dataset(checkout / "dist" / "primus-audio")
    shutil.copyfile(ROOT / "examples" / "staves" / "photograph_small.jpg", work / "photo.jpg")
    sound, rate = soundfile.read(ROOT / "examples" / "sounds" / "photograph_in_bad_light.flac")
    soundfile.write(work / "melody.wav", sound, rate)
    song, rate = soundfile.read(ROOT / "examples" / "recordings" / "guitar.flac")
    soundfile.write(work / "song.wav", song[: 6 * rate], rate)
    with LocalHub(tmp_path / "hub") as hub:
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(verb, "_api", lambda: HfApi(endpoint=hub.url, token=TOKEN))
        monkeypatch.setattr(verb, "_token", lambda: TOKEN)
        verb.publish_all("org", checkout)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HF_"))}
        place = {"HF_HOME": str(tmp_path / "home"), "HF_MODULES_CACHE": str(tmp_path / "modules")}
        environment = kept | hub.environment() | place
        del environment["HF_TOKEN"]  # what is public is read by anyone
        command = [str(outside(tmp_path / "venv")), "-c", STRANGER, *ALL]
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr[-3000:]
    answers = json.loads(done.stdout.splitlines()[-1])
    told = {name: by_package(name, work) for name in ALL}
    for name in EMBEDDINGS:
        assert answers["tokens"].pop(name) == pytest.approx(told.pop(name), abs=1e-5)
    assert answers["tokens"] == told
    assert answers["classes"] == ["CRNNModel", "CTCProcessor", "transformers_modules"]
    assert answers["read"] == answers["tokens"]["crnn-omr"]
    assert answers["heard"] == answers["tokens"]["crnn-amt"]
    assert answers["rows"] == [[row["id"], row["semantic"], len(row["audio"]["bytes"])] for row in rows]
    assert answers["ser"] == 50.0
