"""Beyond the paper: readouts, the gap between CNN and spiking networks, claims tested, and what a decision costs."""


def chosen(file, seeds=None):
    """Input function: a file of every configuration that was chosen on validation images; no other network sees the test images."""
    return lambda wildcards: sweep.chosen_files(checkpoints.choose.get().output[0], f"{CONFIGURATION}/{file}", seeds)


def reported(file):
    """A file of each configuration that is reported on the test images, first seed."""
    return chosen(file, 1) if "gap" in ANALYSES else sweep.each_configuration(f"{CONFIGURATION}/{file}", seeds=1)


rule decide:
    input:
        responses="<results>/{network}/tau-{tau}/seed-{seed}/{images}.npz",
        cnn=sweep.cnn_outputs("logits"),
    output:
        "<results>/{network}/tau-{tau}/seed-{seed}/decisions-{images}.npz",
    log:
        "<logs>/decide/{network}/tau-{tau}/seed-{seed}/{images}.log",
    benchmark:
        "<benchmarks>/decide/{network}/tau-{tau}/seed-{seed}/{images}.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=scaled_by_attempt(megabytes(TEST_IMAGES, 2 * TEST_IMAGES, SNN["steps"])),
        runtime=10,
    params:
        code=digest("decide.py"),
        network=sweep.network,
        spiking=sweep.spiking,
        seed_matters=sweep.seed_matters,
        readouts=config["readouts"],
    script:
        "../scripts/decide.py"


rule readout_table:
    input:
        certificates=CERTIFICATES,
        decisions=sweep.each_configuration("<results>/{network}/tau-{tau}/seed-{seed}/decisions-test.npz"),
    output:
        "<results>/tables/readouts.csv",
    log:
        "<logs>/readout_table.log",
    benchmark:
        "<benchmarks>/readout_table.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        code=digest("readout_table.py"),
    script:
        "../scripts/readout_table.py"


use rule readout_table as validation_table with:
    input:
        certificates=CERTIFICATES,
        decisions=sweep.each_configuration(
            "<results>/{network}/tau-{tau}/seed-{seed}/decisions-validation.npz", seeds=1
        ),
    output:
        "<results>/tables/validation.csv",
    log:
        "<logs>/validation_table.log",
    benchmark:
        "<benchmarks>/validation_table.tsv"


checkpoint choose:
    input:
        "<results>/tables/validation.csv",
    output:
        "<results>/tables/choices.csv",
    log:
        "<logs>/choose.log",
    benchmark:
        "<benchmarks>/choose.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=digest("choose.py"),
    script:
        "../scripts/choose.py"


rule gap:
    input:
        choices="<results>/tables/choices.csv",
        decisions=chosen("decisions-test.npz"),
    output:
        csv="<results>/tables/gap.csv",
        markdown="<results>/tables/gap.md",
    log:
        "<logs>/gap.log",
    benchmark:
        "<benchmarks>/gap.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        code=digest("gap.py"),
        validation_images=VALIDATION_IMAGES,
    script:
        "../scripts/gap.py"


rule claims:
    input:
        certificates=CERTIFICATES,
        decisions=sweep.each_configuration("<results>/{network}/tau-{tau}/seed-{seed}/decisions-test.npz"),
    output:
        csv="<results>/tables/claims.csv",
        markdown="<results>/tables/claims.md",
    log:
        "<logs>/claims.log",
    benchmark:
        "<benchmarks>/claims.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=4000,
        runtime=20,
    params:
        code=digest("claims.py"),
    script:
        "../scripts/claims.py"


