"""The frozen text tower: token embeddings in, so that
contexts can be learned; cut behind the last end-of-text."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import open_clip
import torch
from open_clip.tokenizer import HFTokenizer
from open_clip.transformer import TextTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from inspector import installation
from inspector.errors import WeightsError

CHUNK = 256
"""Texts encoded at once by `encode_texts`."""


class TextTower:
    """open_clip's own text transformer, either a TextTransformer
    or the one spread over a CLIP model's attributes.

    Frozen; gradients reach only the embeddings and deep prompts handed to `encode`.
    `width`: of token embeddings; `embed_dim`: joint space; `depth`: blocks; `context_length`: tokens;
    `causal`: whether a token sees only what stands before it (then sequences are cut, exactly).
    """

    def __init__(self, parts: Any, pool_type: str, eos_id: int | None, tokenizer: Any) -> None:
        self._embedding: nn.Embedding = parts.token_embedding
        self._positions: nn.Parameter = parts.positional_embedding
        self._transformer: nn.Module = parts.transformer
        self._norm: nn.Module = parts.ln_final
        self._projection: nn.Linear | nn.Parameter | None = parts.text_projection
        self._blocks: nn.ModuleList = parts.transformer.resblocks
        self._pool, self._eos_id, self._tokenizer = pool_type, eos_id, tokenizer
        self._pad_mask: bool = getattr(parts, "use_pad_mask", False)
        self.causal: bool = parts.attn_mask is not None
        self.context_length: int = parts.context_length
        self.depth = len(self._blocks)
        self._heads: int = parts.transformer.resblocks[0].attn.num_heads
        self.width = self._embedding.embedding_dim
        if self._projection is None:
            self.embed_dim = self.width
        elif isinstance(self._projection, nn.Linear):
            self.embed_dim = self._projection.out_features
        else:
            self.embed_dim = self._projection.shape[1]
        for tensor in self._parameters():
            tensor.requires_grad_(False)

    @classmethod
    def of(cls, model: nn.Module, architecture: str, folder: Path | None = None) -> Self | None:
        """The text tower of an open_clip model; None where it is a Hugging Face or a captioning tower.

        `folder` holds the tokenizer's files, for the few architectures whose tokenizer isn't open_clip's own.
        """
        parts: Any = getattr(model, "text", model)
        if isinstance(parts, TextTransformer):
            if parts.cls_emb is not None:
                return None
            return cls(
                parts, parts.pool_type, parts.eos_id, _Tokenizer(architecture, parts.context_length, folder)
            )
        if isinstance(model, open_clip.CLIP):
            tokenizer = _Tokenizer(architecture, parts.context_length, folder)
            return cls(parts, parts.text_pool_type, parts.text_eos_id, tokenizer)
        return None

    def to(self, device: torch.device, dtype: torch.dtype) -> Self:
        """The same tower, moved in place."""
        for module in (self._embedding, self._transformer, self._norm):
            module.to(device, dtype)
        if isinstance(self._projection, nn.Linear):
            self._projection.to(device, dtype)
        elif self._projection is not None:
            self._projection.data = self._projection.data.to(device, dtype)
        self._positions.data = self._positions.data.to(device, dtype)
        return self

    def _parameters(self) -> list[nn.Parameter]:
        modules = (self._embedding, self._transformer, self._norm, self._projection)
        own = [p for module in modules if isinstance(module, nn.Module) for p in module.parameters()]
        return own + [p for p in (self._projection, self._positions) if isinstance(p, nn.Parameter)]

    def tokens(self, texts: Sequence[str]) -> Tensor:
        """Token ids [n, context_length] on the tower's device,
        with start, end and padding; long texts are cut."""
        ids: Tensor = self._tokenizer(list(texts))
        return ids.to(self._positions.device)

    def eot(self, ids: Tensor) -> Tensor:
        """Where the end-of-text token stands, [n]: the token whose output becomes the text feature."""
        if self._pool == "eos":
            return ids.eq(self._eos_id or 0).int().argmax(dim=-1)
        if self._pool == "last":
            return torch.full((len(ids),), ids.shape[1] - 1, device=ids.device)
        if self._pool == "first":
            return torch.zeros(len(ids), dtype=torch.long, device=ids.device)
        return ids.argmax(dim=-1)

    def embed(self, ids: Tensor) -> Tensor:
        """Token embeddings [n,L,width], without positions, float32: put learned contexts in place of some."""
        with torch.no_grad():
            return self._embedding(ids).float()  # type: ignore[no-any-return]

    def encode(
        self,
        embeddings: Tensor,
        eot: Tensor,
        deep_prompts: Sequence[Tensor] | None = None,
        deep_start: int = 1,
    ) -> Tensor:
        """Token embeddings → text features in joint space, [n,d] float32, not normalised.

        `embeddings`: [n,L,width] without positions, with learned contexts in place; L may be shorter than the
        context length if the mask is causal. `eot`: [n], see `eot()`. `deep_prompts`: one [P,width] or
        [n,P,width] for block 2, 3, … in turn; it replaces the outputs of the previous block at positions
        `deep_start`…`deep_start`+P-1 (block 1's prompts are in `embeddings`), as in MaPLe.

        With a causal mask everything behind max(eot) is cut off, which changes no result.
        """
        tokens = self.encode_tokens(embeddings, eot, deep_prompts, deep_start)
        return tokens[torch.arange(len(tokens), device=tokens.device), eot.to(tokens.device)]

    def encode_tokens(
        self,
        embeddings: Tensor,
        eot: Tensor,
        deep_prompts: Sequence[Tensor] | None = None,
        deep_start: int = 1,
    ) -> Tensor:
        """As `encode`, but what every token becomes, in joint space: [n,L',d] float32, not normalised.

        Raises ValueError for L other than the context length where the mask isn't causal.
        """
        learned = [embeddings, *(deep_prompts or ())]
        with torch.set_grad_enabled(torch.is_grad_enabled() and any(t.requires_grad for t in learned)):
            length = int(eot.max()) + 1 if self.causal else embeddings.shape[1]
            if not self.causal and length != self.context_length:
                raise ValueError(
                    f"this text tower isn't causal: give all {self.context_length} tokens, not {length}"
                )
            dtype = self._positions.dtype
            x = embeddings[:, :length].to(self._positions.device, dtype) + self._positions[:length]
            mask = self._mask(eot, length, dtype)
            for index, block in enumerate(self._blocks):
                if index and deep_prompts and index <= len(deep_prompts):
                    x = _replace(x, deep_prompts[index - 1], deep_start)
                x = block(x, attn_mask=mask)
            out: Tensor = self._norm(x)
            if isinstance(self._projection, nn.Linear):
                out = self._projection(out)
            elif self._projection is not None:
                out = out @ self._projection
            return out.float()

    def hidden(self, embeddings: Tensor, eot: Tensor) -> list[Tensor]:
        """What enters every block, [n,L',width] float32 each, without gradient: block 1's is `embeddings`,
        without positions, so that any of it can be handed to `encode` as context and deep prompts."""
        with torch.no_grad():
            length = int(eot.max()) + 1 if self.causal else embeddings.shape[1]
            dtype, x = self._positions.dtype, embeddings[:, :length].to(self._positions.device)
            mask = self._mask(eot, length, dtype)
            entering, x = [x.float()], x.to(dtype) + self._positions[:length]
            for block in self._blocks[:-1]:
                x = block(x, attn_mask=mask)
                entering.append(x.float())
            return entering

    def _mask(self, eot: Tensor, length: int, dtype: torch.dtype) -> Tensor | None:
        device = self._positions.device
        if self.causal:
            return torch.full((length, length), -torch.inf, device=device, dtype=dtype).triu_(1)
        if not self._pad_mask:
            return None
        padded = torch.arange(length, device=device) > eot.to(device)[:, None]
        mask = torch.zeros(len(eot), length, device=device, dtype=dtype).masked_fill_(padded, -torch.inf)
        return mask[:, None].expand(-1, length, -1).repeat_interleave(self._heads, dim=0)

    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Text features of unit length [n,d], float32, without gradient."""
        with torch.no_grad():
            features = []
            for start in range(0, len(texts), CHUNK):
                ids = self.tokens(texts[start : start + CHUNK])
                features.append(self.encode(self.embed(ids), self.eot(ids)))
            if not features:
                return torch.zeros(0, self.embed_dim, device=self._positions.device)
            return F.normalize(torch.cat(features), dim=-1)


class TextOnDemand:
    """A text tower that is loaded when it is first asked for, once, by however many threads at a time."""

    def __init__(
        self, load: Callable[[], TextTower | None], device: torch.device, dtype: torch.dtype
    ) -> None:
        self._load, self._device, self._dtype = load, device, dtype
        self._lock = threading.Lock()
        self._tower: TextTower | None = None
        self.asked = False

    def tower(self) -> TextTower | None:
        """The tower on its device; None where the model has none that open_clip
        owns. Raises WeightsError, and then loads it when asked again."""
        with self._lock:
            if not self.asked:
                # Also when an inspection asks first, a teaching may learn through it.
                with torch.inference_mode(False):
                    loaded = self._load()
                    self._tower = None if loaded is None else loaded.to(self._device, self._dtype)
                self.asked = True
            return self._tower

    def afresh(self) -> "TextOnDemand":
        """The same tower, never asked for."""
        return TextOnDemand(self._load, self._device, self._dtype)


def _replace(x: Tensor, prompts: Tensor, start: int) -> Tensor:
    prompts = prompts.to(x.device, x.dtype)
    prompts = (
        prompts.expand(x.shape[0], -1, -1) if prompts.ndim == 3 else prompts[None].expand(x.shape[0], -1, -1)
    )
    return torch.cat([x[:, :start], prompts, x[:, start + prompts.shape[1] :]], dim=1)


class _Tokenizer:
    """open_clip's tokenizer for an architecture, made when first used; never from the network."""

    def __init__(self, architecture: str, context_length: int, folder: Path | None) -> None:
        self.architecture, self.context_length, self.folder = architecture, context_length, folder
        self._made: Any = None

    def __call__(self, texts: list[str]) -> Tensor:
        if self._made is None:
            self._made = self._make()
        ids: Tensor = self._made(texts)
        return ids

    def _make(self) -> Any:
        config = open_clip.get_model_config(self.architecture) or {}
        text = config.get("text_cfg", {})
        options = text.get("tokenizer_kwargs", {})
        if not text.get("hf_tokenizer_name"):
            return open_clip.SimpleTokenizer(context_length=self.context_length, **options)
        if self.folder is None or not (self.folder / "tokenizer.json").is_file():
            raise WeightsError(
                f"The tokenizer of {self.architecture} is not here.",
                "Copy tokenizer.json, tokenizer_config.json and special_tokens_map.json beside the weights file.",
            )
        try:
            return HFTokenizer(
                str(self.folder),
                context_length=self.context_length,
                tokenizer_mode=text.get("tokenizer_mode"),
                local_files_only=True,
                **options,
            )
        except ImportError as error:
            raise WeightsError(
                f"The text tower of {self.architecture} needs the package transformers.",
                installation.add("transformers"),
            ) from error
