"""From the Nengo network that NengoDL's Converter returns to the compiled network of `csnn.event.network`.

The Nengo network is walked as a graph, from the input to the output. What lies between two populations of neurons is
linear (convolutions, pooling, dense weights, padding, normalisation, sums, constants), and so is brought into the form
``offset + sum of connections``, by the algebra of `csnn.event.linear`. Constants are followed as they are, not as part
of the maps. Nothing here knows the architecture of any particular network.

What the graph contains beyond that is refused with `NotCompilable`, before anything is simulated.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias, TypeGuard

import nengo
import numpy as np
from nengo.builder import Model
from nengo.ensemble import Neurons
from nengo.params import iter_params
from numpy.typing import NDArray

from csnn.event import linear
from csnn.event.linear import Step, simplify
from csnn.event.network import (
    IMAGE,
    LINEAR,
    READOUT,
    Connection,
    Layer,
    Network,
    Shape,
    check_numbers,
    same_padding,
)
from csnn.files import InputError
from csnn.neurons import NENGO_NEURONS, nengo_name
from csnn.synapses import ALPHA, LOWPASS, Synapse

MAX_SPARSE_ENTRIES = 50_000_000
"""Largest linear map without a structure of its own, in weights: 600 MB."""

Object: TypeAlias = nengo.Node | Neurons | nengo.Probe


class NotCompilable(InputError):
    """The network contains something that the event-driven engine cannot simulate; the message names it."""

    def __init__(self, what: str):
        super().__init__(f"engine: event cannot simulate {what}; engine: nengo-dl can run it")


@dataclass(frozen=True)
class _Term:
    """What a signal takes from the image or a layer: some linear steps, with at most one synapse before them."""

    source: int
    tau_syn_s: float | None
    has_synapse: bool
    steps: list[Step]
    synapse: Synapse = LOWPASS


@dataclass(frozen=True)
class _Signal:
    """The signal of an object of the graph: a constant plus the sum of terms."""

    constant: NDArray[np.float64]
    terms: list[_Term]


@dataclass(frozen=True)
class _Draft:
    """A layer whose rows, columns and channels are still open."""

    name: str
    signal: _Signal
    neuron: str
    parameters: dict[str, float] = field(default_factory=dict)
    state: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Number of units."""
        return self.signal.constant.size


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
    _check_probe(output)
    incoming: dict[object, list[nengo.Connection]] = {}
    for connection in net.all_connections:
        incoming.setdefault(connection.post_obj, []).append(connection)
    order = _order(incoming, input, output)
    drafts = _Drafts(incoming, input, output, order, _build(net, seed)).layers
    shapes = _shapes(drafts, int(input.size_out))
    layers = tuple(
        Layer(
            name=draft.name,
            shape=shapes[index],
            neuron=draft.neuron,
            parameters=draft.parameters,
            state=draft.state,
            offset=draft.signal.constant,
            connections=tuple(
                Connection(
                    term.source,
                    *linear.connection_of(term.steps, shapes[term.source], shapes[index]),
                    term.tau_syn_s,
                    term.has_synapse,
                    term.synapse,
                )
                for term in draft.signal.terms
            ),
        )
        for index, draft in enumerate(drafts)
    )
    network = Network(shapes[IMAGE], layers, seed, {"nengo": nengo.__version__, "numpy": np.__version__})
    check_numbers(network)
    return network


def _order(incoming: dict[object, list[nengo.Connection]], input: nengo.Node, output: nengo.Probe) -> list[Object]:
    """List what the output depends on, each object after those that feed it, and check the connections between."""
    order: list[Object] = []
    under_way: dict[object, Iterator[nengo.Connection]] = {}

    def enter(obj: object) -> None:
        _check_object(obj, input, incoming)
        # a constant needs no input, nor does the image
        feeding = incoming.get(obj, []) if isinstance(obj, Neurons) or _is_passthrough(obj) else []
        under_way[obj] = iter(feeding)

    enter(output.target)
    done: set[object] = set()
    while under_way:
        obj, connections = next(reversed(under_way.items()))
        connection = next(connections, None)
        if connection is None:
            del under_way[obj]
            done.add(obj)
            order.append(obj)
            continue
        _check_connection(connection, input)
        if connection.pre_obj in under_way:
            raise NotCompilable(f"the recurrent connection through {connection.pre_obj}")
        if connection.pre_obj not in done:
            enter(connection.pre_obj)
    return order


