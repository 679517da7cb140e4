"""R2-CRNN with CTC: residual recurrent convolutions, bidirectional LSTMs (A. Liu et al., paper 002, section 3).

A recurrent convolution looks at its input again together with what it saw before, with the same weights: context grows
and parameters do not. The unit is R2U-Net's (M. Z. Alom et al., 2018), on which the paper builds. All but the blocks is
the CRNN.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from .configuration_r2crnn import R2CRNNConfig
from .modeling_crnn import CRNNForCTC, CRNNFront, CRNNModel


class RecurrentConvolution(nn.Module):
    """(B, C, H, W) -> the same: h_0 = f(x), h_s = f(x + h_(s-1)), f = convolution, batch norm, ReLU; gives h_t."""

    def __init__(self, channels: int, kernel: list[int], config: R2CRNNConfig) -> None:
        super().__init__()
        rows, columns = kernel
        padding = (rows // 2, columns // 2)
        self.conv = nn.Conv2d(channels, channels, (rows, columns), padding=padding, bias=config.conv_bias)
        norms = config.recurrent_steps + 1 if config.step_norms else 1
        eps, momentum = config.batch_norm_eps, config.batch_norm_momentum
        self.norms = nn.ModuleList([nn.BatchNorm2d(channels, eps, momentum) for _ in range(norms)])
        self.steps, self.slope = config.recurrent_steps, config.leaky_relu_slope

    def forward(self, hidden: torch.Tensor, real: torch.Tensor | None = None) -> torch.Tensor:
        """`real` (B, 1, 1, W): 0 in columns that are to be held at zero."""
        state = None
        for step in range(self.steps + 1):
            norm = self.norms[min(step, len(self.norms) - 1)]
            seen = hidden if state is None else hidden + state
            state = functional.leaky_relu(norm(self.conv(seen)), self.slope)
            if real is not None:
                state = state * real
        return state  # type: ignore[return-value]


class R2Block(nn.Module):
    """1x1 convolution, recurrent units, sum of both, max pool: (B, C, H, W) -> (B, C', H // h, W // w)."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: list[int], pool: list[int], config: R2CRNNConfig
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=config.conv_bias)
        units = [RecurrentConvolution(out_channels, kernel, config) for _ in range(config.recurrent_units)]
        self.units = nn.ModuleList(units)
        self.pool_size = (pool[0], pool[1])

    def forward(self, hidden: torch.Tensor, real: torch.Tensor | None = None) -> torch.Tensor:
        """`real` (B, 1, 1, W): 0 in columns that are to be held at zero."""
        hidden = self.conv(hidden)
        if real is not None:
            hidden = hidden * real
        deep = hidden
        for unit in self.units:
            deep = unit(deep, real)
        hidden = hidden + deep
        return hidden if self.pool_size == (1, 1) else functional.max_pool2d(hidden, self.pool_size)


class R2CRNNFront(CRNNFront):
    """One modality's residual recurrent blocks and projection."""

    block_class = R2Block


class R2CRNNModel(CRNNModel):
    """Features of each frame: input (B, 1, H, W) -> `last_hidden_state` (B, T, 2 * hidden_size)."""

    config_class = R2CRNNConfig
    front_class = R2CRNNFront


class R2CRNNForCTC(CRNNForCTC):
    """An R2-CRNN that spells: `logits` (B, T, V+1) over the symbols and, last, the blank."""

    config_class = R2CRNNConfig
    model_class = R2CRNNModel
