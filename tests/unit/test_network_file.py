"""The compiled network as a file: what comes back, and what is refused."""

import dataclasses
import json

import numpy as np
import pytest

from csnn.event.network import (
    FORMAT_VERSION,
    IMAGE,
    READOUT,
    Connection,
    Convolution,
    Layer,
    Network,
    Pooling,
    SparseMatrix,
    load_network,
    save_network,
    with_synapse,
)
from csnn.files import InputError, read_npz, write_npz


def example() -> Network:
    """A network with each kind of thing that a network can hold."""
    rng = np.random.default_rng(0)
    convolution = Convolution(rng.normal(size=(2, 3, 1, 4)), (1, 2), (0, 1), (6, 7, 1), (5, 4, 4))
    sparse = SparseMatrix(np.array([0, 1, 3] + [3] * 14), np.array([0, 1, 2], np.int32), rng.normal(size=3), 3)
    hidden = Layer(
        "hidden",
        (5, 4, 4),
        "LIF",
        {"tau_rc": 0.02, "tau_ref": 0.002, "amplitude": 1 / 415, "min_voltage": -np.inf},
        {"voltage": rng.random(80), "refractory_time": np.zeros(80)},
        rng.normal(size=80),
        (Connection(IMAGE, (), convolution, None, False),),
    )
    pooling = Pooling((2, 2), (2, 1))
    readout = Layer("out", (1, 1, 3), READOUT, {}, {}, np.zeros(3), (Connection(0, (pooling,), sparse, 0.005, True),))
    return Network((6, 7, 1), (hidden, readout), 5, {"nengo": "4.1.0"})


def flat(value):
    """Everything in a network as one list, arrays as type, shape and bytes."""
    if isinstance(value, np.ndarray):
        return [(value.dtype.str, value.shape, value.tobytes())]
    if dataclasses.is_dataclass(value):
        return [type(value).__name__, *flat([getattr(value, item.name) for item in dataclasses.fields(value)])]
    if isinstance(value, dict):
        return [item for key in sorted(value) for item in (key, *flat(value[key]))]
    if isinstance(value, tuple | list):
        return [item for part in value for item in flat(part)]
    return [value]


def test_the_depth_counts_the_synapses_of_the_longest_path():
    network = example()
    hidden, readout = network.layers
    (direct,) = readout.connections
    sums = dataclasses.replace(hidden, neuron="linear", connections=(direct,))
    unfiltered = dataclasses.replace(direct, source=1, has_synapse=False)
    third = dataclasses.replace(hidden, connections=(unfiltered, direct))
    last = dataclasses.replace(readout, connections=(direct, dataclasses.replace(direct, source=2)))
    assert (network.depth, dataclasses.replace(network, layers=(hidden, sums, third, last)).depth) == (1, 2)


def test_a_network_comes_back_as_it_was(tmp_path):
    save_network(example(), tmp_path / "deep" / "network.npz")
    assert flat(load_network(tmp_path / "deep" / "network.npz")) == flat(example())


@pytest.mark.parametrize("synapse", ["alpha", {"rise_s": 0.001}])
def test_a_kind_of_synapse_is_kept_and_a_lowpass_is_not_named(tmp_path, synapse):
    network = with_synapse(example(), 0.005, synapse)
    save_network(network, tmp_path / "network.npz")
    assert load_network(tmp_path / "network.npz").layers[1].connections[0].synapse == synapse
    save_network(with_synapse(network, 0.005, "lowpass"), tmp_path / "network.npz")
    assert b"synapse" not in bytes(read_npz(tmp_path / "network.npz")["description"]).replace(b"has_synapse", b"")
    assert flat(load_network(tmp_path / "network.npz")) == flat(example())


def test_the_same_network_gives_the_same_bytes(tmp_path):
    found = []
    for _ in range(2):
        save_network(example(), tmp_path / "network.npz")
        found.append((tmp_path / "network.npz").read_bytes())
    assert found[0] == found[1]
    assert [path.name for path in tmp_path.iterdir()] == ["network.npz"], "no temporary file is left"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"missing\.npz does not exist"):
        load_network(tmp_path / "missing.npz")


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path, kept):
    path = tmp_path / "network.npz"
    save_network(example(), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if kept < 1 else kept])
    with pytest.raises(InputError, match=r"network\.npz .*; delete it and give the same command again"):
        load_network(path)


def rewritten(path, **changes):
    """Write the file again with some of its arrays changed."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(path, **(arrays | changes))


def test_a_changed_array_is_refused(tmp_path):
    path = tmp_path / "network.npz"
    save_network(example(), path)
    with np.load(path) as file:
        changed = file["array0"] + np.eye(1, file["array0"].size).reshape(file["array0"].shape) * 1e-12
    rewritten(path, array0=changed)
    with pytest.raises(InputError, match="changed after it was written"):
        load_network(path)


def test_a_changed_description_is_refused(tmp_path):
    path = tmp_path / "network.npz"
    save_network(example(), path)
    with np.load(path) as file:
        description = str(file["description"])
    rewritten(path, description=np.array(description.replace("0.005", "0.006")))
    with pytest.raises(InputError, match="changed after it was written"):
        load_network(path)


def test_another_version_is_refused(tmp_path):
    path = tmp_path / "network.npz"
    save_network(example(), path)
    write_npz(path, read_npz(path) | {"version": np.array(FORMAT_VERSION + 1)})
    with pytest.raises(InputError, match=f"of version {FORMAT_VERSION + 1}, not {FORMAT_VERSION}"):
        load_network(path)


def test_another_npz_and_pickled_objects_are_refused(tmp_path):
    path = tmp_path / "other.npz"
    write_npz(path, {"images": np.zeros(3)})
    with pytest.raises(InputError, match="not a compiled network"):
        load_network(path)
    np.savez(path, format=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="not a readable .npz file"):
        load_network(path)


def test_a_network_of_other_settings_or_seed_is_refused(tmp_path):
    path, settings = tmp_path / "network.npz", {"neuron": "LIF", "max_rate_hz": [415, 200]}
    save_network(dataclasses.replace(example(), provenance={"settings": json.dumps(settings)}), path)
    load_network(path, settings | {"seed": 5})
    for wanted, key in (({"neuron": "SRL"}, "neuron"), ({"seed": 6}, "seed"), ({"max_rate_hz": 415}, "max_rate_hz")):
        with pytest.raises(InputError, match=f"was made with another {key} than belongs here; give the same command"):
            load_network(path, settings | {"seed": 5} | wanted)


def test_another_time_constant_leaves_everything_else():
    network = example()
    changed = with_synapse(network, 0.02)
    assert changed.layers[1].connections[0].tau_syn_s == 0.02
    assert changed.layers[0].connections[0].tau_syn_s is None, "there is no synapse between image and neurons"
    assert flat(with_synapse(changed, 0.005)) == flat(network)


def test_a_network_without_a_synapse_takes_no_time_constant():
    network = example()
    readout = dataclasses.replace(network.layers[1].connections[0], tau_syn_s=None, has_synapse=False)
    layers = (network.layers[0], dataclasses.replace(network.layers[1], connections=(readout,)))
    network = dataclasses.replace(network, layers=layers)
    assert flat(with_synapse(network, None)) == flat(network)
    with pytest.raises(ValueError, match="without a synapse"):
        with_synapse(network, 0.005)


@pytest.mark.parametrize("tau_syn_s", [-0.001, float("nan"), float("inf")])
def test_a_time_constant_that_is_no_time_is_refused(tau_syn_s):
    with pytest.raises(ValueError, match="tau_syn_s"):
        with_synapse(example(), tau_syn_s)