def _is_constant(source: object, input: nengo.Node) -> bool:
    """Whether a node has an array as its output (as the input node has too, until it is given images)."""
    return isinstance(source, nengo.Node) and source is not input and isinstance(source.output, np.ndarray)


class _Drafts:
    """The layers of a network in the making: signals are followed through the graph, and some become layers.

    A passive node becomes a layer of its own where what follows it cannot be joined with what comes before it, and
    where several others read a sum or weighted signal, which would be computed for each of them.
    """

    def __init__(
        self,
        incoming: dict[object, list[nengo.Connection]],
        input: nengo.Node,
        output: nengo.Probe,
        order: list[Object],
        model: Model,
    ):
        self.incoming, self.model = incoming, model
        self.layers: list[_Draft] = []
        self.signals: dict[object, _Signal] = {}
        connections = (connection for obj in order for connection in incoming.get(obj, []))
        self.readers = Counter(connection.pre_obj for connection in connections)
        self.readers[output.target] += 1
        for obj in order:
            if obj is input:
                size = int(input.size_out)
                self.signals[obj] = _Signal(np.zeros(size), [_Term(IMAGE, None, False, [])])
            elif _is_constant(obj, input):
                self.signals[obj] = _Signal(np.array(obj.output, float), [])
            elif isinstance(obj, Neurons):
                self._add_population(obj)
            else:
                self._add_node(obj)
        read = self.signals[output.target]
        read = replace(read, terms=_with_synapse(read.terms, output.synapse))
        self.layers.append(_Draft(str(output.target), read, READOUT))

    def _add_population(self, neurons: Neurons) -> None:
        """Make a layer of a population of neurons."""
        built = self.model.params[neurons.ensemble]
        self.signals[neurons] = self._sum(neurons)
        signal = self._through(neurons, [linear.factor(np.array(built.gain, float))])
        neuron_type = neurons.ensemble.neuron_type
        self.signals[neurons] = self._layer(
            _Draft(
                str(neurons.ensemble.label),
                replace(signal, constant=built.bias + signal.constant),
                nengo_name(neuron_type),
                _parameters(neuron_type),
                _initial_state(neurons, self.model),
            )
        )

    def _add_node(self, node: nengo.Node) -> None:
        """Follow the signal of a passive node."""
        is_shared = self.readers[node] > 1
        feeding = [c for c in self.incoming.get(node, []) if self.signals[c.pre_obj].terms]
        is_concatenation = all(linear.is_placement(simplify(list(_steps(c, self.model)))) for c in feeding)
        if is_shared and is_concatenation:
            for connection in feeding:
                self._share(connection.pre_obj)
        self.signals[node] = self._sum(node)
        if is_shared and not is_concatenation:
            self._share(node)

    def _sum(self, target: Object) -> _Signal:
        """Sum up what feeds an object."""
        constant, terms = np.zeros(target.size_in), []
        for connection in self.incoming.get(target, []):
            signal = self._through(connection.pre_obj, list(_steps(connection, self.model)))
            constant += signal.constant
            terms += _with_synapse(signal.terms, connection.synapse)
        return _Signal(constant, terms)

    def _through(self, source: Object, steps: list[Step]) -> _Signal:
        """Follow a signal through steps; what lies before a step that cannot be joined becomes a layer."""
        signal = self.signals[source]
        for number, step in enumerate(simplify(steps)):
            terms = _followed(signal.terms, step)
            if not all(linear.is_direct(term.steps) for term in terms):
                signal = self._layer(_Draft(str(source), signal, LINEAR))
                terms = _followed(signal.terms, step)
                if number == 0:
                    self.signals[source] = signal
            signal = _Signal(linear.apply(step, signal.constant), terms)
        return signal

    def _share(self, obj: Object) -> None:
        """Make a layer of a passive node whose signal is better computed only once."""
        terms = self.signals[obj].terms
        if _is_passthrough(obj) and (len(terms) > 1 or any(linear.has_weights(term.steps) for term in terms)):
            self.signals[obj] = self._layer(_Draft(str(obj), self.signals[obj], LINEAR))

    def _layer(self, draft: _Draft) -> _Signal:
        """Add a layer; return the signal that it gives."""
        self.layers.append(draft)
        return _Signal(np.zeros(draft.size), [_Term(len(self.layers) - 1, None, False, [])])


