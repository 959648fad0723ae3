"""Export of a converted network in the Neuromorphic Intermediate Representation (NIR, package `nir`).

Each layer becomes ``Conv2d`` or ``Affine`` with its gains and biases folded in, and ``IF`` (SRL) or ``LIF`` neurons; a
``Scale`` gives a spike its height, then come ``AvgPool2d``, and an ``LI`` for the synapse's filter. Signals are real
numbers that hold for a step; a spike is 1 for one step. Arrays are channels first.

What NIR cannot say is in ``metadata``, or not in the file at all: docs/how-to.md lists it.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from csnn import synapses
from csnn.event.network import IMAGE, LINEAR, READOUT, Connection, Convolution, Layer, Network, Pooling, Reshape, Shape
from csnn.event.plan import lowpass
from csnn.files import InputError, atomic_write

if TYPE_CHECKING:
    import nir

CONVENTIONS = (
    "Signals hold for a step of dt_s; a spike is 1 for a step. Not in NIR's own equations, but computed so by the "
    "network that this was made from: IF neurons take max(current, 0), keep what exceeds the threshold (reset by "
    "subtraction) and may spike several times in a step; LIF neurons rest for tau_ref_s after a spike, which they time "
    "within a step, and stay at min_voltage or above; what LI puts out arrives one step later; membrane potentials "
    "start at initial_voltage."
)
"""Written into the graph's metadata."""


def export_nir(network: Network, path: str | os.PathLike, *, dt_s: float = 0.001) -> nir.NIRGraph:
    """Write a network of SRL or LIF neurons as a NIR file.

    Parameters
    ----------
    network
        From `csnn.convert` or `csnn.load`, with the synaptic time constant that it was converted with.
    path
        Of the file, by custom with the suffix ``.nir``.
    dt_s
        Length of a time step in seconds, which the height of a spike depends on.

    Returns
    -------
    nir.NIRGraph
        What was written.

    Raises
    ------
    InputError
        If a part of the network has no counterpart in NIR, which it names; or the package `nir` is not installed.
    """
    try:
        import nir
    except ImportError:
        raise InputError("export_nir needs the package nir, which is not installed: pip install nir") from None
    nodes: dict[str, Any] = {"input": nir.Input(input_type=np.array(_nir_shape(network.input_shape, image=True)))}
    edges: list[tuple[str, str]] = []
    names = {IMAGE: "input"}
    for index, layer in enumerate(network.layers):
        target = f"neurons{index}"
        for number, connection in enumerate(layer.connections):
            chain = _connection(nir, network, index, connection, dt_s, with_bias=number == 0)
            previous = names[connection.source]
            for kind, node in chain:
                name = f"{kind}{index}" + (f"_{number}" if number else "")
                nodes[name] = node
                edges.append((previous, name))
                previous = name
            edges.append((previous, target))
        nodes[target], after = _neurons(nir, layer, dt_s)
        names[index] = target
        for kind, node in after:
            nodes[f"{kind}{index}"] = node
            edges.append((names[index], f"{kind}{index}"))
            names[index] = f"{kind}{index}"
    graph = nir.NIRGraph(nodes=nodes, edges=edges, metadata={"dt_s": dt_s, "conventions": CONVENTIONS})
    with atomic_write(path) as temporary:
        nir.write(temporary, graph)
    return graph


def _nir_shape(shape: Shape, image: bool = False) -> tuple[int, ...]:
    """Return the shape of a layer in NIR: channels first, and channels alone where there is one row and column."""
    rows, columns, channels = shape
    return (channels,) if rows == columns == 1 and not image else (channels, rows, columns)


def _channels_first(values: NDArray, shape: Shape) -> NDArray[np.float64]:
    """Return values of a layer's units in the shape that the layer has in NIR."""
    return np.ascontiguousarray(values.reshape(shape).transpose(2, 0, 1), np.float64).reshape(_nir_shape(shape))


def _neurons(nir: Any, layer: Layer, dt_s: float) -> tuple[Any, list[tuple[str, Any]]]:
    """Return the node of a layer, and what stands between it and the connections that leave it."""
    shape = _nir_shape(layer.shape)
    ones, zeros = np.ones(shape), np.zeros(shape)
    if layer.neuron == READOUT:
        return nir.Output(output_type=np.array(shape)), []
    if layer.neuron == LINEAR:
        return nir.Scale(scale=ones), []
    state = {f"initial_{name}": _channels_first(values, layer.shape) for name, values in layer.state.items()}
    if layer.neuron == "SpikingRectifiedLinear":
        neurons = nir.IF(r=ones, v_threshold=ones, v_reset=zeros, metadata=state | {"reset": "subtract"})
    elif layer.neuron == "LIF":
        rest = {"tau_ref_s": layer.parameters["tau_ref"], "min_voltage": layer.parameters["min_voltage"]}
        tau = np.full(shape, layer.parameters["tau_rc"])
        neurons = nir.LIF(tau=tau, r=ones, v_leak=zeros, v_threshold=ones, v_reset=zeros, metadata=state | rest)
    else:
        raise InputError(f"layer {layer.name} has {layer.neuron} neurons; NIR can hold SRL and LIF neurons only")
    return neurons, [("spikes", nir.Scale(scale=np.full(shape, layer.parameters["amplitude"] / dt_s)))]


