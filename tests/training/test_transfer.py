"""Copying and freezing of blocks: what changes, what does not, and what the report says."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hfmusic.models.configuration_crnn import CRNNConfig
from hfmusic.models.modeling_crnn import CRNNForCTC
from hfmusic.training.config import load_recipe
from hfmusic.training.head import FactorisedLinear, factorise_head
from hfmusic.training.loop import Training
from hfmusic.training.transfer import POLICIES, copy_blocks, freeze, freeze_blocks, frozen_blocks, named_blocks

TOKENS = ["barline", "clef-G2", "note-C4_quarter", "note-D4_quarter", "note-E4_half"]
SMALL: dict[str, Any] = {
    "input_height": 16,
    "conv_channels": [4, 6],
    "conv_kernels": [[3, 3], [3, 3]],
    "pool_sizes": [[2, 2], [2, 1]],
    "hidden_size": 8,
    "num_recurrent_layers": 2,
    "dropout": 0.0,
    "vocab_size": len(TOKENS),
}


def network(seed: int, **changes: Any) -> CRNNForCTC:
    torch.manual_seed(seed)
    model = CRNNForCTC(CRNNConfig(**{**SMALL, **changes}))
    with torch.no_grad():  # as if trained: statistics that are not the fresh ones
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.uniform_(-1, 1)
                layer.running_var.uniform_(0.5, 2)
                layer.weight.uniform_(0.5, 2)
    return model


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def train_some(model: nn.Module, steps: int = 3) -> None:
    """Steps as the loop takes them: `train()` before each, gradients only where they are wanted."""
    learned = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=0.05, weight_decay=0.1)
    for _ in range(steps):
        model.train()
        loss = model(torch.rand(2, 1, 16, 24), labels=torch.tensor([[0, 2, 3], [1, 4, -100]])).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def test_the_blocks_have_the_papers_names() -> None:
    assert list(named_blocks(network(0))) == ["conv1", "conv2", "lstm1", "lstm2", "dense"]
    assert list(named_blocks(network(0, projection_size=12)))[2] == "projection"


def test_everything_copied_reads_the_same() -> None:
    source, target = network(0).eval(), network(1).eval()
    features = torch.rand(2, 1, 16, 30)
    assert not torch.allclose(source(features).logits, target(features).logits)
    report = copy_blocks(source, target)
    assert torch.equal(source(features).logits, target(features).logits)
    assert report.copied == ["conv1", "conv2", "lstm1", "lstm2", "dense"] and report.frozen == []


def test_only_the_named_blocks_are_copied() -> None:
    source, target = network(0), network(1)
    before = state(target)
    report = copy_blocks(source, target, ["conv2", "lstm1"])
    assert report.copied == ["conv2", "lstm1"]
    theirs = source.state_dict()
    for name, value in target.state_dict().items():
        copied = ".blocks.1." in name or ".recurrent.0." in name
        assert torch.equal(value, theirs[name] if copied else before[name]), name
    assert all(weight.requires_grad for weight in target.crnn.fronts.parameters())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"conv_channels": [4, 7]}, r"block conv2 cannot be copied, the shapes differ: conv.weight is \(6, 4, 3, 3\)"),
        ({"hidden_size": 9}, "block lstm1 cannot be copied"),
        (
            {"vocab_size": 7},
            r"dense cannot be copied, the vocabularies differ: weight is \(6, 16\) in the source",
        ),
        ({"projection_size": 4}, "block projection is not in the source network"),
    ],
)
def test_a_block_that_does_not_fit_is_named_and_nothing_is_copied(changes: dict[str, Any], message: str) -> None:
    target = network(1, **changes)
    before = state(target)
    with pytest.raises(ValueError, match=message):
        copy_blocks(network(0), target)
    assert all(torch.equal(value, before[name]) for name, value in target.state_dict().items())


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="a block must be one of conv1, conv2, lstm1, lstm2, dense, got 'conv3'"):
        copy_blocks(network(0), network(1), ["conv3"])
    with pytest.raises(ValueError, match="policy must be one of N/A, 5:5, 4:5, 3:5, 2:5, got '1:5'"):
        freeze(network(0), "1:5")
    with pytest.raises(ValueError, match="modality must be one of image, got 'audio'"):
        named_blocks(network(0), "audio")
    with pytest.raises(ValueError, match="a block must be one of .* got 'lstm3'"):
        freeze_blocks(network(0), ["lstm3"])


def test_policies_count_from_the_output() -> None:
    paper = ["conv1", "conv2", "lstm1", "lstm2", "dense"]
    frozen = [frozen_blocks(paper, policy) for policy in POLICIES]
    assert frozen == [[], *(paper[first:] for first in (4, 3, 2, 1))]
    deep = ["conv1", "conv2", "conv3", "projection", "lstm1", "lstm2", "lstm3", "dense"]
    assert frozen_blocks(deep, "4:5") == ["lstm3", "dense"]
    assert frozen_blocks(deep, "3:5") == deep[3:]
    assert frozen_blocks(deep, "2:5") == deep[1:]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("factorised", [False, True])
def test_frozen_blocks_do_not_move_and_the_others_do(policy: str, factorised: bool) -> None:
    model = network(0)
    if factorised:
        factorise_head(model, TOKENS, keep=True)
    report = freeze(model, policy)
    assert report.frozen == frozen_blocks(["conv1", "conv2", "lstm1", "lstm2", "dense"], policy)
    before = {name: state(block) for name, block in named_blocks(model).items()}
    train_some(model)
    for name, block in named_blocks(model).items():
        same = all(torch.equal(value, before[name][key]) for key, value in block.state_dict().items())
        assert same == (name in report.frozen), name


def test_frozen_batch_norm_stays_in_inference_mode() -> None:
    model = network(0)
    freeze(model, "2:5")
    model.train()
    first, second = (block.norm for block in model.crnn.fronts["image"].blocks)
    assert first.training and not second.training
    assert model.training and model.crnn.dropout.training
    features = torch.rand(2, 6, 8, 12)
    alone, beside = second(features[:1]), second(features)
    assert torch.allclose(alone, beside[:1])  # no statistics of the batch
    assert not deepcopy(model).train().crnn.fronts["image"].blocks[1].norm.training


def test_a_frozen_network_has_the_same_weights_by_the_same_names(tmp_path: Path) -> None:
    model = network(0).eval()
    names, features = list(model.state_dict()), torch.rand(1, 1, 16, 20)
    logits = model(features).logits
    freeze(model, "2:5")
    assert list(model.state_dict()) == names
    assert torch.equal(model(features).logits, logits)
    model.save_pretrained(tmp_path)
    assert torch.equal(CRNNForCTC.from_pretrained(tmp_path).eval()(features).logits, logits)


def test_one_front_of_two_is_filled_from_a_network_of_the_other_modality() -> None:
    source, target = network(0), network(1, modalities=["image", "audio"])
    before = state(target)
    report = copy_blocks(source, target, target_modality="audio")
    assert report.copied == ["audio.conv1", "audio.conv2", "lstm1", "lstm2", "dense"]
    theirs = source.state_dict()
    for name, value in target.state_dict().items():
        kept = ".image." in name
        assert torch.equal(value, before[name] if kept else theirs[name.replace(".audio.", ".image.")]), name
    features = torch.rand(1, 1, 16, 20)
    heard = target.eval()(features, modality="audio").logits
    assert torch.equal(source.eval()(features).logits, heard)
    frozen = freeze(target, "2:5")
    assert frozen.frozen == ["image.conv2", "audio.conv2", "lstm1", "lstm2", "dense"]


def test_the_report_counts_parameters(tmp_path: Path) -> None:
    source, model = network(0), network(1)
    report = copy_blocks(source, model)
    factorise_head(model, TOKENS, keep=True)
    report = report.joined(freeze(model, "5:5"))
    sizes = {block.block: block.parameters for block in report.blocks}
    assert sizes["conv1"] == 4 * 9 + 2 * 4  # no bias, a weight and a bias of the norm
    assert sizes["lstm1"] == 2 * (4 * 8 * (24 + 8) + 4 * 8)  # Keras' single bias
    assert isinstance(model.ctc_head, FactorisedLinear)
    assert sizes["dense"] == sum(value.numel() for value in model.ctc_head.parameters())
    report.save(tmp_path / "transfer.json")
    saved = json.loads((tmp_path / "transfer.json").read_text(encoding="utf-8"))
    assert saved["copied"] == list(sizes) and saved["frozen"] == ["dense"] and saved["policy"] == "5:5"
    assert saved["frozen_parameters"] == sizes["dense"] and saved["copied_parameters"] == sum(sizes.values())


def test_a_recipe_transfers_freezes_and_tells(recipe: Any) -> None:
    first = Training(load_recipe(recipe("first", max_steps=4, validation=[]))).run()
    section = {"source": str(first / "model"), "freeze": "5:5"}
    changes = {"max_steps": 4, "validation": [], "ema_decay": 0.0}
    training = Training(load_recipe(recipe("second", transfer=section, **changes)))
    frozen = state(training.plain_model.ctc_head)
    moving = state(training.plain_model.crnn)
    source = CRNNForCTC.from_pretrained(first / "model").ctc_head
    assert torch.allclose(training.plain_model.ctc_head.weight, source.weight, atol=1e-5)
    run = training.run()
    assert json.loads((run / "transfer.json").read_text(encoding="utf-8"))["frozen"] == ["dense"]
    exported = CRNNForCTC.from_pretrained(run / "model")
    assert torch.allclose(exported.ctc_head.weight, source.weight, atol=1e-5)
    assert any(not torch.equal(value, moving[name]) for name, value in exported.crnn.state_dict().items())
    assert "free_weight" in frozen  # it was the factorised layer that kept still


def test_a_recipe_that_cannot_transfer_is_one_sentence(recipe: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="transfer.source must be a model folder or a Hub name, got '.*nowhere'"):
        Training(load_recipe(recipe("lost", transfer={"source": str(tmp_path / "nowhere")})))
    with pytest.raises(ValueError, match="unknown key transfer.sauce"):
        load_recipe(recipe("key", transfer={"sauce": "x"}))
    with pytest.raises(ValueError, match="from initial or from a transfer, not from both"):
        load_recipe(recipe("both", initial="a", transfer={"source": "b"}))
    network(0).save_pretrained(tmp_path / "other")
    (tmp_path / "other" / "train_config.json").write_text('{"vocabulary": "agnostic"}', encoding="utf-8")
    with pytest.raises(ValueError, match="block dense cannot be copied, the vocabularies differ: agnostic in the"):
        Training(load_recipe(recipe("words", transfer={"source": str(tmp_path / "other")})))
