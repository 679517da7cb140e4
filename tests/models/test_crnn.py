"""CRNN: the paper's sizes, lengths, padding, loss by hand, saving."""

from __future__ import annotations

import itertools
import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from transformers import AutoModel, AutoModelForCTC

import hfmusic.models  # noqa: F401  (registers)
from hfmusic.models.configuration_crnn import CRNNConfig
from hfmusic.models.modeling_crnn import BidirectionalLSTM, CRNNBlock, CRNNForCTC, CRNNModel, ctc_loss


def small_config(**options: object) -> CRNNConfig:
    sizes = {
        "input_height": 16,
        "conv_channels": [3, 4],
        "conv_kernels": [[3, 3], [4, 2]],
        "pool_sizes": [[2, 2], [2, 1]],
        "hidden_size": 5,
        "vocab_size": 6,
    }
    return CRNNConfig(**{**sizes, **options})  # type: ignore[arg-type]


def small_model(**options: object) -> CRNNForCTC:
    torch.manual_seed(0)
    model = CRNNForCTC(small_config(**options)).eval()
    for block in model.crnn.fronts[
        "image"
    ].blocks:  # statistics that are not the identity, so that zeros do not stay zeros
        nn.init.normal_(block.norm.running_mean, std=0.3)
        nn.init.normal_(block.norm.bias, std=0.3)
    return model


def trainable(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def test_paper_000_has_its_parameters() -> None:
    model = CRNNForCTC(CRNNConfig())
    assert trainable(model) == 3_751_247
    assert trainable(model.crnn.fronts["image"].blocks) == 2_752
    assert [trainable(layer) for layer in model.crnn.recurrent] == [1_574_912, 1_574_912]
    assert trainable(model.ctc_head) == 598_671


def test_paper_000_has_its_lengths() -> None:
    config = CRNNConfig()
    assert (config.width_stride, config.height_stride, config.column_height) == (2, 4, 64)
    assert config.output_length(1719) == 859
    logits = CRNNForCTC(config).eval()(torch.zeros(1, 1, 256, 41)).logits
    assert logits.shape == (1, 20, 1167)


def test_output_length_takes_tensors() -> None:
    assert small_config().output_length(torch.tensor([2, 7, 8])).tolist() == [1, 3, 4]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"conv_channels": [8]}, "one entry a block, got 1, 2 and 2"),
        ({"conv_kernels": [[3], [3, 3]]}, r"conv_kernels must be \[height, width\] pairs"),
        ({"pool_sizes": [[2, 0], [2, 1]]}, "pool_sizes must be"),
        ({"pad_token_id": 0}, "must equal vocab_size, got 0 and 6"),
        ({"ctc_loss_reduction": "none"}, "got 'none'"),
        ({"input_height": 3}, "3 rows pooled by 4"),
    ],
)
def test_bad_configs_say_what_is_wrong(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small_config(**options)


def test_even_kernels_look_one_further_right_and_down() -> None:
    block = CRNNBlock(1, 1, [2, 2], [1, 1], small_config(leaky_relu_slope=1.0, batch_norm_eps=1e-12)).eval()
    with torch.no_grad():
        block.conv.weight.copy_(torch.tensor([[[[0.0, 0.0], [0.0, 1.0]]]]))
        seen = block(torch.arange(6.0).reshape(1, 1, 2, 3))
    assert seen.round().int().tolist() == [[[[4, 5, 0], [0, 0, 0]]]]


def test_even_kernel_is_torchs_same() -> None:
    torch.manual_seed(0)
    block = CRNNBlock(1, 2, [10, 2], [1, 1], small_config(leaky_relu_slope=1.0, batch_norm_eps=1e-12)).eval()
    image = torch.rand(1, 1, 12, 9)
    with torch.no_grad():
        with warnings.catch_warnings():  # torch says that an even kernel may be slow
            warnings.simplefilter("ignore", UserWarning)
            expected = nn.functional.conv2d(image, block.conv.weight, padding="same")
        assert torch.allclose(block(image), expected, atol=1e-6)


def test_two_directions_equal_a_packed_bidirectional_lstm() -> None:
    torch.manual_seed(0)
    reference = nn.LSTM(3, 4, batch_first=True, bidirectional=True)
    layer = BidirectionalLSTM(3, 4)
    with torch.no_grad():
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            getattr(layer.forward_lstm, name).copy_(getattr(reference, name))
            getattr(layer.backward_lstm, name).copy_(getattr(reference, f"{name}_reverse"))
    hidden, lengths = torch.rand(3, 6, 3), torch.tensor([6, 2, 4])
    packed = nn.utils.rnn.pack_padded_sequence(hidden, lengths, batch_first=True, enforce_sorted=False)
    expected, _ = nn.utils.rnn.pad_packed_sequence(reference(packed)[0], batch_first=True)
    place = torch.arange(6)
    found = layer(hidden, torch.where(place < lengths[:, None], lengths[:, None] - 1 - place, place))
    for row, length in enumerate(lengths.tolist()):
        assert torch.allclose(found[row, :length], expected[row, :length], atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(2, 40), min_size=1, max_size=4), st.integers(0, 9), st.sampled_from([None, 7]))
