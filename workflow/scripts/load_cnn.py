"""Build the CNN and give it weights from a file."""

from csnn.job import logged

with logged(snakemake):
    from csnn.model import cnn
    from csnn.nengodl import converter as convertible
    from csnn import responses
    from csnn.data.images import read_images
    from csnn.files import write_json
    from csnn.nengodl.compat import use_threads

    use_threads(snakemake.threads)
    dataset = read_images(snakemake.input.dataset)
    model = cnn.build(dataset.x_train.shape[1:], len(dataset.class_names), **snakemake.params.architecture)
    convertible.check(model)
    cnn.load_weights(model, snakemake.input.weights)
    model.summary(line_length=100)
    made_with = snakemake.params.cnn | {"dataset": responses.source(snakemake.input.dataset)}
    cnn.save(model, snakemake.output.model, made_with)
    write_json(snakemake.output.architecture, {"layers": cnn.describe(model)})
