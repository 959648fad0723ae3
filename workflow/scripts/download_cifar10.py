"""Download CIFAR-10's official archive and check it."""

from csnn.job import logged

with logged(snakemake):
    from csnn.data import download_cifar10

    download_cifar10(snakemake.output[0])
