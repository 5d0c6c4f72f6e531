"""Maps and scores of every method, worked out a second time: from a stored detector's values and the backbone's features
alone, by the equations that each method's description states, in numpy, one image at a time, without a line of
`inspector.methods`.

What it takes from Inspector is `inspector.features`: preprocessing, the image tower's passes and the text tower. All that
comes after them (patch descriptions, memories, prompts, decoders, experts, fusions, enlarging, smoothing) is here.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch
from equations import (
    EPS,
    JOINS,
    Array,
    Case,
    abnormal,
    array,
    cosine,
    described,
    enlarge,
    harmonic,
    memory_map,
    neighbours,
    odds,
    papers_distance,
    softmax,
    tensor,
    unit,
)
from memories import anomalydino, patchcore, subspace
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from scipy.special import erf, expit

from inspector.features.backbone import Backbone, Features


def score(
    folder: Path, backbone: Backbone, pixels: NDArray[np.uint8], class_name: str, without: int | None = None
) -> tuple[Array, float]:
    """The map [side, side] and the score of an image by the detector in `folder`."""
    manifest = json.loads((folder / "detector.json").read_text("utf-8"))
    stored = safetensors.numpy.load_file(folder / "detector.safetensors")
    about = manifest["settings"]
    stems = all(tap.startswith("stem") for tap in about.get("taps") or backbone.default_taps)
    case = Case(
        backbone,
        about.get("proportions", stems and not about.get("squares", True)),
        stored,
        about.get("settings", about),
        about["bank"],
        manifest["classes"],
        pixels,
        class_name,
        without,
    )
    with torch.no_grad():
        return METHODS[manifest["method"]](case)


# Prompts


def winclip(case: Case) -> tuple[Array, float]:
    backbone, (rows, columns) = case.backbone, case.grid
    tokens = backbone.embed(case.prepared())
    seen = backbone.forward(tokens, grid=case.grid, taps=(f"block{backbone.depth}",))
    normal, other = case.learned("text_features")[case.own]
    whole = float(abnormal(unit(array(seen.cls)[0]), normal, other, 0.07))
    shown, views, distances = case.class_name in case.bank["classes"], [], []
    distance = papers_distance(case)

    def lies(tokens: Array, tap: str) -> Array:
        return distance(case, tap, tokens if distance is cosine else described(tokens, (len(tokens), 1), 1))

    for side in (2, 3):
        corners = [(y, x) for y in range(rows - side + 1) for x in range(columns - side + 1)]
        covers = [[(y + a) * columns + x + b for a in range(side) for b in range(side)] for y, x in corners]

        def spread(values: Array, covers: list[list[int]] = covers) -> Array:
            over: list[list[float]] = [[] for _ in range(rows * columns)]
            for value, patches in zip(values, covers, strict=True):
                for patch in patches:
                    over[patch].append(1 / max(value, EPS))
            return np.array([1 / np.mean(some) for some in over])

        features = array(backbone.windows(tokens, torch.tensor(covers)))[0]
        views.append(spread(abnormal(unit(features), normal, other, 0.07)))
        if shown:
            distances.append(spread(lies(features, f"window{side}")))
    state, image = harmonic(*views, whole), whole
    if shown:
        last = array(seen.taps[f"block{backbone.depth}"])[0]
        distances.append(lies(last, f"block{backbone.depth}"))
        visual = np.mean(distances, axis=0)
        state, image = state + visual, (whole + visual.max()) / 2
    return case.plane(state, case.settings["sigma"]), image


def promptad(case: Case) -> tuple[Array, float]:
    wanted, scale = case.settings["temperature"], case.backbone.logit_scale
    temperature = {"raw": 1 / np.log(scale), "exp": 1 / scale}.get(wanted, wanted)
    seen = case.backbone.forward(case.prepared(), taps=case.backbone.default_taps, vv_from=1)
    pixel, image = case.learned("text_features")[case.own]
    state = abnormal(unit(array(seen.vv)[0]), *pixel, temperature)
    prompted, visual = (
        case.plane(state, case.settings["sigma"]),
        memory_map(case, seen, papers_distance(case)),
    )
    whole = abnormal(unit(array(seen.cls)[0]), *image, temperature)
    return harmonic(prompted, visual) / 2, float(harmonic(visual.max(), whole) / 2)


def first_vv(backbone: Backbone) -> int:
    return max(1, backbone.depth - 18) if backbone.depth > 12 else 1


def finegrained(case: Case) -> tuple[Array, float]:
    s, backbone = case.settings, case.backbone
    scale = {"raw": np.log(backbone.logit_scale), "exp": backbone.logit_scale, "0.07": 1 / 0.07}[s["tau"]]
    seen = backbone.forward(case.prepared(), taps=backbone.default_taps, vv_from=first_vv(backbone))
    there = ~case.stored["learned.absent"][case.own].astype(bool)
    normal, other, queries = (
        case.learned(name)[case.own][there] for name in ("normal", "abnormal", "queries")
    )

    def reading(token: Array) -> float:
        level = int(np.argmax(queries @ token))
        return float(expit(scale * (other[level] - normal[level]) @ token))

    tokens = unit(array(seen.vv)[0])
    state = np.array([reading(token) for token in tokens])
    if s["reweight"]:
        image = abnormal(tokens, normal[0], other[0], 1 / scale)
        state = np.clip(state * image / case.learned("usual")[case.own], 0, 1)
    found = harmonic(case.plane(state, s["sigma"]), memory_map(case, seen, papers_distance(case)))
    return found, float(harmonic(reading(unit(array(seen.cls)[0])), found.max()))


def mpama(case: Case) -> tuple[Array, float]:
    s, backbone, grid = case.settings, case.backbone, case.grid
    first, depth = first_vv(backbone), backbone.depth
    blocks = sorted({max(first, round(depth * part / 4)) for part in (1, 2, 3, 4)})
    names = [f"vv{block}" for block in blocks]
    seen = backbone.forward(case.prepared(), taps=(*backbone.default_taps, *names), vv_from=first)
    layers = [unit(array(seen.taps.pop(name))[0]) for name in names]
    if s["adaptation"]:
        layers = [adapted(case, tokens, number) for number, tokens in enumerate(layers)]
    maps = []
    for size, pair in zip(s["levels"], case.learned("local"), strict=True):
        reach = min(size // 2, min(grid) - 1)
        for tokens in layers:
            planes = tokens.reshape(*grid, -1)
            wide = uniform_filter(planes, (2 * reach + 1, 2 * reach + 1, 1), mode="mirror")
            around = tokens if size == 1 else unit(wide.reshape(tokens.shape))
            maps.append(abnormal(around, *pair, 0.07))
    state = np.mean(maps, axis=0)
    whole = abnormal(unit(array(seen.cls)[0]), *case.learned("whole"), 0.07)
    if s["relative"]:
        of_map, of_class, spread = case.learned("usual")[case.own]
        state = expit((odds(state) - of_map) / (2 * spread))
        whole = expit(odds(whole) - of_class)
    prompted, visual = case.plane(state, s["sigma"]), memory_map(case, seen)
    highest = [prompted.max(), visual.max(), *([whole] if s["class_token"] else [])]
    return harmonic(prompted, visual), float(harmonic(*highest))


def adapted(case: Case, tokens: Array, layer: int) -> Array:
    """F' = norm(F + Σ g_e·e(F)) over the identity, the bottlenecks and nothing."""

    def linear(name: str, x: Array) -> Array:
        return x @ case.learned(f"experts.{name}.weight").T + case.learned(f"experts.{name}.bias")

    count, share = case.settings["bottlenecks"], softmax(linear(f"routers.{layer}", tokens))
    least = np.sort(share, 1)[:, -case.settings["routes"]][:, None]
    gates = np.where(share >= least, share, 0)
    gates /= gates.sum(1, keepdims=True)
    added = gates[:, :1] * tokens
    for number in range(count):
        inner = linear(f"bottlenecks.{number}.0", tokens)
        inner = inner * 0.5 * (1 + erf(inner / np.sqrt(2)))
        added = added + gates[:, number + 1 : number + 2] * linear(f"bottlenecks.{number}.2", inner)
    return unit(tokens + added)


