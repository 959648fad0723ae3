"""Build a CNN with its initial or given weights, convert and compile it: what fails does so before any training."""

from csnn.job import logged

with logged(snakemake) as warn:
    from csnn import verification
    from csnn.data.images import pixels, read_images
    from csnn.event.compiler import compile_network
    from csnn.experiment import timing
    from csnn.files import write_json
    from csnn.model import cnn
    from csnn.model.equivalent import CHECKED_IMAGES
    from csnn.model.graph import depth, neuron_layers, with_average_pooling
    from csnn.nengodl_compat import use_threads
    from csnn.nengodl.conversion import convert_to, rate_logits, rates_by_layer

    params = snakemake.params
    use_threads(snakemake.threads)
    dataset = read_images(snakemake.input.dataset, params.dataset)
    images = pixels(dataset.x_test[:CHECKED_IMAGES])
    model = cnn.build_equivalent(images, len(dataset.class_names), params.architecture, params.weights)
    model.summary(line_length=100)
    layers = neuron_layers(model)
    for network in params.networks:
        if not isinstance(network["max_rate_hz"], dict):  # rates at a percentile follow from the trained CNN
            rates_by_layer(network["max_rate_hz"], layers)
    if not params.architecture.keys().isdisjoint(("builder", "model")):  # of others the depth is known at planning
        for warning in timing.warnings(params.networks, depth(model), *params.duration):
            warn(warning)
    verification.cnn_certificate(cnn.logits(with_average_pooling(model), images), rate_logits(model, images, 1.0))
    if params.engine == "event":
        for network in params.networks[:1]:  # all of them have the same layers
            converter = convert_to(model, network, max_rate_hz=1.0, tau_syn_s=0.005, seed=0)
            compile_network(
                converter.net, converter.inputs[converter.model.input], converter.outputs[converter.model.output], 0
            )
    write_json(snakemake.output[0], {"layers_of_neurons": [layer.name for layer in layers]})
