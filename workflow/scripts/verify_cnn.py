"""Verify the conversion of a CNN against the CNN itself: rate neurons without filters must give its logits.

Rates that the configuration leaves to the activations of the CNN are set here, for all jobs that convert it.
"""

from csnn.job import logged

with logged(snakemake):
    from csnn import responses
    from csnn import verification
    from csnn.data import read_images, training_set
    from csnn.files import read_npz, write_json
    from csnn.model import cnn
    from csnn.model.graph import neuron_layers, with_average_pooling
    from csnn.nengodl.compat import use_threads
    from csnn.nengodl.conversion import RATE_IMAGES, rate_logits, rates_at_percentile, rates_by_layer

    params = snakemake.params
    use_threads(snakemake.threads)
    images = read_npz(snakemake.input.images)["images"][: params.images]
    model = cnn.load(snakemake.input.model, params.cnn)
    layers = neuron_layers(model)
    expected = cnn.logits(with_average_pooling(model), images)
    checks = []
    for max_rate_hz in params.max_rates_hz:
        if isinstance(max_rate_hz, dict):
            sample, _ = training_set(read_images(snakemake.input.dataset), params.held_out)
            rates = rates_at_percentile(model, sample[:RATE_IMAGES], **max_rate_hz)
        else:
            rates = rates_by_layer(max_rate_hz, layers)
        check = verification.cnn_certificate(expected, rate_logits(model, images, rates))
        named = {layer.name: rate for layer, rate in zip(layers, rates, strict=True)}
        checks.append({"max_rate_hz": max_rate_hz, "rates_hz": named} | check)
        print(f"max_rate_hz {max_rate_hz}: largest difference {check['largest_difference']:.1e}", flush=True)
    write_json(
        snakemake.output[0],
        {
            "cnn": snakemake.wildcards.cnn,
            "largest_difference": max(check["largest_difference"] for check in checks),
            "checks": checks,
            "model": responses.source(snakemake.input.model),
            "versions": responses.environment("numpy", "tensorflow", "nengo", "nengo-dl"),
        },
    )
