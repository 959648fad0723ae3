"""Reading a configuration: `read` checks and completes it, or says in one sentence what is wrong.

The keys stand in ``schema``, the sentences for their types and ranges in ``messages``; here are the checks that go
across keys.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from csnn.data import sources
from csnn.data.images import PREPARED, Overview
from csnn.experiment import schema, sweep, timing
from csnn.experiment.messages import one_line, sentence, shortened, shown
from csnn.files import InputError
from csnn.neurons import neuron_type, with_defaults

MAX_SIMULATIONS = 1_000_000
"""Largest number of simulations that are planned: beyond, Snakemake would take hours to say what it will do."""

MISREAD = {"na", "nan", "none", "null", "true", "false"}
"""Names that pandas or YAML read as a missing value or a truth value, in lower case."""

NO_FILTER_BELOW = 0.03
"""Time constant in steps up to which NengoDL leaves a filter out (``nengo_dl.process_builders.LowpassBuilder``)."""

MAX_VALUES = 100_000
"""Largest number of values in a file of configuration, where aliases can make 10^9 of a few lines."""

LEAST_SPACE = 1_000_000
"""Bytes that must be free where results go: no more than what tells a full disk from another."""


def read(raw: Mapping, files: Iterable[str | os.PathLike] = ()) -> dict[str, Any]:
    """Check a configuration, and complete it.

    Parameters
    ----------
    raw
        What was read of the files, changed by what the command line says.
    files
        The files themselves.

    Returns
    -------
    dict
        Every key of `schema.Configuration`; the neurons' parameters are complete, neurons set to null are left out.

    Raises
    ------
    InputError
        In one line that names the key, its value and what would be right.
    """
    try:
        for path in files:
            load(path)
        return _checked(_with_text_keys(raw))
    except InputError as error:
        raise InputError(one_line(str(error))) from error
    except RecursionError as error:
        raise InputError("the configuration is nested without end; no value must contain itself") from error


def read_file(path: str | os.PathLike) -> dict[str, Any]:
    """Read a configuration file as plain YAML, without Snakemake; check and complete it.

    Raises
    ------
    InputError
        As `read` and `load`.
    """
    raw = load(path)
    if not isinstance(raw, Mapping):
        raise InputError(f"{path} holds no keys at the top level; it must be a mapping of keys to values")
    return read(raw)


def _checked(raw: Mapping) -> dict[str, Any]:
    """Check types and ranges, complete what is left out, and check what goes across keys."""
    try:
        model = schema.Configuration.model_validate(raw)
    except ValidationError as error:
        raise InputError(sentence(error, raw)) from error
    config = _shortest(model.model_dump(by_alias=True))
    if "windows" not in model.readouts.model_fields_set:
        config["readouts"]["windows"] = [n for n in config["readouts"]["windows"] if n <= config["snn"]["steps"]]
    if "images" not in model.corruptions.model_fields_set:
        config["corruptions"]["images"] = min(config["corruptions"]["images"], config["data"]["test_images"])
    check(config)
    return config


class _PlainLoader(yaml.SafeLoader):
    """Loads YAML, but no key twice in a mapping and no impossible dates: YAML would take the last, or crash."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if isinstance(key.value, str) and key.value != "<<" and lines.setdefault(key.value, line) != line:
                raise InputError(
                    f"{self.name} has the key {key.value} in line {lines[key.value]} and again in line {line}; "
                    "each key must stand once in its mapping"
                )
        return super().construct_mapping(node, deep)

    def construct_yaml_timestamp(self, node: yaml.ScalarNode) -> Any:
        try:
            return super().construct_yaml_timestamp(node)
        except ValueError as error:
            raise InputError(
                f"{self.name}, line {node.start_mark.line + 1}: YAML reads {node.value} as a date, but {error}; "
                "text must be in quotes"
            ) from error


_PlainLoader.add_constructor("tag:yaml.org,2002:timestamp", _PlainLoader.construct_yaml_timestamp)


