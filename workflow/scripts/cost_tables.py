"""Collect firing rates by layer, and what a decision costs, of every configuration in two tidy tables."""

from csnn.job import logged

with logged(snakemake):
    import pandas as pd

    from csnn.evaluation import cost
    from csnn.evaluation.tables import with_synapses
    from csnn.files import read_json, write_table

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
