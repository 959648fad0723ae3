"""Simulate a shard of images at one time constant with NengoDL itself."""

from csnn.job import logged, progress

with logged(snakemake):
    from csnn import neurons
    from csnn import responses
    from csnn.files import read_npz
    from csnn.model import cnn
    from csnn.nengodl.compat import use_threads
    from csnn.nengodl.conversion import convert
    from csnn.nengodl.simulator import simulate

    settings = snakemake.params.settings
    use_threads(snakemake.threads)
    images = read_npz(snakemake.input.images)
    shard = slice(*snakemake.params.positions)
    converter = convert(
        cnn.load(snakemake.input.network, settings["cnn"]),
        neurons.build(settings["neuron"], settings["neuron_parameters"], settings["initial_voltage"]),
        tau_syn_s=settings["tau_syn_s"],
        max_rate_hz=settings["max_rate_hz"],
        seed=settings["seed"],
        precision=settings["precision"],
        divided_by_amplitude=neurons.divided_by_amplitude(settings["neuron"], settings["neuron_parameters"]),
    )
    logits = simulate(
        converter,
        images["images"][shard],
        dt_s=settings["dt_s"],
        steps=settings["steps"],
        minibatch=settings["minibatch"],
        on_images_done=progress(len(images["labels"][shard])),
    )
    provenance = {
        **settings,
        "model": responses.source(snakemake.input.network),
        "images": responses.source(snakemake.input.images),
        "split": str(images["split"]),
        "versions": responses.environment("numpy", "tensorflow", "nengo", "nengo-dl"),
    }
    responses.write(
        snakemake.output[0],
        responses.Responses(logits, images["labels"][shard], images["indices"][shard], provenance),
    )