def test_a_staff_reads_the_same_alone_and_in_a_batch(widths: list[int], extra: int, projection: int | None) -> None:
    model = small_model(projection_size=projection)
    torch.manual_seed(1)
    total = max(widths) + extra
    batch, mask = torch.rand(len(widths), 1, 16, total), torch.zeros(len(widths), total, dtype=torch.long)
    for row, width in enumerate(widths):
        mask[row, :width] = 1
        batch[row, ..., width:] = 9.0  # rubbish that must not be read
    with torch.no_grad():
        together = model(batch, attention_mask=mask)
        assert together.output_lengths.tolist() == [width // 2 for width in widths]
        for row, width in enumerate(widths):
            alone = model(batch[row : row + 1, ..., :width]).logits[0]
            assert torch.allclose(together.logits[row, : width // 2], alone, atol=1e-5)


def test_the_papers_padding_is_read() -> None:
    model = small_model(mask_padding=False)
    image = torch.rand(1, 1, 16, 20)
    padded = nn.functional.pad(image, (0, 12))
    mask = (torch.arange(32) < 20).long()[None]
    with torch.no_grad():
        alone, together = model(image).logits[0], model(padded, attention_mask=mask)
    assert together.output_lengths.tolist() == [10]
    assert (together.logits[0, :10] - alone).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("shape", "mask", "message"),
    [
        ((1, 1, 15, 8), None, r"must be \(B, 1, 16, W\), got \(1, 1, 15, 8\)"),
        ((1, 16, 8), None, r"must be \(B, 1, 16, W\)"),
        ((1, 1, 16, 1), None, "at least 2 columns wide, got 1"),
        ((1, 1, 16, 8), (1, 7), r"must be \(1, 8\) like input_features, got \(1, 7\)"),
    ],
)
def test_bad_inputs_say_what_is_wrong(shape: tuple, mask: tuple | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small_model()(torch.zeros(shape), attention_mask=None if mask is None else torch.ones(mask))


def test_loss_by_hand() -> None:
    # two frames, symbol a and blank: "a" is spelled by aa, a-, -a
    logits = torch.log(torch.tensor([[[0.6, 0.4], [0.3, 0.7]]]))
    loss, feasible = ctc_loss(logits, torch.tensor([[0]]), torch.tensor([2]), blank=1)
    assert loss.item() == pytest.approx(-math.log(0.6 * 0.3 + 0.6 * 0.7 + 0.4 * 0.3), abs=1e-6)
    assert feasible.tolist() == [True]


def spelled(path: tuple[int, ...], blank: int) -> list[int]:
    return [symbol for symbol, _ in itertools.groupby(path) if symbol != blank]


@pytest.mark.parametrize("label", [[0], [1, 1], [0, 1], [0, 1, 0], []])
def test_loss_is_the_sum_over_all_paths(label: list[int]) -> None:
    torch.manual_seed(2)
    logits = torch.randn(1, 4, 3)
    probabilities = logits[0].softmax(-1)
    total = sum(
        math.prod(probabilities[frame, symbol].item() for frame, symbol in enumerate(path))
        for path in itertools.product(range(3), repeat=4)
        if spelled(path, 2) == label
    )
    labels = torch.tensor([label + [-100, -100]])
    loss, _ = ctc_loss(logits, labels, torch.tensor([4]), blank=2, reduction="sum")
    assert loss.item() == pytest.approx(-math.log(total), abs=1e-5)


def test_reductions() -> None:
    torch.manual_seed(3)
    logits, labels, lengths = torch.randn(2, 5, 4), torch.tensor([[0, 1, 2], [3 - 1, -100, -100]]), torch.tensor([5, 4])
    single = [
        ctc_loss(logits[i : i + 1], labels[i : i + 1], lengths[i : i + 1], blank=3, reduction="sum")[0] for i in (0, 1)
    ]
    for reduction, expected in (
        ("sum", single[0] + single[1]),
        ("batch_mean", (single[0] + single[1]) / 2),
        ("mean", (single[0] / 3 + single[1]) / 2),
    ):
        assert torch.allclose(ctc_loss(logits, labels, lengths, blank=3, reduction=reduction)[0], expected)


def test_items_whose_labels_do_not_fit_are_marked_and_left_out() -> None:
    torch.manual_seed(4)
    logits = torch.randn(4, 3, 4, requires_grad=True)
    labels = torch.tensor([[0, 1, 2], [0, 0, 1], [0, 1, -100], [2, -100, -100]])
    lengths = torch.tensor([3, 3, 1, 0])  # fits; needs a blank between the zeros; two in one frame; no frame
    loss, feasible = ctc_loss(logits, labels, lengths, blank=3)
    assert feasible.tolist() == [True, False, False, False]
    assert torch.allclose(loss, ctc_loss(logits[:1], labels[:1], lengths[:1], blank=3)[0])
    loss.backward()
    assert logits.grad is not None and torch.isfinite(logits.grad).all()
    assert logits.grad[1:].abs().max() == 0 < logits.grad[0].abs().max()


def test_no_item_fits() -> None:
    logits = torch.randn(1, 1, 3, requires_grad=True)
    loss, feasible = ctc_loss(logits, torch.tensor([[0, 1]]), torch.tensor([1]), blank=2)
    loss.backward()
    assert loss.item() == 0 and not feasible.any()
    assert logits.grad is not None and logits.grad.abs().max() == 0


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[0, 7]], "0 to 5, padded with -100, got 7"),
        ([[-1, 0]], "got -1"),
        ([[-100, 0]], "a label after -100"),
        ([[0], [1]], r"labels must be \(1, L\)"),
    ],
)
def test_bad_labels_say_what_is_wrong(labels: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small_model()(torch.rand(1, 1, 16, 12), labels=torch.tensor(labels))


def test_padding_labels_with_the_blank_is_the_same() -> None:
    model, image = small_model(), torch.rand(1, 1, 16, 12)
    losses = [model(image, labels=torch.tensor([[0, 1, padding]])).loss for padding in (-100, 6)]
    assert losses[0] == losses[1]


def test_learns_four_staves_by_heart() -> None:
    torch.manual_seed(0)
    model = CRNNForCTC(small_config(dropout=0.0, hidden_size=24, batch_norm_momentum=0.1))
    images = torch.rand(4, 1, 16, 30)
    labels = torch.tensor([[0, 1, 2], [3, 3, 4], [5, -100, -100], [1, 5, -100]])
    optimizer = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        model(images, labels=labels).loss.backward()
        optimizer.step()
    paths = model.eval()(images).logits.argmax(-1).tolist()
    assert [spelled(tuple(path), 6) for path in paths] == [[0, 1, 2], [3, 3, 4], [5], [1, 5]]


def test_initialisation_is_the_papers() -> None:
    model = CRNNForCTC(small_config(hidden_size=8))
    lstm = model.crnn.recurrent[1].backward_lstm
    assert lstm.bias_ih_l0.tolist() == [0.0] * 8 + [1.0] * 8 + [0.0] * 16
    assert lstm.bias_hh_l0.abs().max() == 0
    assert torch.allclose(lstm.weight_hh_l0.T @ lstm.weight_hh_l0, torch.eye(8), atol=1e-5)
    bound = math.sqrt(6 / (16 + 7))
    assert 0.8 * bound < model.ctc_head.weight.abs().max() <= bound


def test_saves_and_loads(tmp_path) -> None:  # type: ignore[no-untyped-def]
    model, image = small_model(projection_size=3), torch.rand(1, 1, 16, 12)
    model.save_pretrained(tmp_path)
    loaded = AutoModelForCTC.from_pretrained(tmp_path)
    assert isinstance(loaded, CRNNForCTC) and not loaded.training
    assert loaded.config.to_dict()["conv_kernels"] == [[3, 3], [4, 2]]
    assert torch.equal(loaded(image).logits, model(image).logits)
    assert trainable(loaded) == trainable(model)
    body = AutoModel.from_pretrained(tmp_path)
    assert isinstance(body, CRNNModel)
    assert torch.equal(body(image).last_hidden_state, model.crnn(image).last_hidden_state)
