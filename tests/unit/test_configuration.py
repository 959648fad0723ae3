"""Configurations: each is refused in one sentence with the key, what is wrong and what would be right, or completed.

They are read by the function that the workflow calls; tests/workflow/test_bad_input.py goes through Snakemake.
"""

import shutil
import sys
import typing

import jsonschema
import numpy as np
import pytest
import yaml

from conftest import REPOSITORY, SMALL, changed
from csnn.experiment import configuration, schema, sweep
from csnn.files import InputError
from csnn.neurons import INITIAL_VOLTAGES

sys.path.insert(0, str(REPOSITORY / "docs"))

NAN, INFINITE, HUGE = float("nan"), float("inf"), int("9" * 400)
VARIANT = {"tune": {"epochs": 1}}
FROM_1 = "it must be an integer from 1 to 1000000"
IN_SECONDS = "it must be a number above 0 and at most 1000 in seconds or null"
SYNAPSE = "it must be lowpass, alpha or {rise_s: ...}"
RATE = "it must be a number from 0.001 to 1000000 in Hz"
NAME = "it must be a name of at most 100 letters, digits"
TWICE = "each value must stand in it once"

DISTURBED = {"analyses": ["corruptions"]}
CONFIGURATIONS = [
    # ---- names, and keys
    ({"experiment": "a b"}, "config key experiment is 'a b'; it must be a name of at most 100 letters, digits, dots"),
    ({"experiment": "../elsewhere"}, f"config key experiment is '../elsewhere'; {NAME}"),
    ({"experiment": ""}, f"config key experiment is ''; {NAME}"),
    ({"experiment": "n" * 101}, f"config key experiment is '{'n' * 101}'; {NAME}"),
    ({"experiment": "mine\n"}, rf"config key experiment is 'mine\n'; {NAME}"),
    ({"experiment": "$(id)"}, f"config key experiment is '$(id)'; {NAME}"),
    ({"experiment": "it's"}, f"""config key experiment is "it's"; {NAME}"""),
    ({"experiment": "{x}"}, f"config key experiment is '{{x}}'; {NAME}"),
    ({"experiment": "é"}, f"config key experiment is 'é'; {NAME}"),
    ({"experiment": 2024}, "dashes and underscores, in quotes where YAML would read something else"),
    ({"experiment": None}, f"config key experiment is null; {NAME}"),
    ({"experiment": ["a"]}, f"config key experiment is ['a']; {NAME}"),
    ({"colour": "red"}, "config key colour is unknown; the configuration takes experiment, data, cnn, snn"),
    ({"1": "red"}, "config key 1 is unknown; the configuration takes experiment"),
    ({"a\nb\u2028c": "red"}, r"config key a\nb\u2028c is unknown; the configuration takes experiment"),
    ({"data.test_image": 10}, "config key data.test_image is unknown (did you mean test_images?)"),
    ({"data": None}, "config key data is null; it must be a mapping"),
    ({"snn": []}, "config key snn is []; it must be a mapping"),
    ({"report": True}, "config key report is true; it must be a mapping"),
    # ---- data
    ({"data.source": "minst"}, "config key data.source is 'minst'; it must be cifar10, cifar100, mnist, fashion_mnist"),
    ({"data.source": "npz"}, "svhn_cropped, digits or the path of an .npz file"),
    (
        {"data.source": "absent.npz"},
        "config key data.source names absent.npz, which does not exist; it must be the path",
    ),
    (
        {"data.source": "folder.npz"},
        "config key data.source names folder.npz, which is a folder; it must be the path of a",
    ),
    ({"data.source": ["a.npz"]}, "config key data.source is ['a.npz']; it must be cifar10, cifar100"),
    ({"data.source": f"{'a' * 5000}.npz"}, "aaa..., which does not exist; it must be the path of a file"),
    (
        {"data.source": "a{b}.npz"},
        "config key data.source names 'a{b}.npz', which has '{' in it; Snakemake reads braces",
    ),
    ({"data.source": "<results>.npz"}, "config key data.source names '<results>.npz', which has '<' in it"),
    ({"data.source": "a\nb.npz"}, r"config key data.source is 'a\nb.npz'; it must be cifar10, cifar100"),
    ({"data.source": "a\tb.npz"}, r"config key data.source names 'a\tb.npz', which has '\t' in it"),
    ({"data.archive": ""}, "config key data.archive is ''; it must be a path or null"),
    ({"data.archive": "absent"}, "config key data.archive names absent, which does not exist; it must be the path"),
    (
        {"data.source": "mnist", "data.archive": "folder.npz"},
        "config key data.archive names folder.npz/train-images-idx3-ubyte.gz, which does not exist",
    ),
    ({"data.test_images": 0}, f"config key data.test_images is 0; {FROM_1}"),
    ({"data.test_images": -5}, f"config key data.test_images is -5; {FROM_1}"),
    ({"data.test_images": "many"}, f"config key data.test_images is 'many'; {FROM_1}"),
    ({"data.test_images": [15]}, f"config key data.test_images is [15]; {FROM_1}"),
    ({"data.test_images": HUGE}, "9...; it must be an integer from 1 to 1000000"),
    (
        {"data.test_images": 501},
        "data.test_images is 501, but the test set of digits has 500 images; it must be at most",
    ),
    (
        {"data.validation_images": 1297},
        "data.validation_images is 1297, but the train set of digits has 1297 images, of",
    ),
    ({"data.validation_images": None}, "config key data.validation_images is null; it must be an integer from 0"),
    # ---- CNN
    ({"cnn.architecture.filters": []}, "config key cnn.architecture.filters is []; it must be a list of at least one"),
    ({"cnn.architecture.filters": 4}, "config key cnn.architecture.filters is 4; it must be a list of at least one"),
    ({"cnn.architecture.filters": [4, 0]}, f"config key cnn.architecture.filters[1] is 0; {FROM_1}"),
    ({"cnn.architecture.kernel": [3, 3]}, f"config key cnn.architecture.kernel is [3, 3]; {FROM_1}"),
    ({"cnn.architecture.pooling": "min"}, "config key cnn.architecture.pooling is 'min'; it must be max or average"),
    ({"cnn.architecture.dense_units": HUGE}, "9...; it must be an integer from 1 to 1000000"),
    ({"cnn.architecture.builder": "mine.py"}, "config key cnn.architecture.builder is 'mine.py'; it must be path/to"),
    ({"cnn.architecture.builder": "no.py:f"}, "config key cnn.architecture.builder names no.py, which does not exist"),
    (
        {"cnn.weights": "weights.txt"},
        "config key cnn.weights is 'weights.txt'; it must be the path of an .h5 or .keras file",
    ),
    ({"cnn.weights": "absent.h5"}, "config key cnn.weights names absent.h5, which does not exist"),
    ({"cnn.weights": "w{1}.h5"}, "config key cnn.weights names 'w{1}.h5', which has '{' in it"),
    ({"cnn.training.epochs": 1.5}, f"config key cnn.training.epochs is 1.5; {FROM_1}"),
    ({"cnn.training.epochs": 2.0}, f"config key cnn.training.epochs is 2.0; {FROM_1}"),
    ({"cnn.training.epochs": NAN}, "config key cnn.training.epochs is nan; it must be"),
    ({"cnn.training.batch_size": True}, f"config key cnn.training.batch_size is true; {FROM_1}"),
    ({"cnn.training.seed": -1}, "config key cnn.training.seed is -1; it must be an integer from 0"),
    # ---- variants of the CNN
    ({"cnn.variants": ["a"]}, "config key cnn.variants is ['a']; it must be a mapping of names"),
    ({"cnn.variants": {"a/b": VARIANT}}, f"config key cnn.variants has the key 'a/b'; {NAME}"),
    ({"cnn.variants": {"a\n": VARIANT}}, rf"config key cnn.variants has the key 'a\n'; {NAME}"),
    ({"cnn.variants": {"tables": VARIANT}}, "config key cnn.variants has the name tables, which stands for something"),
    ({"cnn.variants": {"LIF": VARIANT}}, "config key cnn.variants has the name LIF, which stands for something else"),
    ({"cnn.variants": {"a": None}}, "config key cnn.variants.a is null; it must be a mapping"),
    (
        {"cnn.variants": {"a": {"tuned": {}}}},
        "cnn.variants.a.tuned is unknown (did you mean tune?); cnn.variants.a takes",
    ),
    ({"cnn.variants": {"a": {"from": "b"}}}, "config key cnn.variants has no b; known are base, a"),
    ({"cnn.variants": {"a": {"from": "b"}, "b": {"from": "a"}}}, "a is made from itself (a from b from a)"),
    (
        {"cnn.variants": {"a": {"architecture": {"builder": "f.py:f"}}}},
        "cnn.variants.a.architecture.builder is unknown",
    ),
    ({"cnn.variants": {"a": {"tune": {"epochs": -1}}}}, "config key cnn.variants.a.tune.epochs is -1; it must be an"),
    ({"cnn.variants": {"a": {"tune": {"epochs": 2.0}}}}, "config key cnn.variants.a.tune.epochs is 2.0; it must be an"),
    ({"cnn.variants": {"a": {"tune": {"learning_rate": 0}}}}, "cnn.variants.a.tune.learning_rate is 0; it must be a"),
    (
        {"cnn.variants": {"a": {"tune": {"mirror": 1}}}},
        "config key cnn.variants.a.tune.mirror is 1; it must be true or",
    ),
    (
        {"cnn.variants": {"a": {"calibrate": {"method": "both"}}}},
        "config key cnn.variants.a.calibrate.method is 'both'; it must be bias or least-squares",
    ),
    (
        {"cnn.variants": {"a": {"calibrate": {"neuron": "Izhikevich"}}}},
        "config key cnn.variants.a.calibrate.neuron is 'Izhikevich'; it must be RLR or LIF of snn.neurons",
    ),
    (
        {"cnn.variants": {"a": {"calibrate": {}}}, "snn.max_rate_hz": {"hz": 200}},
        "config key cnn.variants.a.calibrate.neuron is LIF, whose rate curve needs snn.max_rate_hz as rates in Hz; it",
    ),
    (
        {"cnn.variants": {"a": {"calibrate": {"images": 1298}}}},
        "a.calibrate.images is 1298, but the train set of digits has 1297",
    ),
    (
        {"cnn.variants": {"a": {"tune": {"activation": "LIF"}, "calibrate": {"images": 200}}}},
        "config key cnn.variants.a.calibrate adapts to neurons what is adapted to the neuron LIF already",
    ),
    (
        {"cnn.variants": {"a": {"tune": {"activation": "LIF"}}, "b": {"from": "a", "tune": {"activation": "LIF"}}}},
        "config key cnn.variants.b.tune adapts to neurons what is adapted to the neuron LIF already; it must",
    ),
    (
        {"cnn.variants": {"a": {"tune": {"shift": 32}}}},
        "config key cnn.variants.a.tune.shift is 32, but the images of digits have 32 x 32 pixels; it must",
    ),
    ({"cnn.variants": {"a": {"tune": {"label_smoothing": 1}}}}, "a.tune.label_smoothing"),
    (
        {"cnn.variants": {"a": {"weights": "absent.h5"}}},
        "config key cnn.variants.a.weights names absent.h5, which does",
    ),
    (
        {"cnn.variants": {"a": {"weights": "w.txt"}}},
        "config key cnn.variants.a.weights is 'w.txt'; it must be the path of an .h5 or .keras file, or null",
    ),
    (
        {"cnn.variants": {"a": {"activation": "LIF"}}},
        "config key cnn.variants.a.activation is LIF, but says what weights of a file were trained with; it must be "
        "relu, or cnn.variants.a.weights the file",
    ),
    (
        {"cnn.variants": {"a": {"weights": "w.h5", "activation": "RLR"}}},
        "config key cnn.variants.a.activation is 'RLR'; it must be relu or LIF",
    ),
    (
        {"cnn.variants": {"a": {"weights": "w.h5", "activation": "LIF"}}, "snn.max_rate_hz": {"hz": 200}},
        "config key cnn.variants.a.activation is LIF, which needs snn.max_rate_hz as rates in Hz; it must",
    ),
    (
        {"cnn.variants": {"a": {"weights": "w.h5", "activation": "LIF", "tune": {"activation": "LIF"}}}},
        "config key cnn.variants.a.tune adapts to neurons what is adapted to the neuron LIF already",
    ),
    (
        {"cnn.variants": {"a": {"weights": "w.h5", "activation": "LIF", "calibrate": {"neuron": "LIF"}}}},
        "config key cnn.variants.a.calibrate adapts to neurons what is adapted to the neuron LIF already",
    ),
    (
        {"cnn.variants": {"a": {"tune": {"rate_hz": 20}}}, "snn.max_rate_hz": {"hz": 200}},
        "config key cnn.variants.a.tune.rate_hz is 20, which needs snn.max_rate_hz as rates in Hz; it must be",
    ),
    ({"cnn.variants": {"a": {"tune": {"activation": "RLR"}}}}, "a.tune.activation is 'RLR'; it must be relu or LIF"),
    (
        {"cnn.variants": {"a": {"tune": {"images": 1298}}}},
        "a.tune.images is 1298, but the train set of digits has 1297",
    ),
    (
        {"cnn": {"variants": {"a": {"architecture": {"kernel": 2}}}, "architecture": {"builder": "b.py:f"}}},
        "config key cnn.variants.a.architecture changes kernel; of a CNN of cnn.architecture.builder it can be",
    ),
    (
        {"cnn": {"model": "m.keras", "variants": {"a": {"from": None}}}},
        "config key cnn.variants.a.from is null, but cnn.model brings its weights; it must be base or another variant",
    ),
    (
        {"cnn.variants": {"a": {"tune": {"activation": "LIF"}}}, "snn.max_rate_hz": {"hz": 200}},
        "config key cnn.variants.a.tune.activation is LIF, which needs snn.max_rate_hz as rates in Hz; it must",
    ),
    ({"cnn.model": "absent.keras"}, "config key cnn.model names absent.keras, which does not exist"),
    (
        {"cnn": {"model": "m.keras", "weights": "w.h5"}},
        "config keys cnn.model and cnn.weights are both there; cnn.model brings architecture and weights",
    ),
    # ---- spiking networks
    ({"snn.neurons": {}}, "config key snn.neurons names no neuron"),
    ({"snn.neurons": {"LIF": None}}, "config key snn.neurons names no neuron; it must name at least one"),
    ({"snn.neurons": ["LIF"]}, "config key snn.neurons is ['LIF']; it must be a mapping of neuron types"),
    (
        {"snn.neurons": {"Izhikevich": {}}},
        "Izhikevich is not a known neuron type; known are A-LIF, LIF, RLR, RSRL, SRL",
    ),
    ({"snn.neurons": {"a": {"type": "b"}}}, "config key snn.neurons: b is not a known neuron type"),
    ({"snn.neurons": {"a;b": {"type": "LIF"}}}, f"config key snn.neurons has the key 'a;b'; {NAME}"),
    ({"snn.neurons": {"../a": {"type": "LIF"}}}, f"config key snn.neurons has the key '../a'; {NAME}"),
    ({"snn.neurons": {"{a}": {"type": "LIF"}}}, f"config key snn.neurons has the key '{{a}}'; {NAME}"),
    ({"snn.neurons": {"cnn": {"type": "LIF"}}}, "config key snn.neurons has the name cnn, which stands for something"),
    (
        {"snn.neurons": {"LIF": {"tau_rc": 1}}},
        "LIF.tau_rc is not a parameter of this neuron; it takes tau_rc_s, tau_ref_s",
    ),
    ({"snn.neurons": {"RLR": {"tau_rc_s": 1}}}, "RLR.tau_rc_s is not a parameter of this neuron; it takes none"),
    ({"snn.neurons": {"A-LIF": {"inc_n": -1}}}, "A-LIF.inc_n is -1; it must be a number of at least 0 and at most"),
    ({"snn.neurons": {"A-LIF": {"inc_n": 1, "inc_n_effective": 1}}}, "A-LIF has both inc_n and inc_n_effective"),
    ({"snn.neurons": {"A-LIF": {"inc_n": "big"}}}, "config key snn.neurons.A-LIF.inc_n is 'big'; it must be a number"),
    ({"snn.neurons": {"LIF": {"tau_rc_s": 0}}}, "LIF.tau_rc_s is 0; it must be a number above 0 and at most 1000000"),
    ({"snn.neurons": {"LIF": {"tau_rc_s": True}}}, "config key snn.neurons.LIF.tau_rc_s is true; it must be a number"),
    ({"snn.neurons": {"LIF": {"tau_rc_s": HUGE}}}, "it must be a number above 0 and at most 1000000"),
    ({"snn.neurons": {"LIF": {"tau_ref_s": 1e300}}}, "LIF.tau_ref_s is 1e+300; it must be a number of at least 0 and"),
    ({"snn.neurons": {"LIF": {"tau_ref_s": NAN}}}, "config key snn.neurons.LIF.tau_ref_s is nan; it must be a finite"),
    ({"snn.tau_syn_s": []}, "config key snn.tau_syn_s is []; it must be a list of numbers above 0"),
    ({"snn.tau_syn_s": 0.005}, "config key snn.tau_syn_s is 0.005; it must be a list of numbers above 0"),
    ({"snn.tau_syn_s": [0.005, 0]}, f"config key snn.tau_syn_s[1] is 0; {IN_SECONDS}"),
    ({"snn.tau_syn_s": [-0.005]}, f"config key snn.tau_syn_s[0] is -0.005; {IN_SECONDS}"),
    ({"snn.tau_syn_s": [NAN]}, "config key snn.tau_syn_s[0] is nan; it must be a finite number"),
    ({"snn.tau_syn_s": [INFINITE]}, f"config key snn.tau_syn_s[0] is inf; {IN_SECONDS}"),
    ({"snn.tau_syn_s": [1e20]}, f"config key snn.tau_syn_s[0] is 1e+20; {IN_SECONDS}"),
    ({"snn.tau_syn_s": ["5 ms"]}, f"config key snn.tau_syn_s[0] is '5 ms'; {IN_SECONDS}"),
    ({"snn.tau_syn_s": [0.005, 0.005]}, f"config key snn.tau_syn_s is [0.005, 0.005]; {TWICE}"),
    ({"snn.tau_syn_s": [None, None]}, f"config key snn.tau_syn_s is [None, None]; {TWICE}"),
    ({"snn.synapse": "beta"}, f"config key snn.synapse is 'beta'; {SYNAPSE}"),
    ({"snn.synapse": ["alpha"]}, f"config key snn.synapse is ['alpha']; {SYNAPSE}"),
    ({"snn.synapse": None}, f"config key snn.synapse is null; {SYNAPSE}"),
    ({"snn.synapse": {}}, f"config key snn.synapse is {{}}; {SYNAPSE}"),
    ({"snn.synapse": {"rise": 0.001}}, "config key snn.synapse.rise is unknown (did you mean rise_s?)"),
    (
        {"snn.synapse": {"rise_s": 0}},
        "config key snn.synapse.rise_s is 0; it must be a number above 0 and at most 1000",
    ),
    (
        {"snn.synapse": {"rise_s": 0.006}, "snn.tau_syn_s": [None, 0.01, 0.005]},
        "config key snn.synapse has rise_s 0.006 for the network RLR/rise-0.006, longer than its decay, tau_syn_s "
        "0.005; it must be at most as long",
    ),
    (
        {"snn.networks": [{"synapse": [{"rise_s": 2e-5}]}]},
        "config key snn.synapse has rise_s 2e-05 for the network RLR/rise-2e-05, so short for steps of 0.001 s that it",
    ),
    ({"snn.networks": [{"synapse": "alpha"}]}, "config key snn.networks[0].synapse is 'alpha'; it must be a list of"),
    ({"snn.networks": [{"synapse": ["alpha", "alpha"]}]}, "snn.networks has the network RLR/alpha twice"),
    ({"snn.max_rate_hz": 0}, f"config key snn.max_rate_hz is 0; {RATE}"),
    ({"snn.max_rate_hz": NAN}, "config key snn.max_rate_hz is nan; it must be a finite number"),
    ({"snn.max_rate_hz": "fast"}, f"config key snn.max_rate_hz is 'fast'; {RATE}, a list of one for each layer"),
    (
        {"snn.max_rate_hz": {"percentile": 200}},
        "config key snn.max_rate_hz.percentile is 200; it must be a number above",
    ),
    ({"snn.max_rate_hz": {"quantile": 1}}, "snn.max_rate_hz.quantile is unknown; snn.max_rate_hz takes percentile, hz"),
    ({"snn.max_rate_hz": []}, f"config key snn.max_rate_hz is []; {RATE}"),
    ({"snn.max_rate_hz": [100, -1, 100]}, f"config key snn.max_rate_hz[1] is -1; {RATE}"),
    (
        {"snn.max_rate_hz": [100, 100]},
        "snn.max_rate_hz is [100, 100] for the network RLR; its CNN has 3 layers of neurons",
    ),
    ({"snn.initial_voltage": "one"}, "config key snn.initial_voltage is 'one'; it must be random, zero or half"),
    ({"snn.dt_s": "1 ms"}, "config key snn.dt_s is '1 ms'; it must be a number from 0.000001 to 1 in seconds"),
    ({"snn.dt_s": 0}, "config key snn.dt_s is 0; it must be a number from 0.000001 to 1 in seconds"),
    ({"snn.steps": True}, f"config key snn.steps is true; {FROM_1}"),
    ({"snn.steps": 0}, f"config key snn.steps is 0; {FROM_1}"),
    ({"snn.seeds": []}, "config key snn.seeds is []; it must be a list of integers from 0"),
    ({"snn.seeds": [0, 0]}, f"config key snn.seeds is [0, 0]; {TWICE}"),
    ({"snn.seeds": [0.5]}, "config key snn.seeds[0] is 0.5; it must be an integer"),
    ({"snn.seeds": [2**31]}, "config key snn.seeds[0] is 2147483648; it must be an integer from 0 to 2147483647"),
    ({"snn.networks": []}, "config key snn.networks is []; it must be a list of at least one row"),
    ({"snn.networks": {}}, "config key snn.networks is {}; it must be a list of at least one row"),
    ({"snn.networks": [{"cnn": "base"}]}, "config key snn.networks[0].cnn is 'base'; it must be a list of names"),
    ({"snn.networks": [{"cnn": ["a"]}]}, "config key cnn.variants has no a; known are base"),
    ({"snn.networks": [{"neurons": ["SRL"]}]}, "snn.networks names the neuron SRL, which snn.neurons has not; it has"),
    (
        {"snn.networks": [{"neurons": ["LIF", "LIF"]}]},
        "snn.networks has the network LIF twice; each must stand in it once",
    ),
    ({"snn.networks": [{}, {}]}, "config key snn.networks has the network RLR twice; each must stand in it once"),
    ({"snn.networks": [{"seeds": [1, 1]}]}, f"config key snn.networks[0].seeds is [1, 1]; {TWICE}"),
    ({"snn.networks": [{"tau_syn_s": [0]}]}, f"config key snn.networks[0].tau_syn_s[0] is 0; {IN_SECONDS}"),
    ({"snn.networks": [{"max_rate_hz": [[9, 9]]}]}, "is [9, 9] for the network RLR/rate-9x2; its CNN has 3 layers"),
    ({"snn.networks": [{"dt_s": [1]}]}, "config key snn.networks[0].dt_s is unknown"),
    (
        {"snn.tau_syn_s": [0.005, 0.005000000001]},
        "snn.tau_syn_s[1] is 0.005000000001, but there is 0.005 already, and both",
    ),
    ({"snn.networks": [{"neurons": ["RLR"], "tau_syn_s": [0.0050000001]}, {"neurons": ["LIF"]}]}, "both read 5 ms in"),
    ({"snn.tau_syn_s": [1e-300]}, "config key snn.tau_syn_s[0] is 1e-300, so short for steps of 0.001 s that it would"),
    ({"snn.networks": [{"max_rate_hz": [list(range(100, 200))]}]}, "is too long for the name of a folder; config keys"),
    (
        {"snn.networks": [{"max_rate_hz": [[1, 2] * 20]}]},
        "ends in a text that comes 20 times in a row, which Snakemake",
    ),
    ({"snn.neurons": {"a" * 20: {"type": "LIF"}}}, "ends in a text that comes 20 times in a row, which Snakemake"),
    *(
        ({"snn.neurons": {name: {"type": "LIF"}}}, f"config key snn.neurons has the name {name}, which {what}")
        for what, names in {
            "stands for something else already; it must have another, and say its type": ["CNN", "base", "Tables"],
            "programs that read tables take for a number, a missing value": ["NA", "nan", "None", "null", "7", "1e5"],
        }.items()
        for name in names
    ),
    ({"snn.neurons": {"": {"type": "LIF"}}}, f"config key snn.neurons has the key ''; {NAME}"),
    ({"snn.neurons": {"N/A": {"type": "LIF"}}}, f"config key snn.neurons has the key 'N/A'; {NAME}"),
    ({"snn.neurons": {"LIF_": {"type": "LIF"}}}, f"config key snn.neurons has the key 'LIF_'; {NAME}"),
    ({"cnn.variants": {"NaN": VARIANT}}, "config key cnn.variants has the name NaN, which programs that read tables"),
    ({"cnn.variants": {"CNN": VARIANT}}, "config key cnn.variants has the name CNN, which stands for something else"),
    ({"cnn.variants": {"a_": VARIANT}}, f"config key cnn.variants has the key 'a_'; {NAME}"),
    ({"readouts.windows": [5, 13]}, "readouts.windows[1] is 13, more than the 12 steps of the run; it must be at most"),
    # ---- simulation, and what is made of it
    ({"simulation.engine": "brian"}, "config key simulation.engine is 'brian'; it must be event or nengo-dl"),
    ({"simulation.precision": 64}, "config key simulation.precision is 64; it must be double or single"),
    ({"simulation.images_per_shard": 0}, f"config key simulation.images_per_shard is 0; {FROM_1}"),
    (
        {"simulation.images_per_shard": 1, "data.test_images": 500, "snn.seeds": list(range(501))},
        "images_per_shard is 1; that makes 1002000 simulations of 2004 configurations on 500 images, more than",
    ),
    ({"simulation.minibatch": -1}, f"config key simulation.minibatch is -1; {FROM_1}"),
    ({"verification.images": 0}, f"config key verification.images is 0; {FROM_1}"),
    ({"verification.tolerance": 0}, "config key verification.tolerance is 0; it must be a number above 0"),
    ({"verification.tolerance": INFINITE}, "config key verification.tolerance is inf; it must be a number above 0"),
    ({"analyses": []}, "config key analyses is []; it must be a list of different ones of paper, readouts"),
    ({"analyses": "paper"}, "config key analyses is 'paper'; it must be a list of different ones of paper"),
    (
        {"analyses": ["all"]},
        "config key analyses[0] is 'all'; it must be paper, readouts, claims, activity, gap, corruptions or cost",
    ),
    (
        {"analyses": ["paper", "paper"]},
        "config key analyses is ['paper', 'paper']; it must be a list of different ones",
    ),
    ({"analyses": ["gap"]}, "config key data.validation_images is 0; it must be at least 1 for the analysis gap"),
    ({"analyses": ["gap", "paper"], "data.validation_images": 9}, "paper would show every configuration on the test"),
    ({"analyses": ["activity"], "simulation.engine": "nengo-dl"}, "activity, for which the engine event alone counts"),
    ({"analyses": ["cost"], "simulation.engine": "nengo-dl"}, "cost, for which the engine event alone counts"),
    ({"readouts.windows": [1]}, "config key readouts.windows[0] is 1; it must be an integer from 2 to 1000000"),
    ({"readouts.windows": [5, 5]}, "config key readouts.windows is [5, 5]; it must be a list of different integers"),
    ({"readouts.windows": 5}, "config key readouts.windows is 5; it must be a list of different integers"),
    ({"readouts.margins": [-1]}, "config key readouts.margins[0] is -1; it must be a number from 0 to 1000000"),
    ({"readouts.margins": [1, 1.00000001]}, "config key readouts.margins is [1, 1.00000001], of which two read alike"),
    ({"readouts.margins": [NAN]}, "config key readouts.margins[0] is nan; it must be a finite number"),
    ({"readouts.hold": 0}, f"config key readouts.hold is 0; {FROM_1}"),
    ({"readouts.hold": None}, f"config key readouts.hold is null; {FROM_1}"),
    ({"activity.images": 0}, f"config key activity.images is 0; {FROM_1}"),
    ({"activity.image": 1}, "config key activity.image is unknown (did you mean images?); activity takes images"),
    (
        {"tables.compare_with_paper": "maybe"},
        "config key tables.compare_with_paper is 'maybe'; it must be true or false",
    ),
    (
        {"tables.compare_with_paper": True},
        "compare_with_paper is true, but the paper's numbers are of CIFAR-10 and data.source is digits; it must be",
    ),
    (
        {"figures.formats": []},
        "config key figures.formats is []; it must be a list of different ones of png, svg and pdf",
    ),
    ({"figures.formats": ["gif"]}, "config key figures.formats[0] is 'gif'; it must be png, svg or pdf"),
    (
        {"figures.formats": ["png", "png"]},
        "config key figures.formats is ['png', 'png']; it must be a list of different",
    ),
    ({"readouts.conformal": 0.9}, "config key readouts.conformal is 0.9; it must be {coverage: ...}, or null"),
    (
        {"readouts.conformal": {"coverage": 1}, "data.validation_images": 50},
        "config key readouts.conformal.coverage is 1; it must be a number above 0 and at most 0.999",
    ),
    (
        {"readouts.conformal": {"coverage": 0.95}, "data.validation_images": 18},
        "data.validation_images is 18; it must be at least 19 for readouts.conformal with a coverage of 0.95",
    ),
    (DISTURBED | {"corruptions.kinds": ["fog"]}, "corruptions.kinds[0] is 'fog'; it must be one of gaussian_noise, bl"),
    (DISTURBED | {"corruptions.strengths": [6]}, "corruptions.strengths[0] is 6; it must be an integer from 1 to 5"),
    (
        DISTURBED | {"corruptions.images": 16},
        "corruptions.images is 16, but data.test_images is 15; it must be at most",
    ),
    (DISTURBED | {"corruptions.weight_bits": [1]}, "corruptions.weight_bits[0] is 1; it must be an integer from 2 to"),
    (DISTURBED | {"corruptions.networks": ["SRL"]}, "corruptions.networks names SRL, which is no network of this exp"),
    (
        DISTURBED | {"corruptions.tau_syn_s": [0.02]},
        "config key corruptions.tau_syn_s has 0.02, which the network RLR has not; it has [0.005, 0.01]",
    ),
    (
        {"analyses": ["gap", "corruptions"], "data.validation_images": 9, "corruptions.tau_syn_s": [0.01]},
        "config key corruptions.tau_syn_s is [0.01], but the analysis gap chooses the time constants; it must be null",
    ),
    (
        DISTURBED | {"corruptions.kinds": [], "corruptions.weight_noise": [], "corruptions.weight_bits": []},
        "config keys corruptions.kinds, weight_noise and weight_bits are all []; the analysis corruptions needs one",
    ),
    (
        DISTURBED | {"simulation.engine": "nengo-dl"},
        "but the engine event alone simulates disturbed weights; it must be [], or simulation.engine event",
    ),
    ({"figures.logit_image": 3}, "config key figures.logit_image is 3; it must be a mapping"),
    ({"figures.logit_image.split": "both"}, "config key figures.logit_image.split is 'both'; it must be train or test"),
    ({"figures.logit_image.index": -1}, "config key figures.logit_image.index is -1; it must be an integer from 0"),
    ({"figures.logit_image.index": 1297}, "index is 1297, but the train set of digits has 1297 images, counted from 0"),
    (
        {"figures.logit_image": {"split": "test", "index": 500}},
        "index is 500, but the test set of digits has 500 images, counted from 0; it must be at most 499",
    ),
    ({"report.show_images": "if allowed"}, "config key report.show_images is 'if allowed'; it must be true or false"),
    ({"report.show_images": 1}, "config key report.show_images is 1; it must be true or false"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Return a working directory with files that a configuration can name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CSNN_CIFAR10", raising=False)
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "b.py").touch()
    return tmp_path


def refusal(config: dict, *files: str) -> str:
    """Return the sentence with which a configuration is refused."""
    with pytest.raises(InputError) as refused:
        configuration.read(config, files)
    sentence = str(refused.value)
    assert len(sentence.splitlines()) == 1
    return sentence


@pytest.mark.parametrize(("changes", "sentence"), CONFIGURATIONS, ids=[str(case)[:60] for case, _ in CONFIGURATIONS])
def test_what_is_refused(changes, sentence):
    assert sentence in refusal(changed(SMALL, changes))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("experiment: 2024-01-01", "config key experiment is 2024-01-01; it must be a name of at most 100 letters"),
        ("experiment: !!binary aGk=", "config key experiment is b'hi'; it must be a name"),
        ("analyses: !!set {paper}", "config key analyses is {'paper'}; it must be a list of different ones"),
        ("? null\n: 1", "config key None is unknown"),
        ("data: &data {source: *data}", "the configuration is nested without end; no value must contain itself"),
    ],
)
def test_what_yaml_reads_as_something_else(text, sentence):
    assert sentence in refusal(yaml.safe_load(text))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            b"snn: {steps: 5}\nsnn: {steps: 6}",
            "has the key snn in line 1 and again in line 2; each key must stand once",
        ),
        (
            b"snn:\n  steps: 5\n  dt_s: 0.001\n  steps: 6\n",
            "has the key steps in line 2 and again in line 4; each key must stand once in its mapping",
        ),
        (
            b"__use_yte__: true\nexperiment: '?1 + 1'",
            "mine.yaml has the key __use_yte__, with which Snakemake runs code",
        ),
        (
            b"data:\n  source: digits\nexperiment: 2024-13-45",
            "mine.yaml, line 3: YAML reads 2024-13-45 as a date, but month must be in 1..12; text must be in quotes",
        ),
        ("experiment: caf\u00e9".encode("latin-1"), "mine.yaml is not UTF-8 text (unexpected end of data at byte 15)"),
        (b"[" * 5000, "mine.yaml is not YAML (maximum recursion depth exceeded"),
        (None, "mine.yaml cannot be read (No such file or directory)"),
    ],
    ids=["key twice", "nested key twice", "code", "impossible date", "Latin-1", "nested", "missing"],
)
def test_files_that_are_refused(folder, content, sentence):
    if content is not None:
        (folder / "mine.yaml").write_bytes(content)
    assert sentence in refusal(SMALL, "mine.yaml")


