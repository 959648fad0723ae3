"""From the wildcards of a path to the settings and files of its network, and the files that a sweep consists of."""

import csv
from types import SimpleNamespace

from csnn.evaluation import invariants
from csnn import neurons


def setting(name):
    """A function of the wildcards that gives a setting of their network."""
    return lambda wildcards: NETWORKS[wildcards.network][name]


def model_of_network(wildcards):
    """The CNN that a network is converted from."""
    return f"<results>/{sweep.cnn_folder(NETWORKS[wildcards.network]['variant'])}/model.h5"


def each_configuration(pattern, seeds=None):
    """A file of every configuration; with `seeds`, of no more seeds than that for each network."""
    return [
        pattern.format(network=network, tau=tau, seed=seed)
        for network, tau, seed in sweep.configurations(NETWORKS, seeds)
    ]


def each_network(pattern, seeds=None):
    """A file of every network and seed; with `seeds`, of no more seeds than that."""
    return [
        pattern.format(network=name, seed=seed)
        for name, network in NETWORKS.items()
        for seed in network["seeds"][:seeds]
    ]


def of_event(paths):
    """Paths, where the event-driven engine makes them."""
    return paths if SIMULATION["engine"] == "event" else []


def cnn_settings(name):
    """What a CNN is made with, step by step: it stands in the model's file, and its readers compare."""
    if name == sweep.BASE:
        training = {"training": CNN["training"], "held_out": VALIDATION_IMAGES}
        made = {"weights": CNN["weights"]} if CNN["weights"] else training
        return {"data": config["data"]["source"], "architecture": ARCHITECTURE} | made
    variant = VARIANTS[name]
    tune = variant["tune"] | {"rate_curve": rate_curve(variant["tune"]["activation"])}
    return {
        "data": config["data"]["source"],
        "architecture": sweep.architecture(VARIANTS, ARCHITECTURE, name),
        "tune": tune,
        "held_out": VALIDATION_IMAGES,
        "from": cnn_settings(variant["from"]) if variant["from"] else None,
    }


def settings_of_variant(wildcards):
    """What a variant is made with."""
    return cnn_settings(wildcards.variant)


def settings_of_parent(wildcards):
    """What the CNN that a variant is made from was made with, if there is one."""
    name = VARIANTS[wildcards.variant]["from"]
    return cnn_settings(name) if name else None


def settings_of_cnn(wildcards):
    """What the CNN in a folder was made with."""
    return cnn_settings(wildcards.cnn.partition("/")[2] or sweep.BASE)


def settings_of_networks_cnn(wildcards):
    """What the CNN that a network is converted from was made with."""
    return cnn_settings(NETWORKS[wildcards.network]["variant"])


def parent(wildcards):
    """The CNN that a variant is made from, if there is one."""
    name = VARIANTS[wildcards.variant]["from"]
    return f"<results>/{sweep.cnn_folder(name)}/model.h5" if name else []


def changed_architecture(wildcards):
    """The sizes of a variant."""
    return sweep.architecture(VARIANTS, ARCHITECTURE, wildcards.variant)


def tuning(wildcards):
    """How a variant is tuned, with the neuron whose rate curve is the activation, if there is one."""
    tune = VARIANTS[wildcards.variant]["tune"]
    return tune | {"rate_curve": rate_curve(tune["activation"])}


def rate_curve(activation):
    """The neuron, and its rate in Hz at an activation of 1, whose rate curve is an activation; None for ReLU."""
    if activation == "relu":
        return None
    return {"neuron": SNN["neurons"][activation], "max_rate_hz": SNN["max_rate_hz"]}


def own_rate_curve(wildcards):
    """The rate curve that a CNN was tuned to, or None."""
    variant = wildcards.cnn.partition("/")[2] or sweep.BASE
    return rate_curve(sweep.activation(VARIANTS, variant))


def outputs_of_cnn(name):
    """A function of the wildcards that names outputs of a network's own CNN for the same images."""

    def outputs(wildcards):
        folder = sweep.cnn_folder(NETWORKS[wildcards.network]["variant"])
        return f"<results>/{folder}/{wildcards.get('images', 'test')}-{name}.npz"

    return outputs


def spiking(wildcards):
    """Whether a network's neurons send spikes rather than a rate."""
    network = NETWORKS[wildcards.network]
    return neurons.spikes(network["neuron"], network["neuron_parameters"])


def seed_matters(wildcards):
    """Whether anything of a network is drawn at random."""
    network = NETWORKS[wildcards.network]
    return neurons.seed_matters(network["neuron"], network["neuron_parameters"], network["initial_voltage"])


def network_of(wildcards):
    """The settings of a network."""
    return NETWORKS[wildcards.network]


def chosen():
    """Network and time constant, as in paths, of what was chosen on validation images."""
    with checkpoints.choose.get().output[0].open() as file:
        rows = [(row["network"], row["tau_syn_s"]) for row in csv.DictReader(file)]
    return dict.fromkeys((network, sweep.tau_text(float(tau) if tau else None)) for network, tau in rows)


def chosen_decisions(wildcards):
    """Decisions of what was chosen on the test images, for all seeds: no other network ever sees them."""
    return [
        f"<results>/{network}/tau-{tau}/seed-{seed}/decisions-test.npz"
        for network, tau in chosen()
        for seed in NETWORKS[network]["seeds"]
    ]


def first_seeds(file):
    """A function of the wildcards that names a file of each configuration reported on the test images, first seed."""
    pattern = f"<results>/{{network}}/tau-{{tau}}/seed-{{seed}}/{file}"

    def files(wildcards):
        if "gap" not in ANALYSES:
            return each_configuration(pattern, seeds=1)
        return [
            pattern.format(network=network, tau=tau, seed=NETWORKS[network]["seeds"][0]) for network, tau in chosen()
        ]

    return files


def simulation_settings(wildcards):
    """What every shard of a configuration is made with."""
    network = NETWORKS[wildcards.network]
    shared = {key: network[key] for key in ("neuron", "neuron_parameters", "max_rate_hz", "initial_voltage")}
    return {
        "engine": SIMULATION["engine"],
        "network": wildcards.network,
        "seed": int(wildcards.seed),
        "cnn": cnn_settings(network["variant"]),
        "tau_syn_s": TAUS[wildcards.tau],
        "dt_s": SNN["dt_s"],
        "steps": SNN["steps"],
        "precision": SIMULATION["precision"],
        **shared,
        **ENGINE[SIMULATION["engine"]],
    }


def settings_of_configurations():
    """A hash of what each configuration is made with, in their order."""
    fields = ("network", "tau", "seed")
    return [
        invariants.digest_of(simulation_settings(SimpleNamespace(**dict(zip(fields, one)))))
        for one in sweep.configurations(NETWORKS)
    ]


def simulated_from(wildcards):
    """The file that a configuration is simulated from: the compiled network, or the CNN."""
    if SIMULATION["engine"] == "event":
        return "<results>/{network}/networks/seed-{seed}.npz"
    return model_of_network(wildcards)
