"""Read a public data set into one .npz."""

from csnn.job import logged

with logged(snakemake):
    from csnn.data.images import write_images
    from csnn.data.sources import read

    write_images(snakemake.output[0], read(snakemake.wildcards.source, snakemake.input), snakemake.params.identity)
