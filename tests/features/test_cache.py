"""Features on disk."""

import os
from pathlib import Path

import torch

from inspector.features.cache import FeatureCache

KEY = ("a" * 64, "backbone", "stem8+stem16")


def tokens(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {"stem8": torch.randn(900, 40, generator=generator), "grid": torch.tensor([30, 30])}


def test_features_come_back_in_half_precision(tmp_path: Path) -> None:
    FeatureCache(tmp_path).put(*KEY, tokens())
    found = FeatureCache(tmp_path).get(*KEY)
    assert found is not None
    assert found["stem8"].dtype == torch.float16
    assert torch.equal(found["stem8"], tokens()["stem8"].half())
    assert torch.equal(found["grid"], torch.tensor([30, 30]))


def test_image_backbone_and_view_each_make_another_entry(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    cache.put(*KEY, tokens())
    assert cache.get("b" * 64, *KEY[1:]) is None
    assert cache.get(KEY[0], "other", KEY[2]) is None
    assert cache.get(*KEY[:2], "block3") is None


def test_a_damaged_entry_is_ignored_and_rewritten(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    cache.put(*KEY, tokens())
    (file,) = tmp_path.glob("*/*.safetensors")
    whole = file.read_bytes()
    for damage in (b"", whole[:40], whole[: len(whole) // 2], b"\xff" * 200):
        file.write_bytes(damage)
        assert cache.get(*KEY) is None
    cache.put(*KEY, tokens())
    assert cache.get(*KEY) is not None


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, limit=400_000)  # five entries of 72 kB
    names = [f"{n:064x}" for n in range(5)]
    for age, name in enumerate(names):
        cache.put(name, *KEY[1:], tokens())
        os.utime(cache._path(name, *KEY[1:]), (1000 + age, 1000 + age))
    assert cache.get(names[0], *KEY[1:]) is not None
    cache.put("f" * 64, *KEY[1:], tokens())
    assert cache.get(names[0], *KEY[1:]) is not None
    assert cache.get("f" * 64, *KEY[1:]) is not None
    assert cache.get(names[1], *KEY[1:]) is None
    assert sum(file.stat().st_size for file in tmp_path.glob("*/*")) <= 400_000


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    cache = FeatureCache(blocked / "features")
    cache.put(*KEY, tokens())
    assert cache.get(*KEY) is None


def test_values_beyond_half_precision_are_not_kept(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    cache.put(*KEY, {"x": torch.tensor([1e6])})
    assert cache.get(*KEY) is None
