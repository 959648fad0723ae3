"""Read architecture and weights from files that Keras 2 or 3 wrote, without running code that they hold or name.

Layers are made here one by one from their configurations, of Keras' own classes only; so nothing that a file names is
imported. Weights are found by layer, in every layout:

- ``.h5`` and ``.keras`` with architecture and weights;
- ``.h5`` with weights, by the layers' names and order (Keras 2, and Keras 3 for ``.h5``);
- ``.weights.h5``, by the layers' classes and their order among layers of the same class (Keras 3).
"""

from __future__ import annotations

import inspect
import io
import json
import math
import os
import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import h5py
import numpy as np

from csnn.files import InputError
from csnn.model.equivalent import KEPT, LEFT_OUT
from csnn.model.graph import LAYERS
from csnn.nengodl_compat import tf

_PACKED = 50
"""How many times smaller than its content a member of an archive can be."""
_DEEPEST = 30
"""How deep groups can lie in an HDF5 file."""
_KINDS = {
    kind.__name__: kind
    for kind in (
        *(*KEPT, *LEFT_OUT, LAYERS.Activation, LAYERS.Softmax, LAYERS.Rescaling, LAYERS.Normalization),
        *(LAYERS.SeparableConv1D, LAYERS.SeparableConv2D, LAYERS.LeakyReLU, LAYERS.PReLU, LAYERS.ELU),
        *(LAYERS.ThresholdedReLU, LAYERS.LayerNormalization, LAYERS.Multiply, LAYERS.Subtract, LAYERS.Maximum),
        *(LAYERS.Conv2DTranspose, LAYERS.InputLayer),
    )
}
"""Keras' layers that are made from a file; those that have no form in Nengo are refused later, by name."""

_OPERATIONS = {"Relu": "ReLU", "math.add": "Add", "__operators__.add": "Add", "nn.relu": "ReLU"}
"""Operations on tensors, as Keras 3 and 2 name them, and layers that do the same."""


