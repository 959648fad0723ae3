"""Simulate images with the event-driven engine: a shard at one time constant, or one image at each."""

from csnn.job import logged, progress

with logged(snakemake.log[0]):
    from csnn import responses
    from csnn.event.simulator import simulate
    from csnn.files import read_npz
    from csnn.event.network import SETTINGS, load_network

    params = snakemake.params
    images = read_npz(snakemake.input.images)
    shard = slice(*params.positions)
    seed = int(snakemake.wildcards.seed)
    settings = {key: params[key] for key in SETTINGS} | {"seed": seed}
    network = load_network(snakemake.input.network, settings)
    logits = [
        simulate(
            network,
            images["images"][shard],
            tau_syn_s=tau_syn_s,
            dt_s=params.dt_s,
            steps=params.steps,
            precision=params.precision,
            threads=snakemake.threads,
            on_images_done=progress(len(images["labels"][shard])),
        ).logits
        for tau_syn_s in responses.several(params.tau_syn_s)
    ]
    provenance = {
        "engine": "event",
        "network": snakemake.wildcards.network,
        "seed": seed,
        **{key: value for key, value in params.items() if key != "positions"},
        "compiled_network": responses.source(snakemake.input.network),
        "images": responses.source(snakemake.input.images),
        "split": str(images["split"]),
        "versions": responses.environment("numpy", "numba"),
    }
    responses.write(snakemake.output[0], responses.to_images(logits, images, shard, provenance))
