"""The words that methods put before CLIP: templates, states and attribute values. No torch."""

TEMPLATES = (
    "a photo of a {}.",
    "a photo of the {}.",
    "a cropped photo of a {}.",
    "a cropped photo of the {}.",
    "a close-up photo of a {}.",
    "a close-up photo of the {}.",
    "a bright photo of a {}.",
    "a bright photo of the {}.",
    "a dark photo of a {}.",
    "a dark photo of the {}.",
    "a jpeg corrupted photo of a {}.",
    "a jpeg corrupted photo of the {}.",
    "a blurry photo of a {}.",
    "a blurry photo of the {}.",
    "a photo of a small {}.",
    "a photo of the small {}.",
    "a photo of a large {}.",
    "a photo of the large {}.",
    "a photo of a {} for visual inspection.",
    "a photo of the {} for visual inspection.",
    "a photo of a {} for anomaly detection.",
    "a photo of the {} for anomaly detection.",
)
"""WinCLIP's 22 templates (Jeong et al., CVPR 2023, appendix)."""

NORMAL_STATES = (
    "{}",
    "flawless {}",
    "perfect {}",
    "unblemished {}",
    "{} without flaw",
    "{} without defect",
    "{} without damage",
)
"""WinCLIP's normal states."""

ABNORMAL_STATES = ("damaged {}", "{} with flaw", "{} with defect", "{} with damage")
"""WinCLIP's abnormal states."""

GENERIC_DEFECTS = (
    "damaged {}",
    "abnormal {}",
    "imperfect {}",
    "blemished {}",
    "broken {}",
    "{} with flaw",
    "{} with defect",
    "{} with damage",
)
"""States that fit any product: the handcrafted abnormal suffixes of PromptAD when nobody names defects."""

OBJECT_NORMAL = (
    "a image of the normal object",
    "a image of the flawless object",
    "a image of the perfect object",
    "a image of the unblemished object",
    "a image of the object without flaw",
    "a image of the object without defect",
    "a image of the object without damage",
)
"""IIPAD, appendix A.2: normal descriptions that name no product."""

_DEFECTS = (
    "flaw",
    "defect",
    "damage",
    "large breakage",
    "small breakage",
    "contamination",
    "anomaly",
    "hole",
    "color stain",
    "metal contamination",
    "thread residue",
    "cut",
    "crack",
    "print",
    "fold",
    "glue",
    "poke",
    "bent wire",
    "missing part",
    "faulty imprint",
    "scratch",
    "foreign particles",
    "different color spot",
    "discolor",
    "misshape",
    "leak",
    "bubble",
    "burnt",
    "corner missing",
    "small chip around edge",
    "dirt",
    "wrong place",
)

OBJECT_ABNORMAL = (
    "a image of the damaged object",
    "a image of the abnormal object",
    "a image of the imperfect object",
    "a image of the blemished object",
    *(f"a image of the object with {defect}" for defect in _DEFECTS),
)
"""IIPAD, appendix A.2: the abnormal descriptions for MVTec and VisA, each once."""

COLOURS = (
    "black", "white", "grey", "silver", "red", "orange", "yellow", "gold",
    "green", "blue", "purple", "pink", "brown", "beige", "copper", "transparent",
)  # fmt: skip
TEXTURES = (
    "smooth", "rough", "glossy", "matte", "metallic", "grainy", "woven", "striped", "porous", "leathery",
)  # fmt: skip
SHAPES = (
    "round", "oval", "square", "rectangular", "triangular", "hexagonal", "cylindrical", "spherical",
    "conical", "ring-shaped", "flat", "curved", "elongated", "star-shaped", "irregular", "tubular",
)  # fmt: skip
LOCATIONS = (
    "center",
    "top",
    "bottom",
    "left",
    "right",
    "top left",
    "top right",
    "bottom left",
    "bottom right",
)
NUMBERS = ("one", "two", "three", "four", "five", "six", "several", "many")


def spoken(class_name: str) -> str:
    """A class name as CLIP should read it: "pipe_staple" → "pipe staple"."""
    return " ".join(class_name.replace("_", " ").replace("-", " ").lower().split()) or "object"
