"""From logits to tables: decisions and scores of each configuration, and the tables that are made from all of them."""

from functools import partial

DECISIONS, ACTIVITY = f"{CONFIGURATION}/test-decisions.npz", f"{CONFIGURATION}/activity.json"
SCORES = "<results>/tables/scores.csv"


# on test images, all configurations, or what was chosen on validation images: no other network ever sees the test images
choices = lambda: checkpoints.choose.get().output[0]
reported = partial(sweep.reported, choices)
disturbed = partial(sweep.disturbed, choices)


rule decide:
    input:
        responses=f"{CONFIGURATION}/{{images}}.npz",
        cnn=sweep.cnn_outputs("logits"),
        validation=sweep.validation_responses,
    output:
        f"{CONFIGURATION}/{{images}}-decisions.npz",
    log:
        "<logs>/decide/{network}/tau-{tau}/seed-{seed}/{images}.log",
    benchmark:
        "<benchmarks>/decide/{network}/tau-{tau}/seed-{seed}/{images}.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=scaled_by_attempt(megabytes(MOST_IMAGES, 2 * MOST_IMAGES, SNN["steps"])),
        runtime=scaled_by_attempt(10 + MOST_IMAGES / 1000),
    params:
        code=digest("decide.py"),
        settings=sweep.simulation_settings,
        described=sweep.described,
        seed_matters=sweep.seed_matters,
        readouts={name: value for name, value in config["readouts"].items() if value is not None},
    script:
        "../scripts/decide.py"


for table, images, seeds in (("scores", "test", None), ("validation", "validation", 1)):

    rule:
        name:
            table
        input:
            cnns=[f"<results>/{cnn_folder(cnn)}/{images}-logits.npz" for cnn in sweep.cnns],
            decisions=sweep.each_configuration(f"{CONFIGURATION}/{images}-decisions.npz", seeds),
            certificates=CERTIFICATES,
        output:
            f"<results>/tables/{table}.csv",
        log:
            f"<logs>/{table}.log",
        benchmark:
            f"<benchmarks>/{table}.tsv"
        localrule: True
        conda:
            "../../envs/analysis.yaml"
        resources:
            mem_mb=2000,
            runtime=20,
        params:
            code=digest("scores.py"),
            cnns=sweep.cnns,
            settings=sweep.hashes_of_settings(seeds),
        script:
            "../scripts/scores.py"


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


rule gap_table:
    input:
        choices="<results>/tables/choices.csv",
        decisions=reported(DECISIONS),
    output:
        csv="<results>/tables/gap.csv",
        markdown="<results>/tables/gap.md",
    log:
        "<logs>/gap_table.log",
    benchmark:
        "<benchmarks>/gap_table.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        code=digest("gap.py"),
        settings=lambda wildcards: list(map(sweep.hash_of_settings, sweep.chosen(choices()))),
        validation_images=VALIDATION_IMAGES,
    script:
        "../scripts/gap.py"


rule effort:  # not among TABLES: seconds differ from run to run
    input:
        gap="<results>/tables/gap.csv",
    output:
        csv="<results>/tables/effort.csv",
        markdown="<results>/tables/effort.md",
    log:
        "<logs>/effort.log",
    benchmark:
        "<benchmarks>/effort.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=digest("effort.py"),
        making=sweep.making,
        benchmarks=f"results/{config['experiment']}/benchmarks",
    script:
        "../scripts/effort.py"


rule tables:
    input:
        scores=SCORES,
        published=(
            workflow.source_path("../resources/published_table2.csv") if config["tables"]["compare_with_paper"] else []
        ),
    output:
        expand(
            "<results>/tables/{table}.{format}",
            table=["table1", "table2", "confidence"] + ["comparison"] * config["tables"]["compare_with_paper"],
            format=["csv", "md"],
        ),
    log:
        "<logs>/tables.log",
    benchmark:
        "<benchmarks>/tables.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=digest("tables.py"),
    script:
        "../scripts/tables.py"


rule claims:
    input:
        decisions=sweep.each_configuration(DECISIONS),
        certificates=CERTIFICATES,
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
        settings=sweep.hashes_of_settings(),
    script:
        "../scripts/claims.py"


rule record_activity:
    input:
        network="<results>/{network}/networks/seed-{seed}.npz",
        images="<results>/images/test.npz",
        activations=sweep.cnn_outputs("activations"),
    output:
        activity=f"{CONFIGURATION}/activity.npz",
        metrics=ACTIVITY,
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
        described=sweep.described,
        tau_syn_s=sweep.tau_syn_s,
        dt_s=SNN["dt_s"],
        steps=SNN["steps"],
        dataset=sweep.dataset,
        images=config["activity"]["images"],
    script:
        "../scripts/record_activity.py"


rule health:  # what explains a loss of accuracy, and what NeuroBench would count
    input:
        metrics=(reported(ACTIVITY, seeds=1) if "gap" in ANALYSES else sweep.first_configurations(ACTIVITY)),
        architectures=[f"<results>/{cnn_folder(cnn)}/architecture.json" for cnn in sweep.cnns],
    output:
        layers="<results>/tables/health.csv",
        findings="<results>/tables/findings.csv",
        neurobench="<results>/tables/neurobench.csv",
    log:
        "<logs>/health.log",
    benchmark:
        "<benchmarks>/health.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=digest("health.py"),
        cnns=sweep.cnns,
    script:
        "../scripts/health.py"


