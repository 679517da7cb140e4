"""Networks that hear, or read and hear: fronts, processors, pipelines; saved and loaded with and without hfmusic."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCTC, AutoProcessor, pipeline

import hfmusic.models  # noqa: F401  (registers)
from hfmusic.models.configuration_crnn import CRNNConfig
from hfmusic.models.modeling_crnn import CRNNForCTC
from hfmusic.models.processing_ctc import CTCAudioProcessor, CTCImageAudioProcessor, CTCProcessor, make_processor
from hfmusic.symbolic.vocabulary import load_vocabulary

PICTURE = Path(__file__).parents[1] / "golden" / "primus" / "000051652-1_2_1.png"
TOKENS = load_vocabulary("semantic").tokens
EAR = {"fmin": 51.91, "n_bins": 96, "bins_per_octave": 18, "gamma": 4.0, "height": 96}
RATE = 22050


def tone(seconds: float = 1.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def network(*modalities: str) -> tuple[CRNNForCTC, CTCProcessor]:
    torch.manual_seed(0)
    sizes = {"conv_channels": [4, 4], "conv_kernels": [[10, 2], [3, 3]], "pool_sizes": [[4, 2], [4, 2]]}
    config = CRNNConfig(
        input_height=96,
        vocab_size=len(TOKENS),
        hidden_size=8,
        projection_size=16,
        modalities=list(modalities),
        **sizes,  # type: ignore[arg-type]
    )
    processor = make_processor(TOKENS, modalities=modalities, audio=EAR, height=96, mode="staff")
    return CRNNForCTC(config).eval(), processor


def test_a_second_of_sound_has_44_columns_and_spans_in_seconds() -> None:
    model, processor = network("audio")
    inputs = processor(audio=tone(), return_tensors="pt")
    assert inputs["attention_mask"].sum().item() == 44  # 22050 // 512 + 1
    assert "modality" not in inputs
    with torch.inference_mode():
        output = model(**inputs)
    assert output.output_lengths.tolist() == [11]
    sure = torch.full((1, 11, len(TOKENS) + 1), 0.0)
    sure[0, :, -1] = 9
    sure[0, 4, 7] = 99
    (found,) = processor.decode(sure, inputs)
    assert found.tokens == [TOKENS[7]]
    assert found.spans[0] == pytest.approx((4 * 4 * 512 / RATE, 5 * 4 * 512 / RATE), rel=1e-4)


def test_each_modality_has_its_front_and_shares_the_rest() -> None:
    model, processor = network("image", "audio")
    image, sound = processor(images=PICTURE, return_tensors="pt"), processor(audio=tone(), return_tensors="pt")
    assert (image["modality"], sound["modality"]) == ("image", "audio")
    with torch.inference_mode():
        before = model(**image).logits, model(**sound).logits
        torch.nn.init.zeros_(model.crnn.fronts["audio"].projection.weight)
        after = model(**image).logits, model(**sound).logits
    assert torch.equal(before[0], after[0])
    assert not torch.allclose(before[1], after[1])
    shared = sum(weight.numel() for layer in (model.crnn.recurrent, model.ctc_head) for weight in layer.parameters())
    front = sum(weight.numel() for weight in model.crnn.fronts["audio"].parameters())
    assert sum(weight.numel() for weight in model.parameters()) == shared + 2 * front


@pytest.mark.parametrize(
    ("modalities", "call", "message"),
    [
        (("audio",), {"images": PICTURE}, "this model takes audio, got image"),
        (("image",), {"audio": tone()}, "this model takes image, got audio"),
        (("audio",), {}, "give audio, text or both, got neither"),
        (("image", "audio"), {"images": PICTURE, "audio": tone()}, "one kind at a time, got both"),
        (("audio",), {"audio": np.zeros(0, np.float32)}, "empty|no samples|at least"),
    ],
)
def test_what_a_model_does_not_take_is_named(modalities: tuple[str, ...], call: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network(*modalities)[1](**call)


def test_another_modality_is_refused_by_the_network() -> None:
    model, _ = network("audio")
    with pytest.raises(ValueError, match="modality must be one of audio, got 'image'"):
        model(torch.zeros(1, 1, 96, 40), modality="image")
    with pytest.raises(ValueError, match=r'modalities must be "image", "audio" or both'):
        CRNNConfig(modalities=["touch"])


@pytest.mark.parametrize(
    ("modalities", "kind"),
    [(("image",), CTCProcessor), (("audio",), CTCAudioProcessor), (("image", "audio"), CTCImageAudioProcessor)],
)
def test_saved_and_loaded_it_is_the_same(modalities: tuple[str, ...], kind: type, tmp_path: Path) -> None:
    model, processor = network(*modalities)
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    again, loaded = AutoModelForCTC.from_pretrained(tmp_path), AutoProcessor.from_pretrained(tmp_path)
    assert type(loaded) is kind and loaded.modalities == modalities
    for given in [{"audio": tone()}] if "audio" in modalities else [{"images": PICTURE}]:
        one, two = processor(**given, return_tensors="pt"), loaded(**given, return_tensors="pt")
        assert torch.equal(one["input_features"], two["input_features"])
        with torch.inference_mode():
            assert torch.equal(model(**one).logits, again(**two).logits)


def test_the_pipeline_takes_files_arrays_and_rows_of_datasets(tmp_path: Path) -> None:
    import soundfile

    model, processor = network("audio")
    hears = pipeline("automatic-music-transcription", model=model, processor=processor, device="cpu")
    soundfile.write(tmp_path / "a.wav", tone(), RATE, subtype="FLOAT")
    expected = hears(tone())
    assert hears(str(tmp_path / "a.wav")) == expected
    assert hears({"array": tone(), "sampling_rate": RATE}) == expected
    assert set(expected) == {"text", "tokens", "confidences", "spans"}


STRANGER = """
import sys
sys.modules["hfmusic"] = None  # any import of it fails
import json, numpy as np, torch
from transformers import AutoModelForCTC, AutoProcessor, pipeline
folder, sound = sys.argv[1:]
trust = {"trust_remote_code": True}
model, processor = AutoModelForCTC.from_pretrained(folder, **trust), AutoProcessor.from_pretrained(folder, **trust)
inputs = processor(audio=np.load(sound), return_tensors="pt")
with torch.inference_mode():
    logits = model(**inputs).logits