def words(case: Case, text: str) -> Array:
    """The embeddings of a text's own tokens, for tokenizers with one start and one end token."""
    tower = case.backbone.text
    assert tower is not None
    ids = tower.tokens([text])
    return array(tower.embed(ids))[0, 1 : int(tower.eot(ids)[0])]


def encoded(case: Case, prompts: Sequence[Array], deep: Sequence[Array] = ()) -> Array:
    """Text features of token rows [n, width] put between start and end, of unit length."""
    tower = case.backbone.text
    assert tower is not None
    found = []
    for row in prompts:
        frame = array(tower.embed(tower.tokens([""])))[0]
        whole = np.concatenate([frame[:1], row, frame[1:]])[: tower.context_length]
        end = torch.tensor([1 + len(row)])
        layers = [tensor(layer) for layer in deep]
        found.append(unit(array(tower.encode(tensor(whole)[None], end, layers))[0]))
    return np.array(found)


def iipad(case: Case) -> tuple[Array, float]:
    s, backbone = case.settings, case.backbone
    blocks = sorted({max(1, backbone.depth * part // 4) for part in (1, 2, 3, 4)})
    names = [f"vv{block}" for block in blocks]
    seen = backbone.forward(case.prepared(), taps=(*backbone.default_taps, *names), vv_from=blocks[0])
    layers = [unit(array(seen.taps.pop(name))[0]) for name in names]
    cls = unit(array(seen.cls)[0])
    last = tensor(layers[-1].T.reshape(1, -1, *case.grid))
    pooled = array(torch.nn.functional.adaptive_avg_pool2d(last, (4, 4)))[0].reshape(len(cls), 16).T
    objects = unit(pooled + cls)

    def g(name: str) -> Array:
        return case.learned(f"generator.{name}")

    def linear(name: str, x: Array) -> Array:
        return x @ g(f"{name}.weight").T + g(f"{name}.bias")

    def along(name: str, x: Array) -> Array:
        """Linear maps over the token axis."""
        number = 0
        while f"learned.generator.{name}.maps.{number}.weight" in case.stored:
            x = linear(f"{name}.maps.{number}", x.T).T
            number += 1
        return x

    spoken = (objects - g("words.centre")) @ g("words.matrix") + g("words.offset")
    whole = linear("whole.0", cls)
    general = along("whole_tokens", np.where(whole > 0, whole, 0.01 * whole)[None])
    query, prompts = linear("query", cls)[None], []
    for state in ("normal", "abnormal"):
        keys = linear(f"objects_in.{state}", spoken)
        attended = softmax(query @ keys.T / np.sqrt(keys.shape[1])) @ keys
        special = along(f"found_tokens.{state}", linear(f"found.{state}", attended))
        context = g(f"contexts.{state}") + general + special
        prompts.append(np.concatenate([context, along(f"object_tokens.{state}", spoken)]))
    own = encoded(case, prompts)
    mine = np.flatnonzero(case.stored["learned.shot_class"] == case.own)
    mine = np.array([shot for place, shot in enumerate(mine) if place != case.without])
    normal, other = unit((case.learned("shot_prompts")[mine].mean(0) + own) / 2)
    shown = np.mean([abnormal(layer, normal, other, 0.07) for layer in layers], axis=0)
    prompted, visual = (
        case.plane(shown, s["sigma"]),
        memory_map(case, seen, papers_distance(case)) * len(seen.taps),
    )
    image = prompted.max() + visual.max()
    if s["image_score"] == "code":
        alike = np.mean(np.sum(case.learned("shot_objects")[mine] * objects, -1))
        image = image - (1 - abnormal(cls, normal, other, 0.07)) - alike
    return prompted + visual, float(image)


def anople(case: Case) -> tuple[Array, float]:
    s, backbone, grid = case.settings, case.backbone, case.grid
    coupled = "prompts.coupled."
    both = s["prompts"] == "both"
    text = case.learned(f"{coupled}text") if s["prompts"] != "vision" else None
    vision = case.learned(f"{coupled}vision") if s["prompts"] != "text" else None

    def mapped(name: str, prompts: Array) -> Array:
        maps = [0] * len(prompts) if s["coupling"] == "shared" else range(len(prompts))
        return np.stack(
            [
                row @ case.learned(f"{coupled}{name}.{n}.weight").T
                + case.learned(f"{coupled}{name}.{n}.bias")
                for row, n in zip(prompts, maps, strict=True)
            ]
        )

    deep = vision
    if both and vision is not None and text is not None:
        deep = np.concatenate([vision, mapped("to_vision", text)], 1)
    visual = None if deep is None else list(tensor(deep))
    tokens = backbone.embed(case.prepared())
    prefix = tensor(case.learned("prompts.prefix")[:1])
    seen = backbone.forward(tokens, grid=grid, visual_prompts=visual, prefix=prefix)
    patches, cls = unit(array(seen.patches)[0]), unit(array(seen.cls)[0])
    plain = backbone.forward(case.prepared(), taps=backbone.default_taps, joint=False)
    if s["bank"] == "prompted":
        plain = Features(None, None, None, {"patches": tensor(patches)[None]}, {"patches": grid})

    normal, other = case.learned("text_features")[case.own]
    if s["instance_conditioned"]:
        assert text is not None
        front = text
        if both and vision is not None:
            became = np.stack([array(one)[0, : vision.shape[1]] for one in seen.prompts[: len(vision)]])
            front = np.concatenate([text, mapped("to_text", became)], 1)
        rows = [
            np.concatenate([front[0], words(case, f"{state}{case.class_name}.")])
            for state in ("", "abnormal ")
        ]
        normal, other = encoded(case, rows, front[1:])
    square = tensor(patches.T.reshape(1, -1, *grid))
    weights = [tensor(case.learned(f"prompts.decoder.{name}")) for name in WEIGHTS]
    inner = torch.nn.functional.gelu(torch.nn.functional.conv2d(square, *weights[:2], padding=1))
    change = array(torch.nn.functional.conv2d(inner, *weights[2:]))[0].reshape(len(cls), -1).T
    reading = unit(patches + change) @ (other - normal) / 0.07
    if s["relative"]:
        reading = relative(case, reading, plain) / (2 * case.learned("spread")[case.own])
    logits = enlarge(reading.reshape(grid), case.side)
    maps = [case.smoothed(expit(logits), s["sigma"])]
    if s["fusion"] != "none":
        maps.append(memory_map(case, plain))
    join = JOINS[s["fusion"]]
    found = join(*maps)
    if s["image_score"] == "token":
        return found, float(harmonic(abnormal(cls, normal, other, 0.07), found.max()))
    if s["image_score"] == "cautious" and len(maps) > 1:
        return found, float((maps[1] * (1 + (2 * maps[0] - 1) / 16)).max())
    if s["image_score"] in ("map", "cautious"):
        return found, found.max()
    return found, float(join(*(one.max() for one in maps)))


WEIGHTS = ("into.weight", "into.bias", "back.weight", "back.bias")


def relative(case: Case, reading: Array, seen: Features) -> Array:
    """Log-odds less their mean over the 5 shot patches, per shot, that look most alike."""
    tap = max(name for name, cells in seen.grids.items() if cells == case.grid and name in seen.taps)
    likes = unit(neighbours(array(seen.taps[tap])[0], case.grid, 3))
    start = f"shots.{case.own}"
    if f"learned.{start}.odds" in case.stored:  # of squares alone: all shots in one
        known = list(zip(case.learned(f"{start}.likes"), case.learned(f"{start}.odds"), strict=True))
    else:
        count = sum(name.startswith(f"learned.{start}.") for name in case.stored) // 2
        known = [
            (case.learned(f"{start}.{n}.likes"), case.learned(f"{start}.{n}.odds")) for n in range(count)
        ]
    shots = [one for n, one in enumerate(known) if n != case.without]
    theirs, said = (np.concatenate(same) for same in zip(*shots, strict=True))
    best = np.argsort(-likes @ theirs.T, 1, kind="stable")[:, : min(5 * len(shots), len(said))]
    return np.asarray(reading - said[best].mean(1))


METHODS: Mapping[str, Callable[[Case], tuple[Array, float]]] = {
    "anople": anople,
    "iipad": iipad,
    "finegrained": finegrained,
    "mpama": mpama,
    "winclip": winclip,
    "promptad": promptad,
    "patchcore": patchcore,
    "subspace": subspace,
    "anomalydino": anomalydino,
}