def test_corruptions_are_of_as_many_images_as_there_are():
    assert configuration.read(SMALL)["corruptions"]["images"] == 15
    assert configuration.read({})["corruptions"]["images"] == 500


def test_coverage_with_weights_that_may_have_seen_the_validation_images_is_warned_of(folder):
    (folder / "w.h5").touch()
    asked = {"data.validation_images": 50, "readouts.conformal": {"coverage": 0.9}, "cnn.weights": "w.h5"}
    warnings = list(configuration.warnings(configuration.read(changed(SMALL, asked))))
    assert [warning for warning in warnings if "promises its coverage only if the CNN has not seen" in warning]
    asked["cnn.variants"] = {"a": {"weights": asked.pop("cnn.weights")}}
    warnings = list(configuration.warnings(configuration.read(changed(SMALL, asked))))
    assert [warning for warning in warnings if "cnn.variants.a.weights may have been trained on them" in warning]
    asked.pop("cnn.variants")
    assert not [w for w in configuration.warnings(configuration.read(changed(SMALL, asked))) if "coverage" in w]


def test_the_variable_of_the_archive(monkeypatch):
    monkeypatch.setenv("CSNN_CIFAR10", "absent.tar.gz")
    sentence = "config key data.archive, from the variable CSNN_CIFAR10, names absent.tar.gz, which does not exist"
    assert sentence in refusal(changed(SMALL, {"data.source": "cifar10"}))


