"""From the Nengo network that NengoDL's Converter returns to the compiled network of `csnn.event.network`.

The Nengo network is walked as a graph, from the output back to the input. What lies between two populations of neurons
is linear (convolutions, pooling, dense weights, padding, normalisation, sums, constants), and so is brought into the
form ``offset + sum of connections``. Nothing here knows the architecture of any particular network.

What the graph contains beyond that is refused with `NotCompilable`, before anything is simulated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import nengo
import numpy as np
from nengo.builder import Model
from nengo.ensemble import Neurons
from nengo.params import iter_params
from numpy.typing import NDArray
from scipy import sparse

from csnn.files import InputError
from csnn.event.network import (
    IMAGE,
    READOUT,
    Connection,
    Convolution,
    Layer,
    Network,
    Pooling,
    Shape,
    SparseMatrix,
    check_numbers,
)
from csnn.neurons import NENGO_NEURONS, nengo_name

MAX_SPARSE_ENTRIES = 50_000_000
"""Largest linear map without a structure of its own, in weights: 600 MB."""


class NotCompilable(InputError):
    """The network contains something that the event-driven engine cannot simulate; the message names it."""

    def __init__(self, what: str):
        super().__init__(f"engine: event cannot simulate {what}; engine: nengo-dl can run it")


@dataclass(frozen=True)
class _Place:
    """A linear step that puts units among zeros: unit i becomes unit ``position[i]`` of `size`."""

    position: NDArray[np.intp]
    size: int


LinearStep = Convolution | _Place | np.ndarray | sparse.csr_array
"""One linear step. An array is a factor per unit if it has one dimension, and a matrix (outputs, inputs) if two."""


@dataclass(frozen=True)
class _Path:
    """Connections in a row, from an image, neurons or a constant to what they feed, with at most one synapse."""

    source: nengo.Node | Neurons
    connections: tuple[nengo.Connection, ...]
    tau_syn_s: float | None


def compile_network(net: nengo.Network, input: nengo.Node, output: nengo.Probe, seed: int) -> Network:
    """Compile a converted network.

    Parameters
    ----------
    net : nengo.Network
        ``converter.net``.
    input : nengo.Node
        The node that shows the image, ``converter.inputs[converter.model.input]``.
    output : nengo.Probe
        The probe of the logits, ``converter.outputs[converter.model.output]``.
    seed : int
        Seed of the network, from which Nengo draws the initial state.

    Returns
    -------
    Network

    Raises
    ------
    NotCompilable
        If the network contains what the engine cannot simulate.
    InputError
        If a number is not finite, or an initial state out of range.
    """
    paths = _walk(net, input, output)
    model = _build(net, seed)
    targets = list(paths)
    chains = {
        target: [
            (path, simplify([step for c in path.connections for step in _steps(c, model)])) for path in paths[target]
        ]
        for target in targets
    }
    gains = {target: np.array(model.params[target.ensemble].gain) for target in targets if isinstance(target, Neurons)}
    for target, gain in gains.items():
        chains[target] = [(path, simplify([*steps, gain])) for path, steps in chains[target]]
    shapes = _shapes(chains, input)
    layers = []
    for target in targets:
        is_neurons = isinstance(target, Neurons)
        offset = np.zeros(target.size_in if is_neurons else output.size_in)
        if is_neurons:
            offset += model.params[target.ensemble].bias
        connections = []
        for path, steps in chains[target]:
            if _is_constant(path.source, input):
                offset += _apply(steps, np.asarray(path.source.output, float))
                continue
            poolings, linear = _canonical(steps, shapes[path.source])
            source = IMAGE if path.source is input else targets.index(path.source)
            connections.append(Connection(source, poolings, linear, path.tau_syn_s, path.tau_syn_s is not None))
        neuron_type = target.ensemble.neuron_type if is_neurons else None
        layers.append(
            Layer(
                name=str(target.ensemble.label if is_neurons else output.target),
                shape=shapes[target],
                neuron=nengo_name(neuron_type) if is_neurons else READOUT,
                parameters=_parameters(neuron_type) if is_neurons else {},
                state=_initial_state(target, model) if is_neurons else {},
                offset=offset,
                connections=tuple(connections),
            )
        )
    network = Network(shapes[input], tuple(layers), seed, {"nengo": nengo.__version__, "numpy": np.__version__})
    check_numbers(network)
    return network


def _is_constant(source: object, input: nengo.Node) -> bool:
    """Whether a node has an array as its output (as the input node has too, until it is given images)."""
    return isinstance(source, nengo.Node) and source is not input and isinstance(source.output, np.ndarray)


def _walk(net: nengo.Network, input: nengo.Node, output: nengo.Probe) -> dict[object, list[_Path]]:
    """Find what the output depends on: for each population of neurons, and for the probe, the paths that feed it.

    Returns
    -------
    dict
        Keyed by `Neurons` and, last, by the probe; what feeds another comes first.
    """
    incoming: dict[object, list[nengo.Connection]] = {}
    for connection in net.all_connections:
        incoming.setdefault(connection.post_obj, []).append(connection)
    paths: dict[object, list[_Path]] = {}
    under_way: list[object] = []

    def enter(target: object) -> None:
        if target in under_way:
            raise NotCompilable(f"the recurrent connection through {target}")
        under_way.append(target)

    def paths_into(target: object) -> Iterator[_Path]:
        enter(target)
        for connection in incoming.get(target, []):
            _check_connection(connection)
            source = connection.pre_obj
            tau_syn_s = None if connection.synapse is None else float(connection.synapse.tau)
            if source is input or isinstance(source, Neurons) or _is_constant(source, input):
                if tau_syn_s is not None and _is_constant(source, input):
                    raise NotCompilable(f"the synapse on {connection}, which comes from a constant")
                if isinstance(source, Neurons):
                    visit(source)
                yield _Path(source, (connection,), tau_syn_s)
            elif _is_passthrough(source):
                if tau_syn_s is not None:
                    raise NotCompilable(f"the synapse on {connection}, which comes from a node instead of neurons")
                for path in paths_into(source):
                    yield replace(path, connections=(*path.connections, connection))
            else:
                raise NotCompilable(f"{source} ({type(source).__name__}), the source of {connection}")
        under_way.pop()

    def visit(neurons: Neurons) -> None:
        if neurons in paths:
            return
        _check_ensemble(neurons.ensemble)
        if neurons.ensemble in incoming:
            raise NotCompilable(f"{incoming[neurons.ensemble][0]}, which feeds an ensemble instead of its neurons")
        found = list(paths_into(neurons))
        paths[neurons] = found

    target = output.target
    if output.sample_every is not None:
        raise NotCompilable(f"sample_every of {output}")
    if isinstance(target, Neurons) and output.attr == "output":
        _check_synapse(output.synapse, output)
        visit(target)
        paths[output] = [_Path(target, (), None if output.synapse is None else float(output.synapse.tau))]
    elif _is_passthrough(target) and output.synapse is None:
        paths[output] = list(paths_into(target))
    else:
        raise NotCompilable(f"{output} of {target}: it probes neither neurons nor, without a synapse, a linear node")
    return paths


def _is_passthrough(node: object) -> bool:
    """Whether an object is a node that only adds up its inputs."""
    return type(node) is nengo.Node and node.output is None


def _check_synapse(synapse: nengo.synapses.Synapse | None, where: object) -> None:
    """Refuse every synapse but a lowpass."""
    if synapse is not None and not (type(synapse) is nengo.Lowpass and synapse.analog):
        raise NotCompilable(f"the synapse {synapse} on {where}")


def _check_connection(connection: nengo.Connection) -> None:
    """Refuse connections that are not a fixed linear map with a lowpass filter."""
    _check_synapse(connection.synapse, connection)
    if isinstance(connection.pre_obj, nengo.Ensemble):
        raise NotCompilable(f"{connection}, which leaves an ensemble instead of its neurons")
    if getattr(connection, "function", None) is not None:
        raise NotCompilable(f"the function on {connection}")
    if connection.learning_rule_type is not None:
        raise NotCompilable(f"the learning rule on {connection}")
    transform = connection.transform
    if isinstance(transform, nengo.Convolution):
        if not transform.channels_last or transform.dimensions not in (1, 2) or getattr(transform, "groups", 1) != 1:
            raise NotCompilable(
                f"{transform} on {connection}: convolutions need one group, one or two dimensions, channels last"
            )
    elif not isinstance(transform, nengo.transforms.NoTransform | nengo.Dense | nengo.Sparse):
        raise NotCompilable(f"{transform} on {connection}")


def _check_ensemble(ensemble: nengo.Ensemble) -> None:
    """Refuse neuron types that are not in `csnn.neurons`, and noise."""
    if (name := nengo_name(ensemble.neuron_type)) not in NENGO_NEURONS:
        raise NotCompilable(f"neurons of type {name} in {ensemble}")
    if ensemble.noise is not None:
        raise NotCompilable(f"the noise of {ensemble}")


def _build(net: nengo.Network, seed: int) -> Model:
    """Let Nengo build the network in double precision: it draws the initial state and all that is random."""
    previous_seed, previous_bits = net.seed, nengo.rc.get("precision", "bits")
    net.seed = seed
    nengo.rc.set("precision", "bits", "64")
    try:
        model = Model(dt=0.001)
        model.build(net)
    finally:
        net.seed = previous_seed
        nengo.rc.set("precision", "bits", previous_bits)
    return model


def _parameters(neuron_type: nengo.neurons.NeuronType) -> dict[str, float]:
    """The neuron type's parameters under Nengo's names, those of its base type with ``base_`` in front."""
    parameters: dict[str, float] = {}
    for name in iter_params(neuron_type):
        value = getattr(neuron_type, name)
        if name == "base_type":
            parameters |= {f"base_{key}": number for key, number in _parameters(value).items()}
        elif name != "initial_state":
            parameters[name] = float(value)
    return parameters


def _initial_state(neurons: Neurons, model: Model) -> dict[str, NDArray[np.float64]]:
    """The neurons' state before the first step."""
    names = NENGO_NEURONS[nengo_name(neurons.ensemble.neuron_type)].state._fields
    return {name: np.array(model.sig[neurons][name].initial_value, float) for name in names}


