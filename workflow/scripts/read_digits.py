"""Write scikit-learn's digits, scaled up to 32x32x3, into one .npz."""

from csnn.job import logged

with logged(snakemake):
    from csnn.data import read_digits, write_images

    write_images(snakemake.output[0], read_digits())