def test_config_yaml_is_the_papers_experiment_and_states_every_key():
    """But for keys whose default is null, whose comment says what else they take."""
    stated = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    complete = configuration.read({})
    assert configuration.read(stated) == complete

    def missing(stated, complete, place=""):
        for key, value in complete.items():
            if key not in stated:
                yield f"{place}{key}"
            elif isinstance(value, dict) and key != "neurons":
                yield from missing(stated[key], value, f"{place}{key}.")

    assert list(missing(stated, complete)) == ["data.archive", "cnn.architecture.builder"]


def test_generated_files_are_those_of_the_models():
    import configuration as reference

    for path, text in reference.files().items():
        assert path.read_text(encoding="utf-8") == text, "run `make docs`"


EXPERIMENTS = sorted((REPOSITORY / "experiments").glob("*.yaml"))
FILES = ["config.yaml", "profiles/demo/config.yaml", *(f"experiments/{file.name}" for file in EXPERIMENTS)]


@pytest.mark.parametrize("path", FILES)
def test_editors_take_the_files_of_the_repository(path):
    jsonschema.validate(yaml.safe_load((REPOSITORY / path).read_text()), schema.json_schema())


@pytest.mark.parametrize(
    "changes",
    [
        {"snn.steps": 0},
        {"snn.step": 10},
        {"snn.dt_s": "1 ms"},
        {"snn.tau_syn_s": [0]},
        {"snn.max_rate_hz": [100, -1]},
        {"snn.neurons": {"LIF": {"tau_rc_s": "long"}}},
        {"snn.neurons": {"LIF_": {}}},
        {"cnn.variants": {"a b": VARIANT}},
        {"cnn.variants": {"a": {"tune": {"epochs": -1}}}},
        {"analyses": ["paper", "paper"]},
        {"figures.formats": ["gif"]},
    ],
)
def test_editors_mark_mistakes(changes):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(changed(SMALL, changes), schema.json_schema())


