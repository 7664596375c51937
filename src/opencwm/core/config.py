"""Strict configuration: TOML in, frozen dataclasses out, resolved JSON back.

The idea: a config class is a frozen, keyword-only dataclass beside what it configures, and this module fills
it. Every key must exist and every value must have the declared type, so a typing mistake in a recipe is an
error naming the nearest key, never a silently ignored line. Precedence: the class's default < the file <
``--set a.b=v`` overrides.

Field types understood: bool, int, float (an integer is accepted), str, Path, Literal, ``X | None``,
``tuple[X, ...]``, ``dict[str, X]``, ``Any`` and nested dataclasses. A union of dataclasses is told apart by
the field ``kind`` that each of them declares as a Literal. A field ``from_`` is written ``from``, which
Python keeps for itself. Ranges are checked by the dataclass itself in
``__post_init__``.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

from opencwm.core.errors import ConfigError

ConfigType = TypeVar("ConfigType")


def load_config(
    cls: type[ConfigType], path: Path | None = None, overrides: Sequence[str] = (), *, where: str = "config"
) -> ConfigType:
    """Build ``cls`` from its defaults, then the TOML file, then overrides of the form ``table.key=value``.

    An override's value is read as a TOML value when it is one (``3``, ``true``, ``[1, 2]``), else taken as a
    plain string. Without a file, errors name ``where``.

    Raises:
        ConfigError: unreadable file, bad TOML, unknown key, wrong type, missing required key, malformed
        override.
    """
    data = _read_toml(path) if path is not None else {}
    for override in overrides:
        _apply_override(data, override)
    return from_dict(cls, data, where=str(path) if path is not None else where)


def from_dict(cls: type[ConfigType], data: Mapping[str, Any], *, where: str = "config") -> ConfigType:
    """Build the dataclass ``cls`` from nested mappings, strictly.

    Raises:
        ConfigError: unknown key (the nearest one is named), wrong type, missing required key.
    """
    fields = {_key(field): field for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]
    for key in data:
        if key not in fields:
            raise ConfigError(f"unknown key {key!r}", where=where, hint=_nearest(key, list(fields)))
    hints = typing.get_type_hints(cls)
    values = {
        fields[key].name: _convert(hints[fields[key].name], value, f"{where}: {key}")
        for key, value in data.items()
    }
    for key, field in fields.items():
        no_default = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if no_default and key not in data:
            raise ConfigError(f"the key {key!r} is missing", where=where)
    return cls(**values)


def to_dict(config: Any) -> dict[str, Any]:
    """Return the resolved settings as JSON-able nested dictionaries; ``from_dict`` reads them back."""
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise TypeError("to_dict takes an instance of a dataclass")
    return {
        _key(field): _plain(getattr(config, field.name)) for field in dataclasses.fields(config) if field.init
    }


def to_json(config: Any) -> str:
    """Return the resolved settings as indented JSON, keys in order of declaration."""
    return json.dumps(to_dict(config), indent=2, ensure_ascii=False)


def _key(field: dataclasses.Field[Any]) -> str:
    return field.name.removesuffix("_")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror or error}", where=str(path)) from None
    except UnicodeDecodeError:
        raise ConfigError("is not UTF-8 text", where=str(path)) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not valid TOML: {error}", where=str(path)) from None


def _apply_override(data: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    keys = [part.strip() for part in name.split(".")]
    if not equals or not all(keys):
        raise ConfigError("an override must look like table.key=value", where=f"--set {override}")
    table = data
    for key in keys[:-1]:
        child = table.setdefault(key, {})
        if not isinstance(child, dict):
            raise ConfigError(f"{key!r} is a value, not a table", where=f"--set {override}")
        table = child
    table[keys[-1]] = _override_value(text.strip())


def _override_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _nearest(key: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(sorted(known))}"


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        return _convert_union(typing.get_args(hint), value, where)
    if origin is Literal:
        choices = typing.get_args(hint)
        if value not in choices or type(value) not in {type(choice) for choice in choices}:
            listed = ", ".join(map(repr, choices))
            raise ConfigError(f"{value!r} is not one of {listed}", where=where)
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise _wrong_type("a list", value, where)
        item = typing.get_args(hint)[0]
        return tuple(_convert(item, entry, f"{where}[{index}]") for index, entry in enumerate(value))
    if origin is dict:
        item = typing.get_args(hint)[1]
        return {key: _convert(item, entry, f"{where}.{key}") for key, entry in _table(value, where).items()}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return value if isinstance(value, hint) else from_dict(hint, _table(value, where), where=where)
    return _convert_scalar(hint, value, where)


def _convert_union(members: Sequence[Any], value: Any, where: str) -> Any:
    if value is None and type(None) in members:
        return None
    by_kind = _members_by_kind(members)
    if by_kind and isinstance(value, Mapping):
        kind = value.get("kind")
        if kind not in by_kind:
            listed = ", ".join(map(repr, by_kind))
            what = "the key 'kind' is missing" if kind is None else f"{kind!r} is not one of {listed}"
            raise ConfigError(what, where=f"{where}: kind", hint="" if kind else f"one of {listed}")
        return from_dict(by_kind[kind], value, where=where)
    problems = []
    for member in members:
        if member is type(None):
            continue
        try:
            return _convert(member, value, where)
        except ConfigError as error:
            problems.append(error)
    raise problems[0]


def _members_by_kind(members: Sequence[Any]) -> dict[Any, type[Any]]:
    """Return the dataclasses of a union by the values of their Literal field ``kind``."""
    by_kind: dict[Any, type[Any]] = {}
    for member in members:
        if isinstance(member, type) and dataclasses.is_dataclass(member):
            hint = typing.get_type_hints(member).get("kind")
            if typing.get_origin(hint) is Literal:
                by_kind.update(dict.fromkeys(typing.get_args(hint), member))
    return by_kind


def _convert_scalar(hint: Any, value: Any, where: str) -> Any:
    if hint is Path and isinstance(value, str | Path):
        return Path(value)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if hint in (int, str, bool) and type(value) is hint:
        return value
    if hint in (int, float, str, bool, Path):
        raise _wrong_type(
            {int: "an integer", float: "a number", bool: "true or false"}.get(hint, "a string"), value, where
        )
    raise TypeError(f"{where}: a config field of type {hint!r} is not supported")


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong_type("a table", value, where)
    return value


def _wrong_type(wanted: str, value: Any, where: str) -> ConfigError:
    return ConfigError(f"must be {wanted}, not {value!r}", where=where)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_dict(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    return value
