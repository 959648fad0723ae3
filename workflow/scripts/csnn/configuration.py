"""What the JSON schema of ``config.yaml`` cannot say: sentences for its errors, and checks across keys."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from csnn import sweep
from csnn.files import InputError
from csnn.neurons import with_defaults


def typed(value: Any, schema: Mapping) -> Any:
    """Turn text into the numbers, booleans and nulls that the schema wants.

    ``snakemake --config snn='{steps: 50}'`` hands every nested value over as text, and YAML reads ``1e-9`` as text.

    Parameters
    ----------
    value
        A configuration, or a part of one.
    schema
        The schema of that part.
    """
    if isinstance(value, Mapping):
        others = schema.get("additionalProperties") or {}
        properties = schema.get("properties", {})
        return {key: typed(item, properties.get(key, others)) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item, schema.get("items", {})) for item in value]
    types = schema.get("type", "string")
    if not isinstance(value, str) or types == "string":
        return value
    constants = {"null": None, "true": True, "false": False}
    if value.lower() in constants:
        return constants[value.lower()]
    for number in (int, float) * ("string" not in types):
        try:
            return number(value)
        except ValueError:
            continue
    return value


def sentence(error: Any) -> str:
    """Say a schema violation in one sentence: the key, its value and what is allowed.

    Parameters
    ----------
    error : jsonschema.ValidationError
        Subschemas say in their annotation ``allowed`` which values they take.
    """
    place = _dotted(error.absolute_path)
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        unknown = next(key for key in error.instance if key not in known)
        guess = difflib.get_close_matches(str(unknown), known, 1)
        hint = f" (did you mean {guess[0]}?)" if guess else ""
        key = f"{place}.{unknown}" if place else unknown
        return f"config key {key} is unknown{hint}; {place or 'the configuration'} takes {', '.join(known)}"
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        return f"config key {place}.{missing} is missing; {place} takes {error.schema.get('allowed', missing)}"
    allowed = error.schema.get("allowed", error.message)
    return f"config key {place or '(top level)'} is {_shown(error.instance)}; it must be {allowed}"


def _dotted(path: Any) -> str:
    """Write a path in the configuration as one does by hand: ``snn.tau_syn_s[1]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _shown(value: Any) -> str:
    """Write a value shortly, as in YAML where that is shorter than in Python."""
    text = {None: "null", True: "true", False: "false"}.get(value) if isinstance(value, bool | None) else None
    text = text or repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def check(config: Mapping, schema: Mapping) -> dict:
    """Check what goes across keys and complete the neurons' parameters.

    Parameters
    ----------
    config
        A configuration that the schema has accepted and filled with defaults.
    schema
        That schema.

    Returns
    -------
    dict
        The same configuration with each neuron's parameters complete; neurons set to null are left out.

    Raises
    ------
    InputError
        Naming the key, its value and what would be right.
    """
    for place, value in _numbers(config):
        if not math.isfinite(value):
            raise InputError(f"config key {place} is {value}; it must be a finite number")
    for place, value, allowed in _floats_for_integers(config, schema):
        raise InputError(f"config key {place} is {value}; it must be {allowed}")
    snn = dict(config["snn"])
    for place, row in [("snn", snn)] + [(f"snn.networks[{i}]", row) for i, row in enumerate(snn["networks"])]:
        for key in ("tau_syn_s", "seeds"):
            values = row.get(key, [])
            if len(set(values)) < len(values):
                raise InputError(f"config key {place}.{key} is {values}; each value must stand in it once")
    try:
        snn["neurons"] = {
            name: with_defaults(name, parameters)
            for name, parameters in snn["neurons"].items()
            if parameters is not None
        }
    except ValueError as error:
        raise InputError(f"config key snn.neurons: {error}") from error
    if not snn["neurons"]:
        raise InputError("config key snn.neurons names no neuron; it must name at least one")
    sweep.networks(snn, config["cnn"]["variants"])
    _check_variants(config, snn["neurons"])
    _check_analyses(config)
    for key, path in _named_files(config):
        if path is not None and not Path(path).is_file():
            raise InputError(f"config key {key} names {path}, which does not exist; it must be the path of a file")
    return dict(config) | {"snn": snn}


def _check_variants(config: Mapping, neurons: Mapping) -> None:
    """Check each variant's name, what it is made from, and its activation."""
    variants = config["cnn"]["variants"]
    curves = [name for name, parameters in neurons.items() if parameters.get("type", name) == "LIF"]
    for name, variant in variants.items():
        if name in sweep.RESERVED or name in neurons:
            raise InputError(f"config key cnn.variants has the name {name}, which stands for something else already")
        sweep.lineage(variants, name)
        if variant["tune"]["activation"] not in ["relu", *curves]:
            raise InputError(
                f"config key cnn.variants.{name}.tune.activation is {variant['tune']['activation']!r}; "
                f"it must be {' or '.join(['relu', *curves])}"
            )
    if variants and config["cnn"]["architecture"]["builder"]:
        raise InputError("config key cnn.variants changes the sizes of cnn.architecture; it cannot go with a builder")


def _check_analyses(config: Mapping) -> None:
    """Check that choices are made on images of their own, and are reported once."""
    analyses, images = config["analyses"], config["data"]["validation_images"]
    if "gap" in analyses and not images:
        raise InputError(
            "config key data.validation_images is 0; it must be at least 1 for the analysis gap, which chooses on them"
        )
    if "gap" in analyses and (others := {"paper", "readouts", "claims"} & set(analyses)):
        raise InputError(
            f"config key analyses is {analyses}; {', '.join(sorted(others))} would show every configuration on the "
            "test images, from which gap reports what was chosen without them: it must stand in another experiment"
        )


def _named_files(config: Mapping) -> Iterator[tuple[str, str | None]]:
    """Yield every file that a configuration names, with its key."""
    source, builder = config["data"]["source"], config["cnn"]["architecture"]["builder"]
    yield "data.source", source if source.endswith(".npz") else None
    yield "data.archive", config["data"]["archive"]
    yield "cnn.weights", config["cnn"]["weights"]
    yield "cnn.architecture.builder", builder and builder.rpartition(":")[0]


def _floats_for_integers(value: Any, schema: Mapping, place: str = "") -> Iterator[tuple[str, float, str]]:
    """Yield every float where the schema wants an integer: to JSON 10.0 is one, to Python it is not."""
    if schema.get("type") == "integer" and isinstance(value, float):
        yield place, value, schema["allowed"]
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _floats_for_integers(item, schema.get("items", {}), f"{place}[{i}]")
    elif isinstance(value, Mapping):
        for key, described in schema.get("properties", {}).items():
            yield from _floats_for_integers(value.get(key), described, f"{place}.{key}" if place else key)


def _numbers(value: Any, place: str = "") -> Iterator[tuple[str, float]]:
    """Yield every number in a configuration with its place."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _numbers(item, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _numbers(item, f"{place}[{i}]")
    elif isinstance(value, float):
        yield place, value
