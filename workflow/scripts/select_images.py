"""Take the images that the spiking networks will see out of the whole data set."""

from csnn.job import logged

with logged(snakemake):
    import numpy as np

    from csnn.data.images import read_images, select
    from csnn.files import write_npz

    chosen = snakemake.params.indices
    dataset = read_images(snakemake.input[0], snakemake.params.dataset)
    indices = np.arange(chosen["first"], chosen["end"])
    if chosen["first"] < 0:  # counted from the end of the set
        indices += len(dataset.x_train)
    selected = select(dataset, chosen["split"], indices)
    write_npz(snakemake.output[0], selected | {"dataset": np.array(snakemake.params.dataset)})
