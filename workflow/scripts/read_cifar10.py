"""Read CIFAR-10's official archive into one .npz."""

from csnn.job import logged

with logged(snakemake):
    from csnn.data import read_cifar10, write_images

    write_images(snakemake.output[0], read_cifar10(snakemake.input[0]))
