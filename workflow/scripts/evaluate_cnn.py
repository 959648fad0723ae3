"""Evaluate the CNN itself: on the whole test set, and on the images that the spiking networks see."""

from csnn.job import logged

with logged(snakemake.log[0]):
    from csnn import cnn, metrics
    from csnn.data import pixels, read_images
    from csnn.files import read_npz, write_json, write_npz
    from csnn.nengodl_compat import use_threads

    use_threads(snakemake.threads)
    dataset = read_images(snakemake.input.dataset)
    images = read_npz(snakemake.input.images)
    model = cnn.load(snakemake.input.model)
    logits = cnn.logits(model, images["images"])
    write_json(
        snakemake.output.evaluation,
        {
            "whole_test_set": metrics.score(cnn.logits(model, pixels(dataset.x_test)), dataset.y_test),
            "evaluated_images": metrics.score(logits, images["labels"]),
        },
    )
    write_npz(snakemake.output.logits, {"logits": logits, "labels": images["labels"], "indices": images["indices"]})