def _with_synapse(terms: list[_Term], synapse: nengo.synapses.Synapse | None) -> list[_Term]:
    """Put a synapse on terms, if there is one."""
    if synapse is None or (known := _kind_and_tau(synapse)) is None:
        return terms
    kind, tau_syn_s = known
    return [replace(term, tau_syn_s=tau_syn_s, has_synapse=True, synapse=kind) for term in terms]


def _kind_and_tau(synapse: nengo.synapses.Synapse) -> tuple[Synapse, float] | None:
    """The kind of a synapse (see `csnn.synapses`) and its time constant in seconds; None if it is of no such kind.

    A `LinearFilter` is a double exponential if its transfer function is ``1 / ((rise s + 1) (tau s + 1))``.
    """
    if not isinstance(synapse, nengo.LinearFilter) or not synapse.analog or synapse.method != "zoh":
        return None
    if type(synapse) in (nengo.Lowpass, nengo.Alpha):
        return ALPHA if type(synapse) is nengo.Alpha else LOWPASS, float(synapse.tau)
    if type(synapse) is not nengo.LinearFilter or synapse.num.tolist() != [1] or synapse.den.shape != (3,):
        return None
    product, total, constant = map(float, synapse.den)
    discriminant = total**2 - 4 * product
    if constant != 1 or product <= 0 or total <= 0 or discriminant < 0:
        return None
    tau_syn_s = (total + math.sqrt(discriminant)) / 2
    return {"rise_s": product / tau_syn_s}, tau_syn_s


def _followed(terms: list[_Term], step: Step) -> list[_Term]:
    """Follow terms through one more step."""
    return [replace(term, steps=simplify([*term.steps, step])) for term in terms]


def _is_passthrough(node: object) -> TypeGuard[nengo.Node]:
    """Whether an object is a node that only adds up its inputs."""
    return isinstance(node, nengo.Node) and type(node) is nengo.Node and node.output is None


def _check_probe(output: nengo.Probe) -> None:
    """Refuse probes of anything but neurons or, without a synapse, a passive node."""
    if output.sample_every is not None:
        raise NotCompilable(f"sample_every of {output}")
    of_neurons = isinstance(output.target, Neurons) and output.attr == "output"
    if not of_neurons and not (_is_passthrough(output.target) and output.synapse is None):
        raise NotCompilable(
            f"{output} of {output.target}: it probes neither neurons nor, without a synapse, a linear node"
        )
    _check_synapse(output.synapse, output)


def _check_synapse(synapse: nengo.synapses.Synapse | None, where: object) -> None:
    """Refuse every synapse but those of `csnn.synapses`."""
    if synapse is not None and _kind_and_tau(synapse) is None:
        raise NotCompilable(f"the synapse {synapse} on {where}")


def _check_connection(connection: nengo.Connection, input: nengo.Node) -> None:
    """Refuse connections that are not a fixed linear map with a synapse of `csnn.synapses`."""
    source = connection.pre_obj
    _check_synapse(connection.synapse, connection)
    if isinstance(source, nengo.Ensemble):
        raise NotCompilable(f"{connection}, which leaves an ensemble instead of its neurons")
    if getattr(connection, "function", None) is not None:
        raise NotCompilable(f"the function on {connection}")
    if connection.learning_rule_type is not None:
        raise NotCompilable(f"the learning rule on {connection}")
    if connection.synapse is not None and source is not input and not isinstance(source, Neurons):
        kind = "a constant" if _is_constant(source, input) else "a node"
        raise NotCompilable(f"the synapse on {connection}, which comes from {kind} instead of neurons")
    transform = connection.transform
    if isinstance(transform, nengo.Convolution):
        if not transform.channels_last:
            raise NotCompilable(f"{transform} on {connection}, which has channels first instead of last")
    elif not isinstance(transform, nengo.transforms.NoTransform | nengo.Dense | nengo.Sparse):
        raise NotCompilable(f"{transform} on {connection}")


