"""The polyphonic transcriber's networks: the paper's sizes, padded batches, losses by hand, learning, saving."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from transformers import AutoConfig, AutoModel

import hfmusic.models  # noqa: F401  (registers)
from hfmusic.models.configuration_unet_transcriber import UNetTranscriberConfig
from hfmusic.models.modeling_unet_transcriber import UNetTranscriber
from hfmusic.models.note_decoding import NoteEvent, decode_notes, encode_notes


def small_config(scheme: str = "heads", **options: object) -> UNetTranscriberConfig:
    if scheme == "paper":
        return UNetTranscriberConfig.paper(**{"channels": [2, 3, 4, 5], "hidden_size": 6, **options})
    return UNetTranscriberConfig(**{"channels": [4, 5, 6], "blocks": [1, 1, 1], "hidden_size": 3, **options})  # type: ignore[arg-type]


def with_statistics(model: nn.Module, spread: float = 0.3) -> nn.Module:
    """Batch norms that are not the identity, so that zeros do not stay zeros, and louder outputs."""
    torch.manual_seed(0)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for values in (norm.running_mean, norm.bias):
                nn.init.normal_(values, std=spread)  # type: ignore[arg-type]
            nn.init.constant_(norm.running_var, 0.3)  # type: ignore[arg-type]
    return model.eval()


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_paper_001_has_its_parameters() -> None:
    model = UNetTranscriber(UNetTranscriberConfig.paper())
    network = model.network
    parts = {"encoder": parameters(network.down) + parameters(network.skips), "decoder": parameters(network.up)}
    parts |= {"lstm": parameters(network.lstm), "linear": parameters(network.head)}
    assert parts == {"encoder": 440_976, "decoder": 379_673, "lstm": 498_432, "linear": 31_064}
    assert parameters(model) == 1_350_145


def test_paper_001_has_its_maps() -> None:
    config = UNetTranscriberConfig.paper()
    assert (config.frame_seconds, config.heads, config.time_stride) == (0.032, ["frame"], 16)
    model = UNetTranscriber(config).eval()
    sizes: list[tuple[int, ...]] = []
    for part in [*model.network.down, *model.network.up]:
        part.register_forward_hook(lambda _module, _given, result: sizes.append(tuple(result.shape[1:])))
    with torch.no_grad():
        logits = model(torch.rand(1, 1, 640, 176)).logits
    assert {name: values.shape for name, values in logits.items()} == {"frame": (1, 640, 88)}
    down = [(16, 320, 88), (32, 160, 44), (64, 80, 22), (128, 40, 11)]
    assert sizes == [*down, (64, 80, 22), (32, 160, 44), (16, 320, 88), (1, 640, 176)]


def test_the_recommended_network_keeps_its_promises() -> None:
    config = UNetTranscriberConfig.recommended()
    model = UNetTranscriber(config)
    assert (config.frame_seconds, config.heads) == (0.032, ["onset", "frame", "offset", "velocity"])
    assert parameters(model) == 754_212 < 5_000_000
    untrained = model.eval()(torch.zeros(1, 1, 8, 288)).probabilities()
    assert all(abs(values.detach().mean().item() - 0.02) < 0.02 for values in untrained.values())


def test_a_key_sees_its_own_bins_and_its_harmonics() -> None:
    config = UNetTranscriberConfig()
    assert config.shifts == [-36, 0, 36, 57, 72, 84, 93, 108]
    stem = UNetTranscriber(config).network.stem
    seen: list[torch.Tensor] = []
    stem.step.register_forward_hook(lambda _module, given, _result: seen.append(given[0]))
    spectrum = torch.arange(288.0).expand(1, 1, 3, 288)
    stem(spectrum, None)
    for channel, shift in enumerate(config.shifts):
        expected = [float(bin + shift) if 0 <= bin + shift < 288 else 0.0 for bin in range(264)]
        assert seen[0][0, channel, 1].tolist() == expected
    for key in (0, 40, 87):  # a key's middle bin is 3 * key + 1: it lies under the kernel's centre
        nn.init.zeros_(stem.step.conv.weight)
        stem.step.conv.weight.data[0, 1, 1, 3] = 1.0
        one = torch.zeros(1, 1, 3, 288)
        one[..., 3 * key + 1] = 1.0
        assert stem.step.conv(seen_through(stem, one))[0, 0, 1].nonzero().tolist() == [[key]]
        frequency = config.fmin * 2 ** ((3 * key + 1) / 36)
        assert frequency == pytest.approx(440 * 2 ** ((key + 21 - 69) / 12))


def seen_through(stem: nn.Module, spectrum: torch.Tensor) -> torch.Tensor:
    """What the stem's convolution is given."""
    seen: list[torch.Tensor] = []
    hook = stem.step.register_forward_hook(lambda _module, given, _result: seen.append(given[0]))  # type: ignore[operator, union-attr]
    stem(spectrum, None)
    hook.remove()
    return seen[0]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(0, 9), st.sampled_from(["paper", "heads"]))
