"""Collect firing rates by layer, and what a decision costs, of every configuration in two tidy tables."""

from csnn.job import logged

with logged(snakemake):
    import pandas as pd

    from csnn.evaluation import cost
    from csnn.files import read_json, write_text

    found = [read_json(path) for path in snakemake.input.metrics]
    layers = [one["about"] | layer for one in found for layer in one["layers"]]
    write_text(snakemake.output.layers, pd.DataFrame(layers).to_csv(index=False))
    costs = []
    for one in found:
        counted = {key: value for key, value in one["cost"].items() if not key.endswith("energy_j")}
        for device, properties in cost.DEVICES.items():
            costs.append(
                one["about"]
                | counted
                | {
                    "device": device,
                    "energy_estimate_j": one["cost"]["energy_j"][device],
                    "cnn_energy_estimate_j": one["cost"]["cnn_energy_j"][device],
                    "source": properties.source,
                    "assumptions": cost.ASSUMPTIONS,
                }
            )
    write_text(snakemake.output.costs, pd.DataFrame(costs).to_csv(index=False))
