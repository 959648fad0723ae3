"""Neuron types: each step against Nengo's own, to the last bit where Nengo's arithmetic has one order."""

import inspect
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from conftest import REPOSITORY
from csnn import neurons
from csnn.event.neuron_steps import NUMBERS, step_neurons
from csnn.neurons import NENGO_NEURONS, NEURONS, lif

nengo = pytest.importorskip("nengo")
AMPLITUDE = 1 / 415
SERIES_DT_S, FUNCTIONS_DT_S = 0.001, 0.003


def parameters(neuron) -> dict[str, float]:
    """Parameters of one of Nengo's neurons as compiled networks hold them."""
    names = ("tau_rc", "tau_ref", "min_voltage", "amplitude", "tau_n", "inc_n")
    own = {name: float(getattr(neuron, name)) for name in names if hasattr(neuron, name)}
    return own | ({"base_amplitude": float(neuron.base_type.amplitude)} if hasattr(neuron, "base_type") else {})


def by_nengo(neuron, dt_s, currents, start):
    """Outputs (steps, neurons) of Nengo's step, and its states after each step, (steps, state variables, neurons)."""
    state = {name: values.copy() for name, values in start.items()}
    outputs, states = np.zeros(currents.shape), []
    for current, output in zip(currents, outputs, strict=True):
        if hasattr(neuron, "base_type"):
            rate = np.zeros_like(current)
            neuron.base_type.step(dt_s, current, rate)
            current = rate
        neuron.step(dt_s, current.copy(), output, **state)
        states.append([values.copy() for values in state.values()])
    return outputs, np.array(states)


def compiled(neuron, dt_s, currents, start):
    """The same by the engine's step."""
    kind = NENGO_NEURONS[neurons.nengo_name(neuron)]
    step, constants = kind.prepare(parameters(neuron), dt_s)
    state = np.array([start[name] for name in kind.state._fields]).reshape(-1, currents.shape[1])
    outputs, states = np.zeros(currents.shape), []
    for current, output in zip(currents, outputs, strict=True):
        step_neurons(NUMBERS[step], current, state, output, np.array(constants))
        states.append(state.copy())
    return outputs, np.array(states)


def in_plain_python(neuron, dt_s, currents, start):
    """The same by the step as it is written, one neuron after the other."""
    kind = NENGO_NEURONS[neurons.nengo_name(neuron)]
    step, constants = kind.prepare(parameters(neuron), dt_s)
    state = [kind.state(*(start[name][i] for name in kind.state._fields)) for i in range(currents.shape[1])]
    outputs, states = np.zeros(currents.shape), []
    for current, output in zip(currents, outputs, strict=True):
        for i in range(len(current)):
            output[i], state[i] = step(current[i], state[i], constants, np.float64)
        states.append(np.array(state).T)
    return outputs, np.array(states)


def neuron_and_start(name, size, rng):
    """A neuron of Nengo with the amplitude that conversion gives it, and an initial state."""
    neuron = neurons.build(name, {})
    type(neuron).amplitude.data[neuron] = AMPLITUDE
    start = {variable: np.zeros(size) for variable in NEURONS[name].state._fields}
    if start:
        start["voltage"] = rng.random(size)
    return neuron, start


@pytest.mark.parametrize("dt_s", [SERIES_DT_S, FUNCTIONS_DT_S])
@pytest.mark.parametrize("name", NEURONS)
def test_every_step_is_nengos(name, dt_s):
    rng = np.random.default_rng(0)
    neuron, start = neuron_and_start(name, 200, rng)
    currents = rng.normal(0 if name == "RLR" else 30, 100, (100, 1)) + rng.normal(0, 30, (100, 200))
    outputs, states = by_nengo(neuron, dt_s, currents, start)
    assert outputs.std() > 0
    assert name == "RLR" or np.unique(outputs).size >= 2
    for simulated in (compiled, in_plain_python):
        other_outputs, other_states = simulated(neuron, dt_s, currents, start)
        assert np.array_equal(other_outputs, outputs)
        if name == "LIF":  # whose refractory time is NengoDL's, one step ahead of Nengo's after a spike
            other_states, states = other_states[:, :1], states[:, :1]
        tolerance = 1e-12 if "LIF" in name else 0  # where expm1 and log1p are series
        assert other_states.shape[1] == len(states[0])
        assert states.size == 0 or np.abs(other_states - states).max() <= tolerance


@pytest.mark.parametrize("initial", ["zero", "half"])
@pytest.mark.parametrize("dt_s", [0.0005, 0.001, 0.002])
@pytest.mark.parametrize("name", ["SRL", "RSRL"])
def test_round_currents_reach_the_threshold_in_nengos_step(name, dt_s, initial):
    neuron = neurons.build(name, {}, initial)
    currents = np.repeat(np.arange(1.0, 1001)[np.newaxis], 1000, axis=0)
    start = {"voltage": np.full(1000, neurons.INITIAL_VOLTAGES[initial])}
    outputs, states = by_nengo(neuron, dt_s, currents, start)
    other_outputs, other_states = compiled(neuron, dt_s, currents, start)
    assert np.array_equal(other_outputs, outputs)
    assert np.array_equal(other_states, states)


