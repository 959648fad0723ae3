"""Images: where they come from, and which of them the spiking networks see. Data are shared by all experiments."""

from csnn.data.images import PREPARED
from csnn.data.sources import DOWNLOADS, SOURCES, files_of, identity, source_of

SOURCE = config["data"]["source"]
# a user's own file is no output of any rule; its content counts (see csnn/experiment/content.py), not its time
DATASET = f"{PREPARED}/{SOURCE}.npz" if SOURCE in SOURCES else ancient(SOURCE)
ARCHIVES = {SOURCE: config["data"]["archive"]}


wildcard_constraints:
    source="|".join(SOURCES),
    file="|".join(re.escape(file) for source in SOURCES.values() for file in source.files),


rule download:
    output:
        f"{DOWNLOADS}/{{file}}",
    log:
        f"{DOWNLOADS}/logs/{{file}}.log",
    benchmark:
        f"{DOWNLOADS}/benchmarks/{{file}}.tsv"
    localrule: True  # nodes of a cluster often have no network
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        source=lambda wildcards: source_of(wildcards.file),
    script:
        "../scripts/download.py"


rule prepare:
    input:
        # each must have its official SHA-256
        ancient(lambda wildcards: files_of(wildcards.source, ARCHIVES.get(wildcards.source))),
    output:
        f"{PREPARED}/{{source}}.npz",
    log:
        f"{PREPARED}/logs/{{source}}.log",
    benchmark:
        f"{PREPARED}/benchmarks/{{source}}.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=scaled_by_attempt(3000),
        runtime=scaled_by_attempt(10),
    params:
        code=digest("prepare.py"),
        identity=lambda wildcards: identity(wildcards.source),
    script:
        "../scripts/prepare.py"


rule select_images:
    input:
        DATASET,
    output:
        "<results>/images/{images}.npz",
    log:
        "<logs>/select_images/{images}.log",
    benchmark:
        "<benchmarks>/select_images/{images}.tsv"
    wildcard_constraints:
        images="test|validation|logit_image",
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        code=digest("select_images.py"),
        dataset=sweep.dataset,
        indices=sweep.indices,
    script:
        "../scripts/select_images.py"


rule corrupt_images:  # a further set of images, of the test images at every strength of one kind of corruption
    input:
        "<results>/images/test.npz",
    output:
        "<results>/images/{corrupted}.npz",
    log:
        "<logs>/corrupt_images/{corrupted}.log",
    benchmark:
        "<benchmarks>/corrupt_images/{corrupted}.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=4000,
        runtime=10,
    params:
        code=digest("corrupt_images.py"),
        dataset=sweep.dataset,
        corruption=sweep.corruption,
    script:
        "../scripts/corrupt_images.py"