def _steps(connection: nengo.Connection, model: Model) -> Iterator[LinearStep]:
    """The linear steps of a connection, in the order in which Nengo applies them."""
    size_in, size_out = connection.pre_obj.size_out, connection.post_obj.size_in
    taken = np.arange(size_in)[connection.pre_slice]
    if not np.array_equal(taken, np.arange(size_in)):
        yield sparse.csr_array((np.ones(taken.size), (np.arange(taken.size), taken)), (taken.size, size_in))
    weights = model.params[connection].weights
    transform = connection.transform
    if isinstance(transform, nengo.Convolution):
        yield _convolution(transform, np.asarray(weights, float))
    elif isinstance(transform, nengo.Sparse):
        yield sparse.csr_array(weights.allocate() if hasattr(weights, "allocate") else weights)
    elif isinstance(transform, nengo.Dense):
        weights = np.array(weights, float)
        yield np.full(transform.size_out, weights) if weights.ndim == 0 else weights
    placed = np.arange(size_out)[connection.post_slice]
    if not np.array_equal(placed, np.arange(size_out)):
        if np.unique(placed).size != placed.size:
            raise NotCompilable(f"{connection}, which feeds a unit twice")
        yield _Place(placed, size_out)


def _convolution(transform: nengo.Convolution, kernel: NDArray[np.float64]) -> Convolution:
    """A Nengo convolution of one or two dimensions, with TensorFlow's rule for "same" padding."""
    missing = (1,) * (2 - transform.dimensions)
    size, stride = missing + tuple(transform.kernel_size), missing + tuple(transform.strides)
    input_shape = missing + tuple(transform.input_shape.shape)
    output_shape = missing + tuple(transform.output_shape.shape)
    padding = (0, 0)
    if transform.padding == "same":
        padding = tuple(
            max((output_shape[axis] - 1) * stride[axis] + size[axis] - input_shape[axis], 0) // 2 for axis in (0, 1)
        )
    return Convolution(kernel.reshape(*size, *kernel.shape[-2:]), stride, padding, input_shape, output_shape)