hears = pipeline("automatic-music-transcription", model=folder, device="cpu", **trust)
print(json.dumps([logits.tolist(), hears(np.load(sound))["tokens"], type(processor).__name__]))
"""


def test_it_hears_the_same_without_hfmusic(tmp_path: Path) -> None:
    model, processor = network("audio")
    model.save_pretrained(tmp_path / "model")
    processor.save_pretrained(tmp_path / "model")
    np.save(tmp_path / "sound.npy", tone())
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HF_"))}
    environment |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "HF_MODULES_CACHE": str(tmp_path / "modules")}
    command = [sys.executable, "-I", "-c", STRANGER, str(tmp_path / "model"), str(tmp_path / "sound.npy")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    logits, tokens, kind = json.loads(done.stdout.splitlines()[-1])
    inputs = processor(audio=tone(), return_tensors="pt")
    with torch.inference_mode():
        expected = model(**inputs)
    assert torch.allclose(torch.tensor(logits), expected.logits, atol=1e-5)
    assert tokens == processor.decode(expected, inputs)[0].tokens and kind == "CTCAudioProcessor"


def test_a_clock_is_silent_until_it_is_learned_and_only_for_sound() -> None:
    torch.manual_seed(0)
    plain, _ = network("image", "audio")
    torch.manual_seed(0)
    config = CRNNConfig(**{**plain.config.to_dict(), "clock_periods": [4.0, 10.5]})
    timed = CRNNForCTC(config).eval()
    timed.load_state_dict(plain.state_dict(), strict=False)
    clock = timed.crnn.fronts["audio"].clock
    assert timed.crnn.fronts["image"].clock is None and clock.weight.shape == (16, 4)
    features = torch.rand(1, 1, 96, 80)
    for modality in ("image", "audio"):
        with torch.inference_mode():
            assert torch.equal(plain(features, modality=modality).logits, timed(features, modality=modality).logits)
    torch.nn.init.normal_(clock.weight)
    with torch.inference_mode():
        assert not torch.allclose(plain(features, modality="audio").logits, timed(features, modality="audio").logits)
        ticks = clock(torch.arange(9, dtype=torch.float32)) - clock(torch.arange(9, dtype=torch.float32) + 84)
    assert ticks.abs().max() < 1e-4  # 84 frames are whole turns of both


def test_a_clock_needs_a_projection_and_positive_periods() -> None:
    with pytest.raises(ValueError, match="clock_periods must be positive and need a projection_size, got"):
        CRNNConfig(clock_periods=[4.0])
    with pytest.raises(ValueError, match="clock_periods must be positive"):
        CRNNConfig(clock_periods=[0.0], projection_size=8)