def read_model(path: str | os.PathLike) -> tf.keras.Model:
    """Read a CNN, architecture and weights, from an ``.h5`` or ``.keras`` file of Keras 2 or 3.

    Raises
    ------
    InputError
        If the file is not readable, holds code, or a layer that is none of Keras' own.
    """
    with _opened(path) as (config, file):
        if config is None:
            raise InputError(f"{path} holds weights but no architecture; it must be one that model.save of Keras wrote")
        with _no_more_weights_than(_PACKED * os.path.getsize(path) // 4, path):
            model = build(json.loads(config), path)
        _set_weights(model, file, path)
    return model


def load_weights(model: tf.keras.Model, path: str | os.PathLike) -> None:
    """Set a model's weights from a file of Keras 2 or 3, layer by layer.

    Raises
    ------
    InputError
        If the file is not readable, its weights do not fit the model or fit it in two ways, or are not finite.
    """
    with _opened(path) as (_, file):
        _set_weights(model, file, path)


@contextmanager
def _opened(path: str | os.PathLike) -> Iterator[tuple[str | bytes | None, h5py.File]]:
    """Yield the configuration in a file, if there is one, and the weights; say in one sentence what is wrong."""
    if os.path.isdir(path):
        raise InputError(
            f"{path} is a folder; a SavedModel is not read, since that runs its code: load it with "
            "tf_keras.models.load_model and save it as .keras"
        )
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                config, weights = (_member(archive, name) for name in ("config.json", "model.weights.h5"))
                with h5py.File(io.BytesIO(weights)) as file:
                    yield config, file
        else:
            with h5py.File(path) as file:
                yield file.attrs.get("model_config"), file
    except InputError:
        raise
    except (OSError, KeyError, TypeError, ValueError, AttributeError, IndexError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path} is not a readable file of Keras ({' '.join(str(error).split())}); it must be one that Keras wrote"
        ) from error


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read a member of an archive, unless it is packed as no file of Keras is."""
    member = archive.getinfo(name)
    if member.file_size > _PACKED * member.compress_size:
        raise ValueError(f"{name} claims {member.file_size} bytes, packed into {member.compress_size}")
    return archive.read(name)


@contextmanager
def _no_more_weights_than(number: int, path: str | os.PathLike) -> Iterator[None]:
    """Refuse a layer with more weights than its file can hold, before memory is taken for them."""
    add_weight = LAYERS.Layer.add_weight

    def limited(layer, name=None, shape=None, *arguments, **options):
        if math.prod(shape or ()) > number:
            raise InputError(
                f"{path} describes the layer {layer.name!r} with weights of {tuple(shape)}, which the file is too "
                "small to hold; it must be one that Keras wrote"
            )
        return add_weight(layer, name, shape, *arguments, **options)

    with mock.patch.object(LAYERS.Layer, "add_weight", limited):
        yield


# ---- architecture ----------------------------------------------------------------------------------------------------


def build(config: Mapping[str, Any], path: str | os.PathLike) -> tf.keras.Model:
    """Build a model from its configuration, as Keras 2 or 3 writes it, of Keras' own layers only.

    Parameters
    ----------
    config
        ``class_name`` and ``config``.
    path
        Of the file, for errors.

    Raises
    ------
    InputError
        Naming what is none of Keras' own layers.
    """
    kind, settings = config["class_name"], config["config"]
    if kind == "Sequential":
        return _sequential(settings, path)
    if kind in ("Functional", "Model") and "layers" in settings:
        return _functional(settings, path)
    raise InputError(
        f"{path} holds a model of class {kind}, whose code is not run; it must be a functional or Sequential model"
    )


def _sequential(settings: Mapping[str, Any], path: str | os.PathLike) -> tf.keras.Model:
    """Build a Sequential model."""
    parts = list(settings["layers"])
    shape = settings.get("build_input_shape")
    for part in parts[:1]:
        shape = part["config"].get("batch_shape") or part["config"].get("batch_input_shape") or shape
    layers = [_layer(part, path) for part in parts if part["class_name"] != "InputLayer"]
    model = tf.keras.Sequential(name=settings["name"])
    if shape:
        model.add(LAYERS.Input(tuple(shape[1:])))
    for layer in layers:
        model.add(layer)
    return model


def _functional(settings: Mapping[str, Any], path: str | os.PathLike) -> tf.keras.Model:
    """Build a functional model: each layer is applied as soon as all its inputs are there."""
    parts = {part["name"]: part for part in settings["layers"]}
    applications = {name: [_inputs(node) for node in part.get("inbound_nodes", [])] for name, part in parts.items()}
    # applications are counted from 0, but of a nested model from 1 where making it counts as one
    ends = [*_ends(settings["input_layers"]), *_ends(settings["output_layers"])]
    sources = [source for nodes in applications.values() for node, _ in nodes for source in node] + ends
    first: dict[str, int] = {}
    for name, number, _ in sources:
        first[name] = min(number, first.get(name, number))
    tensors: dict[tuple[str, int], Any] = {}
    layers: dict[str, Any] = {}
    for name, part in parts.items():
        if part["class_name"] == "InputLayer":
            shape = part["config"].get("batch_shape") or part["config"]["batch_input_shape"]
            tensors[name, 0] = LAYERS.Input(tuple(shape[1:]), name=name)
        else:
            layers[name] = _layer(part, path)
    waiting = [(name, number) for name in layers for number in range(len(applications[name]))]
    while waiting:
        ready = [
            (name, number)
            for name, number in waiting
            if all((source, n - first[source]) in tensors for source, n, _ in applications[name][number][0])
        ]
        if not ready:
            raise ValueError(f"layers {', '.join(sorted({name for name, _ in waiting}))} have no inputs")
        for name, number in ready:
            names, options = applications[name][number]
            values = [tensors[source, n - first[source]] for source, n, _ in names]
            tensors[name, number] = layers[name](values if len(values) > 1 else values[0], **options)
        waiting = [application for application in waiting if application not in ready]
    inputs, outputs = (
        [tensors[name, number - first[name]] for name, number, _ in _ends(settings[key])]
        for key in ("input_layers", "output_layers")
    )
    return tf.keras.Model(
        inputs if len(inputs) > 1 else inputs[0], outputs if len(outputs) > 1 else outputs[0], name=settings["name"]
    )


def _ends(value: Sequence) -> list[tuple[str, int, int]]:
    """Return the inputs or outputs of a functional model: Keras 3 writes one without a list around it."""
    return [tuple(end) for end in ([value] if value and isinstance(value[0], str) else value)]


def _inputs(node: Any) -> tuple[list[tuple[str, int, int]], dict[str, Any]]:
    """Return the tensors that a layer is applied to, as layer, its application and output; and options of the call."""
    if isinstance(node, dict):  # Keras 3, which itself says whether it trains
        return list(_tensors_of([node["args"], node["kwargs"]])), {}
    entries = [node] if node and isinstance(node[0], str) else node
    tensors, options = [], {}
    for name, number, output, *more in entries:
        tensors.append((name, number, output))
        for key, value in (more[0] if more else {}).items():
            if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
                tensors.append(tuple(value))  # the second operand of an operation
            elif key == "training" and value:
                options[key] = True
    return tensors, options


def _tensors_of(value: Any) -> Iterator[tuple[str, int, int]]:
    """Yield every tensor that stands in the arguments of a call."""
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        yield tuple(value["config"]["keras_history"])
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors_of(item)


def _layer(part: Mapping[str, Any], path: str | os.PathLike) -> tf.keras.layers.Layer:
    """Make a layer, or a nested model, from its configuration."""
    kind, module = str(part["class_name"]), part.get("module")
    settings = dict(part["config"])
    name = str(settings.get("name", part.get("name")))
    if kind in ("Sequential", "Functional", "Model") and _of_keras(module) and "layers" in settings:
        return build(part, path)
    if kind == "TFOpLambda":
        kind = str(settings["function"])
    kind = _OPERATIONS.get(kind, kind)
    if kind not in _KINDS or not _of_keras(module) or part.get("registered_name") not in (None, part["class_name"]):
        raise InputError(
            f"{path} holds the layer {name!r} of class {kind}{f' of {module}' if module else ''}, which is none of "
            "Keras' own that can be converted, and whose code is not run; the CNN must be without it"
        )
    if kind == "LeakyReLU" and "negative_slope" in settings:
        settings["alpha"] = settings["negative_slope"]
    known = {name for base in inspect.getmro(_KINDS[kind])[:-1] for name in inspect.signature(base).parameters}
    left_out = re.compile("dtype|data_format" if _KINDS[kind] in LEFT_OUT else "dtype")
    settings = {
        key: value
        for key, value in settings.items()
        if key in known | {"trainable"}
        and not left_out.fullmatch(key)
        and not key.endswith(("_initializer", "_regularizer", "_constraint"))
    }
    if "activation" in settings:
        settings["activation"] = _activation(settings["activation"], name, path)
    return _KINDS[kind](**settings | {"name": name})


def _activation(value: Any, name: str, path: str | os.PathLike) -> Any:
    """Return an activation: a name of Keras' own, or a layer."""
    if isinstance(value, dict) and value.get("class_name") in _KINDS:
        return _layer(value, path)
    if isinstance(value, dict) and value.get("class_name") == "function" and value.get("module") in (None, "builtins"):
        value = value["config"]
    if value is not None and not (isinstance(value, str) and callable(getattr(tf.keras.activations, value, None))):
        raise InputError(
            f"{path} holds the layer {name!r} with the activation {json.dumps(value)[:100]}, which is none of Keras' "
            "own, and whose code is not run; the CNN must be without it"
        )
    return value


