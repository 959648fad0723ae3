"""Simulate one shard of one configuration with the event-driven engine."""

from csnn.job import logged, progress

with logged(snakemake.log[0]):
    from csnn import responses
    from csnn.engines.event import simulate
    from csnn.files import read_npz
    from csnn.network import SETTINGS, load_network

    params = snakemake.params
    images = read_npz(snakemake.input.images)
    shard = slice(*params.positions)
    seed = int(snakemake.wildcards.seed)
    settings = {key: params[key] for key in SETTINGS} | {"seed": seed}
    logits = simulate(
        load_network(snakemake.input.network, settings),
        images["images"][shard],
        tau_syn_s=params.tau_syn_s,
        dt_s=params.dt_s,
        steps=params.steps,
        precision=params.precision,
        threads=snakemake.threads,
        on_images_done=progress(len(images["labels"][shard])),
    ).logits
    provenance = {
        "engine": "event",
        "neuron": snakemake.wildcards.network,
        "seed": seed,
        **{key: value for key, value in params.items() if key not in ("positions", "neuron")},
        "network": responses.source(snakemake.input.network),
        "images": responses.source(snakemake.input.images),
        "split": str(images["split"]),
        "versions": responses.environment("numpy", "numba"),
    }
    responses.write(
        snakemake.output[0],
        responses.Responses(logits, images["labels"][shard], images["indices"][shard], provenance),
    )