def test_an_item_gives_the_same_alone_and_in_a_batch(widths: list[int], extra: int, scheme: str) -> None:
    config = small_config(scheme)
    model = with_statistics(UNetTranscriber(config))
    total = max(widths) + extra
    batch, mask = torch.rand(len(widths), 1, total, config.n_bins), torch.zeros(len(widths), total, dtype=torch.long)
    for row, width in enumerate(widths):
        mask[row, :width] = 1
        batch[row, :, width:] = 9.0  # rubbish that must not be heard
    with torch.no_grad():
        together = model(batch, attention_mask=mask)
        assert together.lengths.tolist() == widths
        for row, width in enumerate(widths):
            alone = model(batch[row : row + 1, :, :width])
            for name, values in alone.logits.items():
                assert values.shape == (1, width, 88)
                assert torch.allclose(together.logits[name][row, :width], values[0], atol=1e-4)


@pytest.mark.parametrize("scheme", ["paper", "heads"])
def test_padding_to_the_stride_is_no_different_from_a_mask(scheme: str) -> None:
    """A length that is a multiple of the stride takes a shorter way: it must agree with the longer one."""
    config = small_config(scheme)
    model = with_statistics(UNetTranscriber(config))
    features = torch.rand(2, 1, 32, config.n_bins)
    longer = torch.cat([features, torch.rand(2, 1, 16, config.n_bins)], dim=2)
    mask = (torch.arange(48) < 32).long().expand(2, -1)
    with torch.no_grad():
        short, masked = model(features).logits, model(longer, attention_mask=mask).logits
    for name in config.heads:
        assert torch.allclose(short[name], masked[name][:, :32], atol=1e-5)


def test_losses_by_hand() -> None:
    config = small_config(
        onset_positive_weight=4.0, loss_weights={"onset": 1, "frame": 2, "offset": 0.5, "velocity": 3}
    )
    model = UNetTranscriber(config)
    maps = {name: torch.zeros(1, 3, 88) for name in config.heads}
    maps["velocity"][0, 0, 5] = 2.0
    labels = {name: torch.zeros(1, 3, 88) for name in config.heads}
    labels["onset"][0, 0, 5], labels["onset"][0, 1, 5], labels["velocity"][0, :2, 5] = 1.0, 0.5, 0.25
    labels["onset"][0, 2] = labels["velocity"][0, 2] = 1.0  # beyond the end
    losses = model.losses(maps, labels, torch.tensor([2]))
    half = math.log(2)  # cross entropy at probability a half
    assert losses["frame"].item() == pytest.approx(half) == losses["offset"].item()
    assert losses["onset"].item() == pytest.approx((174 * half + 4 * half + (0.5 * 4 + 0.5) * half) / 176)
    sigmoid = 1 / (1 + math.exp(-2))
    assert losses["velocity"].item() == pytest.approx(((sigmoid - 0.25) ** 2 + 0.25**2) / 2)
    output = model(torch.rand(1, 1, 3, 288), labels=labels)
    weighted = sum(output.losses[name] * weight for name, weight in config.loss_weights.items())
    assert output.loss.item() == pytest.approx(weighted.item())
    nothing = {name: torch.zeros(1, 3, 88) for name in config.heads}
    assert model(torch.rand(1, 1, 3, 288), labels=nothing).losses["velocity"].item() == 0.0


def test_the_papers_gradients_are_held() -> None:
    model = UNetTranscriber(small_config("paper"))
    features, labels = torch.rand(2, 1, 32, 176), {"frame": torch.rand(2, 32, 88).round()}
    seen: list[torch.Tensor] = []
    model.network.up[-1].conv2.register_full_backward_hook(lambda _module, _ins, outs: seen.append(outs[0]))
    (model(features, labels=labels).loss * 1e6).backward()
    assert 0 < seen[0].abs().max() <= 0.001 / 4 + 1e-9  # a sigmoid's slope is at most a quarter


