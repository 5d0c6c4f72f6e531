"""What the text tower reads while it learns: names, states, templates, long contexts."""

from dataclasses import dataclass

import numpy as np
import open_clip
from defects import KINDS
from pool import SHAPES, TEXTURES
from timm.data import ImageNetInfo

STATES = 16  # dimensions of the joint space that hold the state

TEMPLATES = [
    "a cropped photo of the {}.", "a cropped photo of a {}.", "a close-up photo of a {}.",
    "a close-up photo of the {}.", "a bright photo of a {}.", "a bright photo of the {}.", "a dark photo of the {}.",
    "a dark photo of a {}.", "a jpeg corrupted photo of a {}.", "a jpeg corrupted photo of the {}.",
    "a blurry photo of the {}.", "a blurry photo of a {}.", "a photo of a {}.", "a photo of the {}.",
    "a photo of a small {}.", "a photo of the small {}.", "a photo of a large {}.", "a photo of the large {}.",
    "a photo of the {} for visual inspection.", "a photo of a {} for visual inspection.",
    "a photo of the {} for anomaly detection.", "a photo of a {} for anomaly detection.",
]  # fmt: skip
UNSEEN = [1, 9, 14, 19]  # templates kept from training, to measure by

NORMAL = [
    "flawless {}", "perfect {}", "unblemished {}", "intact {}", "undamaged {}", "good {}", "normal {}", "clean {}",
    "{} without flaw", "{} without defect", "{} without damage", "{} without any defect", "{} without scratch",
    "{} without crack", "{} without stain", "{} in perfect condition", "{} in good condition", "complete {}",
    "{} with nothing missing", "defect-free {}", "new {}", "unbroken {}",
]  # fmt: skip
ABNORMAL = [
    "damaged {}", "broken {}", "defective {}", "flawed {}", "abnormal {}", "faulty {}", "imperfect {}", "anomalous {}",
    "{} with flaw", "{} with defect", "{} with damage", "{} with a defect", "{} with an anomaly", "{} in bad condition",
    "bad {}", "blemished {}", "{} with imperfection",
]  # fmt: skip
TYPED = {
    "scratch": ["scratched {}", "{} with scratch", "{} with a scratch", "{} with scratches", "scuffed {}"],
    "crack": ["cracked {}", "{} with crack", "{} with a crack", "{} with cracks", "fractured {}", "split {}"],
    "stain": ["stained {}", "{} with stain", "{} with a stain", "discoloured {}", "discolored {}", "{} with a spot",
              "{} with color stain", "{} with colour stain", "dirty {}"],
    "hole": ["{} with hole", "{} with a hole", "{} with holes", "pitted {}", "punctured {}", "{} with blowhole",
             "perforated damaged {}"],
    "missing": ["{} with missing piece", "{} with a missing part", "{} with something missing", "incomplete {}",
                "chipped {}", "broken off {}", "{} with a missing component"],
    "contamination": ["contaminated {}", "{} with contamination", "{} with foreign material", "{} with residue",
                      "{} with particles", "{} with a foreign object"],
    "dent": ["dented {}", "{} with a dent", "bent {}", "deformed {}", "crushed {}", "{} with bump", "misshapen {}"],
    "wear": ["worn {}", "frayed {}", "rough {}", "{} with wear", "eroded {}", "abraded {}", "{} with uneven surface"],
}  # fmt: skip
assert list(TYPED) == KINDS

GENERIC = [
    "object",
    "part",
    "product",
    "item",
    "thing",
    "component",
    "surface",
    "material",
    "piece",
    "workpiece",
]


def state_vector(kind: int | None, abnormal: bool) -> np.ndarray:
    """Unit vector in the STATES dimensions: the first is damaged (+) against normal (−), then one a kind."""
    v = np.zeros(STATES, np.float32)
    v[0] = 1.0 if abnormal else -1.0
    if kind is not None:
        v[0], v[1 + kind] = 0.87, 0.49
    return v


def imagenet_names() -> list[list[str]]:
    """Every class's names, the most usual first."""
    info = ImageNetInfo()
    return [[n.strip() for n in info.index_to_description(i).split(",")] for i in range(1000)]


@dataclass
class Corpus:
    """Draws token sequences and their targets. `names[i]` are the names of concept i; concepts up to 999 are
    ImageNet's, later ones the pool's own words."""

    names: list[list[str]]
    seed: int = 0

    def __post_init__(self) -> None:
        self.tokenizer = open_clip.get_tokenizer("ViT-B-32")
        self.rng = np.random.default_rng(self.seed)
        words = [
            i for i in range(512, 7000)
            if (w := self.tokenizer.decoder[i]).endswith("</w>") and w[:-4].isalpha() and len(w) > 6
        ]  # fmt: skip
        self.fillers = np.array(words[:3500])

    def encode(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text))

    def phrase(self, name: str) -> tuple[str, np.ndarray]:
        """A name in some state and that state's vector."""
        roll, rng = self.rng.random(), self.rng
        if roll < 0.2:
            return name, 0.4 * state_vector(None, False)
        if roll < 0.5:
            return NORMAL[rng.integers(len(NORMAL))].format(name), state_vector(None, False)
        if roll < 0.72:
            return ABNORMAL[rng.integers(len(ABNORMAL))].format(name), state_vector(None, True)
        kind = int(rng.integers(len(KINDS)))
        choices = TYPED[KINDS[kind]]
        return choices[rng.integers(len(choices))].format(name), state_vector(kind, True)

    def draw(self, long: bool) -> tuple[list[int], np.ndarray, int, np.ndarray]:
        """Token ids without padding (−1 stands for a random vector), their place in the sequence kept; the state;
        the concept (−1: none)."""
        rng = self.rng
        roll = rng.random()
        if roll < 0.7:
            concept = int(rng.integers(1000))
        elif roll < 0.85:
            concept = int(rng.integers(1000, len(self.names)))
        else:
            concept = -1
        if concept < 0:
            # A name nobody taught: the state must be understood all the same.
            name = GENERIC[rng.integers(len(GENERIC))]
            if rng.random() < 0.6:
                ids = rng.choice(self.fillers, int(rng.integers(1, 4)))
                name = self.tokenizer.decode(ids.tolist()).strip()
        else:
            options = self.names[concept]
            name = options[0 if rng.random() < 0.6 else rng.integers(len(options))]
        text, state = self.phrase(name)
        if rng.random() < 0.75:
            template = int(rng.integers(len(TEMPLATES)))
            while template in UNSEEN:
                template = int(rng.integers(len(TEMPLATES)))
            text = TEMPLATES[template].format(text)
        elif rng.random() < 0.5:
            text += "."
        body = self.encode(text)[:60]
        room = 75 - len(body)
        count = 0
        if long:
            count = int(rng.integers(4, room + 1))
        elif rng.random() < 0.25:
            count = int(rng.integers(1, min(17, room + 1)))
        if count:
            head = [-1] * count if rng.random() < 0.6 else rng.choice(self.fillers, count).tolist()
            body = head + body
        return [49406, *body, 49407], state, concept, np.array(len(body) + 1)


def pool_names(words: list[str]) -> list[str]:
    """The pool's own concepts, every name once."""
    return sorted({w for w in [*words, *TEXTURES, *SHAPES] if w})
