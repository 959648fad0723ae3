"""Tables: the scores of every configuration, and the paper's two tables made from them."""


rule score_table:
    input:
        cnn="<results>/cnn/evaluation.json",
        scores=sweep.each_configuration("<results>/{network}/tau-{tau}/seed-{seed}/scores.json"),
        certificates=CERTIFICATES,
    output:
        "<results>/tables/scores.csv",
    log:
        "<logs>/score_table.log",
    benchmark:
        "<benchmarks>/score_table.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=digest("score_table.py"),
        settings=sweep.settings_of_configurations(),
    script:
        "../scripts/score_table.py"


rule tables:
    input:
        scores="<results>/tables/scores.csv",
        published=(
            workflow.source_path("../resources/published_table2.csv") if config["tables"]["compare_with_paper"] else []
        ),
    output:
        expand(
            "<results>/tables/{table}.{format}",
            table=["table1", "table2"] + ["comparison"] * config["tables"]["compare_with_paper"],
            format=["csv", "md"],
        ),
    log:
        "<logs>/tables.log",
    benchmark:
        "<benchmarks>/tables.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=digest("tables.py"),
    script:
        "../scripts/tables.py"
