"""IIPAD (Lv et al., One-for-All Few-Shot Anomaly Detection via Instance-Induced Prompt Learning, ICLR 2025):
one generator writes a normal and an abnormal prompt for every single image; no class name is needed.

- Prompts (eq. 1–4): Sⁿ = [P_t + Cⁿ_t]…[Oⁿ]…, T = 24 context and m = 4 object tokens. C = f_p(class token) +
  f_s(cross-attention(class token, Zˢ)); O = token mixing 16 → 8 → 4 of the object tokens Z, one of each per state.
- Features F_j: V-V path in joint space at four depths J. Synthetic abnormal ones F^a_j = norm(F_j + F_j' + ε) (eq. 8),
  j' being the depth before j, and the last one for the first.
- One image a step, Adam 10⁻³, 20 epochs; where there are fewer than 4 shots in all, they come again within an epoch, which
  makes 80 steps at least.
- L = L_s + β·L_f + α·L_t (eq. 12), α = β = 8: prompts against patches (eq. 6, 9), prompt tokens against the groups of
  patches that they attend to (eq. 7, 10), prompts against general phrases (eq. 11).
- Category-aware banks (eq. 13, 14): Z retrieves the shots that the image resembles, and their patches and prompts are
  used; ē = ½(mean of the retrieved + own) (eq. 15); Aᵛ = Σ over the memory's taps of min ½(1 − cos) (eq. 17);
  map Āᵖ + Aᵛ, image score max Āᵖ + max Aᵛ (eq. 16–18).

Switches for what the released code does otherwise: `loss="linear"` (cosine margins instead of log-softmax),
`image_score="code"` (− p_normal(class token) − mean retrieval similarity), `noise` (the paper's ε ~ N(0, 1) an element
is 1; the code's is 2).

Deviations, complete
- Z comes from no Q-Former: 4×4 pooled V-V tokens of the last block plus the class token, carried to the text tower's
  token space by a ridge regression of the embeddings of single vocabulary entries on their own text features. `GeneratorInput`
  holds whatever makes Z, so a real Q-Former can take its place. The unmapped Z retrieves.
- Retrieval decides on a class, by the most similar shots; that class's shots make both banks. A given class skips it.
- The prompt tokens p_t are projected to joint space, since text width and joint width differ on most backbones.
- Contexts start at N(0, 0.02²), the size of token embeddings, instead of N(0, 1). The rate
  falls along a cosine to 0, with weight decay 10⁻⁴; the abnormal phrases are those of both data sets, each once.
- The two taps of the memory are the backbone's own; maps are smoothed before their highest values are taken.
- Aᵖ at temperature 0.07 as in the code; eq. 16 writes none. The last epoch is kept.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from inspector.errors import DetectorError
from inspector.features.backbone import Backbone
from inspector.methods.iipad.generator import SLOTS, Generator, read
from inspector.methods.iipad.taught import TaughtIIPAD
from inspector.methods.memory.cosine import CosineBank
from inspector.methods.prompts import losses, training
from inspector.methods.prompts.method import PromptMethod
from inspector.methods.prompts.phrases import OBJECT_ABNORMAL, OBJECT_NORMAL
from inspector.methods.prompts.teaching import Teaching
from inspector.methods.prompts.tokens import normalised
from inspector.methods.stored_tensors import TEACH_AGAIN, WIDEST, StoredTensors

LEAST_STEPS = 4
"""An epoch; fewer shots come again, so that 20 epochs have at least 80 steps."""


class IIPAD(PromptMethod[TaughtIIPAD]):
    """Settings beside those of the module's description: `alpha`, `beta` the losses' weights; `contexts` T and
    `objects` m, the tokens of a prompt; `sparsity` σ of the token alignment, None for one in the number of patches."""

    method = "iipad"
    title = "IIPAD"
    bank_type = CosineBank
    defaults: ClassVar[Mapping[str, Any]] = {
        "loss": "softmax",
        "image_score": "paper",
        "noise": 1.0,
        "alpha": 8.0,
        "beta": 8.0,
        "contexts": 24,
        "objects": 4,
        "sparsity": None,
        "epochs": 20,
        "rate": 1e-3,
        "batch": 1,
        "optimizer": "adam",
        "weight_decay": 1e-4,
        "patience": 0,
        "sigma": 1.0,
        "seed": 0,
    }
    choices: ClassVar[Mapping[str, Sequence[Any]]] = {
        "loss": ("softmax", "linear"),
        "image_score": ("paper", "code"),
    }

    def learn(self, teaching: Teaching) -> TaughtIIPAD:
        s, backbone, text = self.settings, teaching.backbone, teaching.text
        width, splicer = backbone.embed_dim, teaching.splicer
        with training.seeded(s["seed"], 4):
            generator = Generator(width, text.width, s["contexts"], s["objects"])
        generator.to(backbone.device)
        seen = [one for images in teaching.shots.values() for one in teaching.passes(images, read)]
        cls = torch.cat([one.unit_cls for one in seen])
        objects = torch.cat([one.objects for one in seen])
        layers = [shot for one in seen for shot in zip(*one.layers, strict=True)]
        grids = [one.grids["vv"] for one in seen for _ in one.unit_cls]
        generator.words.solve(text, objects, s["seed"])
        normal, abnormal = text.encode_texts(OBJECT_NORMAL), text.encode_texts(OBJECT_ABNORMAL)

        def step(chosen: Sequence[int], draw: torch.Generator) -> training.Losses:
            rows = [number % len(cls) for number in chosen]
            prompts = generator.encoded(splicer, cls[rows], objects[rows])
            shown = [torch.stack(same) for same in zip(*(layers[row] for row in rows), strict=True)]
            return self.loss_terms(prompts, shown, normal, abnormal, draw)

        times = math.ceil(LEAST_STEPS / len(cls))
        self.train(generator, training.by_grid(step, grids * times), len(cls) * times, teaching)
        return TaughtIIPAD(
            **self.common(teaching),
            generator=generator,
            shot_objects=objects[:0],
            shot_prompts=objects.new_zeros(0, 2, width),
            shot_class=torch.zeros(0, dtype=torch.long),
        )

    def loss_terms(
        self,
        prompts: Sequence[tuple[Tensor, Tensor]],
        layers: Sequence[Tensor],
        normal_phrases: Tensor,
        abnormal_phrases: Tensor,
        draw: torch.Generator,
    ) -> training.Losses:
        """L_s, β·L_f and α·L_t: encoded prompts (normal, abnormal) against F_j [B, N, d] and general phrases [n, d]."""
        s = self.settings
        (normal, normal_tokens), (abnormal, abnormal_tokens) = prompts
        linear, n, a = s["loss"] == "linear", normal[:, None], abnormal[:, None]
        sparsity = 1 / layers[0].shape[1] if s["sparsity"] is None else s["sparsity"]
        semantic, token = [], []
        for number, layer in enumerate(layers):
            noise = torch.randn(layer.shape, generator=draw).to(layer)
            synthetic = normalised(layer + layers[number - 1] + s["noise"] * noise)
            semantic.append(
                losses.pull_apart(layer, n, a, linear) + losses.pull_apart(synthetic, a, n, linear)
            )
            token.append(
                losses.token_alignment(normal_tokens, layer, sparsity)
                + losses.token_alignment(abnormal_tokens, synthetic, sparsity)
            )
        textual = losses.pull_apart(normal_phrases, n, a, linear) + losses.pull_apart(
            abnormal_phrases, a, n, linear
        )
        return {
            "semantic": torch.stack(semantic).mean(),
            "token": s["beta"] * torch.stack(token).mean(),
            "text": s["alpha"] * textual,
        }

    @classmethod
    def restored(cls, stored: StoredTensors, common: dict[str, Any]) -> TaughtIIPAD:
        backbone: Backbone = common["backbone"]
        settings, names, memory = common["settings"], common["names"], common["memory"]
        width = stored.shape("generator.words.matrix")[-1:]
        if not width or not 1 <= width[0] <= WIDEST:
            raise DetectorError("The detector's generator has a wrong shape.", TEACH_AGAIN)
        generator = Generator(backbone.embed_dim, width[0], settings["contexts"], settings["objects"])
        stored.fill(generator, "generator.")
        counts = [memory.count(name) for name in names]
        shots = sum(counts)
        shot_class = stored.take("shot_class", shots, dtype=torch.int64).cpu()
        if [int((shot_class == number).sum()) for number in range(len(names))] != counts:
            raise DetectorError("The detector counts its shots in two ways.", TEACH_AGAIN)
        return TaughtIIPAD(
            **common,
            generator=generator.to(backbone.device),
            shot_objects=stored.take("shot_objects", shots, SLOTS, backbone.embed_dim),
            shot_prompts=stored.take("shot_prompts", shots, 2, backbone.embed_dim),
            shot_class=shot_class,
        )