def load(path: str | os.PathLike) -> Any:
    """Load a configuration file as plain YAML, or JSON, whatever keys it has; `read` checks them.

    Raises
    ------
    InputError
        Naming the file, what is wrong, and the lines.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        reason = f"{error.reason} at byte {error.start}"
        raise InputError(f"{path} is not UTF-8 text ({reason}); save it as UTF-8") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); it must be a file of configuration") from error
    loader = _PlainLoader(text)
    loader.name = str(path)
    try:
        content = loader.get_single_data()
    except (yaml.YAMLError, RecursionError) as error:
        try:
            content = json.loads(text)  # not all of which is YAML
        except (ValueError, RecursionError):
            raise InputError(f"{path} is not YAML ({one_line(' '.join(str(error).split()))})") from error
    if _number_of_values(content, {}) > MAX_VALUES:
        raise InputError(
            f"{path} has more than {MAX_VALUES} values, counting what each alias (*name) stands for; it must have fewer"
        )
    if isinstance(content, dict) and "__use_yte__" in content:
        raise InputError(
            f"{path} has the key __use_yte__, with which Snakemake runs code that stands in the file; "
            "a configuration must be plain YAML"
        )
    return content


def _number_of_values(value: Any, known: dict[int, int]) -> int:
    """Count the values within a value, however often they stand in it; each object is looked at once."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        known[id(value)] = 0  # within itself: found out later
        items = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_number_of_values(item, known) for item in items)
    return known[id(value)]


def _with_text_keys(value: Any) -> Any:
    """Turn keys into text: YAML reads some as numbers, dates or null."""
    if isinstance(value, Mapping):
        return {str(key): _with_text_keys(item) for key, item in value.items()}
    return [_with_text_keys(item) for item in value] if isinstance(value, list) else value


