"""A saved model runs where hfmusic is not: its code travels with it (DESIGN decision 1)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import hfmusic.models  # noqa: F401  (registers)
from hfmusic.models.configuration_crnn import CRNNConfig
from hfmusic.models.configuration_r2crnn import R2CRNNConfig
from hfmusic.models.modeling_crnn import CRNNForCTC
from hfmusic.models.modeling_r2crnn import R2CRNNForCTC
from hfmusic.models.processing_ctc import make_processor
from hfmusic.symbolic.vocabulary import load_vocabulary

PICTURE = Path(__file__).parents[1] / "golden" / "primus" / "000051652-1_2_1.png"

STRANGER = """
import sys
sys.modules["hfmusic"] = None  # any import of it fails
import json, torch
from transformers import AutoModel, AutoModelForCTC, AutoProcessor, pipeline
folder, picture, again = sys.argv[1:]
trust = {"trust_remote_code": True}
model = AutoModelForCTC.from_pretrained(folder, **trust)
processor = AutoProcessor.from_pretrained(folder, **trust)
inputs = processor(images=picture, return_tensors="pt")
with torch.inference_mode():
    output = model(**inputs)
body = AutoModel.from_pretrained(folder, **trust)
read = pipeline(model=folder, device="cpu", **trust)
model.save_pretrained(again)
processor.save_pretrained(again)
print(json.dumps({
    "logits": output.logits.tolist(),
    "tokens": processor.decode(output, inputs)[0].tokens,
    "beam": processor.decode(output, inputs, method="beam")[0].tokens,
    "pipeline": read(picture)["tokens"],
    "classes": [type(thing).__name__ for thing in (model, processor, body, read)],
    "module": type(model).__module__,
}))
"""


SIZES = {"conv_channels": [4, 4], "pool_sizes": [[4, 4], [4, 2]], "hidden_size": 8, "projection_size": 16}


@pytest.fixture(scope="module", params=["CRNN", "R2CRNN"])
def saved(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> tuple[Path, dict]:
    """A model folder and what it reads here."""
    torch.manual_seed(0)
    tokens = load_vocabulary("semantic").tokens
    sizes = {"input_height": 96, "vocab_size": len(tokens), **SIZES}
    model: torch.nn.Module
    if request.param == "CRNN":
        model = CRNNForCTC(CRNNConfig(conv_kernels=[[10, 2], [3, 3]], **sizes)).eval()
    else:
        model = R2CRNNForCTC(R2CRNNConfig(conv_kernels=[[3, 3], [3, 3]], **sizes)).eval()
    processor = make_processor(tokens, height=96, mode="staff")
    for norm in model.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(norm.running_mean)
    processor.fit_language_model([PICTURE.with_suffix(".semantic").read_text(encoding="utf-8")])
    folder = tmp_path_factory.mktemp("saved") / "model"
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    inputs = processor(images=PICTURE, return_tensors="pt")
    with torch.inference_mode():
        output = model(**inputs)
    found = {method: processor.decode(output, inputs, method=method)[0].tokens for method in ("greedy", "beam")}
    return folder, {"family": request.param, "logits": output.logits, **found}


def stranger(folder: Path, again: Path, home: Path) -> dict:
    """Load and read in a fresh process, elsewhere, offline, without hfmusic."""
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HF_"))}
    environment |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(home), "HF_MODULES_CACHE": str(home / "modules")}
    command = [sys.executable, "-I", "-c", STRANGER, str(folder), str(PICTURE), str(again)]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_reads_the_same_without_hfmusic_and_can_be_passed_on(saved: tuple[Path, dict], tmp_path: Path) -> None:
    folder, expected = saved
    found = stranger(folder, tmp_path / "again", tmp_path / "home")
    assert found["module"].startswith("transformers_modules.")
    classes = [f"{expected['family']}ForCTC", "CTCProcessor", f"{expected['family']}Model"]
    assert found["classes"] == [*classes, "OpticalMusicRecognitionPipeline"]
    assert torch.allclose(torch.tensor(found["logits"]), expected["logits"], atol=1e-5)
    assert found["tokens"] == found["pipeline"] == expected["greedy"]
    assert found["beam"] == expected["beam"]
    passed_on = {path.name for path in (tmp_path / "again").iterdir()}
    assert passed_on == {path.name for path in folder.iterdir()}


def test_the_folder_holds_the_code_and_no_pickles(saved: tuple[Path, dict]) -> None:
    names = {path.name for path in saved[0].iterdir()}
    assert {"modeling_crnn.py", "processing_ctc.py", "pipeline_omr.py", "image_features.py", "bigram.py"} <= names
    assert {path.suffix for path in saved[0].iterdir()} == {".py", ".json", ".safetensors", ".txt"}


def test_code_that_travels_imports_only_its_neighbours() -> None:
    package = Path(hfmusic.models.__file__).parent
    for path in package.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "from .." not in text, path.name
        assert "import hfmusic" not in text and "from hfmusic" not in text, path.name
