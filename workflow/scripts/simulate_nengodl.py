"""Simulate a shard of images at one time constant with NengoDL itself."""

from csnn.job import logged, progress

with logged(snakemake):
    from csnn import responses
    from csnn import verification
    from csnn.data.images import read_selection
    from csnn.files import hash_of_file, read_json
    from csnn.model import cnn
    from csnn.nengodl_compat import use_threads
    from csnn.nengodl.conversion import convert_to
    from csnn.nengodl.simulator import simulate

    (tau_syn_s,) = snakemake.params.settings["tau_syn_s"]
    settings = snakemake.params.settings | {"tau_syn_s": tau_syn_s}
    use_threads(snakemake.threads)
    images = read_selection(snakemake.input.images, settings["cnn"]["dataset"])
    shard = slice(*snakemake.params.positions)
    model = hash_of_file(snakemake.input.network)
    certificate = read_json(snakemake.input.certificate)
    converter = convert_to(
        cnn.load(snakemake.input.network, settings["cnn"]),
        settings,
        max_rate_hz=verification.certified_rates(certificate, model, settings["max_rate_hz"]),
        **{key: settings[key] for key in ("tau_syn_s", "seed", "precision")},
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
        "model": model,
        "images": hash_of_file(snakemake.input.images),
        "split": str(images["split"]),
        "versions": responses.environment("numpy", "tensorflow", "nengo", "nengo-dl"),
    }
    responses.write_shard(
        snakemake.output[0],
        [responses.Responses(logits, images["labels"][shard], images["indices"][shard], provenance)],
    )