def _of_keras(module: Any) -> bool:
    """Tell whether a module is Keras' own."""
    return module is None or re.fullmatch(r"(tf_)?keras(\.[a-z_0-9]+)*", str(module)) is not None


# ---- weights ---------------------------------------------------------------------------------------------------------


def _set_weights(model: tf.keras.Model, file: h5py.File, path: str | os.PathLike) -> None:
    """Set the weights of a model from an open file."""
    group = file.get("model_weights", file)
    names = _attribute(group, "layer_names")
    pairs = _pairs_by_name(model, group, names, path) if names is not None else _pairs_by_class(model, group, path)
    values = [_read(dataset, weight, path) for weight, dataset in pairs]
    for (weight, _), value in zip(pairs, values, strict=True):
        weight.assign(value)
    for layer in _leaves(model):
        if isinstance(layer, LAYERS.Normalization):
            layer.finalize_state()


def _read(dataset: h5py.Dataset, weight: Any, path: str | os.PathLike) -> np.ndarray:
    """Read an array that is known to have the shape of a weight."""
    if dataset.dtype.kind != "f":
        raise InputError(f"{path} holds something else than floating-point numbers; weights must be these")
    with np.errstate(over="ignore"):
        value = dataset[()].astype(weight.dtype.as_numpy_dtype)
    if not np.isfinite(value).all():
        raise InputError(f"{path} holds weights that are NaN, infinite or beyond single precision; they must be finite")
    return value


