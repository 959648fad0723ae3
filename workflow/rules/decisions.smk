"""Decisions over time, and how single neurons answer."""


rule timecourse:
    input:
        images="<results>/images/test.npz",
        cnn="<results>/cnn/logits.npz",
        responses=sweep.each_configuration("<results>/{network}/tau-{tau}/seed-{seed}/test.npz"),
    output:
        "<results>/timecourse.npz",
    log:
        "<logs>/timecourse.log",
    benchmark:
        "<benchmarks>/timecourse.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=scaled_by_attempt(megabytes(TEST_IMAGES, 3 * TEST_IMAGES, SNN["steps"])),
        runtime=scaled_by_attempt(30),
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


if sweep.engine == "event":  # NengoDL keeps no record of single neurons here

    rule record:
        input:
            image="<results>/images/logit_image.npz",
            networks=sweep.each_network("<results>/{network}/networks/seed-{seed}.npz", seeds=1),
        output:
            "<results>/recording.npz",
        log:
            "<logs>/record.log",
        benchmark:
            "<benchmarks>/record.tsv"
        conda:
            "../../envs/simulate.yaml"
        resources:
            mem_mb=scaled_by_attempt(3000),
            runtime=scaled_by_attempt(15),
        params:
            code=digest("record.py"),
            neurons=list(sweep.networks),
            tau_syn_s=parse_tau(sweep.first_tau),
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
                **of_networks(tau=sweep.first_tau),
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
        rules.spikes_and_voltages.output if sweep.engine == "event" else [],
    localrule: True
