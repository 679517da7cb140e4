"""The CTC processor: pictures and texts in, tokens with their places out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoProcessor, AutoTokenizer

import hfmusic.models  # noqa: F401  (registers)
from hfmusic.models.configuration_crnn import CRNNConfig
from hfmusic.models.image_features import NoStaffError
from hfmusic.models.image_processing_staff import StaffImageProcessor
from hfmusic.models.modeling_crnn import CRNNForCTC, CTCOutput
from hfmusic.models.processing_ctc import CTCProcessor, make_processor
from hfmusic.models.tokenization_ctc import CTCTokenizer
from hfmusic.symbolic.vocabulary import load_vocabulary

GOLDEN = Path(__file__).parents[1] / "golden" / "primus"
PICTURE = GOLDEN / "000051652-1_2_1.png"
TEXT = (GOLDEN / "000051652-1_2_1.semantic").read_text(encoding="utf-8")
TOKENS = ("clef-G2", "barline", "note-C4_quarter")


def processor_of(**options: object) -> CTCProcessor:
    return make_processor(TOKENS, **{"height": 32, **options})


def logits_of(path: list[int], classes: int = 4, sure: float = 0.99) -> torch.Tensor:
    """(1, T, classes) whose softmax gives `sure` to each frame's symbol."""
    probabilities = torch.full((1, len(path), classes), (1 - sure) / (classes - 1))
    for frame, symbol in enumerate(path):
        probabilities[0, frame, symbol] = sure
    return probabilities.log()


def save_with_config(processor: CTCProcessor, folder: Path) -> None:
    CRNNConfig(vocab_size=len(processor.tokenizer.tokens)).save_pretrained(folder)
    processor.save_pretrained(folder)


def test_height_mode_is_paper_000() -> None:
    page = np.full((155, 1041), 255, np.uint8)
    page[50:52] = 0
    found = make_processor(TOKENS)(images=page, return_tensors="pt")
    assert found["attention_mask"].sum().item() == 1719
    assert found["input_features"].shape == (1, 1, 256, 1720)  # 1719 columns, then one of padding
    assert found["input_features"].dtype == torch.float32
    assert found["input_features"][0, 0, 0].max() == 0 < found["input_features"].max() <= 1


def test_staff_mode_puts_the_lines_on_their_rows() -> None:
    found = processor_of(height=96, mode="staff", staff_space=7.0)(images=Image.open(PICTURE), return_tensors="np")
    ink = found["input_features"][0, 0].mean(axis=1)
    assert all(ink[48 + 7 * line - 1 : 48 + 7 * line + 2].max() > 3 * np.median(ink) for line in (-2, -1, 0, 1, 2))


def test_a_batch_is_padded_and_masked() -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (32, width), dtype=np.uint8) for width in (40, 51)]
    together = processor_of()(images=pictures, return_tensors="pt")
    assert together["input_features"].shape == (2, 1, 32, 56)
    assert together["attention_mask"].sum(1).tolist() == [40, 51]
    assert together["input_features"][0, ..., 40:].abs().max() == 0
    alone = processor_of()(images=pictures[0], return_tensors="pt")
    assert torch.equal(together["input_features"][:1, ..., :40], alone["input_features"][..., :40])


def test_any_picture_type_gives_the_same() -> None:
    processor, image = processor_of(), Image.open(PICTURE)
    expected = processor(images=image)["input_features"]
    pixels = np.asarray(image.convert("RGB"))
    for same in (str(PICTURE), PICTURE, pixels, torch.from_numpy(pixels.copy()), [image]):
        assert np.array_equal(processor(images=same)["input_features"], expected)


def test_texts_become_labels() -> None:
    found = processor_of()(text=["clef-G2\tbarline\t", "barline, note-C4_quarter barline\n"], return_tensors="pt")
    assert found["labels"].tolist() == [[0, 1, -100], [1, 2, 1]]
    assert processor_of()(text="barline")["labels"].tolist() == [[1]]