def _attribute(group: h5py.Group, name: str) -> list[str] | None:
    """Return a list of names, which Keras cuts into several attributes where it is long; None if there is none."""
    parts = [name] if name in group.attrs else []
    while f"{name}{len(parts)}" in group.attrs and name not in group.attrs:
        parts.append(f"{name}{len(parts)}")
    if not parts:
        return None
    return [item.decode() if isinstance(item, bytes) else str(item) for part in parts for item in group.attrs[part]]


def _dataset(group: h5py.Group, name: str, path: str | os.PathLike) -> h5py.Dataset:
    """Return a dataset that lies in the file itself: no link leads out of it, and its bytes are nowhere else."""
    item: Any = group
    for part in name.split("/"):
        link = item.get(part, getlink=True)
        if not isinstance(link, h5py.HardLink):
            what = "nothing" if link is None else "a link"
            raise InputError(f"{path} holds {what} at {name}; weights must lie there themselves")
        item = item[part]
    if not isinstance(item, h5py.Dataset) or item.external or item.is_virtual:
        raise InputError(f"{path} holds no weights at {name}, or weights that lie in another file; they must lie there")
    return item


def _pairs_by_name(
    model: tf.keras.Model, group: h5py.Group, names: Sequence[str], path: str | os.PathLike
) -> list[tuple[Any, h5py.Dataset]]:
    """Pair weights and arrays where the file lists its layers: in their order, against which no name may speak."""
    arrays: dict[str, list[h5py.Dataset]] = {}
    for name in names:
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise InputError(f"{path} holds no layer {name}, which it lists; it must be one that Keras wrote")
        arrays[name] = [_dataset(group[name], array, path) for array in _attribute(group[name], "weight_names") or []]
    arrays = {name: datasets for name, datasets in arrays.items() if datasets}
    layers = [layer for layer in model.layers if layer.weights]
    if {layer.name for layer in layers} == set(arrays) and [layer.name for layer in layers] != list(arrays):
        by_name = [arrays[layer.name] for layer in layers]
        if _fit(layers, by_name) and _fit(layers, list(arrays.values())):
            raise _fits_in_two_ways(path, "by the names of its layers and by their order")
        if _fit(layers, by_name):
            arrays = {layer.name: arrays[layer.name] for layer in layers}
    if _fit(layers, list(arrays.values())):
        chosen = zip(layers, arrays.values(), strict=True)
        return [
            pair for layer, datasets in chosen for pair in zip(_order(layer, datasets) or [], datasets, strict=True)
        ]
    # nested otherwise than the model: array by array
    weights = [weight for layer in _leaves(model) for weight in layer.weights]
    datasets = [dataset for of_layer in arrays.values() for dataset in of_layer]
    _check_shapes(weights, datasets, path)
    return list(zip(weights, datasets, strict=True))


