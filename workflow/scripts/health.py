"""Check the health of each network, what explains a loss of accuracy, and list what NeuroBench would count of it."""

from csnn.job import logged

with logged(snakemake):
    import pandas as pd

    from csnn.evaluation import health
    from csnn.evaluation.tables import with_synapses
    from csnn.files import read_json, write_table

    NETWORK = ("network", "cnn", "neuron", "tau_syn_s", "synapse")
    has_max_pooling = {
        cnn: any("Max" in layer["type"] for layer in read_json(path)["layers"])
        for cnn, path in zip(snakemake.params.cnns, snakemake.input.architectures, strict=True)
    }
    activities = [read_json(path) for path in snakemake.input.metrics]
    layers, causes = health.tables(activities, has_max_pooling)
    print(layers.to_string(index=False), *health.summary(causes), sep="\n")
    write_table(snakemake.output.layers, layers)
    write_table(snakemake.output.findings, causes)
    of_harness = [
        {key: activity["configuration"][key] for key in NETWORK if key in activity["configuration"]}
        | activity["neurobench"]
        | {f"event_{key}": activity["cost"][key] for key in ("macs", "acs", "neuron_updates")}
        for activity in activities
    ]
    write_table(snakemake.output.neurobench, with_synapses(pd.DataFrame(of_harness)))