def simplify(steps: list[LinearStep]) -> list[LinearStep]:
    """Join neighbouring linear steps where the result is a convolution, a dense matrix or a factor again.

    The product of the steps stays the same, up to rounding. Average pooling is moved to the front and kept apart,
    because pooled signals are cheaper to convolve.
    """
    done: list[LinearStep] = []
    waiting = list(steps)
    while waiting:
        step = waiting.pop(0)
        joined = _join(done[-1], step) if done else None
        if joined is None:
            done.append(step)
        else:
            done.pop()
            waiting[:0] = joined
    return done


def _join(first: LinearStep, second: LinearStep) -> list[LinearStep] | None:
    """One step, or two in a better order, that do the same as two; None if there is nothing to gain."""
    match first, second:
        case Convolution(), np.ndarray(ndim=1):
            channel = _per_channel(second, first.output_shape)
            if channel is not None and _pooling(first) is None:
                return [replace(first, kernel=first.kernel * channel)]
        case np.ndarray(ndim=1), Convolution():
            channel = _per_channel(first, second.input_shape)
            if channel is not None and _pooling(second) is not None:
                return [second, np.tile(channel, math.prod(second.output_shape[:2]))]
            if channel is not None:
                return [replace(second, kernel=second.kernel * channel[:, np.newaxis])]
        case Convolution(), Convolution() if _pooling(first) is None and _composable(first, second):
            return [_compose(first, second)]
        case _Place(), Convolution():
            return _pad(first, second)
        case _Place(), np.ndarray(ndim=1):
            return [second[first.position], first]
        case np.ndarray(ndim=1), np.ndarray(ndim=1):
            return [first * second]
        case np.ndarray(ndim=1), np.ndarray(ndim=2):
            return [second * first]
        case np.ndarray(ndim=2), np.ndarray(ndim=1):
            return [first * second[:, np.newaxis]]
        case np.ndarray(ndim=2), np.ndarray(ndim=2):
            return [second @ first]
    return None


