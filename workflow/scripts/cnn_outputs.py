"""Compute a CNN's logits for images, and its activations for the first of them."""

from csnn.job import logged

with logged(snakemake):
    from csnn.model import cnn
    from csnn.model import tuning
    from csnn.model.graph import activations, neuron_layers
    from csnn.data.images import read_selection
    from csnn.files import hash_of_file, write_npz
    from csnn.nengodl_compat import use_threads

    use_threads(snakemake.threads)
    images = read_selection(snakemake.input.images, snakemake.params.cnn["dataset"])
    model = cnn.load(snakemake.input.model, snakemake.params.cnn)
    names = [layer.name for layer in neuron_layers(model)]
    if curve := snakemake.params.rate_curve:
        model = tuning.with_rate_curve(model, **curve)
    write_npz(
        snakemake.output.logits,
        {
            "logits": cnn.logits(model, images["images"]),
            "labels": images["labels"],
            "indices": images["indices"],
            "images": hash_of_file(snakemake.input.images),
        },
    )
    outputs = activations(model, images["images"][: snakemake.params.activation_images], names)
    write_npz(snakemake.output.activations, {f"layer{i + 1}": layer for i, layer in enumerate(outputs)})
