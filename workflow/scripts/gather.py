"""Put the shards of one configuration together, checking that each image is there once, and score them."""

from csnn.job import logged

with logged(snakemake):
    from csnn.evaluation import invariants
    from csnn.evaluation import metrics
    from csnn import responses
    from csnn.files import read_npz, write_json

    given, settings = snakemake.input, snakemake.params.settings
    images = read_npz(given.images)
    made_from = {
        "compiled_network" if settings["engine"] == "event" else "model": responses.source(given.network),
        "images": responses.source(given.images),
    }
    whole = responses.gather(
        given.shards, images["labels"], images["indices"], settings | made_from, len(images["class_names"])
    )
    responses.write(snakemake.output.responses, whole)

    scores = metrics.score(whole.logits, whole.labels)
    stored = responses.read(snakemake.output.responses)
    invariants.check_scores(snakemake.output.responses, scores, stored.logits, images["labels"])
    write_json(
        snakemake.output.scores,
        {
            "neuron": whole.provenance["network"],
            "tau_syn_s": whole.provenance["tau_syn_s"],
            "seed": whole.provenance["seed"],
            **scores,
            # for what is made from the scores of all configurations to check
            "settings": settings,
            "images_sha256": made_from["images"],
            "network_sha256": made_from.get("compiled_network"),
            "logits_sha256": invariants.fingerprint(whole.logits),
            "seed_matters": snakemake.params.seed_matters,
        },
    )
