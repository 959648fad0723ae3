"""Build, convert and compile every CNN with its initial weights: what fails does so before any is trained."""

from csnn.job import logged

with logged(snakemake):
    from csnn import verification
    from csnn.data import pixels, read_images
    from csnn.event.compiler import compile_network
    from csnn.files import write_json
    from csnn.model import cnn
    from csnn.model.equivalent import CHECKED_IMAGES, equivalent
    from csnn.model.graph import neuron_layers, with_average_pooling
    from csnn.nengodl.compat import use_threads
    from csnn.nengodl.conversion import convert_to, rate_logits, rates_by_layer

    use_threads(snakemake.threads)
    dataset = read_images(snakemake.input.dataset)
    images = pixels(dataset.x_test[:CHECKED_IMAGES])
    checked = {}
    for name, check in snakemake.params.checks.items():
        model = cnn.build(images.shape[1:], len(dataset.class_names), **check["architecture"])
        model.summary(line_length=100)
        model = equivalent(model, images)
        expected = cnn.logits(with_average_pooling(model), images)
        for max_rate_hz in check["max_rates_hz"]:
            rates = rates_by_layer(max_rate_hz, neuron_layers(model))
            verification.cnn_certificate(expected, rate_logits(model, images, rates))
        if snakemake.params.engine == "event":
            for network in check["networks"]:
                converter = convert_to(model, network, max_rate_hz=1.0, tau_syn_s=0.005, seed=0)
                ends = converter.inputs[converter.model.input], converter.outputs[converter.model.output]
                compile_network(converter.net, *ends, 0)
        checked[name] = {"layers_of_neurons": [layer.name for layer in neuron_layers(model)]}
    write_json(snakemake.output[0], checked)
