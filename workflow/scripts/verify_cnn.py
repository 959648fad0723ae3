"""Verify the conversion of a CNN against the CNN itself: rate neurons without filters must give its logits.

Rates that the configuration leaves to the activations of the CNN become numbers here, for all jobs that convert it.
"""

from csnn.job import logged

with logged(snakemake):
    from csnn import responses
    from csnn import verification
    from csnn.data.images import read_images, read_selection, training_set
    from csnn.files import hash_of_file, write_json
    from csnn.model import cnn
    from csnn.model.graph import neuron_layers, with_average_pooling
    from csnn.nengodl_compat import use_threads
    from csnn.nengodl.conversion import rate_logits, rates_at_percentile, rates_by_layer

    params = snakemake.params
    use_threads(snakemake.threads)
    images = read_selection(snakemake.input.images, params.cnn["dataset"])["images"][: params.images]
    model = cnn.load(snakemake.input.model, params.cnn)
    layers = neuron_layers(model)
    if isinstance(params.max_rate_hz, dict):
        sample, _ = training_set(read_images(snakemake.input.dataset, params.cnn["dataset"]), params.held_out)
        rates = rates_at_percentile(model, sample, **params.max_rate_hz)
    else:
        rates = rates_by_layer(params.max_rate_hz, layers)
    check = verification.cnn_certificate(
        cnn.logits(with_average_pooling(model), images), rate_logits(model, images, rates)
    )
    print(f"largest difference of a logit: {check['largest_difference']:.1e}", flush=True)
    write_json(
        snakemake.output[0],
        {
            "cnn": snakemake.wildcards.cnn,
            "max_rate_hz": params.max_rate_hz,
            "rates_hz": {layer.name: rate for layer, rate in zip(layers, rates, strict=True)},
            **check,
            "model": hash_of_file(snakemake.input.model),
            "versions": responses.environment("numpy", "tensorflow", "nengo", "nengo-dl"),
        },
    )
