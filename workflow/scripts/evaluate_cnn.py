"""Evaluate the CNN itself: on the whole test set, and on the images that the spiking networks see."""

from csnn.job import logged

with logged(snakemake):
    from csnn.model import cnn
    from csnn.evaluation import metrics
    from csnn.data.images import pixels, read_images
    from csnn.files import AGAIN, InputError, read_npz, write_json, write_npz
    from csnn.nengodl.compat import use_threads
    from csnn.responses import source

    use_threads(snakemake.threads)
    dataset = read_images(snakemake.input.dataset)
    images = read_npz(snakemake.input.images)
    origin = source(snakemake.input.dataset)
    if str(images["dataset"]) != origin:
        raise InputError(f"{snakemake.input.images} is of other images than {snakemake.input.dataset}; {AGAIN}")
    model = cnn.load(snakemake.input.model, snakemake.params.cnn | {"dataset": origin})
    logits = cnn.logits(model, images["images"])
    write_json(
        snakemake.output.evaluation,
        {
            "whole_test_set": metrics.score(cnn.logits(model, pixels(dataset.x_test)), dataset.y_test),
            "evaluated_images": metrics.score(logits, images["labels"]),
            "images": source(snakemake.input.images),
        },
    )
    write_npz(snakemake.output.logits, {"logits": logits, "labels": images["labels"], "indices": images["indices"]})
