"""What IIPAD knows after teaching, and how it scores: a prompt for the image at hand, and the shots that it resembles."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inspector.features.backbone import Features
from inspector.methods.iipad.generator import SLOTS, Generator, GeneratorInput, read
from inspector.methods.prompts import fusion
from inspector.methods.prompts.method import TaughtPrompts, enlarged
from inspector.methods.prompts.tokens import normalised
from inspector.methods.smoothing import smoothed

TEMPERATURE = 0.07


@dataclass(frozen=True, eq=False, kw_only=True)
class TaughtIIPAD(TaughtPrompts):
    """`shot_objects` [shots, 16, d]: Z of every shot; `shot_prompts` [shots, 2, d]: its prompts' embeddings; `shot_class`
    [shots]: its class number, on the processor."""

    generator: Generator
    shot_objects: Tensor
    shot_prompts: Tensor
    shot_class: Tensor

    def features(self, pixels: Tensor) -> GeneratorInput:
        return read(self.backbone, pixels)

    def remembering(self, class_name: str, features: Features, together: bool = False) -> "TaughtIIPAD":
        assert isinstance(features, GeneratorInput)
        grown, objects = super().remembering(class_name, features, together), features.objects
        with torch.no_grad():
            own = self._prompts(features)
        if together:
            objects, own = (values.mean(0, keepdim=True) for values in (objects, own))
        number = torch.full((len(own),), self.numbers([class_name])[0])
        return dataclasses.replace(
            grown,
            shot_objects=torch.cat([self.shot_objects, objects]),
            shot_prompts=torch.cat([self.shot_prompts, own]),
            shot_class=torch.cat([self.shot_class, number]),
        )

    def nearest_classes(self, features: Features) -> tuple[list[str], list[float]]:
        """The class that most of the k most similar shots have, and its share of their likeness."""
        assert isinstance(features, GeneratorInput)
        likeness = self._likeness(features.objects).cpu()
        k = int(self.shot_class.bincount().min())
        near, who = likeness.clamp_min(0).topk(k, dim=1)
        votes = torch.zeros(len(near), len(self.classes)).scatter_add_(1, self.shot_class[who], near)
        share, best = (votes / votes.sum(1, keepdim=True).clamp_min(1e-6)).max(1)
        return [self.classes[number] for number in best.tolist()], share.tolist()

    def maps_and_scores(
        self, features: Features, class_names: Sequence[str], without: Sequence[int | None]
    ) -> tuple[Tensor, Tensor]:
        """Map Āᵖ + Aᵛ and image score max Āᵖ + max Aᵛ (eq. 15–18), from 0 on, Aᵛ summed over the memory's taps;
        `image_score="code"` takes the class token's normal probability and the mean retrieval similarity off the score."""
        assert isinstance(features, GeneratorInput)
        own = self._prompts(features)
        kept, alike = [], []
        likeness = self._likeness(features.objects)
        for row, (number, shot) in enumerate(zip(self.numbers(class_names), without, strict=True)):
            mine = (self.shot_class == number).nonzero().flatten().tolist()
            mine = [one for place, one in enumerate(mine) if place != shot]
            kept.append(self.shot_prompts[mine].mean(0))
            alike.append(likeness[row, mine].mean())
        states = normalised((torch.stack(kept) + own) / 2)
        normal, abnormal = states[:, 0], states[:, 1]
        shown = [
            fusion.abnormal_probability(layer, normal[:, None], abnormal[:, None], TEMPERATURE)
            for layer in features.layers
        ]
        grid = features.grids["vv"]
        prompted = enlarged(fusion.mean(*shown).reshape(-1, *grid), self.map_size)
        prompted = smoothed(prompted, self.settings["sigma"], grid)
        visual = self.memory.maps(features, class_names, without) * len(features.taps)
        score = prompted.flatten(1).amax(1) + visual.flatten(1).amax(1)
        if self.settings["image_score"] == "code":
            whole = 1 - fusion.abnormal_probability(features.unit_cls, normal, abnormal, TEMPERATURE)
            score = score - whole - torch.stack(alike)
        return fusion.total(prompted, visual), score

    def tensors(self) -> dict[str, Tensor]:
        return {
            "shot_objects": self.shot_objects,
            "shot_prompts": self.shot_prompts,
            "shot_class": self.shot_class,
            **{f"generator.{name}": value for name, value in self.generator.state_dict().items()},
        }

    def _prompts(self, features: GeneratorInput) -> Tensor:
        """The embeddings of the prompts that the images get, [B, 2, d] of unit length."""
        encoded = self.generator.encoded(self.splicer, features.unit_cls, features.objects)
        return torch.stack([embedding for embedding, _ in encoded], dim=1)

    def _likeness(self, objects: Tensor) -> Tensor:
        """Mean slot-wise cosine of Z [B, 16, d] to every shot's, [B, shots]."""
        return torch.einsum("bsd,ksd->bk", objects, self.shot_objects) / SLOTS
