"""Read the CNN from a file, or build it and give it weights from one."""

from csnn.job import logged

with logged(snakemake):
    from csnn.model import cnn
    from csnn.model.equivalent import CHECKED_IMAGES
    from csnn.data.images import pixels, read_images
    from csnn.files import check_contents, write_json
    from csnn.nengodl_compat import use_threads

    use_threads(snakemake.threads)
    check_contents(snakemake.input.files, snakemake.params.cnn["files"])
    dataset = read_images(snakemake.input.dataset, snakemake.params.cnn["dataset"])
    images, classes = pixels(dataset.x_test[:CHECKED_IMAGES]), len(dataset.class_names)
    model = cnn.build_equivalent(images, classes, snakemake.params.architecture, snakemake.params.weights)
    model.summary(line_length=100)
    cnn.save(model, snakemake.output.model, snakemake.params.cnn)
    write_json(snakemake.output.architecture, {"layers": cnn.describe(model)})
