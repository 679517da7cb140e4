"""R2-CRNN: the paper's sizes, the unit by hand, padding, folding, learning, saving."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForCTC

import hfmusic.models  # noqa: F401  (registers)
from hfmusic.models.configuration_r2crnn import R2CRNNConfig
from hfmusic.models.modeling_r2crnn import R2Block, R2CRNNForCTC, R2CRNNModel, RecurrentConvolution


def small_config(**options: object) -> R2CRNNConfig:
    sizes = {
        "input_height": 16,
        "conv_channels": [3, 4],
        "conv_kernels": [[3, 3], [3, 1]],
        "pool_sizes": [[2, 2], [2, 1]],
        "hidden_size": 5,
        "vocab_size": 6,
        "dropout": 0.0,
    }
    return R2CRNNConfig(**{**sizes, **options})  # type: ignore[arg-type]


def with_statistics(model: nn.Module) -> nn.Module:
    """Batch norms that are not the identity, so that zeros do not stay zeros."""
    torch.manual_seed(0)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for values in (norm.running_mean, norm.bias):
                nn.init.normal_(values, std=0.3)  # type: ignore[arg-type]
    return model.eval()


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


@pytest.mark.parametrize(
    ("channels", "convolutions"), [([32, 64, 128, 256], 1_613_120), ([64, 128, 256, 512], 6_445_696)]
)
def test_paper_002_has_its_parameters(channels: list[int], convolutions: int) -> None:
    model = R2CRNNForCTC(R2CRNNConfig(conv_channels=channels, step_norms=False))
    assert parameters(model.crnn.fronts) == convolutions
    if channels[0] == 32:
        assert parameters(model) == 8_822_838


def test_a_norm_for_every_step_costs_two_numbers_a_channel() -> None:
    shared, own = (parameters(R2CRNNForCTC(R2CRNNConfig(step_norms=each))) for each in (False, True))
    assert own - shared == 2 * 2 * 2 * (32 + 64 + 128 + 256)  # scale and shift, two more steps, two units a block


@pytest.mark.parametrize(
    ("pools", "stride", "frames"),
    [([[2, 2]] * 4, 16, 53), ([[2, 2], [2, 2], [2, 1], [2, 1]], 4, 214), ([[2, 2], [2, 1], [2, 1], [2, 1]], 2, 429)],
)
def test_strides_and_lengths(pools: list[list[int]], stride: int, frames: int) -> None:
    config = R2CRNNConfig(pool_sizes=pools)
    assert (config.width_stride, config.column_height) == (stride, 8)
    assert config.output_length(859) == frames  # a picture of 1041 x 155 at height 128


@pytest.mark.parametrize("step_norms", [False, True])
@pytest.mark.parametrize("steps", [0, 1, 2])
def test_the_recurrent_unit_by_hand(steps: int, step_norms: bool) -> None:
    unit = with_statistics(RecurrentConvolution(2, [3, 3], small_config(recurrent_steps=steps, step_norms=step_norms)))
    image = torch.rand(1, 2, 5, 6)
    assert len(unit.norms) == (steps + 1 if step_norms else 1)
    state = torch.zeros_like(image)
    for step in range(steps + 1):
        seen = unit.conv(image + state)
        norm = unit.norms[step if step_norms else 0]
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        state = ((seen - norm.running_mean[:, None, None]) * scale[:, None, None] + norm.bias[:, None, None]).relu()
    assert torch.allclose(unit(image), state, atol=1e-6)


def test_a_block_adds_its_units_to_what_enters_them() -> None:
    config = small_config(recurrent_units=2)
    block = with_statistics(R2Block(1, 3, [3, 3], [2, 2], config))
    image = torch.rand(2, 1, 6, 7)
    entered = block.conv(image)
    first, second = block.units
    expected = nn.functional.max_pool2d(entered + second(first(entered)), 2)
    assert torch.equal(block(image), expected)
    assert expected.shape == (2, 3, 3, 3)


def test_folding_makes_channels_of_neighbours() -> None:
    config = small_config(fold=2)
    assert (config.width_stride, config.height_stride, config.column_height) == (4, 8, 2)
    model = with_statistics(R2CRNNForCTC(config))
    first = model.crnn.fronts["image"].blocks[0].conv
    assert first.weight.shape == (3, 4, 1, 1)
    seen: list[torch.Tensor] = []
    first.register_forward_hook(lambda _module, given, _result: seen.append(given[0]))
    image = torch.rand(1, 1, 16, 13)
    with torch.no_grad():
        assert model(image).logits.shape == (1, 3, 7)
    wide = torch.cat([image, torch.zeros(1, 1, 16, 1)], dim=-1)  # the last column counts, whatever the width
    corner = torch.stack([wide[0, 0, row::2, column::2] for row, column in itertools.product((0, 1), (0, 1))])
    assert torch.equal(seen[0][0], corner)


@pytest.mark.parametrize("width", [12, 13, 14, 15])
def test_a_bar_line_in_the_last_column_is_seen(width: int) -> None:
    config = small_config(fold=2)
    model = with_statistics(R2CRNNForCTC(config))
    image = torch.zeros(1, 1, 16, width)
    with torch.no_grad():
        blank = model(image).logits
        image[..., -1] = 1.0
        assert not torch.allclose(model(image).logits, blank, atol=1e-4)
    assert blank.shape[1] == config.output_length(width) == (3 if width < 15 else 4)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(4, 40), min_size=1, max_size=4), st.integers(0, 9), st.sampled_from([1, 2]))
def test_a_staff_reads_the_same_alone_and_in_a_batch(widths: list[int], extra: int, fold: int) -> None:
    model = with_statistics(R2CRNNForCTC(small_config(fold=fold)))
    total, frames = max(widths) + extra, model.config.output_length
    batch, mask = torch.rand(len(widths), 1, 16, total), torch.zeros(len(widths), total, dtype=torch.long)
    for row, width in enumerate(widths):
        mask[row, :width] = 1
        batch[row, ..., width:] = 9.0  # rubbish that must not be read
    with torch.no_grad():
        together = model(batch, attention_mask=mask)
        assert together.output_lengths.tolist() == [-(-width // fold) // 2 for width in widths]
        for row, width in enumerate(widths):
            alone = model(batch[row : row + 1, ..., :width]).logits[0]
            assert torch.allclose(together.logits[row, : frames(width)], alone, atol=1e-5)


def test_learns_four_staves_by_heart() -> None:
    torch.manual_seed(0)
    model = R2CRNNForCTC(small_config(hidden_size=24))
    images = torch.rand(4, 1, 16, 30)
    labels = torch.tensor([[0, 1, 2], [3, 3, 4], [5, -100, -100], [1, 5, -100]])
    optimizer = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        model(images, labels=labels).loss.backward()
        optimizer.step()
    paths = model.eval()(images).logits.argmax(-1).tolist()
    read = [[symbol for symbol, _ in itertools.groupby(path) if symbol != 6] for path in paths]
    assert read == [[0, 1, 2], [3, 3, 4], [5], [1, 5]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"conv_kernels": [[2, 3], [3, 3]]}, r"must be odd, got \[\[2, 3\], \[3, 3\]\]"),
        ({"recurrent_steps": -1}, "recurrent_steps must be at least 0, got -1"),
        ({"recurrent_units": 0}, "recurrent_units must be at least 1, got 0"),
        ({"fold": 0}, "fold must be at least 1, got 0"),
        ({"fold": 8}, "16 rows pooled by 32"),
    ],
)
def test_bad_configs_say_what_is_wrong(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small_config(**options)


def test_saves_and_loads(tmp_path) -> None:  # type: ignore[no-untyped-def]
    model, image = with_statistics(R2CRNNForCTC(small_config(projection_size=3))), torch.rand(1, 1, 16, 12)
    model.save_pretrained(tmp_path)
    assert isinstance(AutoConfig.from_pretrained(tmp_path), R2CRNNConfig)
    loaded, body = AutoModelForCTC.from_pretrained(tmp_path), AutoModel.from_pretrained(tmp_path)
    assert isinstance(loaded, R2CRNNForCTC) and isinstance(body, R2CRNNModel)
    assert torch.equal(loaded(image).logits, model(image).logits)
    assert torch.equal(body(image).last_hidden_state, model.crnn(image).last_hidden_state)
