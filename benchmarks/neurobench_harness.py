"""Check the NeuroBench metrics of an experiment's networks against NeuroBench's own harness.

Each compiled network is built again as a torch module, which computes every step by itself in double precision; the
harness runs it on some test images, one at a time, and its results are set beside those of csnn.evaluation.neurobench.
Prints a Markdown table and writes ``benchmarks/neurobench.json``. In an environment of its own:

    python3.11 -m venv neurobench-venv
    neurobench-venv/bin/pip install -r benchmarks/neurobench-requirements.txt
    neurobench-venv/bin/python benchmarks/neurobench_harness.py [results/paper [number of images]]
"""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import snntorch
import torch
from neurobench.benchmarks import Benchmark
from neurobench.metrics.static import ConnectionSparsity, Footprint, ParameterCount
from neurobench.metrics.workload import ActivationSparsity, MembraneUpdates, SynapticOperations
from neurobench.models import NeuroBenchModel
from torch.utils.data import DataLoader, TensorDataset

SCRIPTS = Path(__file__).resolve().parent.parent / "workflow" / "scripts"
sys.path.insert(0, str(SCRIPTS))

from csnn.evaluation import activity, neurobench  # noqa: E402
from csnn.event.network import (  # noqa: E402
    IMAGE,
    Connection,
    Convolution,
    Layer,
    Network,
    Pooling,
    load_network,
    with_synapse,
)
from csnn.files import read_npz  # noqa: E402

RESULTS = Path(__file__).with_name("neurobench.json")
TAU_SYN_S, DT_S, STEPS = 0.005, 0.001, 100


class Neurons(snntorch.SpikingNeuron):
    """SRL, LIF or A-LIF neurons; the harness reads `mem` before and after each step."""

    init_hidden, output = True, False  # by which the harness knows that spikes alone are returned
    mem: torch.Tensor
    refractory_time: torch.Tensor
    adaptation: torch.Tensor

    def __init__(self, layer: Layer):
        torch.nn.Module.__init__(self)  # snnTorch's own would add buffers that these neurons have no use for
        self.kind, self.parameters_of = layer.neuron, layer.parameters
        self.start = {name: of_channels_first(values, layer.shape) for name, values in layer.state.items()}
        for name, values in self.start.items():
            self.register_buffer("mem" if name == "voltage" else name, values)
        self.spikes = 0.0

    def reset(self) -> None:
        for name, values in self.start.items():
            setattr(self, "mem" if name == "voltage" else name, values.clone())
        self.spikes = 0.0

    def forward(self, current: torch.Tensor) -> torch.Tensor:
        spikes = self.integrate(current) if self.kind == "SpikingRectifiedLinear" else self.leak(current)
        self.spikes += float(spikes.sum())
        return spikes * self.parameters_of["amplitude"] / DT_S

    def integrate(self, current: torch.Tensor) -> torch.Tensor:
        voltage = self.mem + current.clamp(min=0) * DT_S
        spikes = voltage.floor()
        self.mem = voltage - spikes
        return spikes

    def leak(self, current: torch.Tensor) -> torch.Tensor:
        adaptive = self.kind == "AdaptiveLIF"
        tau_rc, tau_ref = self.parameters_of["tau_rc"], self.parameters_of["tau_ref"]
        if adaptive:
            current = current - self.adaptation
            self.refractory_time = self.refractory_time - DT_S
        active = (DT_S - self.refractory_time).clamp(0, DT_S)
        voltage = self.mem + (self.mem - current) * torch.expm1(-active / tau_rc)
        spiked = voltage > 1
        since = torch.where(spiked, -tau_rc * torch.log1p((1 - voltage) / (current - 1)), 0)
        self.mem = torch.where(spiked, 0, voltage.clamp(min=self.parameters_of["min_voltage"]))
        fresh = tau_ref - since + (DT_S if adaptive else 0)
        self.refractory_time = torch.where(spiked, fresh, self.refractory_time - (0 if adaptive else DT_S))
        if adaptive:
            output = spiked * self.parameters_of["amplitude"] / DT_S
            change = self.parameters_of["inc_n"] * output - self.adaptation
            self.adaptation = self.adaptation + DT_S / self.parameters_of["tau_n"] * change
        return spiked.double()