def _fit(layers: Sequence[tf.keras.layers.Layer], arrays: Sequence[Sequence[h5py.Dataset]]) -> bool:
    """Tell whether each layer's weights have the shapes of its arrays."""
    return len(layers) == len(arrays) and all(
        _order(layer, datasets) is not None for layer, datasets in zip(layers, arrays, strict=True)
    )


def _order(layer: tf.keras.layers.Layer, datasets: Sequence[h5py.Dataset]) -> list[Any] | None:
    """Return a layer's weights in the order of these arrays, by shape and kind; None if they do not fit.

    Keras lists those that are trained first; of a nested model that was frozen, layer by layer.
    """
    by_layer = [weight for leaf in _leaves(layer) for weight in leaf.weights]
    trained = [weight for leaf in _leaves(layer) for weight in leaf._trainable_weights]
    others = [weight for leaf in _leaves(layer) for weight in leaf._non_trainable_weights]
    held = [(_kind(dataset.name), dataset.shape) for dataset in datasets]
    for weights in ([*trained, *others], by_layer):
        if held == [(_kind(weight.name), tuple(weight.shape)) for weight in weights]:
            return weights
    shapes = [shape for _, shape in held]
    if len(_leaves(layer)) == 1 and shapes == [tuple(weight.shape) for weight in by_layer]:
        return by_layer
    return None


def _kind(name: str) -> str:
    """Return what a weight is, by its name: ``kernel``, ``gamma``."""
    return name.rpartition("/")[2].partition(":")[0].replace("depthwise_kernel", "kernel")


def _pairs_by_class(
    model: tf.keras.Model, group: h5py.Group, path: str | os.PathLike
) -> list[tuple[Any, h5py.Dataset]]:
    """Pair weights and arrays of Keras 3's layout: ``layers/<class>_<number>/vars/<i>``, also nested."""
    by_folder: dict[str, list[h5py.Dataset]] = {}
    for name in _dataset_names(group, path):
        folder, _, number = name.rpartition("/vars/")
        # of a trained model there are the optimizer and metrics beside the layers, and seeds of random layers in them
        if folder.startswith("layers/") and number.isdigit() and "seed_generator" not in folder:
            by_folder.setdefault(folder, []).append(_dataset(group, name, path))
    by_folder = {
        folder: sorted(datasets, key=lambda dataset: int(dataset.name.rpartition("/")[2]))
        for folder, datasets in by_folder.items()
    }
    expected = {folder: layer for folder, layer in _folders(model) if layer.weights}
    if set(by_folder) == set(expected):
        weights = [weight for layer in expected.values() for weight in layer.weights]
        datasets = [dataset for folder in expected for dataset in by_folder[folder]]
        _check_shapes(weights, datasets, path)
        return list(zip(weights, datasets, strict=True))
    return _pairs_by_shape(expected, by_folder, path)


def _pairs_by_shape(
    expected: Mapping[str, tf.keras.layers.Layer],
    by_folder: Mapping[str, Sequence[h5py.Dataset]],
    path: str | os.PathLike,
) -> list[tuple[Any, h5py.Dataset]]:
    """Pair layers with folders of the file where both are nested differently, if there is one way only."""
    ours, theirs = defaultdict(list), defaultdict(list)
    for folder, layer in expected.items():
        ours[_class(folder), tuple(tuple(weight.shape) for weight in layer.weights)].append(folder)
    for folder, datasets in by_folder.items():
        theirs[_class(folder), tuple(dataset.shape for dataset in datasets)].append(folder)
    for key in ours.keys() | theirs.keys():
        if len(ours[key]) != len(theirs[key]):
            kind, shapes = key
            raise _does_not_fit(
                path, f"it has {len(theirs[key])} layers {kind} with weights of {_shapes(shapes)} where "
                f"{len(ours[key])} are wanted"
            )  # fmt: skip
        if len(ours[key]) > 1 and not (_in_one_folder(ours[key]) and _in_one_folder(theirs[key])):
            raise _fits_in_two_ways(path, f"which of its layers {', '.join(theirs[key])} is which, nothing says")
    pairs = []
    for key, folders in ours.items():
        for folder, other in zip(sorted(folders, key=_number), sorted(theirs[key], key=_number), strict=True):
            pairs += list(zip(expected[folder].weights, by_folder[other], strict=True))
    return pairs


