"""Two models alone and fused on the same staves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from hfmusic.evaluate import Readings, error_rates
from hfmusic.evaluate_fused import evaluate_fused, fused_readings
from hfmusic.models.configuration_crnn import CRNNConfig
from hfmusic.models.modeling_crnn import CRNNForCTC
from hfmusic.models.processing_ctc import make_processor
from hfmusic.symbolic.fusion import FusionConfig
from hfmusic.symbolic.vocabulary import load_vocabulary

GOLDEN = Path(__file__).parent / "golden" / "primus" / "000051652-1_2_1"
TOKENS = load_vocabulary("semantic").tokens


def save_model(folder: Path, modality: str) -> str:
    """A tiny network with random weights, of one modality."""
    torch.manual_seed(0)
    sizes = {"conv_channels": [2, 2], "conv_kernels": [[3, 3], [3, 3]], "pool_sizes": [[8, 4], [4, 2]]}
    config = CRNNConfig(input_height=96, vocab_size=len(TOKENS), hidden_size=4, modalities=[modality], **sizes)  # type: ignore[arg-type]
    ear = {"fmin": 51.91, "n_bins": 96, "bins_per_octave": 18, "gamma": 4.0, "height": 96}
    processor = make_processor(
        TOKENS, encoding="semantic", modalities=[modality], audio=ear, **({"height": 96} if modality == "image" else {})
    )
    CRNNForCTC(config).save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path]:
    """Pictures 0 to 2 and sounds 1 to 3 of one staff."""
    pictures, sounds = tmp_path / "pictures", tmp_path / "sounds"
    for folder, names in ((pictures, "012"), (sounds, "123")):
        folder.mkdir()
        for name in names:
            shutil.copyfile(GOLDEN.with_suffix(".semantic"), folder / f"{name}.semantic")
    for name in "012":
        shutil.copyfile(GOLDEN.with_suffix(".png"), pictures / f"{name}.png")
    for name in "123":
        soundfile.write(sounds / f"{name}.flac", np.random.default_rng(0).normal(0, 0.1, 22050), 22050)
    return pictures, sounds


def test_the_surer_reading_wins_and_the_rates_follow() -> None:
    reference = ["clef-G2", "note-C4_half", "barline"]
    eye = Readings(["a"], [reference], [["clef-G2", "note-D4_half", "barline"]], [[0.9, 0.2, 0.9]])
    ear = Readings(["a"], [reference], [["clef-C1", "note-C4_half", "barline"]], [[0.3, 0.8, 0.9]])
    fused = fused_readings(eye, ear, FusionConfig())
    assert fused.predictions == [reference] and fused.confidences == [[0.9, 0.8, 0.9]]
    assert error_rates(fused)[0] == {"metric": "symbol_error_rate", "value": 0.0, "unit": "%"}
    heard = {row["metric"]: row["value"] for row in error_rates(ear, heard=True)}
    assert heard["symbol_error_rate"] == pytest.approx(100 / 3) and heard["audible_symbol_error_rate"] == 0


def test_what_both_have_is_measured_three_times(both: tuple[Path, Path], tmp_path: Path) -> None:
    eye, ear = save_model(tmp_path / "eye", "image"), save_model(tmp_path / "ear", "audio")
    rows = evaluate_fused(eye, both[0], ear, both[1], fit="test", out=tmp_path / "metrics.json")
    assert [row["system"] for row in rows if row["metric"] == "symbol_error_rate"] == ["eye", "ear", "fused"]
    assert {row["n"] for row in rows} == {2}
    assert json.loads((tmp_path / "metrics.json").read_text()) == rows
    assert rows[0]["command"].startswith("hfmusic evaluate ") and "--fit test" in rows[0]["command"]


def test_no_staff_in_common_is_said(both: tuple[Path, Path], tmp_path: Path) -> None:
    eye, ear = save_model(tmp_path / "eye", "image"), save_model(tmp_path / "ear", "audio")
    for path in both[1].glob("[12].*"):
        path.unlink()
    with pytest.raises(ValueError, match="no staff in common by id in test"):
        evaluate_fused(eye, both[0], ear, both[1])
