"""What the JSON schema of ``config.yaml`` cannot say: sentences for its errors, and checks across keys."""

from __future__ import annotations

import datetime
import difflib
import math
import os
import shutil
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from csnn.data import sources
from csnn.experiment import sweep
from csnn.files import InputError
from csnn.neurons import with_defaults

MAX_SIMULATIONS = 1_000_000
"""Largest number of simulations that are planned: beyond, Snakemake would take hours to say what it will do."""

LEAST_SPACE = 1_000_000
"""Bytes that must be free where results go: no more than what tells a full disk from another."""


def check_keys(path: str | os.PathLike) -> None:
    """Check that no mapping of a configuration file has a key twice, of which YAML would quietly take the last.

    Raises
    ------
    InputError
        Naming the file, the key and its lines.
    """
    try:
        with open(path, encoding="utf-8") as file:
            waiting = [yaml.compose(file)]
    except yaml.YAMLError:
        return  # Snakemake takes JSON too, not all of which is YAML
    seen = set()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))  # an alias may lead back
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            lines: dict[str, int] = {}
            for key, value in node.value:
                line = key.start_mark.line + 1
                if isinstance(key.value, str) and key.value != "<<" and lines.setdefault(key.value, line) != line:
                    raise InputError(
                        f"{path} has the key {key.value} in line {lines[key.value]} and again in line {line}; "
                        "each key must stand once in its mapping"
                    )
                waiting.append(value)


def typed(value: Any, schema: Mapping) -> Any:
    """Turn text into the numbers, booleans and nulls that the schema wants, and keys into text.

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
        return {str(key): typed(item, properties.get(str(key), others)) for key, item in value.items()}
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
    if "propertyNames" in error.absolute_schema_path:
        return f"config key {place} has the key {_shown(error.instance)}; it must be {allowed}"
    if error.schema.get("type") == "string" and isinstance(error.instance, int | float | datetime.date):
        allowed += ", in quotes where YAML would read something else"
    return f"config key {place or '(top level)'} is {_shown(error.instance)}; it must be {allowed}"


def one_line(text: str) -> str:
    """Write what cannot be printed, line breaks above all, as Python does: keys may hold anything."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _dotted(path: Any) -> str:
    """Write a path in the configuration as one does by hand: ``snn.tau_syn_s[1]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _shown(value: Any) -> str:
    """Write a value shortly, as in YAML where that is shorter than in Python."""
    text = {None: "null", True: "true", False: "false"}.get(value) if isinstance(value, bool | None) else None
    return _shortened(text or (str(value) if isinstance(value, datetime.date) else repr(value)))


def _shortened(text: str) -> str:
    """Cut a text where it would make a sentence unreadable."""
    return text if len(text) <= 200 else text[:197] + "..."


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
                raise InputError(f"config key {place}.{key} is {_shown(values)}; each value must stand in it once")
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
    if reserved := sweep.RESERVED & set(snn["neurons"]):
        raise InputError(
            f"config key snn.neurons has the name {min(reserved)}, which stands for something else already; "
            "it must have another, and say its type"
        )
    _check_variants(config, snn["neurons"])
    networks = sweep.networks(snn, config["cnn"]["variants"])
    _check_rates(config, networks)
    _check_number_of_simulations(config, networks)
    _check_analyses(config)
    for key, path in named_files(config):
        if path is not None:
            _check_path(key, path)
    _check_images(config)
    return dict(config) | {"snn": snn}


def check_place(folder: Path) -> None:
    """Check that results can be written to a folder, which need not exist yet.

    Raises
    ------
    InputError
        Naming what is in the way.
    """
    there = next(path for path in (folder, *folder.parents) if path.exists() or path.is_symlink())
    if not there.is_dir():
        what = "a file" if there.exists() else f"a link to {os.readlink(there)}, which does not exist"
        raise InputError(f"{there} is {what}; it must be a folder, for results go to {folder}")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"{there} is not writable; results go to {folder}, so it must be")
    free = shutil.disk_usage(there).free
    if free < LEAST_SPACE:
        raise InputError(f"{there} is on a disk with no space left ({free} bytes); results go to {folder}: make space")


def _check_path(key: str, path: str) -> None:
    """Check that a file that the configuration names can be read, and that Snakemake takes its path as it is."""
    if special := [letter for letter in path if letter in "{}<>" or unicodedata.category(letter) in ("Cc", "Cs")]:
        raise InputError(
            f"config key {key} names {path!r}, which has {special[0]!r} in it; Snakemake reads braces and angle "
            "brackets in paths as its own, and line breaks and the like end them: it must be a path without"
        )
    if not os.path.isfile(path):
        what = "is a folder" if os.path.isdir(path) else "does not exist"
        raise InputError(f"config key {key} names {_shortened(path)}, which {what}; it must be the path of a file")
    if not os.access(path, os.R_OK):
        raise InputError(f"config key {key} names {path}, which is not readable; it must be a file that you may read")


def _check_images(config: Mapping) -> None:
    """Check that the data set has as many images as the configuration wants, before anything is made of them."""
    source, shown = config["data"]["source"], config["figures"]["logit_image"]
    overview = sources.overview(source)
    sizes = {"train": overview.train, "test": overview.test}
    held_out = config["data"]["validation_images"]
    left = sizes["train"] - held_out
    wanted = [
        ("data.test_images", config["data"]["test_images"], "test", sizes["test"], ""),
        ("data.validation_images", held_out, "train", sizes["train"] - 1, ", of which one must be left to train with"),
        ("figures.logit_image.index", shown["index"], shown["split"], sizes[shown["split"]] - 1, ", counted from 0"),
    ]
    for name, variant in config["cnn"]["variants"].items():
        if variant["tune"]["images"] is not None:
            key = f"cnn.variants.{name}.tune.images"
            kept = f", of which data.validation_images keeps {held_out} out"
            wanted.append((key, variant["tune"]["images"], "train", left, kept))
    for key, value, split, largest, note in wanted:
        if value > largest:
            raise InputError(
                f"config key {key} is {value}, but the {split} set of {source} has {sizes[split]} images{note}; "
                f"it must be at most {largest}"
            )


def _check_rates(config: Mapping, networks: Mapping[str, Mapping]) -> None:
    """Check that maximal rates by layer are as many as the CNN has layers of neurons; a builder's are not known yet."""
    architecture = config["cnn"]["architecture"]
    for name, network in networks.items():
        rates = network["max_rate_hz"]
        if isinstance(rates, list) and not architecture["builder"]:
            sizes = sweep.architecture(config["cnn"]["variants"], architecture, network["variant"])
            layers = len(sizes["filters"]) + 1
            if len(rates) != layers:
                raise InputError(
                    f"config key snn.max_rate_hz is {_shown(rates)} for the network {name}; its CNN has {layers} "
                    "layers of neurons, so it must be one rate or as many"
                )