def _per_channel(factor: NDArray[np.float64], shape: Shape) -> NDArray[np.float64] | None:
    """The factors by channel, if they are the same everywhere in the image, else None."""
    factor = factor.reshape(-1, shape[2])
    return factor[0] if (factor == factor[0]).all() else None


def _pooling(convolution: Convolution) -> Pooling | None:
    """The average pooling that a convolution is, or None."""
    rows, columns, inputs, outputs = convolution.kernel.shape
    if inputs != outputs or convolution.padding != (0, 0):
        return None
    if not (convolution.kernel == np.eye(inputs) / (rows * columns)).all():
        return None
    pooling = Pooling((rows, columns), convolution.stride)
    return pooling if pooling.output_shape(convolution.input_shape) == convolution.output_shape else None


def _composable(first: Convolution, second: Convolution) -> bool:
    """Whether two convolutions in a row are one.

    The second must read the image that the first writes. Beyond that image the second reads zeros, so its windows must
    lie within, or the first must give zeros beyond, as where its windows would lie beside its own input.
    """
    if first.output_shape != second.input_shape:
        return False
    for axis in (0, 1):
        before = second.padding[axis]
        after = (second.output_shape[axis] - 1) * second.stride[axis] + second.kernel.shape[axis] - before
        beside_before = first.kernel.shape[axis] - first.stride[axis] <= first.padding[axis]
        beside_after = first.output_shape[axis] * first.stride[axis] - first.padding[axis] >= first.input_shape[axis]
        if (before > 0 and not beside_before) or (after > first.output_shape[axis] and not beside_after):
            return False
    return True


def _compose(first: Convolution, second: Convolution) -> Convolution:
    """The convolution that does what two in a row do, if they are `_composable`."""
    rows, columns = ((second.kernel.shape[a] - 1) * first.stride[a] + first.kernel.shape[a] for a in (0, 1))
    kernel = np.zeros((rows, columns, first.kernel.shape[2], second.kernel.shape[3]))
    for row in range(second.kernel.shape[0]):
        for column in range(second.kernel.shape[1]):
            top, left = row * first.stride[0], column * first.stride[1]
            part = kernel[top : top + first.kernel.shape[0], left : left + first.kernel.shape[1]]
            part += first.kernel @ second.kernel[row, column]
    stride = (first.stride[0] * second.stride[0], first.stride[1] * second.stride[1])
    padding = tuple(first.padding[a] + second.padding[a] * first.stride[a] for a in (0, 1))
    return Convolution(kernel, stride, padding, first.input_shape, second.output_shape)


def _pad(place: _Place, convolution: Convolution) -> list[LinearStep] | None:
    """The convolution with padding that does the same as zeros around an image and a convolution, or None."""
    shape = convolution.input_shape
    row, column, _ = np.unravel_index(place.position, shape)
    top, left = int(row.min()), int(column.min())
    rows, columns = int(row.max()) + 1 - top, int(column.max()) + 1 - left
    inside = np.arange(place.size).reshape(shape)[top : top + rows, left : left + columns].ravel()
    if not np.array_equal(inside, place.position):
        return None
    padding = (convolution.padding[0] + top, convolution.padding[1] + left)
    return [replace(convolution, padding=padding, input_shape=(rows, columns, shape[2]))]


def _matrix(step: LinearStep) -> sparse.csr_array:
    """A linear step as a sparse matrix, shape (outputs, inputs)."""
    match step:
        case np.ndarray(ndim=1):
            return sparse.csr_array(sparse.diags_array(step))
        case np.ndarray():
            return sparse.csr_array(step)
        case _Place():
            shape = (step.size, step.position.size)
            return sparse.csr_array((np.ones(shape[1]), (step.position, np.arange(shape[1]))), shape)
        case Convolution():
            return _convolution_matrix(step)
    return step