def test_initial_voltages_are_those_of_the_neurons():
    assert set(typing.get_args(schema.InitialVoltage)) == set(INITIAL_VOLTAGES)


def test_every_key_is_described_and_has_a_default():
    import configuration as reference

    rows = [row for key, part in schema.json_schema()["properties"].items() for row in reference.rows(part, key)]
    assert len({key for key, *_ in rows}) == len(rows) > 60
    assert {"snn.max_rate_hz", "snn.max_rate_hz.percentile", "cnn.variants.<name>.from"} <= {key for key, *_ in rows}
    for key, default, allowed, description in rows:
        assert allowed and description, key
        needed = key == "snn.synapse.rise_s"  # it says that the synapse is a double exponential
        assert default or needed or ".<name>." in key or "[]." in key, key


class TestWhatIsTaken:
    def test_text_with_which_the_command_line_hands_over_numbers(self):
        given = {"steps": "50", "tau_syn_s": ["null", "5e-3"], "dt_s": "1e-3", "neurons": {"RLR": {}, "LIF": "null"}}
        read = configuration.read({"snn": given, "report": {"show_images": "True"}, "cnn": {"weights": "null"}})
        snn = read["snn"]
        assert (snn["steps"], snn["tau_syn_s"], snn["dt_s"]) == (50, [None, 0.005], 0.001)
        assert snn["neurons"] == {"RLR": {}}
        assert read["report"]["show_images"] is True
        assert read["cnn"]["weights"] is None

    def test_neurons_stay_in_the_order_of_the_file(self):
        for names in (["SRL", "LIF", "A-LIF"], ["LIF", "A-LIF", "SRL"]):
            assert (
                list(configuration.read({"snn": {"neurons": {name: {} for name in names}}})["snn"]["neurons"]) == names
            )

    def test_a_complete_configuration_is_read_as_itself(self):
        complete = configuration.read(changed(SMALL, {"cnn.variants": {"a": VARIANT}, "snn.max_rate_hz": 100.5}))
        assert configuration.read(complete) == complete

    def test_both_ways_to_write_a_number_are_one(self):
        read = configuration.read(changed(SMALL, {"snn.max_rate_hz": 415.0, "readouts.margins": [1.0, 2.5]}))
        assert repr(read["snn"]["max_rate_hz"]) == "415"
        assert repr(read["readouts"]["margins"]) == "[1, 2.5]"

    def test_default_windows_are_no_longer_than_the_run(self):
        assert configuration.read({"snn": {"steps": 20}})["readouts"]["windows"] == [5, 10, 20]

    def test_equal_rates_of_many_layers_are_one_short_name(self):
        builder = {"cnn.architecture": {"builder": "b.py:f"}, "snn.networks": [{"max_rate_hz": [[100] + [415] * 30]}]}
        config = configuration.read(changed(SMALL, builder))
        assert list(sweep.networks(config["snn"], {})) == ["RLR/rate-100-415x30", "LIF/rate-100-415x30"]

    def test_nothing_is_warned_of_in_the_papers_experiment(self):
        assert list(configuration.warnings(configuration.read({}))) == []

    def test_milliseconds_are_questioned(self):
        config = configuration.read(
            changed(SMALL, {"snn.tau_syn_s": [5, 0.002], "snn.networks": [{"tau_syn_s": [10]}]})
        )
        assert list(configuration.warnings(config)) == [
            "config key snn.tau_syn_s has 5 s, 10 s, longer than an image is shown (0.012 s), so that logits stay near "
            "0; it is in seconds: 5 ms are 0.005"
        ]

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"snn.tau_syn_s": [0.004]}, None),  # through 3 layers
            (
                {"snn.tau_syn_s": [None, 0.005, 0.01]},
                "config key snn.tau_syn_s has 0.005 s, 0.01 s, which delays a signal through 3 layers of neurons by "
                "0.015 s or more, more than the 0.012 s of an image; take a shorter time constant or more snn.steps",
            ),
            (
                {
                    "cnn.variants": {"deep": {"architecture": {"filters": [2] * 4}}},
                    "snn.networks": [{"cnn": ["deep"]}],
                    "snn.max_rate_hz": 1000,
                },
                "config key snn.tau_syn_s has 0.003 s, which delays a signal through 5 layers",
            ),
            (
                {"snn.max_rate_hz": 200},
                "config key snn.max_rate_hz is so low that a spike takes 0.015 s through 3 layers of neurons whose "
                "activation is 1, and an image is shown for 0.012 s only; take higher rates or more snn.steps",
            ),
            ({"snn.max_rate_hz": 200, "snn.neurons": {"RLR": {}}}, None),  # which send rates
            ({"snn.max_rate_hz": [100, 1000, 1000]}, None),
            ({"snn.max_rate_hz": [100, 400, 400]}, "config key snn.max_rate_hz is so low that a spike takes 0.015 s"),
            ({"snn.max_rate_hz": {"percentile": 99, "hz": 200}}, "config key snn.max_rate_hz is so low"),
        ],
    )
    def test_what_cannot_pass_the_layers_in_time_is_named_once(self, changes, sentence):
        config = configuration.read(changed(SMALL, {"snn.tau_syn_s": [0.003]} | changes))
        sentences = list(configuration.warnings(config))
        assert len(sentences) == (sentence is not None)
        assert all(said.startswith(sentence) for said in sentences)