rule cost_tables:
    input:
        metrics=reported(ACTIVITY, seeds=1),
    output:
        layers="<results>/tables/layers.csv",
        costs="<results>/tables/costs.csv",
        energy="<results>/tables/energy.csv",
        break_even="<results>/tables/breakeven.csv",
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


rule compare_costs:
    input:
        decisions=reported(DECISIONS, seeds=1),
        activity=reported(ACTIVITY, seeds=1),
        quantised=[f"<results>/{cnn_folder(cnn)}/quantised.npz" for cnn in sweep.quantised_cnns],
        certificates=CERTIFICATES,
    output:
        csv="<results>/tables/cost.csv",
        markdown="<results>/tables/cost.md",
    log:
        "<logs>/compare_costs.log",
    benchmark:
        "<benchmarks>/compare_costs.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        code=digest("compare_costs.py"),
        settings=lambda wildcards: list(map(sweep.hash_of_settings, sweep.reported_configurations(choices, seeds=1))),
        quantised=sweep.quantised_cnns,
    script:
        "../scripts/compare_costs.py"


if sweep.engine == "event":  # NengoDL keeps no record of single neurons here

    rule record:
        input:
            image="<results>/images/logit_image.npz",
            networks=[
                f"<results>/{name}/networks/seed-{sweep.networks[name]['seeds'][0]}.npz"
                for name in sweep.networks_of_first_cnn
            ],
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
            neurons=sweep.networks_of_first_cnn,
            tau_syn_s=parse_tau(sweep.first_tau),
            dt_s=SNN["dt_s"],
            steps=SNN["steps"],
        script:
            "../scripts/record.py"


rule conformal:
    input:
        decisions=reported(DECISIONS),
        certificates=CERTIFICATES,
    output:
        csv="<results>/tables/conformal.csv",
        markdown="<results>/tables/conformal.md",
    log:
        "<logs>/conformal.log",
    benchmark:
        "<benchmarks>/conformal.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        code=digest("conformal.py"),
        settings=lambda wildcards: list(map(sweep.hash_of_settings, sweep.reported_configurations(choices))),
        validation_images=VALIDATION_IMAGES,
    script:
        "../scripts/conformal.py"


rule disturb_weights:  # one job for all strengths: a few hundred images of each take seconds
    input:
        network="<results>/{network}/networks/seed-{seed}.npz",
        images="<results>/images/test.npz",
    output:
        f"{CONFIGURATION}/disturbed-weights.npz",
    log:
        "<logs>/disturb_weights/{network}/tau-{tau}/seed-{seed}.log",
    benchmark:
        "<benchmarks>/disturb_weights/{network}/tau-{tau}/seed-{seed}.tsv"
    conda:
        "../../envs/simulate.yaml"
    resources:
        mem_mb=scaled_by_attempt(megabytes(TEST_IMAGES, config["corruptions"]["images"], SNN["steps"])),
        runtime=scaled_by_attempt(minutes(10 * config["corruptions"]["images"], SNN["steps"], "event")),
    params:
        code=digest("disturb_weights.py"),
        settings=sweep.simulation_settings,
        disturbances={key: config["corruptions"][key] for key in ("weight_noise", "weight_bits", "images", "seed")},
    script:
        "../scripts/disturb_weights.py"


rule corruption_table:
    input:
        clean=disturbed(DECISIONS),
        certificates=CERTIFICATES,
        images=disturbed(*(f"{CONFIGURATION}/{images}-decisions.npz" for images in sweep.corrupted)),
        weights=(
            disturbed(f"{CONFIGURATION}/disturbed-weights.npz")
            if config["corruptions"]["weight_noise"] or config["corruptions"]["weight_bits"]
            else []
        ),
    output:
        csv="<results>/tables/corruptions.csv",
        markdown="<results>/tables/corruptions.md",
    log:
        "<logs>/corruption_table.log",
    benchmark:
        "<benchmarks>/corruption_table.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=scaled_by_attempt(4000),
        runtime=20,
    params:
        code=digest("corruptions.py"),
        settings=lambda wildcards: list(map(sweep.hash_of_settings, sweep.disturbed_configurations(choices))),
        kinds=config["corruptions"]["kinds"],
        strengths=config["corruptions"]["strengths"],
        images=config["corruptions"]["images"],
    script:
        "../scripts/corruptions.py"


# the tables that each analysis ends in, those that every one does, and all that the configured ones do
EARLY = rules.conformal.output if config["readouts"]["conformal"] else []
TABLES = {
    "paper": [SCORES, rules.tables.output, EARLY],
    "readouts": [SCORES, EARLY],
    "claims": [SCORES, rules.claims.output, EARLY],
    "activity": rules.cost_tables.output,
    "gap": [rules.validation.output, rules.choose.output, rules.gap_table.output, EARLY],
    "corruptions": rules.corruption_table.output,
    "cost": rules.compare_costs.output,
}
HEALTH = rules.health.output if sweep.engine == "event" else []
FINAL_TABLES = [*(TABLES[analysis] for analysis in ANALYSES), HEALTH]
