"""Put the shards of one configuration together, checking that each image is there once, and score them."""

from csnn.job import logged

with logged(snakemake.log[0]):
    from csnn import metrics, responses
    from csnn.files import read_npz, write_json

    images = read_npz(snakemake.input.images)
    whole = responses.gather(snakemake.input.shards, images["labels"], images["indices"])
    responses.write(snakemake.output.responses, whole)
    write_json(
        snakemake.output.scores,
        {
            "neuron": whole.provenance["neuron"],
            "tau_syn_s": whole.provenance["tau_syn_s"],
            "seed": whole.provenance["seed"],
            **metrics.score(whole.logits, whole.labels),
        },
    )