rule record_activity:
    input:
        network="<results>/{network}/networks/seed-{seed}.npz",
        images="<results>/images/test.npz",
        activations=sweep.cnn_outputs("activations"),
    output:
        activity="<results>/{network}/tau-{tau}/seed-{seed}/activity.npz",
        metrics="<results>/{network}/tau-{tau}/seed-{seed}/activity.json",
    log:
        "<logs>/record_activity/{network}/tau-{tau}/seed-{seed}.log",
    benchmark:
        "<benchmarks>/record_activity/{network}/tau-{tau}/seed-{seed}.tsv"
    conda:
        "../../envs/simulate.yaml"
    resources:
        mem_mb=scaled_by_attempt(2000),
        runtime=scaled_by_attempt(minutes(10 * config["activity"]["images"], SNN["steps"], "event")),
    params:
        code=digest("record_activity.py"),
        network=sweep.network,
        tau_syn_s=sweep.tau_syn_s,
        dt_s=SNN["dt_s"],
        steps=SNN["steps"],
        images=config["activity"]["images"],
    script:
        "../scripts/record_activity.py"


rule cost_tables:
    input:
        metrics=reported("activity.json"),
    output:
        layers="<results>/tables/layers.csv",
        costs="<results>/tables/costs.csv",
    log:
        "<logs>/cost_tables.log",
    benchmark:
        "<benchmarks>/cost_tables.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=digest("cost_tables.py"),
    script:
        "../scripts/cost_tables.py"


rule accuracy_vs_latency:
    input:
        decisions=reported("decisions-test.npz"),
    output:
        in_formats("accuracy_vs_latency", "Results", "Accuracy at each step", part="Decisions", **of_networks()),
    log:
        "<logs>/figures/accuracy_vs_latency.log",
    benchmark:
        "<benchmarks>/figures/accuracy_vs_latency.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        code=digest("analysis_figure.py", "csnn/figures/figures.mplstyle"),
        figure="accuracy_vs_latency",
    script:
        "../scripts/analysis_figure.py"


use rule accuracy_vs_latency as accuracy_vs_operations with:
    input:
        decisions=reported("decisions-test.npz"),
        metrics=reported("activity.json"),
    output:
        in_formats(
            "accuracy_vs_operations", "Activity and cost", "Accuracy against synaptic operations", **of_networks()
        ),
    log:
        "<logs>/figures/accuracy_vs_operations.log",
    benchmark:
        "<benchmarks>/figures/accuracy_vs_operations.tsv"
    params:
        code=digest("analysis_figure.py", "csnn/figures/figures.mplstyle"),
        figure="accuracy_vs_operations",


use rule accuracy_vs_latency as readouts_vs_tau with:
    input:
        table="<results>/tables/validation.csv" if "gap" in ANALYSES else "<results>/tables/readouts.csv",
    output:
        in_formats(
            "readouts_vs_tau", "Results", "Accuracy of each readout against τ", part="Against τ", **of_networks()
        ),
    log:
        "<logs>/figures/readouts_vs_tau.log",
    benchmark:
        "<benchmarks>/figures/readouts_vs_tau.tsv"
    params:
        code=digest("analysis_figure.py", "csnn/figures/figures.mplstyle"),
        figure="readouts_vs_tau",


use rule accuracy_vs_latency as gap_figure with:
    input:
        table="<results>/tables/gap.csv",
    output:
        in_formats("gap", "Results", "The gap to the CNN", part="The gap", **of_networks()),
    log:
        "<logs>/figures/gap.log",
    benchmark:
        "<benchmarks>/figures/gap.tsv"
    params:
        code=digest("analysis_figure.py", "csnn/figures/figures.mplstyle"),
        figure="gap",


TABLES = {
    "paper": [rules.score_table.output, rules.tables.output],
    "readouts": [rules.readout_table.output],
    "claims": [rules.readout_table.output, rules.claims.output],
    "activity": [rules.cost_tables.output],
    "gap": [rules.validation_table.output, rules.choose.output, rules.gap.output],
}
TRADEOFFS = [rules.accuracy_vs_latency.output, rules.readouts_vs_tau.output]
DRAWN = {
    "paper": [rules.figures.input, rules.decision_figures.input],
    "readouts": TRADEOFFS,
    "claims": TRADEOFFS,
    "activity": [rules.accuracy_vs_operations.output],
    "gap": [rules.gap_figure.output, TRADEOFFS],
}
# what each analysis ends in
TARGETS = {analysis: [TABLES[analysis], DRAWN[analysis]] for analysis in TABLES}