def _check_number_of_simulations(config: Mapping, networks: Mapping[str, Mapping]) -> None:
    """Check that Snakemake can plan the sweep."""
    images = config["data"]["test_images"] + config["data"]["validation_images"]
    configurations = sum(len(network["tau_syn_s"]) * len(network["seeds"]) for network in networks.values())
    jobs = configurations * math.ceil(images / config["simulation"]["images_per_shard"])
    if jobs > MAX_SIMULATIONS:
        raise InputError(
            f"config key simulation.images_per_shard is {config['simulation']['images_per_shard']}; that makes {jobs} "
            f"simulations of {configurations} configurations on {images} images, more than the {MAX_SIMULATIONS} that "
            "can be planned: it must be larger, or the sweep smaller"
        )


def _check_variants(config: Mapping, neurons: Mapping) -> None:
    """Check each variant's name, what it is made from, and its activation."""
    variants = config["cnn"]["variants"]
    curves = [name for name, parameters in neurons.items() if parameters.get("type", name) == "LIF"]
    for name, variant in variants.items():
        if name in sweep.RESERVED or name in neurons:
            raise InputError(
                f"config key cnn.variants has the name {name}, which stands for something else already; "
                "it must have another"
            )
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
    if "activity" in analyses and config["simulation"]["engine"] != "event":
        raise InputError(
            "config key analyses has activity, which the engine event alone counts; simulation.engine must be event"
        )
    if "gap" in analyses and not images:
        raise InputError(
            "config key data.validation_images is 0; it must be at least 1 for the analysis gap, which chooses on them"
        )
    if "gap" in analyses and (others := {"paper", "readouts", "claims"} & set(analyses)):
        raise InputError(
            f"config key analyses is {analyses}; {', '.join(sorted(others))} would show every configuration on the "
            "test images, from which gap reports what was chosen without them: it must stand in another experiment"
        )


def named_files(config: Mapping) -> Iterator[tuple[str, str | None]]:
    """Yield every file that a configuration names, with its key."""
    source, builder = config["data"]["source"], config["cnn"]["architecture"]["builder"]
    if source not in sources.SOURCES:
        yield "data.source", source
    elif archive := config["data"]["archive"] or sources.archive_by_variable(source):
        key = "data.archive" if config["data"]["archive"] else f"data.archive, from {sources.ARCHIVE_VARIABLE},"
        for path in sources.brought(source, archive).values():
            yield key, str(path)
    yield "cnn.weights", config["cnn"]["weights"]
    yield "cnn.architecture.builder", builder and builder.rpartition(":")[0]


def _floats_for_integers(value: Any, schema: Mapping, place: str = "") -> Iterator[tuple[str, float, str]]:
    """Yield every float where the schema wants an integer: to JSON 10.0 is one, to Python it is not."""
    types = schema.get("type", [])
    if isinstance(value, float) and "integer" in types and "number" not in types:
        yield place, value, schema["allowed"]
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _floats_for_integers(item, schema.get("items", {}), f"{place}[{i}]")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            described = schema.get("properties", {}).get(key) or schema.get("additionalProperties") or {}
            yield from _floats_for_integers(item, described, f"{place}.{key}" if place else key)


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