def test_regular_spiking_over_rectified_linear_rates_equals_integrate_and_fire():
    rng = np.random.default_rng(3)
    currents = rng.normal(50, 200, (200, 100))
    results = []
    for name in ("SRL", "RSRL"):
        neuron, _ = neuron_and_start(name, 100, rng)
        results.append(compiled(neuron, 0.001, currents, {"voltage": np.linspace(0, 0.99, 100)}))
    assert results[0][0].any()
    assert all(np.array_equal(*pair) for pair in zip(*results, strict=True))


@pytest.mark.parametrize("name", NEURONS)
def test_a_neuron_is_built_as_configured(name):
    kind = NEURONS[name]
    changed = {key: 0.5 for key, parameter in kind.parameters.items() if parameter.default is not None}
    neuron = neurons.build(name, changed, "half")
    assert neurons.nengo_name(neuron) == kind.nengo_name
    assert kind.spikes == neuron.spiking
    assert all(getattr(neuron, kind.parameters[key].nengo_name) == 0.5 for key in changed)
    assert tuple(neuron.state) == kind.state._fields
    if "voltage" in kind.state._fields:
        assert np.array_equal(neuron.make_state(3)["voltage"], [0.5, 0.5, 0.5])
        assert np.ptp(neurons.build(name, {}).make_state(100)["voltage"]) > 0.5
    assert neurons.seed_matters(name, {}, "random") == kind.spikes
    assert not neurons.seed_matters(name, {}, "half")


def test_a_parameter_can_replace_another():
    assert neurons.with_defaults("A-LIF", {"inc_n_effective": 0.02}) == {
        "tau_rc_s": 0.02, "tau_ref_s": 0.002, "tau_n_s": 1.0, "inc_n_effective": 0.02,
    }  # fmt: skip
    assert neurons.divided_by_amplitude("A-LIF", {"inc_n_effective": 0.02}) == ("inc_n",)
    assert neurons.divided_by_amplitude("A-LIF", {"inc_n": 0.02}) == ()
    assert neurons.divided_by_amplitude("strong", {"type": "A-LIF", "inc_n_effective": 0.02}) == ("inc_n",)
    with pytest.raises(ValueError, match="A-LIF has both inc_n and inc_n_effective; it must have one of them"):
        neurons.with_defaults("A-LIF", {"inc_n": 0.01, "inc_n_effective": 0.02})


def test_neurons_of_other_packages_are_not_taken_for_nengos():
    class LIF(nengo.LIF):
        pass

    assert neurons.nengo_name(nengo.LIF()) == lif.NEURON.nengo_name
    assert neurons.nengo_name(LIF()) not in NENGO_NEURONS
    assert neurons.nengo_name(nengo.RegularSpiking(nengo.LIFRate())) not in NENGO_NEURONS
    assert neurons.nengo_name(nengo.RegularSpiking(nengo.RectifiedLinear())) in NENGO_NEURONS


def test_different_functions_in_compiled_code_have_different_names():
    named, waiting = {}, [step_neurons.py_func]
    while waiting:
        function = waiting.pop()
        if named.setdefault((function.__module__, function.__qualname__), function) is not function:
            raise AssertionError(f"{function} shares its name with another: their machine code could be exchanged")
        names = inspect.getclosurevars(function)
        called = [getattr(value, "py_func", value) for value in (*names.nonlocals.values(), *names.globals.values())]
        own = [value for value in called if inspect.isfunction(value) and value.__module__.startswith("csnn")]
        waiting += [value for value in own if value not in named.values()]
    assert len(named) > 2 * len(NUMBERS)


ADDED = """
from csnn import neurons
from csnn.event.simulator import simulate
from csnn.verification import largest_difference
from event_networks import compiled, converted, images, nengodl_logits, small_cnn

shown = images((16, 16, 3), 4)
converter = converted(small_cnn(), neurons.build("LIFR", {"tau_ref_s": 0.004}), synapse=0.005)
(reference,) = nengodl_logits([converter], shown)
logits = simulate(compiled(converter), shown).logits
print(largest_difference(reference, logits), reference.std(axis=0).max())
"""


@pytest.mark.slow
def test_the_neuron_type_of_the_how_to_needs_one_module_for_both_engines(tmp_path):
    page = (REPOSITORY / "docs/how-to.md").read_text(encoding="utf-8")
    file, module = re.search(
        r"^```python\n# workflow/scripts/(csnn/neurons/\w+\.py)\n(.*?)^```$", page, re.M | re.S
    ).groups()
    shutil.copytree(REPOSITORY / "workflow/scripts", tmp_path, dirs_exist_ok=True)
    (tmp_path / file).write_text(module)
    environment = {"PYTHONPATH": f"{tmp_path}:{REPOSITORY / 'tests/unit'}", "CSNN_CACHE": str(tmp_path), "PATH": ""}
    output = subprocess.check_output([sys.executable, "-c", ADDED], text=True, env=environment)
    difference, spread = map(float, output.split())
    assert difference < 1e-9
    assert spread > 0.01


def test_planning_needs_neither_numba_nor_nengo():
    code = "import csnn.neurons, sys; print(sorted({'numba', 'nengo', 'tensorflow', 'scipy'} & set(sys.modules)))"
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, text=True, cwd=REPOSITORY / "workflow/scripts").strip() == "[]"
