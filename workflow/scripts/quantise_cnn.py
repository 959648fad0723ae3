"""Let quantised copies of a CNN decide about the test images."""

from csnn.job import logged

with logged(snakemake):
    import numpy as np

    from csnn.model import cnn
    from csnn.model.quantisation import GRID_IMAGES, quantised
    from csnn.data.images import read_images, read_selection, training_set
    from csnn.files import write_npz
    from csnn.nengodl_compat import use_threads

    params = snakemake.params
    use_threads(snakemake.threads)
    dataset = read_images(snakemake.input.dataset, params.cnn["dataset"])
    grids = training_set(dataset, params.held_out)[0][:GRID_IMAGES]
    images = read_selection(snakemake.input.images, params.cnn["dataset"])
    model = cnn.load(snakemake.input.model, params.cnn)
    classes = [cnn.logits(quantised(model, grids, bits), images["images"]).argmax(axis=1) for bits in params.bits]
    write_npz(
        snakemake.output[0],
        {
            "bits": np.array(params.bits),
            "classes": np.array(classes),
            "labels": images["labels"],
        },
    )
