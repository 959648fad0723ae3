"""Simulate some images of one configuration and record every neuron: activity, synaptic operations and their cost."""

from csnn.job import logged, progress

with logged(snakemake):
    import numpy as np

    from csnn.evaluation import activity, neurobench
    from csnn.data.images import read_selection
    from csnn.files import read_npz, write_json, write_npz
    from csnn.event.network import load_network, with_synapse
    from csnn.responses import environment

    params = snakemake.params
    network = load_network(snakemake.input.network)
    images = read_selection(snakemake.input.images, params.dataset)["images"][: params.images]
    cnn = read_npz(snakemake.input.activations)
    activations = [cnn[f"layer{i + 1}"] for i in range(len(cnn))]
    recorded = activity.record(
        network,
        images,
        tau_syn_s=params.tau_syn_s,
        dt_s=params.dt_s,
        steps=params.steps,
        on_images_done=progress(len(images)),
    )
    write_npz(
        snakemake.output.activity,
        {
            "operations_per_step": recorded.operations,
            "image_operations": recorded.image_operations,
            **{f"counts{i + 1}": counts for i, counts in enumerate(recorded.counts)},
        },
    )
    costs = activity.cost_table(network, recorded, images, activations)
    simulated = with_synapse(network, params.tau_syn_s)
    write_json(
        snakemake.output.metrics,
        {
            "configuration": {
                "network": snakemake.wildcards.network,
                **params.described,
                "tau_syn_s": params.tau_syn_s,
            },
            "seed": int(snakemake.wildcards.seed),
            "dt_s": params.dt_s,
            "steps": params.steps,
            "images": len(images),
            "synapses_in_a_row": network.depth,
            "layers": activity.layer_table(network, recorded, activations, params.steps * params.dt_s),
            "cost": costs,
            "neurobench": neurobench.metrics(simulated, recorded.of_harness, params.steps),
            **activity.energy_table(simulated, recorded, costs["cnn_macs"]),
            "versions": environment("numpy", "numba"),
            "operations_per_step": np.mean(recorded.operations.sum(axis=1), axis=0).tolist(),
        },
    )