def _connection(
    nir: Any, network: Network, index: int, connection: Connection, dt_s: float, with_bias: bool
) -> list[tuple[str, Any]]:
    """Return the nodes of a connection that feeds a layer, in order, with the layer's bias in the last."""
    layer = network.layers[index]
    from_image = connection.source == IMAGE
    shape = network.input_shape if from_image else network.layers[connection.source].shape
    now, chain = _nir_shape(shape, image=from_image), []
    flattened = False
    for view in connection.views:
        if isinstance(view, Pooling) and not flattened and len(now) == 3:
            if any(view.before(shape)) or (view.same and _reaches_over(view, shape)):
                raise InputError(
                    f"layer {layer.name} is fed by pooling over the edge of an image, which NIR cannot say"
                )
            chain.append(("pool", nir.AvgPool2d(np.array(view.size), np.array(view.stride), np.array((0, 0)))))
            shape = view.output_shape(shape)
            now = _nir_shape(shape, image=True)
        elif isinstance(view, Reshape) and view.shape == (1, 1, math.prod(shape)):
            flattened = True  # in the order of rows, columns and channels, which the weights below are turned for
        else:
            raise InputError(f"layer {layer.name} reads another layer in a new shape, which NIR cannot say")
    if lowpass(connection.tau_syn_s, dt_s).decay:
        if len(connection.time_constants_s) > 1:  # two leaky integrators in a row would delay twice
            raise InputError(
                f"layer {layer.name} is fed by synapses of the kind {synapses.text(connection.synapse)}; an exported "
                "network can have lowpass synapses only"
            )
        tau = np.full(now, connection.tau_syn_s)
        chain.append(("synapse", nir.LI(tau=tau, r=np.ones(now), v_leak=np.zeros(now))))
    linear = connection.linear
    if not isinstance(linear, Convolution):
        raise InputError(f"layer {layer.name} is fed by a linear map that is no convolution or dense layer")
    scale = 1.0 if linear.scale is None else linear.scale
    bias = _bias(layer) if with_bias else np.zeros(layer.shape[2])
    covers = flattened or (linear.kernel.shape[:2] == linear.input_shape[:2] and not any(linear.padding))
    if covers and layer.shape[:2] == (1, 1) and linear.first is None:
        weight = (linear.kernel.astype(np.float64) * scale).reshape(*shape, -1).transpose(3, 2, 0, 1)
        if len(now) == 3:
            chain.append(("flatten", nir.Flatten(input_type=np.array(now), start_dim=0, end_dim=-1)))
        chain.append(("dense", nir.Affine(weight=weight.reshape(len(weight), -1).copy(), bias=bias)))
        return chain
    chain.append(("convolution", _convolution(nir, layer, linear, bias)))
    return chain


def _convolution(nir: Any, layer: Layer, linear: Convolution, bias: NDArray[np.float64]) -> Any:
    """Return a convolution as NIR has it."""
    rows, columns, inputs, width = linear.kernel.shape
    outputs = linear.output_shape[2]
    if rows != columns:
        raise InputError(
            f"layer {layer.name} is fed by a convolution of {rows}x{columns}; the package nir reads square ones only"
        )
    wanted = [
        (length + 2 * padding - size) // stride + 1
        for length, padding, size, stride in zip(
            linear.input_shape[:2], linear.padding, (rows, columns), linear.stride, strict=True
        )
    ]
    if min(linear.padding) < 0 or tuple(wanted) != linear.output_shape[:2]:
        raise InputError(
            f"layer {layer.name} is fed by a convolution with unequal padding on two sides, which NIR cannot say"
        )
    scale = np.ones(outputs) if linear.scale is None else linear.scale
    # each channel's weights at the channels that it feeds, with zeros at the others: the package nir takes the
    # channels of a group for those of the image
    weight = np.zeros((outputs, inputs, rows, columns))
    for channel, start in enumerate(np.zeros(inputs, int) if linear.first is None else linear.first):
        fed = slice(start, start + width)
        weight[fed, channel] = (linear.kernel[:, :, channel].astype(np.float64) * scale[fed]).transpose(2, 0, 1)
    return nir.Conv2d(
        input_shape=linear.input_shape[:2],
        weight=weight,
        stride=linear.stride,
        padding=linear.padding,
        dilation=(1, 1),
        groups=1,
        bias=bias,
    )


def _bias(layer: Layer) -> NDArray[np.float64]:
    """Return the constant current of a layer's neurons, which NIR has one of for each channel."""
    offset = layer.offset.reshape(-1, layer.shape[2])
    if (offset != offset[0]).any():
        raise InputError(f"layer {layer.name} has biases that differ within a channel, which NIR cannot say")
    return offset[0].copy()


def _reaches_over(pooling: Pooling, shape: Shape) -> bool:
    """Whether windows reach over the far edges of an image."""
    windows = pooling.output_shape(shape)
    return any((windows[axis] - 1) * pooling.stride[axis] + pooling.size[axis] > shape[axis] for axis in (0, 1))