def _in_one_folder(folders: Sequence[str]) -> bool:
    """Tell whether all lie in the same model, so that their numbers order them."""
    return len({folder.rpartition("/")[0] for folder in folders}) == 1


def _class(folder: str) -> str:
    """Return the class of a layer by its folder's name: without the number."""
    return re.sub(r"_\d+$", "", folder.rpartition("/")[2])


def _number(folder: str) -> int:
    """Return the number of a layer among those of its class."""
    number = re.search(r"_(\d+)$", folder)
    return int(number[1]) if number else 0


def _folders(model: tf.keras.Model, prefix: str = "") -> Iterator[tuple[str, tf.keras.layers.Layer]]:
    """Yield the folder of each layer in Keras 3's layout: its class, numbered among those in the same model."""
    counts: Counter[str] = Counter()
    for layer in model.layers:
        kind = re.sub("([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", type(layer).__name__)).lower()
        folder = f"{prefix}layers/{kind}_{counts[kind]}" if counts[kind] else f"{prefix}layers/{kind}"
        counts[kind] += 1
        if isinstance(layer, tf.keras.Model):
            yield from _folders(layer, f"{folder}/")
        else:
            yield folder, layer


def _dataset_names(group: h5py.Group, path: str | os.PathLike, prefix: str = "", depth: int = 0) -> Iterator[str]:
    """Yield the names of all datasets, following no links."""
    if depth > _DEEPEST:
        raise InputError(f"{path} is nested more than {_DEEPEST} deep; it must be one that Keras wrote")
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise InputError(f"{path} holds a link at {prefix}{name}; weights must lie in it themselves")
        if isinstance(group[name], h5py.Group):
            yield from _dataset_names(group[name], path, f"{prefix}{name}/", depth + 1)
        elif isinstance(group[name], h5py.Dataset):
            yield f"{prefix}{name}"


def _leaves(layer: tf.keras.layers.Layer) -> list[tf.keras.layers.Layer]:
    """Return a layer, or the layers of a model, through nested ones."""
    if not isinstance(layer, tf.keras.Model):
        return [layer]
    return [leaf for inner in layer.layers for leaf in _leaves(inner)]


def _check_shapes(weights: Sequence[Any], datasets: Sequence[h5py.Dataset], path: str | os.PathLike) -> None:
    """Check that arrays have the shapes of weights."""
    wanted, held = [tuple(weight.shape) for weight in weights], [dataset.shape for dataset in datasets]
    different = next((i for i, (a, b) in enumerate(zip(held, wanted, strict=False)) if a != b), None)
    if different is not None:
        raise _does_not_fit(path, f"array {different + 1} is {held[different]} where {wanted[different]} is wanted")
    if len(held) != len(wanted):
        raise _does_not_fit(path, f"it has {len(held)} arrays where {len(wanted)} are wanted")


def _shapes(shapes: Sequence[tuple[int, ...]]) -> str:
    """Write shapes in a sentence."""
    return ", ".join(map(str, shapes))


def _does_not_fit(path: str | os.PathLike, why: str) -> InputError:
    """Return the sentence for weights of another architecture."""
    return InputError(f"{path} does not fit the CNN: {why}; both must be of the same layers and sizes")


def _fits_in_two_ways(path: str | os.PathLike, why: str) -> InputError:
    """Return the sentence for weights that can be read in two ways."""
    return InputError(
        f"{path} fits the CNN in two ways: {why}; save the whole model with model.save and name that file as cnn.model"
    )