class Rates(torch.nn.ReLU):
    """RLR neurons."""

    def __init__(self, layer: Layer):
        super().__init__()
        self.amplitude, self.spikes = layer.parameters["amplitude"], 0.0

    def reset(self) -> None:
        self.spikes = 0.0

    def forward(self, current: torch.Tensor) -> torch.Tensor:
        rates = super().forward(current)
        self.spikes += DT_S * float(rates.sum())
        return rates * self.amplitude


def of_channels_first(values: np.ndarray, shape: tuple[int, int, int]) -> torch.Tensor:
    """Return values of a layer's units, or one for each channel, as torch has them: (1, channels, rows, columns)."""
    return torch.tensor(np.ascontiguousarray(values.reshape(shape).transpose(2, 0, 1)), dtype=torch.double)[None]


class Converted(torch.nn.Module):
    """A compiled network of convolutions and average pooling, in the order in which NengoDL computes."""

    def __init__(self, network: Network):
        super().__init__()
        self.network = network
        for index, layer in enumerate(network.layers):
            for number, connection in enumerate(layer.connections):
                bias = layer.offset.reshape(-1, layer.shape[2])[0] if not number and layer.offset.any() else None
                self.add_module(f"connection{index}_{number}", convolution(connection, bias))
                if connection.tau_syn_s is not None:
                    units = self.view(connection, torch.zeros(1, *np.roll(self.shape(connection), 1)))
                    self.register_buffer(f"filter{index}_{number}", torch.zeros_like(units))
        for index in network.populations:
            layer = network.layers[index]
            self.add_module(f"neurons{index}", (Rates if layer.neuron == "RectifiedLinear" else Neurons)(layer))
        self.double()

    def shape(self, connection: Connection) -> tuple[int, int, int]:
        of_image = connection.source == IMAGE
        return self.network.input_shape if of_image else self.network.layers[connection.source].shape

    def view(self, connection: Connection, units: torch.Tensor) -> torch.Tensor:
        for pooling in connection.views:
            assert isinstance(pooling, Pooling)
            units = torch.nn.functional.avg_pool2d(units, pooling.size, pooling.stride)
        return units

    def reset(self) -> None:
        for values in self.buffers(recurse=False):
            values.zero_()
        for index in self.network.populations:
            self.get_submodule(f"neurons{index}").reset()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Advance one step."""
        outputs: dict[int, Any] = {IMAGE: image}
        for index, layer in enumerate(self.network.layers):
            current: Any = 0
            for number, connection in enumerate(layer.connections):
                seen = (
                    self.view(connection, outputs[connection.source])
                    if connection.tau_syn_s is None
                    else self.get_buffer(f"filter{index}_{number}")
                )
                current = current + self.get_submodule(f"connection{index}_{number}")(seen)
            outputs[index] = (
                self.get_submodule(f"neurons{index}")(current) if index in self.network.populations else current
            )
        for index, layer in enumerate(self.network.layers):
            for number, connection in enumerate(layer.connections):
                if connection.tau_syn_s is not None:
                    decay = math.exp(-DT_S / connection.tau_syn_s)
                    filtered = self.get_buffer(f"filter{index}_{number}")
                    fresh = decay * filtered - math.expm1(-DT_S / connection.tau_syn_s) * self.view(
                        connection, outputs[connection.source]
                    )
                    setattr(self, f"filter{index}_{number}", fresh)
        return current.flatten(1)


def convolution(connection: Connection, bias: np.ndarray | None) -> torch.nn.Conv2d:
    """Return a connection's linear map as torch has it."""
    linear = connection.linear
    if not isinstance(linear, Convolution) or linear.first is not None or linear.padding != (0, 0):
        sys.exit("this script builds ordinary convolutions and dense layers without padding only")
    rows, columns, inputs, outputs = linear.kernel.shape
    module = torch.nn.Conv2d(inputs, outputs, (rows, columns), linear.stride, bias=bias is not None)
    scale = 1 if linear.scale is None else linear.scale
    module.weight.data = torch.tensor((linear.kernel.astype(float) * scale).transpose(3, 2, 0, 1).copy())
    if bias is not None:
        module.bias.data = torch.tensor(bias)
    return module.requires_grad_(False)


