"""Hold the recipes for prime-rl and verl against the programs they are for, as far as these are installed.

python dev/check_rl_recipes.py

verl: the configuration is composed by hydra over verl's own tree, in which every key must exist, made into
verl's dataclasses, whose checks run, and passed to verl's ``validate_config``. No Ray job is begun. prime-rl:
where ``prime_rl.configs`` can be imported (it is on no index; install ``packages/prime-rl-configs`` of a
checkout), the file is read by its ``RLConfig``, as ``rl --dry-run`` does.
"""

from __future__ import annotations

import sys
import tomllib
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
VERL = ROOT / "recipes/verl/cwm-32b.yaml"
PRIME_RL = ROOT / "recipes/prime-rl/cwm-32b.toml"


def verl_config(path: Path = VERL) -> Any:
    """Return verl's configuration with the recipe over it, checked.

    Raises:
        Exception: as hydra, verl's dataclasses or its checks find something wrong.
    """
    import yaml
    from hydra import compose, initialize_config_dir, initialize_config_module
    from omegaconf import OmegaConf
    from verl.utils.config import omega_conf_to_dataclass, validate_config

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hydra 1.3 and omegaconf 2.4
        with initialize_config_module("verl.trainer.config", version_base=None):
            known = OmegaConf.to_container(compose("ppo_trainer"), resolve=False)
        unknown = sorted(set(keys(yaml.safe_load(path.read_text(encoding="utf-8")))) - set(keys(known)))
        if unknown:
            raise ValueError(f"verl knows no {', '.join(unknown)}")
        with initialize_config_dir(str(path.parent.absolute()), version_base=None):
            config = compose(path.stem)
        worker = config.actor_rollout_ref
        for section in (config.algorithm, worker.actor, worker.rollout, worker.actor.fsdp_config):
            omega_conf_to_dataclass(section)
        validate_config(config, use_reference_policy=False, use_critic=False)
    return config


def keys(config: Mapping[Any, Any], above: str = "") -> Iterator[str]:
    """Yield the dotted names of what a configuration sets, without what is hydra's own."""
    for name, value in config.items():
        here = f"{above}{name}"
        if here not in ("hydra", "defaults"):
            yield here
            if isinstance(value, Mapping):
                yield from keys(value, f"{here}.")


def prime_rl_config(path: Path = PRIME_RL) -> Any:
    """Return prime-rl's configuration.

    Raises:
        ImportError: it is not installed.
        ValueError: the recipe does not fit it.
    """
    from prime_rl.configs.rl import RLConfig

    return RLConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


def main() -> int:
    """Check both and say so; 1 when one does not fit, 2 when neither program is here."""
    outcomes = {}
    for name, check in (("verl", verl_config), ("prime-rl", prime_rl_config)):
        try:
            check()
            outcomes[name] = "fits"
        except ImportError as error:
            outcomes[name] = f"not here: {error}"
        except Exception as error:
            outcomes[name] = f"DOES NOT FIT: {error}"
    for name, outcome in outcomes.items():
        sys.stdout.write(f"{name}: {outcome}\n")
    if any("DOES NOT FIT" in outcome for outcome in outcomes.values()):
        return 1
    return 0 if "fits" in outcomes.values() else 2


if __name__ == "__main__":
    sys.exit(main())
