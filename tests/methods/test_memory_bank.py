import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch.nn import functional as F

from inspector.errors import DetectorError
from inspector.features.backbone import Features
from inspector.methods import memory_bank
from inspector.methods.memory.cosine import CosineBank
from inspector.methods.memory.subspace import SubspaceBank
from inspector.methods.memory_bank import MemoryBank, describe
from inspector.methods.stored_tensors import StoredTensors

GRIDS = {"fine": (6, 6), "coarse": (3, 3)}
BANKS = pytest.mark.parametrize("bank_type", [MemoryBank, SubspaceBank, CosineBank])


def features(seed, count=2, kind=0):
    """Patches of a product: mixtures of three directions of its own in 12 dimensions, and a little noise."""
    basis = torch.randn(3, 12, generator=torch.Generator().manual_seed(1000 + kind))
    draw = torch.Generator().manual_seed(seed)
    taps = {}
    for name, (rows, columns) in GRIDS.items():
        mixture = torch.randn(count, rows * columns, 3, generator=draw) + 1
        noise = torch.randn(count, rows * columns, 12, generator=draw)
        taps[name] = mixture @ basis + 0.02 * noise
    return Features(None, None, None, taps, dict(GRIDS))


def filled(bank_type=MemoryBank, **settings):
    bank = bank_type(map_size=12, **settings)
    bank = bank.with_shots("bolt", features(1))
    bank = bank.with_shots("nut", features(2, kind=1))
    return bank


def brute_map(query, shots, bank):
    """Patch by patch, pair by pair."""
    total = 0
    for name, grid in GRIDS.items():
        q = describe(query.taps[name], grid, 3)[0]
        memory = describe(shots.taps[name], grid, 3).flatten(0, 1)
        usual = memory[:, :12].norm(dim=1).square().mean().sqrt()
        q, memory = (torch.cat([z[:, :12] / usual, z[:, 12:]], 1) for z in (q, memory))
        nearest = torch.tensor([min(float((a - b).square().sum()) for b in memory) for a in q])
        plane = (nearest / 8).sqrt().reshape(1, 1, *grid)
        large = F.interpolate(plane, size=12, mode="bilinear", align_corners=False)[0, 0].numpy()
        total = total + gaussian_filter(large, bank.sigma * 12 / 60, mode="mirror", truncate=4.0)
    return total / 2


def test_the_map_is_that_of_going_through_all_pairs_of_patches():
    bank = MemoryBank(map_size=12, sigma=4.0)
    shots, query = features(1), features(7, count=1)
    bank = bank.with_shots("bolt", shots)
    assert bank.maps(query, ["bolt"])[0].numpy() == pytest.approx(brute_map(query, shots, bank), abs=2e-3)


def test_the_papers_distance_is_half_of_one_less_the_cosine_to_the_nearest_patch():
    bank = CosineBank(map_size=3, sigma=0)
    shot = torch.tensor([[[1.0, 0, 0], [0, 5, 0]] * 4 + [[0, 1, 0]]])
    query = torch.tensor(
        [[[0.9, 0, (1 - 0.81) ** 0.5], [0, 0.1, 0], [0, 0, 1], [-2, -2, 0]] + [[0, 3, 0]] * 5]
    )
    bank = bank.with_shots("bolt", Features(None, None, None, {"tap": shot}, {"tap": (3, 3)}))
    found = bank.maps(Features(None, None, None, {"tap": query}, {"tap": (3, 3)}), ["bolt"]).flatten()
    wanted = [0.05, 0, 0.5, (1 + 0.5**0.5) / 2, 0, 0, 0, 0, 0]
    assert found.tolist() == pytest.approx(wanted, abs=1e-6)


def test_a_remembered_image_is_at_distance_zero_from_its_class():
    bank = filled(neighbourhood=3)
    assert bank.maps(features(1), ["bolt", "bolt"]).max() < 2e-3
    assert bank.maps(features(1), ["nut", "nut"]).max() > 0.05


def test_how_many_distances_are_computed_at_a_time_changes_nothing(monkeypatch):
    bank, query = filled(), features(5)
    whole = bank.maps(query, ["bolt", "nut"])
    monkeypatch.setattr(memory_bank, "CHUNK", 50)
    torch.testing.assert_close(bank.maps(query, ["bolt", "nut"]), whole)


@BANKS
def test_a_mixed_batch_gives_the_maps_of_each_image_by_itself(bank_type):
    bank, query = filled(bank_type), features(5, count=3)
    names = ["bolt", "nut", "bolt"]
    whole = bank.maps(query, names)
    for index, name in enumerate(names):
        one = Features(None, None, None, {k: v[index : index + 1] for k, v in query.taps.items()}, GRIDS)
        torch.testing.assert_close(bank.maps(one, [name])[0], whole[index], atol=1e-5, rtol=1e-4)