class ShownForSomeSteps(NeuroBenchModel):
    """What the harness runs: each image is shown at every step."""

    def __init__(self, net: Converted):
        super().__init__()
        self.net = net
        self.add_activation_module(snntorch.SpikingNeuron)
        self.spikes: list[float] = []

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        self.net.reset()
        with torch.no_grad():
            logits = torch.stack([self.net(batch) for _ in range(STEPS)], dim=1)
        self.spikes.append(sum(self.net.get_submodule(f"neurons{i}").spikes for i in self.net.network.populations))
        return logits

    def __net__(self) -> Converted:
        return self.net


def run_harness(network: Network, images: np.ndarray) -> tuple[dict[str, float], list[float]]:
    """Return the harness' metrics by their names, and the spikes of each image."""
    net = Converted(network)
    model = ShownForSomeSteps(net)
    shown = torch.tensor(images.transpose(0, 3, 1, 2).astype(float))
    loader = DataLoader(TensorDataset(shown, torch.zeros(len(images))), batch_size=1)
    static, workload = [ConnectionSparsity, ParameterCount], [ActivationSparsity, MembraneUpdates, SynapticOperations]
    results = Benchmark(model, loader, [], [], [static, workload]).run(quiet=True)
    single = copy.copy(model)
    single.net = copy.deepcopy(net).float()
    results["Footprint"] = Footprint()(single)
    return {**results, **results.pop("SynapticOperations")}, model.spikes


def spikes_of_height_one(network: Network) -> Network:
    """Return a network without filters whose neurons put out 1 for a spike; what it computes means nothing."""
    layers = tuple(
        dataclasses.replace(layer, parameters={**layer.parameters, "amplitude": DT_S} if layer.parameters else {})
        for layer in network.layers
    )
    return with_synapse(dataclasses.replace(network, layers=layers), None)


def main(results: str = "results/paper", number: str = "3") -> None:
    networks = sorted(Path(results).glob("*/networks/seed-0.npz"))
    if not networks:
        sys.exit(f"{results} holds no compiled networks; run that experiment first")
    images = read_npz(Path(results) / "images" / "test.npz")["images"][: int(number)]
    compared: dict[str, tuple[Network, float | None]] = {}
    for path in networks:
        name, network = path.parent.parent.name, load_network(path)
        compared[name] = with_synapse(network, TAU_SYN_S), TAU_SYN_S
        if name == "SRL":  # whose spikes reach dense layers as 0 and 1, so that ACs count too
            compared["SRL, spikes of height 1, no filter"] = spikes_of_height_one(network), None
    rows: list[dict[str, Any]] = []
    for name, (network, tau_syn_s) in compared.items():
        recorded = activity.record(network, images, tau_syn_s=tau_syn_s, dt_s=DT_S, steps=STEPS)
        ours = neurobench.metrics(network, recorded.of_harness, STEPS)
        harness, spikes = run_harness(network, images)
        counted = np.sum([counts.sum(axis=1) for counts in recorded.counts], axis=0)
        rows.append(
            {
                "network": name,
                "largest_difference_in_spikes_of_an_image": float(np.abs(counted - spikes).max()),
                "ours": ours,
                "harness": {name: harness[name] for name in neurobench.METRICS},
            }
        )
    packages = {name: version(name) for name in ("neurobench", "torch", "snntorch", "numpy")}
    written = {"images": len(images), "tau_syn_s": TAU_SYN_S, "steps": STEPS, "packages": packages, "networks": rows}
    RESULTS.write_text(json.dumps(written, indent=2) + "\n")
    print("| " + " | ".join(["network", "counted by", *neurobench.METRICS]) + " |")
    print("| --- | --- |" + " ---: |" * len(neurobench.METRICS))
    for row in rows:
        for by in ("ours", "harness"):
            print("| " + " | ".join([row["network"], by, *(f"{value:,.12g}" for value in row[by].values())]) + " |")
    print(
        "largest difference in the spikes of an image:",
        max(row["largest_difference_in_spikes_of_an_image"] for row in rows),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