def learn(model: UNetTranscriber, features: torch.Tensor, labels: dict, steps: int, rate: float) -> dict:
    """Probabilities after so many steps."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        model(features, labels=labels).loss.backward()
        optimizer.step()
    with torch.no_grad():
        return model.eval()(features).probabilities()


def test_learns_four_recordings_by_heart() -> None:
    torch.manual_seed(0)
    config = small_config(channels=[8, 12], blocks=[1, 0], hidden_size=16)
    step, frames = config.frame_seconds, 24
    pieces = [
        [
            *(
                NoteEvent((2 + item) * step, (9 + item) * step, 40 + 7 * item + third, 40 + 20 * item)
                for third in (0, 4)
            ),
            NoteEvent(15 * step, 21 * step, 60, 100),
        ]
        for item in range(4)
    ]
    encoded = [encode_notes(notes, frames, step, scheme="heads") for notes in pieces]
    features = torch.zeros(4, 1, frames, config.n_bins)
    for item, maps in enumerate(encoded):
        features[item, 0, :, :264] = torch.from_numpy(maps["frame"]).repeat_interleave(3, dim=1)
    labels = {name: torch.stack([torch.from_numpy(maps[name]) for maps in encoded]) for name in config.heads}
    heard = learn(UNetTranscriber(config), features, labels, steps=80, rate=0.02)
    for item, notes in enumerate(pieces):
        found = decode_notes({name: values[item].numpy() for name, values in heard.items()}, step)
        found.sort(key=lambda note: (note.pitch_midi, note.onset_seconds))
        notes.sort(key=lambda note: (note.pitch_midi, note.onset_seconds))
        assert [note.pitch_midi for note in found] == [note.pitch_midi for note in notes]
        for note, wanted in zip(found, notes, strict=True):
            assert abs(note.onset_seconds - wanted.onset_seconds) < step
            assert abs(note.offset_seconds - wanted.offset_seconds) < 1.5 * step
            assert abs(note.velocity - wanted.velocity) < 30


def test_the_papers_network_learns_four_recordings_by_heart() -> None:
    torch.manual_seed(0)
    roll = torch.zeros(4, 16, 88)
    for item in range(4):
        roll[item, 2 + item : 10 + item, 20 + item : 70 : 7] = 1
    features = roll.repeat_interleave(2, dim=2).unsqueeze(1)
    model = UNetTranscriber(small_config("paper", channels=[8, 8], hidden_size=88))
    heard = learn(model, features, {"frame": roll}, steps=140, rate=0.005)["frame"]
    assert ((heard > 0.5) != (roll > 0.5)).sum() <= 2


@pytest.mark.parametrize("scheme", ["paper", "heads"])
def test_starts_as_torch_does(scheme: str) -> None:
    model = UNetTranscriber(UNetTranscriberConfig.paper() if scheme == "paper" else UNetTranscriberConfig())
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and module.weight.numel() > 500:
            bound = 1 / math.sqrt(module.weight[0].numel())
            assert 0.9 * bound < module.weight.abs().max() <= bound
        if isinstance(module, nn.LSTM):
            assert 0.9 < module.weight_hh_l0.abs().max() * math.sqrt(module.hidden_size) <= 1


@pytest.mark.parametrize("scheme", ["paper", "heads"])
def test_saves_and_loads(scheme: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    config = small_config(scheme, onset_positive_weight=2)
    model, features = with_statistics(UNetTranscriber(config)), torch.rand(1, 1, 19, config.n_bins)
    model.save_pretrained(tmp_path)
    assert AutoConfig.from_pretrained(tmp_path).to_diff_dict() == model.config.to_diff_dict()
    loaded = AutoModel.from_pretrained(tmp_path)
    assert isinstance(loaded, UNetTranscriber) and not loaded.training
    for name, values in model(features).logits.items():
        assert torch.equal(loaded(features).logits[name], values)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: UNetTranscriberConfig(scheme="other"), "scheme must be one of paper, heads, got 'other'"),
        (lambda: UNetTranscriberConfig(channels=[]), "channels must be one positive number a resolution"),
        (lambda: UNetTranscriberConfig(blocks=[1]), "channels and blocks must be as many"),
        (lambda: UNetTranscriberConfig(n_bins=200), "at least 264 bins from key 21 on, got 36 and 200"),
        (lambda: UNetTranscriberConfig(harmonics=[0]), "harmonics must be positive"),
        (lambda: UNetTranscriberConfig(stem_kernel=[3, 6]), "stem_kernel must be"),
        (lambda: UNetTranscriberConfig(head_prior=0.0), "head_prior must be between 0 and 1"),
        (lambda: UNetTranscriberConfig(hop_length=0), "hop_length, hidden_size and n_bins must be positive"),
        (lambda: UNetTranscriberConfig(loss_weights={"frame": 1}), "loss_weights must be one for each of onset, frame"),
        (lambda: UNetTranscriberConfig.paper(n_bins=180), "n_bins must be a multiple of 16"),
    ],
)
def test_bad_configs_say_what_is_wrong(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call()


def test_bad_inputs_say_what_is_wrong() -> None:
    model, features = UNetTranscriber(small_config()), torch.rand(2, 1, 8, 288)
    for inputs, message in (
        ({"input_features": features[:, 0]}, r"input_features must be \(B, 1, T, 288\), got \(2, 8, 288\)"),
        ({"input_features": features[:, :, :0]}, "at least one frame is needed"),
        ({"attention_mask": torch.ones(2, 7)}, r"attention_mask must be \(2, 8\) like input_features, got \(2, 7\)"),
        ({"attention_mask": torch.zeros(2, 8)}, "each item must have a real frame"),
        ({"labels": {"onset": torch.zeros(2, 8, 88)}}, "frame, offset, velocity missing"),
        ({"labels": dict.fromkeys(model.config.heads, torch.zeros(2, 7, 88))}, "labels of onset must be"),
    ):
        with pytest.raises(ValueError, match=message):
            model(**{"input_features": features, **inputs})