def test_the_genuine_sample_has_19_labels() -> None:
    processor = make_processor(load_vocabulary("semantic").tokens, height=64)
    found = processor(images=PICTURE, text=TEXT, return_tensors="pt")
    assert found["labels"].shape == (1, 19)
    assert [processor.tokenizer.tokens[index] for index in found["labels"][0]] == TEXT.split()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({}, "give images, text or both, got neither"),
        ({"images": []}, "at least one picture is needed"),
        ({"text": "barline trill"}, "token 'trill' is not one of the vocabulary's 3 tokens"),
        ({"text": "<blank>"}, "stands for no token"),
        ({"images": PICTURE, "text": ["barline", "barline"]}, "as many, got 1 and 2"),
        ({"images": [PICTURE, np.zeros((4, 40), np.uint8)]}, "picture 1: the picture is 40x4 pixels"),
        ({"images": [PICTURE, None]}, "picture 1: a picture must be a PIL image"),
        ({"images": "nothing.png"}, "nothing.png: no such file"),
    ],
)
def test_bad_inputs_say_what_is_wrong(call: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        processor_of()(**call)


def test_a_blank_picture_has_no_staff() -> None:
    with pytest.raises(NoStaffError, match="no staff found"):
        processor_of(mode="staff", height=96)(images=[np.full((100, 300), 255, np.uint8), PICTURE])


@pytest.mark.parametrize(
    ("options", "message"),
    [({"mode": "width"}, "got 'width'"), ({"height": 0}, "must be positive, got 0"), ({"staff_space": 0}, "positive")],
)
def test_bad_image_options_say_what_is_wrong(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StaffImageProcessor(**options)


@pytest.mark.parametrize("method", ["greedy", "beam"])
def test_tokens_come_with_confidence_and_place(method: str) -> None:
    # a page of 64 x 160 pixels at height 32: 80 columns, 40 frames of stride 2, so 4 pixels a frame
    processor = processor_of()
    inputs = processor(images=np.full((64, 160), 200, np.uint8), return_tensors="pt")
    path = [3] * 5 + [0] * 2 + [3] * 3 + [2, 2, 3, 2] + [3] * 26
    (found,) = processor.decode(logits_of(path), inputs, method=method)
    assert found.tokens == ["clef-G2", "note-C4_quarter", "note-C4_quarter"]
    assert found.ids == [0, 2, 2]
    assert found.frames == [(5, 7), (10, 12), (13, 14)]
    assert found.spans == [(20.0, 28.0), (40.0, 48.0), (52.0, 56.0)]
    assert found.confidences == pytest.approx([0.99] * 3, abs=1e-5)


def test_padding_is_not_decoded() -> None:
    processor = processor_of()
    inputs = processor(images=[np.zeros((32, 8), np.uint8), np.zeros((32, 16), np.uint8)], return_tensors="pt")
    logits = logits_of([0, 3, 3, 1, 3, 3, 3, 2]).repeat(2, 1, 1)
    assert [found.ids for found in processor.decode(logits, inputs)] == [[0, 1], [0, 1, 2]]
    assert [found.ids for found in processor.decode(logits.numpy(), lengths=[1, 8])] == [[0], [0, 1, 2]]
    output = CTCOutput(logits=logits, output_lengths=torch.tensor([8, 3]))
    assert [found.ids for found in processor.batch_decode(output)] == [[0, 1, 2], [0]]


def test_places_of_a_staff_are_pixels_of_the_picture() -> None:
    page = np.asarray(Image.open(PICTURE).convert("L"))
    wide = np.pad(page, ((20, 20), (200, 100)), constant_values=255)
    config = {"input_height": 96, "conv_channels": [2], "conv_kernels": [[3, 3]], "pool_sizes": [[4, 4]]}
    model = CRNNForCTC(CRNNConfig(**config, hidden_size=4, vocab_size=3)).eval()
    processor = processor_of(height=96, mode="staff")
    inputs = processor(images=wide, return_tensors="pt")
    frames = int(model(**inputs).output_lengths[0])
    logits = logits_of([1] + [3] * (frames - 2) + [2])
    (found,) = processor.decode(logits, inputs)
    assert 200 - 110 < found.spans[0][0] < 200 + 60
    assert 200 + page.shape[1] - 60 < found.spans[1][1] <= wide.shape[1]


def test_the_language_model_settles_what_the_picture_leaves_open() -> None:
    processor = processor_of()
    logits = torch.log(torch.tensor([[[0.90, 0.04, 0.04, 0.02], [0.01, 0.50, 0.48, 0.01]]]))
    processor.fit_language_model(["clef-G2 note-C4_quarter"] * 20)
    assert processor.decode(logits, method="greedy")[0].tokens == ["clef-G2", "barline"]
    assert processor.decode(logits, method="beam")[0].tokens == ["clef-G2", "note-C4_quarter"]
    assert processor.decode(logits, method="beam", language_model=None)[0].tokens == ["clef-G2", "barline"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"method": "best"}, "got 'best'"),
        ({"beam_width": 3}, "greedy decoding has no options, got beam_width"),
        ({"lengths": [1, 2]}, "lengths must be 1, one an item, got 2"),
        ({"outputs": torch.zeros(1, 2, 9)}, r"logits must be \(B, T, 4\), got \(1, 2, 9\)"),
        ({"outputs": torch.zeros(2, 4)}, r"logits must be \(B, T, V\+1\), got \(2, 4\)"),
    ],
)
def test_bad_logits_say_what_is_wrong(call: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        processor_of().decode(**{"outputs": logits_of([0, 1]), **call})


def test_tokenizer_is_the_official_list() -> None:
    vocabulary = load_vocabulary("semantic")
    tokenizer = CTCTokenizer(tokens=vocabulary.tokens)
    assert tokenizer.encoding == "semantic"
    assert tokenizer.blank_id == tokenizer.pad_token_id == 1781 == len(tokenizer) - 1
    assert tokenizer(TEXT)["input_ids"] == vocabulary.encode(TEXT.split()) == tokenizer.encode_tokens(TEXT)
    assert tokenizer.decode(tokenizer.encode_tokens(TEXT)).split() == TEXT.split()
    assert CTCTokenizer(tokens=load_vocabulary("agnostic").tokens).encoding == "agnostic"


@pytest.mark.parametrize("tokens", [[], ["a", "a"], ["a b"], ["a", "<blank>"], [""]])
def test_vocabularies_that_cannot_be_are_refused(tokens: list[str]) -> None:
    with pytest.raises(ValueError, match="must be different words without spaces"):
        CTCTokenizer(tokens=tokens)


def test_saves_and_loads(tmp_path: Path) -> None:
    processor = make_processor(TOKENS, height=48, mode="staff", staff_space=4.0)
    processor.lm_weight = 0.5
    save_with_config(processor, tmp_path)
    assert (tmp_path / "vocabulary.txt").read_text(encoding="utf-8").split() == list(TOKENS)
    loaded = AutoProcessor.from_pretrained(tmp_path)
    assert isinstance(loaded, CTCProcessor)
    assert loaded.tokenizer.tokens == TOKENS and loaded.encoding == "semantic"
    assert loaded.image_processor.to_dict() == processor.image_processor.to_dict()
    assert (loaded.lm_weight, loaded.language_model) == (0.5, None)
    assert isinstance(AutoTokenizer.from_pretrained(tmp_path), CTCTokenizer)
    assert isinstance(AutoImageProcessor.from_pretrained(tmp_path), StaffImageProcessor)


def test_the_language_model_is_saved_beside(tmp_path: Path) -> None:
    processor = processor_of()
    fitted = processor.fit_language_model(["clef-G2 barline"])
    save_with_config(processor, tmp_path)
    loaded = CTCProcessor.from_pretrained(tmp_path)
    assert loaded.language_model is not None
    assert np.array_equal(loaded.language_model.log_probs, fitted.log_probs)
    assert "language_model" not in json.loads((tmp_path / "processor_config.json").read_text())
    processor_of().save_pretrained(tmp_path)
    assert CTCProcessor.from_pretrained(tmp_path).language_model is None
