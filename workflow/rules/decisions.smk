"""Decisions over time, and how single neurons answer."""


rule timecourse:
    input:
        images="<results>/images/test.npz",
        cnn="<results>/cnn/logits.npz",
        responses=each_configuration("<results>/{network}/tau-{tau}/seed-{seed}/test.npz"),
    output:
        "<results>/timecourse.npz",
    log:
        "<logs>/timecourse.log",
    benchmark:
        "<benchmarks>/timecourse.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=growing(megabytes(TEST_IMAGES, 3 * TEST_IMAGES)),
        runtime=growing(30),
    params:
        code=digest("timecourse.py"),
    script:
        "../scripts/timecourse.py"


use rule figure1 as accuracy_over_time with:
    input:
        course="<results>/timecourse.npz",
    output:
        in_formats("accuracy_over_time", "Results", "Accuracy over time", part="Decisions", **of_networks()),
    log:
        "<logs>/figures/accuracy_over_time.log",
    benchmark:
        "<benchmarks>/figures/accuracy_over_time.tsv"
    params:
        code=digest("figure.py", "csnn/figures/figures.mplstyle"),
        figure="accuracy_over_time",


use rule accuracy_over_time as settling_time with:
    output:
        in_formats("settling_time", "Results", "Settling time", part="Decisions", **of_networks()),
    log:
        "<logs>/figures/settling_time.log",
    benchmark:
        "<benchmarks>/figures/settling_time.tsv"
    params:
        code=digest("figure.py", "csnn/figures/figures.mplstyle"),
        figure="settling_time",


use rule accuracy_over_time as confusion_matrices with:
    output:
        in_formats("confusion_matrices", "Results", "Confusion matrices", part="Decisions", **of_networks(tau="best")),
    log:
        "<logs>/figures/confusion_matrices.log",
    benchmark:
        "<benchmarks>/figures/confusion_matrices.tsv"
    params:
        code=digest("figure.py", "csnn/figures/figures.mplstyle"),
        figure="confusion_matrices",


use rule accuracy_over_time as agreement_with_cnn with:
    output:
        in_formats("agreement_with_cnn", "Results", "Agreement with the CNN", part="Decisions", **of_networks()),
    log:
        "<logs>/figures/agreement_with_cnn.log",
    benchmark:
        "<benchmarks>/figures/agreement_with_cnn.tsv"
    params:
        code=digest("figure.py", "csnn/figures/figures.mplstyle"),
        figure="agreement_with_cnn",


if SIMULATION["engine"] == "event":  # NengoDL keeps no record of single neurons here

    rule record:
        input:
            image="<results>/images/logit_image.npz",
            networks=each_network("<results>/{network}/networks/seed-{seed}.npz", seeds=1),
        output:
            "<results>/recording.npz",
        log:
            "<logs>/record.log",
        benchmark:
            "<benchmarks>/record.tsv"
        conda:
            "../../envs/simulate.yaml"
        threads: 1
        resources:
            mem_mb=growing(3000),
            runtime=growing(15),
        params:
            code=digest("record.py"),
            neurons=list(NETWORKS),
            tau_syn_s=next(iter(TAUS.values())),
            dt_s=SNN["dt_s"],
            steps=SNN["steps"],
        script:
            "../scripts/record.py"

    use rule figure1 as spikes_and_voltages with:
        input:
            recording="<results>/recording.npz",
        output:
            in_formats(
                "spikes_and_voltages",
                "Responses",
                "Spikes and membrane potentials",
                **of_networks(tau=next(iter(TAUS))),
            ),
        log:
            "<logs>/figures/spikes_and_voltages.log",
        benchmark:
            "<benchmarks>/figures/spikes_and_voltages.tsv"
        params:
            code=digest("figure.py", "csnn/figures/figures.mplstyle"),
            figure="spikes_and_voltages",


rule decision_figures:
    input:
        rules.accuracy_over_time.output,
        rules.settling_time.output,
        rules.confusion_matrices.output,
        rules.agreement_with_cnn.output,
        rules.spikes_and_voltages.output if SIMULATION["engine"] == "event" else [],
    localrule: True