def _convolution_matrix(step: Convolution) -> sparse.csr_array:
    """A convolution as a sparse matrix, one tap of the kernel after the other."""
    if math.prod(step.output_shape[:2]) * step.kernel.size > MAX_SPARSE_ENTRIES:
        raise NotCompilable(
            f"a convolution of {step.input_shape} to {step.output_shape} within a linear map that is none itself"
        )
    shape = (math.prod(step.output_shape), math.prod(step.input_shape))
    inputs = np.arange(shape[1]).reshape(step.input_shape)
    outputs = np.arange(shape[0]).reshape(step.output_shape)
    values, targets, sources = [], [], []
    for tap_row in range(step.kernel.shape[0]):
        for tap_column in range(step.kernel.shape[1]):
            rows = np.arange(step.output_shape[0]) * step.stride[0] + tap_row - step.padding[0]
            columns = np.arange(step.output_shape[1]) * step.stride[1] + tap_column - step.padding[1]
            inside_rows = (rows >= 0) & (rows < step.input_shape[0])
            inside_columns = (columns >= 0) & (columns < step.input_shape[1])
            source = inputs[np.ix_(rows[inside_rows], columns[inside_columns])][..., :, np.newaxis]
            target = outputs[np.ix_(inside_rows, inside_columns)][..., np.newaxis, :]
            source, target, value = np.broadcast_arrays(source, target, step.kernel[tap_row, tap_column])
            values.append(value.ravel())
            targets.append(target.ravel())
            sources.append(source.ravel())
    entries = (np.concatenate(values), (np.concatenate(targets), np.concatenate(sources)))
    return sparse.csr_array(entries, shape)


def _apply(steps: list[LinearStep], signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """What becomes of a constant signal."""
    for step in steps:
        signal = _matrix(step) @ signal
    return signal


def _shapes(chains: dict[object, list[tuple[_Path, list[LinearStep]]]], input: nengo.Node) -> dict[object, Shape]:
    """Choose rows, columns and channels for the image and for each layer: what convolutions and pooling say of them.

    Nengo knows only vectors. Where nothing is said, or different things are, units lie in one row and column.
    """
    shapes: dict[object, Shape] = {}
    for feeding in chains.values():
        for path, steps in feeding:
            if steps and isinstance(steps[0], Convolution):
                shapes.setdefault(path.source, steps[0].input_shape)
    for target, feeding in chains.items():
        for _, steps in feeding:
            if steps and isinstance(steps[-1], Convolution):
                shapes.setdefault(target, steps[-1].output_shape)
        size = target.size_in
        shapes.setdefault(target, (1, 1, int(size)))
    shapes.setdefault(input, (1, 1, int(input.size_out)))
    return shapes


def _canonical(steps: list[LinearStep], shape: Shape) -> tuple[tuple[Pooling, ...], Convolution | SparseMatrix]:
    """Bring simplified steps into the form of a `Connection`: poolings, then a convolution or a sparse matrix.

    Parameters
    ----------
    steps
        As `simplify` leaves them.
    shape
        Rows, columns and channels of the source.
    """
    poolings: list[Pooling] = []
    here = shape
    rest = list(steps)
    while len(rest) > 1 and isinstance(rest[0], Convolution) and rest[0].input_shape == here and _pooling(rest[0]):
        pooling = rest.pop(0)
        poolings.append(_pooling(pooling))
        here = pooling.output_shape
    if len(rest) == 1 and isinstance(rest[0], Convolution) and rest[0].input_shape == here:
        return tuple(poolings), rest[0]
    if len(rest) == 1 and isinstance(rest[0], np.ndarray) and rest[0].ndim == 2:
        weights = rest[0]
        outputs = (1, 1, weights.shape[0])
        kernel = np.ascontiguousarray(weights.T).reshape(*here, weights.shape[0])
        return tuple(poolings), Convolution(kernel, (1, 1), (0, 0), here, outputs)
    matrix = sparse.csr_array(sparse.eye_array(math.prod(here)))
    for step in rest:
        matrix = _matrix(step) @ matrix
    if matrix.nnz > MAX_SPARSE_ENTRIES:
        raise NotCompilable(f"a linear map with {matrix.nnz} weights that is neither a convolution nor dense")
    columns = sparse.csc_array(matrix)
    columns.sort_indices()
    return tuple(poolings), SparseMatrix(
        columns.indptr.astype(np.int64),
        columns.indices.astype(np.int32),
        columns.data.astype(np.float64),
        matrix.shape[0],
    )
