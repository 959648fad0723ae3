"""The report: its first lines, its pages, and the one HTML file that holds them and every figure."""

from snakemake import __version__ as snakemake_version

# any one, for the versions that it names
A_RESPONSE = sweep.each_configuration(f"{CONFIGURATION}/{'validation' if 'gap' in ANALYSES else 'test'}.npz")[0]


rule opening:  # the report's first lines
    input:
        scores=of("paper", "<results>/tables/scores.csv"),
        course=of("paper", "<results>/timecourse.npz"),
        gap=of("gap", "<results>/tables/gap.csv"),
        claims=of("claims", "<results>/tables/claims.csv"),
        costs=of("activity", "<results>/tables/costs.csv"),
    output:
        "<results>/report/opening.rst",
    log:
        "<logs>/report/opening.log",
    benchmark:
        "<benchmarks>/report/opening.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=scaled_by_attempt(megabytes(TEST_IMAGES, TEST_IMAGES, SNN["steps"])),
        runtime=10,
    params:
        code=digest("opening.py"),
    script:
        "../scripts/opening.py"


rule explorer:  # the interactive page
    input:
        images="<results>/images/test.npz",
        scores="<results>/tables/scores.csv",
        course="<results>/timecourse.npz",
        responses=sweep.each_configuration("<results>/{network}/tau-{tau}/seed-{seed}/test.npz", seeds=1),
    output:
        shown(
            "<results>/report/explorer.html",
            "Responses",
            "Interactive: choose neuron, τ and image",
            "explorer",
            **of_networks(),
        ),
    log:
        "<logs>/report/explorer.log",
    benchmark:
        "<benchmarks>/report/explorer.tsv"
    priority: 1  # what takes longest at the end starts first
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=scaled_by_attempt(megabytes(TEST_IMAGES, 3 * TEST_IMAGES, SNN["steps"])),
        runtime=scaled_by_attempt(15),
    params:
        code=digest("explorer.py", "csnn/report/page.html.jinja"),
        show_images=config["report"]["show_images"],
    script:
        "../scripts/explorer.py"


rule provenance:
    input:
        images=DATASET,
        models=sweep.models,
        networks=COMPILED,
        certificates=CERTIFICATES,
        responses=A_RESPONSE,
        tables=[TABLES[analysis] for analysis in ANALYSES],  # when they are there, so is every simulation's benchmark
    output:
        page=shown("<results>/report/provenance.html", "Provenance", "Where the numbers come from", "provenance"),
        record="<results>/provenance.json",
    log:
        "<logs>/report/provenance.log",
    benchmark:
        "<benchmarks>/report/provenance.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=scaled_by_attempt(megabytes(TEST_IMAGES, TEST_IMAGES, SNN["steps"])),
        runtime=10,
    params:
        code=digest("provenance.py", "csnn/report/page.html.jinja"),
        training_seed=CNN["training"]["seed"] if CNN["weights"] is None else f"unknown: weights of {CNN['weights']}",
        seeds=sweep.seeds,
        versions={"snakemake": snakemake_version},
        benchmarks=f"results/{config['experiment']}/benchmarks",
        configuration=config,
    script:
        "../scripts/provenance.py"


rule archive:  # for publication: snakemake --profile profiles/local archive
    input:
        record="<results>/provenance.json",
        report="<results>/report.html",
        results=[TARGETS[analysis] for analysis in ANALYSES],
    output:
        "<results>/archive.zip",
    log:
        "<logs>/archive.log",
    benchmark:
        "<benchmarks>/archive.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=digest("archive.py"),
        with_images=config["report"]["show_images"],
    script:
        "../scripts/archive.py"


PAPERS_TABLES = "Accuracy and loss (the paper's Tables 1 and 2)"


rule table1_page:
    input:
        table="<results>/tables/table1.csv",
        scores="<results>/tables/scores.csv",
    output:
        shown(
            "<results>/report/table1.html",
            "Results",
            PAPERS_TABLES,
            "table1",
            part="Tables",
            **of_networks(sweep.first_network),
        ),
    log:
        "<logs>/report/table1.log",
    benchmark:
        "<benchmarks>/report/table1.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=digest("table_page.py", "csnn/report/page.html.jinja"),
        title=f"Table 1: the CNN and {sweep.first_network}",
    script:
        "../scripts/table_page.py"


use rule table1_page as table2_page with:
    input:
        table="<results>/tables/table2.csv",
        scores="<results>/tables/scores.csv",
    output:
        shown("<results>/report/table2.html", "Results", PAPERS_TABLES, "table2", part="Tables", **of_networks()),
    log:
        "<logs>/report/table2.log",
    benchmark:
        "<benchmarks>/report/table2.tsv"
    params:
        code=digest("table_page.py", "csnn/report/page.html.jinja"),
        title="Table 2: the CNN and every neuron",


if config["tables"]["compare_with_paper"]:

    use rule table1_page as comparison_page with:
        input:
            table="<results>/tables/comparison.csv",
            scores="<results>/tables/scores.csv",
        output:
            shown("<results>/report/comparison.html", "Comparison with the paper", "Published and here", "comparison"),
        log:
            "<logs>/report/comparison.log",
        benchmark:
            "<benchmarks>/report/comparison.tsv"
        params:
            code=digest("table_page.py", "csnn/report/page.html.jinja"),
            title="The paper's Table 2 beside this experiment",


rule table_page:
    input:
        table="<results>/tables/{table}.csv",
    output:
        report(
            "<results>/report/{table}.html",
            category=heading_of_table,
            subcategory="Tables",
            caption="../report/table.rst",
            labels=labels_of_table,
        ),
    log:
        "<logs>/report/{table}.log",
    benchmark:
        "<benchmarks>/report/{table}.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        code=digest("sortable_page.py", "csnn/report/page.html.jinja"),
        about=about_table,
    script:
        "../scripts/sortable_page.py"


SHOWN = {
    "paper": [
        rules.explorer.output,
        rules.table1_page.output,
        rules.table2_page.output,
        rules.comparison_page.output if config["tables"]["compare_with_paper"] else [],
    ],
    "readouts": ["<results>/report/readouts.html"],
    "claims": ["<results>/report/claims.html", "<results>/report/readouts.html"],
    "activity": ["<results>/report/layers.html", "<results>/report/costs.html"],
    "gap": ["<results>/report/gap.html", "<results>/report/validation.html"],
}


rule report:
    input:
        opening=rules.opening.output,
        shown=[[TARGETS[analysis], SHOWN[analysis]] for analysis in ANALYSES],
        provenance=rules.provenance.output,
    output:
        "<results>/report.html",
    log:
        "<logs>/report.log",
    benchmark:
        "<benchmarks>/report.tsv"
    localrule: True
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        configuration=config,
        words=hashlib.sha256(b"".join(path.read_bytes() for path in WORDS)).hexdigest()[:16],
    run:
        make_report(output[0], [*input.shown, *input.provenance], log[0])
