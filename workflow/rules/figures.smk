"""Figures: the paper's five, and accuracy and loss against the synaptic time constant.

Every figure is drawn by the function of its name in scripts/figure.py; the rules differ only in what it is drawn from.
"""


rule figure1:  # sample images of every class
    input:
        dataset=DATASET,
    output:
        in_formats("figure1", "Provenance", "Images of every class", with_images=True),
    log:
        "<logs>/figures/figure1.log",
    benchmark:
        "<benchmarks>/figures/figure1.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        code=digest("figure.py", "csnn/figures/figures.mplstyle"),
        figure="figure1",
    script:
        "../scripts/figure.py"


use rule figure1 as figure2 with:  # architecture of the CNN
    input:
        architecture="<results>/cnn/architecture.json",
    output:
        in_formats("figure2", "Provenance", "The CNN, layer by layer"),
    log:
        "<logs>/figures/figure2.log",
    benchmark:
        "<benchmarks>/figures/figure2.tsv"
    params:
        code=digest("figure.py", "csnn/figures/figures.mplstyle"),
        figure="figure2",


use rule figure1 as figure3 with:  # logits of the first neuron (the paper's RLR), one panel per time constant
    input:
        image="<results>/images/logit_image.npz",
        responses=sweep.shown_responses([sweep.first_network]),
    output:
        in_formats(
            "figure3",
            "Responses",
            f"Logits of {sweep.first_network} (the paper's Figure 3)",
            **of_networks(sweep.first_network),
        ),
    log:
        "<logs>/figures/figure3.log",
    benchmark:
        "<benchmarks>/figures/figure3.tsv"
    params:
        code=digest("figure.py", "csnn/figures/figures.mplstyle"),
        figure="figure3",


use rule figure1 as figure4 with:  # the image whose logits are shown
    input:
        image="<results>/images/logit_image.npz",
    output:
        in_formats(
            "figure4",
            "Responses",
            "The image shown (the paper's Figure 4)",
            with_images=True,
            **of_networks("none", "none"),
        ),
    log:
        "<logs>/figures/figure4.log",
    benchmark:
        "<benchmarks>/figures/figure4.tsv"
    params:
        code=digest("figure.py", "csnn/figures/figures.mplstyle"),
        figure="figure4",


use rule figure1 as figure5 with:  # logits of every neuron at every time constant
    input:
        image="<results>/images/logit_image.npz",
        responses=sweep.shown_responses(sweep.networks),
    output:
        in_formats("figure5", "Responses", "Logits of every neuron (the paper's Figure 5)", **of_networks()),
    log:
        "<logs>/figures/figure5.log",
    benchmark:
        "<benchmarks>/figures/figure5.tsv"
    params:
        code=digest("figure.py", "csnn/figures/figures.mplstyle"),
        figure="figure5",


use rule figure1 as accuracy_vs_tau with:
    input:
        scores="<results>/tables/scores.csv",
    output:
        in_formats("accuracy_vs_tau", "Results", "Against τ", part="Against τ", measure="accuracy", **of_networks()),
    log:
        "<logs>/figures/accuracy_vs_tau.log",
    benchmark:
        "<benchmarks>/figures/accuracy_vs_tau.tsv"
    params:
        code=digest("figure.py", "csnn/figures/figures.mplstyle"),
        figure="accuracy_vs_tau",


use rule accuracy_vs_tau as loss_vs_tau with:
    output:
        in_formats("loss_vs_tau", "Results", "Against τ", part="Against τ", measure="loss", **of_networks()),
    log:
        "<logs>/figures/loss_vs_tau.log",
    benchmark:
        "<benchmarks>/figures/loss_vs_tau.tsv"
    params:
        code=digest("figure.py", "csnn/figures/figures.mplstyle"),
        figure="loss_vs_tau",


rule figures:
    input:
        rules.figure1.output,
        rules.figure2.output,
        rules.figure3.output,
        rules.figure4.output,
        rules.figure5.output,
        rules.accuracy_vs_tau.output,
        rules.loss_vs_tau.output,
    localrule: True
