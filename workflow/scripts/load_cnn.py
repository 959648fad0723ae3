"""Read the CNN from a file, or build it and give it weights from one."""

from csnn.job import logged

with logged(snakemake):
    from csnn.model import cnn
    from csnn.model.equivalent import CHECKED_IMAGES, equivalent
    from csnn.model.keras_file import load_weights
    from csnn import responses
    from csnn.data.images import pixels, read_images
    from csnn.files import write_json
    from csnn.nengodl.compat import use_threads

    use_threads(snakemake.threads)
    dataset = read_images(snakemake.input.dataset)
    loaded = cnn.build(dataset.x_train.shape[1:], len(dataset.class_names), **snakemake.params.architecture)
    if weights := snakemake.params.weights:
        load_weights(loaded, weights)
    loaded.summary(line_length=100)
    model = equivalent(loaded, pixels(dataset.x_test[:CHECKED_IMAGES]))
    made_with = snakemake.params.cnn | {"dataset": responses.source(snakemake.input.dataset)}
    cnn.save(model, snakemake.output.model, made_with)
    write_json(snakemake.output.architecture, {"layers": cnn.describe(model)})
