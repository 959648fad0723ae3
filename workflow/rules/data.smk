"""Images: where they come from, and which of them the spiking networks see. Data are shared by all experiments."""

from csnn.data import PREPARED

DATASET = PREPARED.get(config["data"]["source"], config["data"]["source"])
CIFAR10_ARCHIVE = config["data"]["archive"] or os.environ.get("CSNN_CIFAR10") or "data/cifar-10-binary.tar.gz"


rule download_cifar10:
    output:
        "data/cifar-10-binary.tar.gz",
    log:
        "data/logs/download_cifar10.log",
    benchmark:
        "data/benchmarks/download_cifar10.tsv"
    localrule: True  # nodes of a cluster often have no network
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=60,
    script:
        "../scripts/download_cifar10.py"


rule read_cifar10:
    input:
        CIFAR10_ARCHIVE,
    output:
        "data/cifar10.npz",
    log:
        "data/logs/read_cifar10.log",
    benchmark:
        "data/benchmarks/read_cifar10.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=scaled_by_attempt(2000),
        runtime=scaled_by_attempt(10),
    params:
        code=digest("read_cifar10.py"),
    script:
        "../scripts/read_cifar10.py"


rule read_digits:
    output:
        "data/digits.npz",
    log:
        "data/logs/read_digits.log",
    benchmark:
        "data/benchmarks/read_digits.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=digest("read_digits.py"),
    script:
        "../scripts/read_digits.py"


rule select_images:
    input:
        DATASET,
    output:
        "<results>/images/{images}.npz",
    log:
        "<logs>/select_images/{images}.log",
    benchmark:
        "<benchmarks>/select_images/{images}.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        code=digest("select_images.py"),
        indices=sweep.indices,
    script:
        "../scripts/select_images.py"