@pytest.mark.parametrize(
    ("path", "folder_of_the_workflow"),
    [
        ("data/prepared/digits.npz", "data/prepared"),
        ("data/downloads/mine.npz", "data/downloads"),
        ("results/small/images/mine.npz", "results/small"),
    ],
)
def test_a_named_file_must_lie_where_no_job_writes(folder, path, folder_of_the_workflow):
    images, labels = np.zeros((20, 16, 16, 1), np.uint8), np.arange(20) % 2
    np.savez(folder / "mine.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    own = changed(SMALL, {"data.source": "mine.npz"})
    configuration.read(own)
    (folder / path).parent.mkdir(parents=True)
    shutil.copy(folder / "mine.npz", folder / path)
    sentence = refusal(changed(own, {"data.source": path}))
    assert f"config key data.source names {path}, but in {folder_of_the_workflow} the workflow writes" in sentence
    if path.startswith("results"):
        configuration.read(changed(own, {"data.source": path, "experiment": "another"}))


def test_only_images_are_mirrored(folder):
    series, labels = np.zeros((20, 16, 3), np.float32), np.arange(20) % 2
    np.savez(folder / "series.npz", x_train=series, y_train=labels, x_test=series, y_test=labels)
    (folder / "b.py").write_text("")
    own = changed(SMALL, {"data.source": "series.npz", "cnn.architecture": {"builder": "b.py:f"}})
    assert configuration.read(own)
    sentence = refusal(changed(own, {"cnn.variants": {"a": {"tune": {"mirror": True}}}}))
    assert (
        "config key cnn.variants.a.tune.mirror is true, but series.npz holds samples of shape (16, 3); only" in sentence
    )
