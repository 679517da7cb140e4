"""`pipeline("optical-music-recognition")` after `import hfmusic`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import pipeline

import hfmusic.models  # noqa: F401  (registers)
from hfmusic.models.configuration_crnn import CRNNConfig
from hfmusic.models.modeling_crnn import CRNNForCTC
from hfmusic.models.pipeline_omr import TASK, OpticalMusicRecognitionPipeline
from hfmusic.models.processing_ctc import make_processor

PICTURE = Path(__file__).parents[1] / "golden" / "primus" / "000051652-1_2_1.png"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    sizes = {"conv_channels": [2], "conv_kernels": [[3, 3]], "pool_sizes": [[4, 4]], "hidden_size": 4}
    place = tmp_path_factory.mktemp("model")
    CRNNForCTC(CRNNConfig(input_height=32, vocab_size=3, **sizes)).save_pretrained(place)
    processor = make_processor(("clef-G2", "barline", "note-C4_quarter"), height=32)
    processor.fit_language_model(["clef-G2 barline note-C4_quarter barline"])
    processor.save_pretrained(place)
    return place


def test_reads_files_images_and_lists(folder: Path) -> None:
    read = pipeline(TASK, model=str(folder), device="cpu")
    assert isinstance(read, OpticalMusicRecognitionPipeline)
    one = read(str(PICTURE))
    assert one["text"] == "\t".join(one["tokens"])
    assert len(one["tokens"]) == len(one["confidences"]) == len(one["spans"]) > 0
    assert read([Image.open(PICTURE), str(PICTURE)]) == [one, one]


def test_searches_with_a_beam(folder: Path) -> None:
    read = pipeline(TASK, model=str(folder), device="cpu")
    found = read(str(PICTURE), method="beam", lm_weight=2.0)
    expected = read.processor.decode(
        read.model(**read.processor(images=PICTURE, return_tensors="pt")), method="beam", lm_weight=2.0
    )
    assert found["tokens"] == expected[0].tokens


def test_a_bad_picture_is_one_sentence(folder: Path) -> None:
    with pytest.raises(ValueError, match="no such file"):
        pipeline(TASK, model=str(folder), device="cpu")("nowhere.png")


def test_saves_all_it_needs(folder: Path, tmp_path: Path) -> None:
    read = pipeline(TASK, model=str(folder), device="cpu")
    read.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in folder.iterdir()}
    assert pipeline(TASK, model=str(tmp_path), device="cpu")(str(PICTURE)) == read(str(PICTURE))
