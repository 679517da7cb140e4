"""The networks of the polyphonic transcriber: paper 001's, and ours. Sizes are the config's.

Frames beyond an item's length are held at zero at every resolution and kept from the LSTM, so an item gives the same
alone and in a batch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .configuration_unet_transcriber import BINS_A_KEY, UNetTranscriberConfig
from .note_decoding import KEYS

Masks = list[Tensor | None]  # one a resolution: (B, 1, frames, 1), 0 beyond an item's length; None: nothing is beyond


def _held(hidden: Tensor, real: Tensor | None) -> Tensor:
    return hidden if real is None else hidden * real


class PaperDown(nn.Module):
    """Two convolutions beside a 1x1 one, then a learned halving: (B, C, T, F) -> (B, C', T / 2, F / 2)."""

    def __init__(self, ins: int, outs: int, config: UNetTranscriberConfig) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(ins, outs, 3, padding=1), nn.Conv2d(outs, outs, 3, padding=1)
        self.norm1, self.norm2 = (nn.BatchNorm2d(outs, momentum=config.batch_norm_momentum) for _ in range(2))
        self.skip, self.coarsen = nn.Conv2d(ins, outs, 1), nn.Conv2d(outs, outs, 2, stride=2)
        self.slope = config.leaky_relu_slope

    def forward(self, hidden: Tensor, real: Tensor | None, real_below: Tensor | None) -> Tensor:
        deep = _held(functional.leaky_relu(self.norm1(self.conv1(hidden)), self.slope), real)
        deep = functional.leaky_relu(self.norm2(self.conv2(deep)), self.slope)
        return _held(self.coarsen(_held(deep + self.skip(hidden), real)), real_below)


class PaperUp(nn.Module):
    """A learned doubling, the skip connection's channels beside it, two transposed convolutions.

    The last one, without a skip connection, ends without norm and activation.
    """

    def __init__(self, ins: int, outs: int, skip: int, config: UNetTranscriberConfig) -> None:
        super().__init__()
        self.refine = nn.ConvTranspose2d(ins - skip, ins - skip, 2, stride=2)
        self.conv1 = nn.ConvTranspose2d(ins, ins // 2, 3, padding=1)
        self.conv2 = nn.ConvTranspose2d(ins // 2, outs, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(ins // 2, momentum=config.batch_norm_momentum)
        self.norm2 = nn.BatchNorm2d(outs, momentum=config.batch_norm_momentum) if skip else None
        self.slope = config.leaky_relu_slope

    def forward(self, hidden: Tensor, skip: Tensor | None, real: Tensor | None) -> Tensor:
        hidden = self.refine(hidden)
        hidden = _held(hidden if skip is None else torch.cat([hidden, skip], dim=1), real)
        hidden = _held(functional.leaky_relu(self.norm1(self.conv1(hidden)), self.slope), real)
        hidden = self.conv2(hidden)
        if self.norm2 is not None:
            hidden = functional.leaky_relu(self.norm2(hidden), self.slope)
        return _held(hidden, real)


class PaperNetwork(nn.Module):
    """(B, 1, T, n_bins) -> logits (B, T, 88, 1). `T` a multiple of `config.time_stride`."""

    def __init__(self, config: UNetTranscriberConfig) -> None:
        super().__init__()
        widths = [1, *config.channels]
        self.down = nn.ModuleList([PaperDown(ins, outs, config) for ins, outs in zip(widths, widths[1:], strict=False)])
        skips = config.channels[:-1]  # from maps as coarse as the next on the way up, after halving
        self.skips = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1) for width in skips])
        ups = [(below + width, width, width) for below, width in zip(config.channels[1:], skips, strict=True)]
        self.up = nn.ModuleList(
            [*[PaperUp(*sizes, config) for sizes in reversed(ups)], PaperUp(config.channels[0], 1, 0, config)]
        )
        self.lstm = nn.LSTM(config.n_bins, config.hidden_size, bidirectional=True)
        self.head = nn.Linear(2 * config.hidden_size, KEYS)
        self.limit = config.gradient_limit

    def forward(self, features: Tensor, masks: Masks, lengths: Tensor | None) -> Tensor:
        maps = [_held(features, masks[0])]
        for level, down in enumerate(self.down):
            maps.append(down(maps[-1], masks[level], masks[level + 1]))
        hidden = maps.pop()
        for number, up in enumerate(self.up):
            level = len(self.down) - 1 - number
            skip = self.skips[level - 1](maps[level]) if level else None
            hidden = up(hidden, skip, masks[level])
        frames = hidden.sigmoid().squeeze(1).transpose(0, 1)  # (T, B, n_bins)
        frames = run_lstm(self.lstm, _limited(frames, self.limit), lengths)
        return self.head(_limited(frames, self.limit)).transpose(0, 1).unsqueeze(-1)


class Residual(nn.Module):
    """Two convolutions added to what enters them; a norm after each, ReLU between and after."""

    def __init__(self, channels: int, config: UNetTranscriberConfig) -> None:
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(2))
        self.norm1, self.norm2 = (nn.BatchNorm2d(channels, momentum=config.batch_norm_momentum) for _ in range(2))

    def forward(self, hidden: Tensor, real: Tensor | None) -> Tensor:
        deep = _held(functional.relu(self.norm1(self.conv1(hidden)), inplace=True), real)
        return _held(functional.relu(hidden + self.norm2(self.conv2(deep)), inplace=True), real)


