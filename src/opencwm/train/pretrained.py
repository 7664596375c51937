"""Fine-tuning: a Hugging Face folder behind the interface of the loop, all of it or an adapter to it.

The idea: the model is the one transformers makes of the folder's ``config.json``, made without weights,
sharded, and filled straight from the ``safetensors`` files, of which every rank reads its own rows: it never
exists whole in one place. Documents of a row are kept apart by position ids that begin anew with each of
them, which transformers turns into the mask or the borders that its attention takes. Logits are computed at
the positions that carry loss only.

Frozen weights (of a model that gets an adapter) are left out of checkpoints: the folder has them.

Source: transformers, ``masking_utils.find_packed_sequence_indices``; peft, ``LoraConfig``.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
from torch.distributed.checkpoint.state_dict_loader import load

from opencwm.core.errors import ConfigError
from opencwm.model.token_loss import token_losses
from opencwm.train.checkpoint import MODEL_FOLDER, quiet
from opencwm.train.config import LoraConfig, TrainConfig
from opencwm.train.pretrained_folder import open_folder, write_folder
from opencwm.train.ranks import Ranks
from opencwm.train.sharding import fill, gather, materialize, whole

ADAPTER_FOLDER = "adapter"

_ADAPTER = "default"  # peft's name of the only adapter
_PREFIX = "base_model.model."  # what peft puts before the names of the model it adds to


class PretrainedDecoder(nn.Module):
    """A causal language model of transformers that is called as :class:`opencwm.model.torch_decoder.Decoder`.

    It is made without weights; :meth:`load` follows when it has been sharded.

    Args:
        config: the recipe, its ``init.from`` a folder or a name on the hub.
        device: where it will live.
        dtype: what is computed in.

    Raises:
        ConfigError: a package is missing, the folder is none, or has another shape than the recipe.
    """

    def __init__(self, config: TrainConfig, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__()
        self._folder, self._name = open_folder(config), config.init.from_
        self._lora, self._seed, self._device, self._dtype = config.init.lora, config.seed, device, dtype
        self._attention = _attention(config.init.attention, device)
        self.model = self._make()

    def _make(self) -> nn.Module:
        from accelerate import init_empty_weights
        from transformers import AutoConfig, AutoModelForCausalLM

        config = AutoConfig.from_pretrained(self._folder)
        config.name_or_path = self._name  # what an adapter says it is for
        is_small = self._lora is not None and self._lora.base_dtype == "bfloat16"
        with init_empty_weights(include_buffers=False):
            model: nn.Module = AutoModelForCausalLM.from_config(
                config,
                dtype=torch.bfloat16 if is_small else torch.float32,
                attn_implementation=self._attention,
            )
        model.tie_weights()  # type: ignore[operator]
        if self._lora:
            model = _with_adapter(model, self._lora)
        return model.train()

    @property
    def base(self) -> Any:
        """The model of transformers, without what peft put around it."""
        return self.model.get_base_model() if self._lora else self.model  # type: ignore[operator]

    @property
    def layers(self) -> nn.ModuleList:
        """The layers, in order."""
        layers: nn.ModuleList = self.base.get_decoder().layers
        return layers

    def forward(
        self,
        ids_BT: Tensor,
        doc_BT: Tensor,
        positions_P: Tensor,
        borders_A: Tensor | None = None,  # noqa: ARG002 - transformers finds them itself
        targets_P: Tensor | None = None,
        chunk: int = 0,
    ) -> Any:
        """Return logits at ``positions_P``, or, given targets, their losses; see ``Decoder.forward``."""
        places_BT = restarting_positions(doc_BT)
        if self._attention.startswith("flash"):  # it knows documents in a single row only
            ids_BT, places_BT = ids_BT.view(1, -1), places_BT.view(1, -1)
        with torch.autocast(self._device.type, self._dtype, enabled=self._dtype != torch.float32):
            out = self.base.get_decoder()(input_ids=ids_BT, position_ids=places_BT, use_cache=False)
            hidden_PC = out.last_hidden_state.flatten(0, 1).index_select(0, positions_P)
            head = self.base.get_output_embeddings()
            if targets_P is not None:
                return token_losses(head, hidden_PC, targets_P, chunk)
            return head(hidden_PC).float()

    def load(self, ranks: Ranks) -> None:
        """Fill this rank's share of the weights from the folder, and draw the adapter's.

        Raises:
            ConfigError: the files lack a weight, or hold one of another shape.
        """
        materialize(self, self._device)
        wanted = {name: weight.detach() for name, weight in self._published()}
        try:
            with quiet():
                reader = HuggingFaceStorageReader(str(self._folder))
                load(wanted, storage_reader=reader, no_dist=ranks.world == 1)
        except (
            Exception,
            CheckpointException,
        ) as error:  # a torn or a foreign file makes the reader raise anything
            what = " ".join(str(error).split())[-200:]
            raise ConfigError(f"its weights cannot be read: {what}", where=str(self._folder)) from None
        self._draw_adapter()

    def _published(self) -> Iterator[tuple[str, Tensor]]:
        """Yield the weights that are not the adapter's, under the names they have in the folder's files."""
        for name, weight in self.base.named_parameters():
            if "lora_" not in name:
                yield name.replace(".base_layer.", "."), weight

    def _draw_adapter(self) -> None:
        """Draw the adapter as peft does, one factor zero, the same on any number of ranks."""
        generator = torch.Generator().manual_seed(self._seed)
        for name, weight in self.named_parameters():
            if "lora_A" in name:
                drawn = torch.empty(weight.shape)
                nn.init.kaiming_uniform_(drawn, a=5**0.5, generator=generator)
                fill(weight, drawn.to(weight))
            elif "lora_B" in name:
                fill(weight, torch.zeros_like(weight, device=self._device))

    def save(self, out: Path, ranks: Ranks, *, is_last: bool) -> None:
        """Write the adapter, and at the end of a run the whole model, the adapter merged in.

        A whole model is as large as all its weights, so that it is not written with every checkpoint.
        """
        if self._lora:
            named = ((name, weight) for name, weight in self.model.named_parameters() if "lora_" in name)
            adapter = dict(gather(named, ranks))
            if ranks.is_first:
                _save_adapter(self.model, out / ADAPTER_FOLDER, adapter)
        if is_last:
            shapes = {name: weight.shape for name, weight in self._published()}
            merged = gather(self._merged(), ranks)
            write_folder(out / MODEL_FOLDER, self._folder, shapes, merged, is_first=ranks.is_first)

    def _merged(self) -> Iterator[tuple[str, Tensor]]:
        """Yield the published weights, the adapter added; whole ones where there is something to add."""
        modules = dict(self.base.named_modules())
        for name, weight in self._published():
            module = modules[name.removesuffix(".weight")]
            if hasattr(module, "lora_A"):
                low, high = (whole(pair[_ADAPTER].weight.detach()) for pair in (module.lora_A, module.lora_B))
                change = (high.float() @ low.float()) * module.scaling[_ADAPTER]
                yield name, (whole(weight.detach()).float() + change).to(weight.dtype)
            else:
                yield name, weight


def restarting_positions(doc_BT: Tensor) -> Tensor:
    """Return the place of every token within its document, (B, T)."""
    place_T = torch.arange(doc_BT.shape[1], device=doc_BT.device)
    is_first_BT = torch.ones_like(doc_BT, dtype=torch.bool)
    is_first_BT[:, 1:] = doc_BT[:, 1:] != doc_BT[:, :-1]
    start_BT = torch.where(is_first_BT, place_T, 0).cummax(dim=1).values
    return place_T - start_BT


def _attention(name: str, device: torch.device) -> str:
    if name != "auto":
        return name
    if device.type == "cpu":
        return "sdpa"
    return "flash_attention_2" if importlib.util.find_spec("flash_attn") else "flex_attention"


def _with_adapter(model: nn.Module, lora: LoraConfig) -> nn.Module:
    import peft

    settings = peft.LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, target_modules=list(lora.targets), task_type="CAUSAL_LM"
    )
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning)  # between the two libraries
            made: nn.Module = peft.get_peft_model(model, settings, low_cpu_mem_usage=True)
    except ValueError as error:  # no projection of these names
        raise ConfigError(" ".join(str(error).split())[:200], where="init.lora.targets") from None
    return made


def _save_adapter(model: Any, folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write the folder that ``peft.PeftModel.from_pretrained`` reads."""
    model.save_pretrained(folder, state_dict=dict(tensors), save_embedding_layers=False)