def _check_object(obj: object, input: nengo.Node, incoming: dict[object, list[nengo.Connection]]) -> None:
    """Refuse objects other than the image, constants, passive nodes and neurons of the types in `csnn.neurons`."""
    if obj is input or _is_constant(obj, input) or _is_passthrough(obj):
        return
    if not isinstance(obj, Neurons):
        raise NotCompilable(f"{obj} ({type(obj).__name__}), on which the output depends")
    ensemble = obj.ensemble
    if (name := nengo_name(ensemble.neuron_type)) not in NENGO_NEURONS:
        raise NotCompilable(f"neurons of type {name} in {ensemble}")
    if ensemble.noise is not None:
        raise NotCompilable(f"the noise of {ensemble}")
    if ensemble in incoming:
        raise NotCompilable(f"{incoming[ensemble][0]}, which feeds an ensemble instead of its neurons")


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


def _steps(connection: nengo.Connection, model: Model) -> Iterator[Step]:
    """Yield the linear steps of a connection, in the order in which Nengo applies them."""
    size_in, size_out = connection.pre_obj.size_out, connection.post_obj.size_in
    yield linear.slice_of(np.arange(size_in)[connection.pre_slice], size_in)
    weights = model.params[connection].weights
    transform = connection.transform
    if isinstance(transform, nengo.Convolution):
        yield _convolution(connection, np.asarray(weights, float))
    elif isinstance(transform, nengo.Sparse):
        yield linear.sparse_matrix(weights.allocate() if hasattr(weights, "allocate") else weights)
    elif isinstance(transform, nengo.Dense):
        weights = np.array(weights, float)
        weights = np.full(transform.size_out, weights) if weights.ndim == 0 else weights
        yield linear.factor(weights) if weights.ndim == 1 else linear.matrix(weights)
    placed = np.arange(size_out)[connection.post_slice]
    if np.unique(placed).size != placed.size:
        raise NotCompilable(f"{connection}, which feeds a unit twice")
    yield linear.placement(placed, size_out)


def _convolution(connection: nengo.Connection, kernel: NDArray[np.float64]) -> Step:
    """Return a Nengo convolution, with TensorFlow's rule for "same" padding."""
    transform = connection.transform
    is_same = transform.padding == "same"
    if transform.dimensions > 2:
        entries = kernel.size * math.prod(transform.output_shape.shape[:-1])
        if entries > MAX_SPARSE_ENTRIES or transform.groups != 1:
            raise NotCompilable(
                f"{transform} on {connection}: in {transform.dimensions} dimensions a convolution is a sparse matrix, "
                f"which must have one group and at most {MAX_SPARSE_ENTRIES:,} weights"
            )
        shapes = tuple(transform.input_shape.shape), tuple(transform.output_shape.shape)
        return linear.sparse_matrix(linear.convolution_in_space(kernel, transform.strides, is_same, *shapes))
    missing = (1,) * (2 - transform.dimensions)
    size, stride = missing + tuple(transform.kernel_size), missing + tuple(transform.strides)
    input_shape = missing + tuple(transform.input_shape.shape)
    output_shape = missing + tuple(transform.output_shape.shape)
    padding = (0, 0)
    if is_same:
        above, left = (same_padding(input_shape[a], output_shape[a], size[a], stride[a]) for a in (0, 1))
        padding = (above, left)
    kernel = kernel.reshape(*size, *kernel.shape[-2:])
    return linear.convolution(kernel, stride, padding, input_shape, output_shape, transform.groups)


def _shapes(drafts: list[_Draft], image_size: int) -> dict[int, Shape]:
    """Choose rows, columns and channels for the image and for each layer.

    Nengo knows only vectors. What feeds a layer says its shape, else what reads it, else a source whose units
    are put into it, or of the same size; where nothing does, units lie in one row and column.
    """
    sizes = {IMAGE: image_size} | {index: draft.size for index, draft in enumerate(drafts)}
    terms = [(index, term) for index, draft in enumerate(drafts) for term in draft.signal.terms]
    said = [(index, linear.output_shape(term.steps)) for index, term in terms]
    said += [(term.source, linear.input_shape(term.steps)) for _, term in terms]
    shapes: dict[int, Shape] = {}
    for index, shape in said:
        if shape is not None and math.prod(shape) == sizes[index]:
            shapes.setdefault(index, shape)
    for index, term in terms:
        source = shapes.setdefault(term.source, (1, 1, sizes[term.source]))
        shape = linear.placed_shape(term.steps, source)
        if shape is None and sizes[index] == sizes[term.source]:
            shape = source
        if shape is not None:
            shapes.setdefault(index, shape)
    return {index: shapes.get(index, (1, 1, size)) for index, size in sizes.items()}