class Stack(nn.ModuleList):
    """Residual blocks one after the other."""

    def __init__(self, channels: int, count: int, config: UNetTranscriberConfig) -> None:
        super().__init__([Residual(channels, config) for _ in range(count)])

    def forward(self, hidden: Tensor, real: Tensor | None) -> Tensor:
        for block in self:
            hidden = block(hidden, real)
        return hidden


class Step(nn.Module):
    """A convolution that changes the resolution, norm, ReLU."""

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d, config: UNetTranscriberConfig) -> None:
        super().__init__()
        self.conv, self.norm = conv, nn.BatchNorm2d(conv.out_channels, momentum=config.batch_norm_momentum)

    def forward(self, hidden: Tensor, real: Tensor | None) -> Tensor:
        return _held(functional.relu(self.norm(self.conv(hidden)), inplace=True), real)


class Heads(nn.Linear):
    """The last layer. It starts at a low probability of anything, as most of a piano is silent."""


class Stem(nn.Module):
    """Spectra to a grid of keys: harmonics as channels, one convolution, what each key is like.

    A key sees its own three bins, their neighbours, and the same around its harmonics: (B, 1, T, n_bins) ->
    (B, C, T, 88).
    """

    def __init__(self, config: UNetTranscriberConfig) -> None:
        super().__init__()
        self.shifts, self.bins = config.shifts, KEYS * BINS_A_KEY
        rows, columns = config.stem_kernel
        padding = (rows // 2, columns // 2 - 1)  # so that the kernel's centre is the middle one of a key's bins
        size = (rows, columns)
        conv = nn.Conv2d(len(self.shifts), config.channels[0], size, (1, BINS_A_KEY), padding, bias=False)
        self.step = Step(conv, config)
        self.key_bias = nn.Parameter(torch.zeros(config.channels[0], 1, KEYS))

    def forward(self, features: Tensor, real: Tensor | None) -> Tensor:
        before = max(0, -min(self.shifts))
        after = max(0, max(self.shifts) + self.bins - features.shape[-1])
        wide = functional.pad(_held(features, real), (before, after))
        harmonics = [wide[..., before + shift : before + shift + self.bins] for shift in self.shifts]
        stacked = torch.cat(harmonics, dim=1).contiguous(memory_format=torch.channels_last)
        return _held(self.step(stacked, real) + self.key_bias, real)


class KeysNetwork(nn.Module):
    """(B, 1, T, n_bins) -> logits (B, T, 88, heads). `T` a multiple of `config.time_stride`."""

    def __init__(self, config: UNetTranscriberConfig) -> None:
        super().__init__()
        widths = config.channels
        self.stem = Stem(config)
        pairs = list(zip(widths, widths[1:], strict=False))
        self.coarsen = nn.ModuleList(
            [Step(nn.Conv2d(fine, coarse, 2, 2, bias=False), config) for fine, coarse in pairs]
        )
        self.refine = nn.ModuleList(
            [Step(nn.ConvTranspose2d(coarse, fine, 2, 2, bias=False), config) for fine, coarse in pairs]
        )
        self.down = _stacks(widths, config.blocks, config)
        self.up = _stacks(widths[:-1], config.blocks, config)
        self.lstm = nn.LSTM(widths[0], config.hidden_size, bidirectional=True)
        self.heads = Heads(2 * config.hidden_size, len(config.heads))

    def forward(self, features: Tensor, masks: Masks, lengths: Tensor | None) -> Tensor:
        hidden, skips = self.stem(features, masks[0]), []
        for level, blocks in enumerate(self.down):
            if level:
                skips.append(hidden)
                hidden = self.coarsen[level - 1](hidden, masks[level])
            hidden = blocks(hidden, masks[level])
        for level in reversed(range(len(self.up))):
            hidden = self.up[level](self.refine[level](hidden, masks[level]) + skips[level], masks[level])
        batch, channels, frames, keys = hidden.shape
        columns = hidden.permute(2, 0, 3, 1).reshape(frames, batch * keys, channels)
        heard = self.heads(run_lstm(self.lstm, columns, None if lengths is None else lengths.repeat_interleave(keys)))
        return heard.unflatten(1, (batch, keys)).transpose(0, 1)


def _stacks(widths: list[int], blocks: list[int], config: UNetTranscriberConfig) -> nn.ModuleList:
    """One a resolution; `blocks` may go on."""
    return nn.ModuleList([Stack(width, count, config) for width, count in zip(widths, blocks, strict=False)])


def run_lstm(lstm: nn.Module, sequences: Tensor, lengths: Tensor | None) -> Tensor:
    """(T, N, in) -> (T, N, out); the backward direction starts at each sequence's own end. `lengths` (N,); None: T."""
    if lengths is None:
        return lstm(sequences)[0]
    if not isinstance(lstm, nn.LSTM):  # in an exported network its stand-in, which takes lengths itself
        return lstm(sequences, lengths)[0]
    packed = nn.utils.rnn.pack_padded_sequence(sequences, lengths.cpu(), enforce_sorted=False)
    return nn.utils.rnn.pad_packed_sequence(lstm(packed)[0], total_length=sequences.shape[0])[0]


def _limited(hidden: Tensor, limit: float | None) -> Tensor:
    """The same; gradients that come back through it are held within the limit."""
    if limit is not None and hidden.requires_grad:
        hidden.register_hook(lambda gradient: gradient.clamp(-limit, limit))
    return hidden
