"""Bucketed batches: every item, little padding, an order that seed and epoch alone decide."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from hfmusic.data.batching import BatchStream, BucketedBatches


def batches(n: int = 103, **options: int) -> BucketedBatches:
    widths = np.random.default_rng(0).integers(50, 900, n)
    return BucketedBatches(widths, [np.arange(n)], [1.0], **{"batch_size": 4, "mega_batches": 10, **options})


def test_an_epoch_has_every_item_once() -> None:
    made = batches()
    epoch = made.epoch(0)
    assert len(epoch) == len(made) == 26
    assert sorted(np.concatenate(epoch).tolist()) == list(range(103))
    assert [len(batch) for batch in epoch].count(4) == 25


def test_the_order_follows_from_seed_and_epoch() -> None:
    flat = [np.concatenate(made).tolist() for made in (batches().epoch(3), batches().epoch(3), batches().epoch(4))]
    assert flat[0] == flat[1] != flat[2]
    assert flat[0] != np.concatenate(batches(seed=1).epoch(3)).tolist()


def test_buckets_save_padding() -> None:
    def padding(made: BucketedBatches) -> float:
        return float(np.mean([1 - made.widths[batch].mean() / made.widths[batch].max() for batch in made.epoch(0)]))

    assert padding(batches(800)) < 0.35 * padding(batches(800, mega_batches=1))


def test_weights_repeat_and_thin_out() -> None:
    groups = [np.arange(10), np.arange(10, 30)]
    made = BucketedBatches(np.ones(30), groups, [2.5, 0.5], batch_size=5, seed=0)
    counts = np.bincount(np.concatenate(made.epoch(0)), minlength=30)
    assert counts[:10].sum() == 25 and set(counts[:10]) == {2, 3}
    assert counts[10:].sum() == 10 and set(counts[10:]) == {0, 1}
    other = np.bincount(np.concatenate(made.epoch(1)), minlength=30)
    assert not np.array_equal(counts, other)


def test_a_stream_continues_where_it_is_told_to() -> None:
    whole = list(islice(BatchStream(batches()), 60))  # into the third epoch
    assert list(islice(BatchStream(batches(), start=37), 23)) == whole[37:]
    serials = [serial for batch in whole for _, serial in batch]
    assert len(set(serials)) == len(serials)


def test_processes_share_a_stream() -> None:
    whole = list(islice(BatchStream(batches()), 30))
    shares = [list(islice(BatchStream(batches(), rank=rank, world=3), 10)) for rank in range(3)]
    assert [share[step] for step in range(10) for share in shares] == whole
    assert list(islice(BatchStream(batches(), start=4, rank=1, world=3), 6)) == shares[1][4:]


def test_nothing_and_nonsense_are_refused() -> None:
    with pytest.raises(ValueError, match=r"nothing to train on: groups of \[0\] items"):
        BucketedBatches([], [np.arange(0)], [1.0], batch_size=4)
    with pytest.raises(ValueError, match="must be at least 1, got 0 and 50"):
        BucketedBatches([1], [np.arange(1)], [1.0], batch_size=0)


def test_a_batch_holds_items_of_one_kind() -> None:
    groups = [np.arange(10), np.arange(10, 25), np.arange(25, 40)]
    made = BucketedBatches(np.ones(40), groups, [1.0, 1.0, 1.0], kinds=["image", "audio", "image"], batch_size=4)
    kind = np.array(["image"] * 10 + ["audio"] * 15 + ["image"] * 15)
    epoch = made.epoch(0)
    assert len(epoch) == len(made) == 7 + 4
    assert all(len(set(kind[batch])) == 1 for batch in epoch)
    assert sorted(np.concatenate(epoch)) == list(range(40))
