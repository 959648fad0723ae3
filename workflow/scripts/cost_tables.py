"""Collect firing rates by layer, what a decision costs, its energy and its break-even in tidy tables."""

from csnn.job import logged

with logged(snakemake):
    import pandas as pd

    from csnn.evaluation import break_even, cost, memory_energy
    from csnn.evaluation.tables import with_synapses
    from csnn.files import read_json, write_table

    NETWORK = ("network", "cnn", "neuron", "tau_syn_s", "synapse")
    counted = [read_json(path) for path in snakemake.input.metrics]
    layers = [activity["configuration"] | layer for activity in counted for layer in activity["layers"]]
    write_table(snakemake.output.layers, with_synapses(pd.DataFrame(layers)))
    costs = [
        activity["configuration"]
        | {key: value for key, value in activity["cost"].items() if not key.endswith("energy_j")}
        | {
            "device": device,
            "energy_estimate_j": activity["cost"]["energy_j"][device],
            "cnn_energy_estimate_j": activity["cost"]["cnn_energy_j"][device],
            "source": properties.source,
            "assumptions": cost.ASSUMPTIONS,
        }
        for activity in counted
        for device, properties in cost.DEVICES.items()
    ]
    write_table(snakemake.output.costs, with_synapses(pd.DataFrame(costs)))
    configurations = [activity["configuration"] for activity in counted]
    networks = [{key: described[key] for key in NETWORK if key in described} for described in configurations]
    energies = [
        network
        | {"of": of}
        | {f"{part}_j": joules for part, joules in activity["energy"][of].items()}
        | {"assumptions": memory_energy.ASSUMPTIONS}
        for network, activity in zip(networks, counted, strict=True)
        for of in ("network", "cnn")
        if activity["energy"][of]
    ]
    write_table(snakemake.output.energy, with_synapses(pd.DataFrame(energies)))
    even = []
    for network, activity in zip(networks, counted, strict=True):
        found = activity["break_even"] or {}
        row = network | {key: found.get(key) for key in ("bits", "word_bits", "spikes_per_neuron_and_step")}
        for model in ("arithmetic", "memory"):
            row |= {f"{model}_{key}": (found.get(model) or {}).get(key) for key in ("rate", "energy_ratio")}
        even.append(row | {"assumptions": break_even.ASSUMPTIONS})
    write_table(snakemake.output.break_even, with_synapses(pd.DataFrame(even)))
