"""Simulate images with NengoDL itself: a shard at one time constant, or one image at each."""

from csnn.job import logged, progress

with logged(snakemake.log[0]):
    from csnn.model import cnn
    from csnn import neurons
    from csnn import responses
    from csnn.nengodl.conversion import convert
    from csnn.nengodl.simulator import simulate
    from csnn.files import read_npz
    from csnn.nengodl.compat import use_threads

    params = snakemake.params
    use_threads(snakemake.threads)
    images = read_npz(snakemake.input.images)
    shard = slice(*params.positions)
    model = cnn.load(snakemake.input.network, params.cnn)
    logits = []
    for tau_syn_s in responses.several(params.tau_syn_s):
        converter = convert(
            model,
            neurons.build(params.neuron, params.neuron_parameters, params.initial_voltage),
            tau_syn_s=tau_syn_s,
            max_rate_hz=params.max_rate_hz,
            seed=int(snakemake.wildcards.seed),
            precision=params.precision,
            divided_by_amplitude=neurons.divided_by_amplitude(params.neuron, params.neuron_parameters),
        )
        logits.append(
            simulate(
                converter,
                images["images"][shard],
                dt_s=params.dt_s,
                steps=params.steps,
                minibatch=params.minibatch,
                on_images_done=progress(len(images["labels"][shard])),
            )
        )
    provenance = {
        "engine": "nengo-dl",
        "network": snakemake.wildcards.network,
        "seed": int(snakemake.wildcards.seed),
        **{key: value for key, value in params.items() if key != "positions"},
        "model": responses.source(snakemake.input.network),
        "images": responses.source(snakemake.input.images),
        "split": str(images["split"]),
        "versions": responses.environment("numpy", "tensorflow", "nengo", "nengo-dl"),
    }
    responses.write(snakemake.output[0], responses.to_images(logits, images, shard, provenance))