@BANKS
def test_leaving_a_shot_out_is_teaching_without_it(bank_type):
    shots = features(1, count=3)
    bank, without = bank_type(map_size=12), bank_type(map_size=12)
    bank = bank.with_shots("bolt", shots)
    without = without.with_shots(
        "bolt", Features(None, None, None, {k: v[[0, 2]] for k, v in shots.taps.items()}, GRIDS)
    )
    query = Features(None, None, None, {k: v[1:2] for k, v in shots.taps.items()}, GRIDS)
    torch.testing.assert_close(bank.maps(query, ["bolt"], without=[1]), without.maps(query, ["bolt"]))
    assert bank.maps(query, ["bolt"], without=[1]).max() > bank.maps(query, ["bolt"]).max()


@BANKS
def test_a_shot_is_remembered_at_once(bank_type):
    bank, fresh = filled(bank_type), features(9, count=1)
    before = bank.maps(fresh, ["bolt"]).mean()
    known, bank = bank, bank.with_shots("bolt", fresh)
    assert (known.count("bolt"), bank.count("bolt")) == (2, 3)
    assert known.maps(fresh, ["bolt"]).mean() == before
    assert bank.maps(fresh, ["bolt"]).mean() < before


@BANKS
def test_maps_lie_between_zero_and_one_whatever_the_features(bank_type):
    bank = filled(bank_type)
    for factor in (0.0, 1e-6, 1.0, 1e6):
        query = features(3)
        scaled = Features(None, None, None, {k: v * factor for k, v in query.taps.items()}, GRIDS)
        maps = bank.maps(scaled, ["bolt", "nut"])
        assert torch.isfinite(maps).all()
        assert maps.min() >= 0
        assert maps.max() <= 1


@BANKS
def test_state_brings_back_the_same_maps_bit_for_bit(bank_type):
    bank, query = filled(bank_type), features(5)
    stored = StoredTensors(bank.tensors())
    again = bank_type.from_state(stored, bank.settings(), {"fine": 12, "coarse": 12})
    stored.finish()
    assert again.classes == ("bolt", "nut")
    assert torch.equal(again.maps(query, ["bolt", "nut"]), bank.maps(query, ["bolt", "nut"]))


@BANKS
def test_the_class_is_found_among_few_and_among_many(bank_type):
    bank = bank_type(map_size=12)
    for number in range(memory_bank.SHORTLIST + 6):
        bank = bank.with_shots(f"part {number}", features(number, kind=number))
        if number in (1, memory_bank.SHORTLIST + 5):
            for known in range(number + 1):
                names, sure = bank.find(features(100 + known, kind=known))
                assert names == [f"part {known}"] * 2
                assert all(0 < value <= 1 for value in sure)


def test_the_only_class_is_certain():
    bank = MemoryBank(map_size=12)
    bank = bank.with_shots("bolt", features(1))
    assert bank.find(features(2, count=3)) == (["bolt"] * 3, [1.0] * 3)


def test_an_unknown_class_and_a_class_without_other_shots_are_refused():
    bank = MemoryBank(map_size=12)
    bank = bank.with_shots("bolt", features(1, count=1))
    with pytest.raises(DetectorError, match="does not know the class “nut”"):
        bank.maps(features(2, count=1), ["nut"])
    with pytest.raises(DetectorError, match="single shot"):
        bank.maps(features(2, count=1), ["bolt"], without=[0])


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="odd"):
        MemoryBank(neighbourhood=2)
    with pytest.raises(ValueError, match="sigma"):
        MemoryBank(sigma=-1)


def test_a_subspace_explains_what_its_shots_span_and_nothing_else():
    plane = torch.randn(2, 36, 2, generator=torch.Generator().manual_seed(0)) @ torch.tensor(
        [[1.0, 1, 0, 0, 0], [0, 1, 1, 0, 0]]
    )
    bank = SubspaceBank(map_size=6, neighbourhood=1, sigma=0)
    bank = bank.with_shots("bolt", Features(None, None, None, {"fine": plane}, {"fine": (6, 6)}))
    inside = Features(None, None, None, {"fine": plane[:1] * 0.5}, {"fine": (6, 6)})
    outside = Features(
        None, None, None, {"fine": plane[:1] + torch.tensor([0, 0, 0, 0, 1.0])}, {"fine": (6, 6)}
    )
    assert bank.maps(inside, ["bolt"]).max() < 1e-3
    usual = plane.square().sum(-1).mean().sqrt()
    assert np.allclose(bank.maps(outside, ["bolt"]), 1 / (2 * usual), atol=1e-3)
