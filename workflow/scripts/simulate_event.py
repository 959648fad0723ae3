"""Simulate a shard of images with the event-driven engine, at all time constants that a job is about together."""

from csnn.job import logged, progress

with logged(snakemake):
    from csnn.files import hash_of_file
    from csnn import responses
    from csnn.data.images import read_selection
    from csnn.event.network import SETTINGS, load_network
    from csnn.event.simulator import simulate_time_constants

    settings = snakemake.params.settings
    images = read_selection(snakemake.input.images, settings["cnn"]["dataset"])
    shard = slice(*snakemake.params.positions)
    network = load_network(
        snakemake.input.network, {key: settings[key] for key in (*SETTINGS, "synapse", "seed") if key in settings}
    )
    simulations = simulate_time_constants(
        network,
        images["images"][shard],
        settings["tau_syn_s"],
        dt_s=settings["dt_s"],
        steps=settings["steps"],
        precision=settings["precision"],
        threads=snakemake.threads,
        on_images_done=progress(len(images["labels"][shard])),
    )
    provenance = {
        "compiled_network": hash_of_file(snakemake.input.network),
        "images": hash_of_file(snakemake.input.images),
        "split": str(images["split"]),
        "versions": responses.environment("numpy", "numba"),
    }
    responses.write_shard(
        snakemake.output[0],
        [
            responses.Responses(
                simulation.logits,
                images["labels"][shard],
                images["indices"][shard],
                {**settings, "tau_syn_s": tau_syn_s, **provenance},
            )
            for tau_syn_s, simulation in zip(settings["tau_syn_s"], simulations, strict=True)
        ],
    )