def _shortest(value: Any) -> Any:
    """Write 415.0 as 415, so that both ways to write a number are one in paths, tables and digests."""
    if isinstance(value, dict):
        return {key: _shortest(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shortest(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value


def check(config: dict[str, Any]) -> None:
    """Check what goes across keys and complete the neurons' parameters, in place.

    Raises
    ------
    InputError
        Naming the key, its value and what would be right.
    """
    snn = config["snn"]
    rows = [("snn", snn)] + [(f"snn.networks[{i}]", row) for i, row in enumerate(snn["networks"])]
    for section, row in rows:
        for key in ("tau_syn_s", "seeds"):
            values = row.get(key, [])
            if len(set(values)) < len(values):
                raise InputError(f"config key {section}.{key} is {shown(values)}; each value must stand in it once")
    _check_time_constants({f"{section}.tau_syn_s": row.get("tau_syn_s", []) for section, row in rows}, snn["dt_s"])
    snn["neurons"] = _neurons(snn["neurons"])
    _check_variants(config, snn["neurons"])
    networks = sweep.networks(snn, config["cnn"]["variants"])
    _check_paths([*networks, *config["cnn"]["variants"]])
    _check_rates(config, networks)
    _check_synapses(networks, snn["dt_s"])
    _check_number_of_simulations(config, networks)
    _check_analyses(config)
    _check_conformal(config)
    if "corruptions" in config["analyses"]:
        _check_corruptions(config, networks)
    for i, window in enumerate(config["readouts"]["windows"]):
        if window > snn["steps"]:
            raise InputError(
                f"config key readouts.windows[{i}] is {window}, more than the {snn['steps']} steps of the run; "
                "it must be at most snn.steps"
            )
    margins = config["readouts"]["margins"]
    if len({f"{margin:g}" for margin in margins}) < len(margins):
        raise InputError(
            f"config key readouts.margins is {shown(margins)}, of which two read alike in tables; they must differ "
            "within the first six digits"
        )
    for key, path in named_files(config):
        if path is not None:
            _check_path(key, path)
            _check_own(key, path, config["experiment"])
    _check_images(config)


def warnings(config: Mapping) -> Iterator[str]:
    """Yield a sentence for each setting of a complete configuration that is allowed, but is hardly meant."""
    snn = config["snn"]
    presented_s = snn["steps"] * snn["dt_s"]
    longer = [tau for row in [snn, *snn["networks"]] for tau in row.get("tau_syn_s", []) if tau and tau > presented_s]
    if longer:
        yield (
            f"config key snn.tau_syn_s has {', '.join(f'{tau:g} s' for tau in dict.fromkeys(longer))}, longer than an "
            f"image is shown ({presented_s:g} s), so that logits stay near 0; it is in seconds: 5 ms are 0.005"
        )
    if config["cnn"]["architecture"]["builder"] is None and config["cnn"]["model"] is None:
        yield from _timing_warnings(config)
    given = [key for key, path in named_files(config) if path and key.endswith((".model", ".weights"))]
    if config["readouts"]["conformal"] and given:
        yield (
            "readouts.conformal promises its coverage only if the CNN has not seen the validation images, the last of "
            f"the training set; {schema.listed(given, 'or')} may have been trained on them"
        )
    yield from sources.warnings(config["data"]["source"], config["data"]["test_images"])


def _timing_warnings(config: Mapping) -> Iterator[str]:
    """Yield the warnings of `timing` for CNNs of the paper's layout; the rule ``check_cnn`` has those of others."""
    snn, variants = config["snn"], config["cnn"]["variants"]
    by_depth: dict[int, list] = {}
    for network in sweep.networks(snn, variants).values():
        sizes = sweep.architecture(variants, config["cnn"]["architecture"], network["variant"])
        by_depth.setdefault(len(sizes["filters"]) + 1, []).append(network)
    for depth, networks in by_depth.items():
        yield from timing.warnings(networks, depth, snn["steps"], snn["dt_s"])


def _neurons(neurons: Mapping[str, Mapping | None]) -> dict[str, dict]:
    """Complete the neurons' parameters, and leave out the neurons that are null."""
    try:
        complete = {
            name: with_defaults(name, {key: value for key, value in parameters.items() if value is not None})
            for name, parameters in neurons.items()
            if parameters is not None
        }
    except ValueError as error:
        raise InputError(f"config key snn.neurons: {error}") from error
    if not complete:
        raise InputError("config key snn.neurons names no neuron; it must name at least one")
    for name in complete:
        _check_name("snn.neurons", name, sweep.RESERVED, "it must have another, and say its type")
    return complete


def _check_name(key: str, name: str, reserved: Iterable[str], advice: str = "it must have another") -> None:
    """Check that the name of a neuron or variant means nothing else, in the folder of results or in a table."""
    if name in reserved or name.lower() in sweep.RESERVED:
        raise InputError(f"config key {key} has the name {name}, which stands for something else already; {advice}")
    if name.lower() in MISREAD or _is_number(name):
        raise InputError(
            f"config key {key} has the name {name}, which programs that read tables take for a number, a missing value "
            f"or a truth value; {advice}"
        )


def _is_number(text: str) -> bool:
    """Whether a text reads as a number: 7, 1e5, inf."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_time_constants(lists: Mapping[str, Sequence[float | None]], dt_s: float) -> None:
    """Check that time constants filter something, and that tables and figures tell them apart."""
    as_shown: dict[str, float] = {}
    for key, tau_syn_s in ((f"{key}[{i}]", tau) for key, taus in lists.items() for i, tau in enumerate(taus)):
        if tau_syn_s is None:
            continue
        if tau_syn_s <= NO_FILTER_BELOW * dt_s:
            raise InputError(
                f"config key {key} is {tau_syn_s}, so short for steps of {dt_s} s that it would filter nothing; "
                f"it must be above {NO_FILTER_BELOW} * snn.dt_s, or null for no filter"
            )
        text = f"{1000 * tau_syn_s:.6g}"
        if as_shown.setdefault(text, tau_syn_s) != tau_syn_s:
            raise InputError(
                f"config key {key} is {tau_syn_s}, but there is {as_shown[text]} already, and both read {text} ms in "
                "tables and figures; it must differ within the first six digits"
            )


def _check_paths(names: Iterable[str]) -> None:
    """Check that Snakemake and file systems take the names of networks and variants, which are folders."""
    for name in names:
        if re.search(r"(.+)\1{19,}$", name):
            raise InputError(
                f"{shortened(name)} ends in a text that comes 20 times in a row, which Snakemake takes for a rule "
                "that calls itself for ever; config keys snn and cnn.variants must lead to other names of networks"
            )
        if longest := [part for part in name.split("/") if len(part) > 200]:
            raise InputError(
                f"{shortened(longest[0])} is too long for the name of a folder; config keys snn and cnn.variants must "
                "lead to shorter names of networks: snn.max_rate_hz itself is in none"
            )


def check_results_folder(folder: Path) -> None:
    """Check that results can be written to a folder, which need not exist yet.

    Raises
    ------
    InputError
        Naming what is in the way.
    """
    existing = next(path for path in (folder, *folder.parents) if path.exists() or path.is_symlink())
    if not existing.is_dir():
        what = "a file" if existing.exists() else f"a link to {os.readlink(existing)}, which does not exist"
        raise InputError(f"{existing} is {what}; it must be a folder, for results go to {folder}")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"{existing} is not writable; results go to {folder}, so it must be")
    free = shutil.disk_usage(existing).free
    if free < LEAST_SPACE:
        raise InputError(
            f"{existing} is on a disk with no space left ({free} bytes); results go to {folder}: make space"
        )


def _check_path(key: str, path: str) -> None:
    """Check that a file that the configuration names can be read, and that Snakemake takes its path as it is."""
    if special := [letter for letter in path if letter in "{}<>" or unicodedata.category(letter) in ("Cc", "Cs")]:
        raise InputError(
            f"config key {key} names {path!r}, which has {special[0]!r} in it; Snakemake reads braces and angle "
            "brackets in paths as its own, and line breaks and the like end them: it must be a path without"
        )
    if not os.path.isfile(path):
        what = "is a folder" if os.path.isdir(path) else "does not exist"
        raise InputError(f"config key {key} names {shortened(path)}, which {what}; it must be the path of a file")
    if not os.access(path, os.R_OK):
        raise InputError(f"config key {key} names {path}, which is not readable; it must be a file that you may read")


def _check_own(key: str, path: str, experiment: str) -> None:
    """Check that a named file lies where no job writes: Snakemake deletes the outputs of a job before it runs."""
    for folder in (Path("results", experiment), PREPARED, sources.DOWNLOADS):
        if Path(path).resolve().is_relative_to(folder.resolve()):
            raise InputError(
                f"config key {key} names {path}, but in {folder} the workflow writes, and replaces, files of its own; "
                "copy it elsewhere, and name the copy"
            )


def _check_images(config: dict[str, Any]) -> None:
    """Check that the data set has as many images as the configuration wants, before anything is made of them."""
    source, figure = config["data"]["source"], config["figures"]["logit_image"]
    overview = sources.overview(source)
    if len(overview.shape) != 3 and not (config["cnn"]["architecture"]["builder"] or config["cnn"]["model"]):
        raise InputError(
            f"config key data.source names {source}, which holds samples of shape {overview.shape}; the CNN of "
            "cnn.architecture takes images (height, width, channels), so cnn.model or cnn.architecture.builder must "
            "name another"
        )
    config["tables"]["compare_with_paper"] = _compares_with_paper(config, overview)
    sizes = {"train": overview.train, "test": overview.test}
    held_out = config["data"]["validation_images"]
    left = sizes["train"] - held_out
    wanted = [
        ("data.test_images", config["data"]["test_images"], "test", sizes["test"], ""),
        ("data.validation_images", held_out, "train", sizes["train"] - 1, ", of which one must be left to train with"),
        ("figures.logit_image.index", figure["index"], figure["split"], sizes[figure["split"]] - 1, ", counted from 0"),
    ]
    if "corruptions" in config["analyses"] and config["corruptions"]["kinds"] and len(overview.shape) != 3:
        raise InputError(
            f"config key corruptions.kinds is {shown(config['corruptions']['kinds'])}, but {source} holds samples of "
            f"shape {overview.shape}; only images can be corrupted, so it must be []"
        )
    for name, variant in config["cnn"]["variants"].items():
        tune = variant["tune"]
        for key, right in {"mirror": False, "shift": 0}.items():
            if tune[key] != right and len(overview.shape) != 3:
                raise InputError(
                    f"config key cnn.variants.{name}.tune.{key} is {shown(tune[key])}, but {source} holds samples of "
                    f"shape {overview.shape}; only images can be changed so, so it must be {shown(right)}"
                )
        if tune["shift"] and tune["shift"] >= min(overview.shape[:2]):
            raise InputError(
                f"config key cnn.variants.{name}.tune.shift is {tune['shift']}, but the images of {source} have "
                f"{overview.shape[0]} x {overview.shape[1]} pixels; it must be less than either"
            )
        for step in ("tune", "calibrate"):
            if variant[step] and variant[step]["images"] is not None:
                kept = f", of which data.validation_images keeps {held_out} out"
                wanted.append((f"cnn.variants.{name}.{step}.images", variant[step]["images"], "train", left, kept))
    for key, value, split, largest, note in wanted:
        if value > largest:
            raise InputError(
                f"config key {key} is {value}, but the {split} set of {source} has {sizes[split]} images{note}; "
                f"it must be at most {largest}"
            )


def _compares_with_paper(config: Mapping, overview: Overview) -> bool:
    """Whether the paper's numbers, which are of CIFAR-10, are set beside those of this data set."""
    wanted, source = config["tables"]["compare_with_paper"], config["data"]["source"]
    own = source not in sources.SOURCES
    cifar10 = sources.overview("cifar10")
    alike = (overview.shape, overview.classes) == (cifar10.shape, cifar10.classes)
    if wanted is None:
        complete = (overview.train, overview.test) == (cifar10.train, cifar10.test)
        return source == "cifar10" or (own and alike and complete)
    if wanted and not (source == "cifar10" or (own and alike)):
        raise InputError(
            f"config key tables.compare_with_paper is true, but the paper's numbers are of CIFAR-10 and data.source is "
            f"{source}; it must be false or null"
        )
    return wanted


def _check_rates(config: Mapping, networks: Mapping[str, Mapping]) -> None:
    """Check that maximal rates by layer are as many as the CNN has layers of neurons; a builder's are not known yet."""
    architecture = config["cnn"]["architecture"]
    for name, network in networks.items():
        rates = network["max_rate_hz"]
        if isinstance(rates, list) and not (architecture["builder"] or config["cnn"]["model"]):
            sizes = sweep.architecture(config["cnn"]["variants"], architecture, network["variant"])
            layers = len(sizes["filters"]) + 1
            if len(rates) != layers:
                raise InputError(
                    f"config key snn.max_rate_hz is {shown(rates)} for the network {name}; its CNN has {layers} "
                    "layers of neurons, so it must be one rate or as many"
                )


def _check_synapses(networks: Mapping[str, Mapping], dt_s: float) -> None:
    """Check that the rise of double exponentials smooths something and is not longer than any decay."""
    for name, network in networks.items():
        if not isinstance(synapse := network["synapse"], Mapping):
            continue
        rise_s, decays_s = synapse["rise_s"], [tau for tau in network["tau_syn_s"] if tau is not None]
        if rise_s <= NO_FILTER_BELOW * dt_s:
            raise InputError(
                f"config key snn.synapse has rise_s {rise_s} for the network {name}, so short for steps of {dt_s} s "
                f"that it would smooth nothing; it must be above {NO_FILTER_BELOW} * snn.dt_s, or the synapse lowpass"
            )
        if decays_s and rise_s > min(decays_s):
            raise InputError(
                f"config key snn.synapse has rise_s {rise_s} for the network {name}, longer than its decay, tau_syn_s "
                f"{min(decays_s)}; it must be at most as long"
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
        _check_name("cnn.variants", name, sweep.RESERVED | set(neurons))
        sweep.lineage(variants, name)
        given, tune = variant["activation"], variant["tune"]
        activations = {"activation": given, "tune.activation": tune["activation"]}
        for key, neuron in activations.items():
            if neuron not in ["relu", *curves]:
                raise InputError(
                    f"config key cnn.variants.{name}.{key} is {neuron!r}; it must be {' or '.join(['relu', *curves])}"
                )
        for key, value in (activations | {"tune.rate_hz": tune["rate_hz"]}).items():
            if value not in ("relu", None) and isinstance(config["snn"]["max_rate_hz"], Mapping):
                raise InputError(
                    f"config key cnn.variants.{name}.{key} is {value}, which needs snn.max_rate_hz as rates in Hz; it "
                    "must be a number or a list, not a percentile"
                )
        if given != "relu" and not variant["weights"]:
            raise InputError(
                f"config key cnn.variants.{name}.activation is {given}, but says what weights of a file were trained "
                f"with; it must be relu, or cnn.variants.{name}.weights the file"
            )
        if tune["activation"] != "relu":
            before = given if variant["weights"] else sweep.activation(variants, variant["from"])
            _check_from_relu(config, f"{name}.tune", before)
        if variant["calibrate"]:
            _check_calibration(config, name)
    _check_changes(config["cnn"])


def _check_calibration(config: Mapping, name: str) -> None:
    """Check that a variant is calibrated from a ReLU network, and to neurons whose rate curve is known."""
    key, snn, variants = f"cnn.variants.{name}.calibrate", config["snn"], config["cnn"]["variants"]
    neuron = variants[name]["calibrate"]["neuron"]
    types = {known: neuron_type(known, parameters) for known, parameters in snn["neurons"].items()}
    allowed = [known for known, kind in types.items() if kind in sweep.LIF_CURVE | sweep.RECTIFIED]
    if neuron not in allowed:
        raise InputError(
            f"config key {key}.neuron is {neuron!r}; it must be {schema.listed(allowed, 'or')} of snn.neurons"
        )
    if types[neuron] in sweep.LIF_CURVE and isinstance(snn["max_rate_hz"], Mapping):
        raise InputError(
            f"config key {key}.neuron is {neuron}, whose rate curve needs snn.max_rate_hz as rates in Hz; it must be a "
            "number or a list, not a percentile"
        )
    before = sweep.activation(variants | {name: variants[name] | {"calibrate": None}}, name)
    _check_from_relu(config, f"{name}.calibrate", before)


def _check_from_relu(config: Mapping, step: str, before: str) -> None:
    """Check that what is adapted to neurons in a step of a variant has ReLUs before it."""
    parameters = config["snn"]["neurons"]
    if before != "relu" and neuron_type(before, parameters[before]) not in sweep.RECTIFIED:
        raise InputError(
            f"config key cnn.variants.{step} adapts to neurons what is adapted to the neuron {before} already; it must "
            "start from a CNN with ReLU"
        )


def _check_changes(cnn: Mapping) -> None:
    """Check that variants of a CNN that is not given by its sizes change nothing but its pooling, and are possible."""
    for key in ("weights", "architecture.builder"):
        if cnn["model"] and (cnn["weights"] if key == "weights" else cnn["architecture"]["builder"]):
            raise InputError(
                f"config keys cnn.model and cnn.{key} are both there; cnn.model brings architecture and weights, so it "
                "must be the only one"
            )
    own = "cnn.model" if cnn["model"] else "cnn.architecture.builder" if cnn["architecture"]["builder"] else None
    for name, variant in cnn["variants"].items():
        if own and variant["architecture"] not in ({}, {"pooling": "average"}):
            raise InputError(
                f"config key cnn.variants.{name}.architecture changes {', '.join(variant['architecture'])}; of a "
                f"CNN of {own} it can be pooling: average only"
            )
        if cnn["model"] and variant["from"] is None:
            raise InputError(
                f"config key cnn.variants.{name}.from is null, but cnn.model brings its weights; it must be base or "
                "another variant"
            )


def _check_analyses(config: Mapping) -> None:
    """Check that choices are made on images of their own, and are reported once."""
    analyses, images = config["analyses"], config["data"]["validation_images"]
    for counted in {"activity", "cost"} & set(analyses):
        if config["simulation"]["engine"] != "event":
            raise InputError(
                f"config key analyses has {counted}, for which the engine event alone counts operations; "
                "simulation.engine must be event"
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


def _check_conformal(config: Mapping) -> None:
    """Check that there are images enough to calibrate on: with fewer, a guarantee would decide for nothing."""
    conformal, images = config["readouts"]["conformal"], config["data"]["validation_images"]
    if conformal and round((images + 1) * conformal["coverage"], 9) > images:
        fewest = math.ceil(round(conformal["coverage"] / (1 - conformal["coverage"]), 9))
        raise InputError(
            f"config key data.validation_images is {images}; it must be at least {fewest} for readouts.conformal with "
            f"a coverage of {conformal['coverage']}, which is calibrated on them"
        )


def _check_corruptions(config: Mapping, networks: Mapping[str, Mapping]) -> None:
    """Check that what is disturbed is there."""
    asked, test_images = config["corruptions"], config["data"]["test_images"]
    if asked["images"] > test_images:
        raise InputError(
            f"config key corruptions.images is {asked['images']}, but data.test_images is {test_images}; it must be at "
            "most as many"
        )
    weights = [key for key in ("weight_noise", "weight_bits") if asked[key]]
    if weights and config["simulation"]["engine"] != "event":
        raise InputError(
            f"config key corruptions.{weights[0]} is {shown(asked[weights[0]])}, but the engine event alone simulates "
            "disturbed weights; it must be [], or simulation.engine event"
        )
    if not (asked["kinds"] or weights):
        raise InputError(
            "config keys corruptions.kinds, weight_noise and weight_bits are all []; the analysis corruptions needs one"
        )
    if unknown := [name for name in asked["networks"] or [] if name not in networks]:
        raise InputError(
            f"config key corruptions.networks names {shortened(unknown[0])}, which is no network of this experiment; "
            f"known are {', '.join(networks)}"
        )
    if asked["tau_syn_s"] is None:
        return
    if "gap" in config["analyses"]:
        raise InputError(
            f"config key corruptions.tau_syn_s is {shown(asked['tau_syn_s'])}, but the analysis gap chooses the time "
            "constants; it must be null"
        )
    for name in asked["networks"] or networks:
        if missing := [tau for tau in asked["tau_syn_s"] if tau not in networks[name]["tau_syn_s"]]:
            raise InputError(
                f"config key corruptions.tau_syn_s has {shown(missing[0])}, which the network {name} has not; it has "
                f"{shown(networks[name]['tau_syn_s'])}"
            )


def named_files(config: Mapping) -> Iterator[tuple[str, str | None]]:
    """Yield every file that a configuration names, with its key."""
    source, builder = config["data"]["source"], config["cnn"]["architecture"]["builder"]
    if source not in sources.SOURCES:
        yield "data.source", source
    key, archive = "data.archive", config["data"]["archive"]
    if archive is None and (archive := sources.archive_by_variable(source)):
        key = f"data.archive, from the variable {sources.ARCHIVE_VARIABLE},"
    if archive and os.path.isdir(archive) and source in sources.SOURCES:
        for path in sources.brought(source, archive).values():
            yield key, str(path)
    else:
        yield key, archive
    yield "cnn.model", config["cnn"]["model"]
    yield "cnn.weights", config["cnn"]["weights"]
    for name, variant in config["cnn"]["variants"].items():
        yield f"cnn.variants.{name}.weights", variant["weights"]
    yield "cnn.architecture.builder", builder and builder.rpartition(":")[0]
