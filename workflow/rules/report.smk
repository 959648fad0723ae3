"""The report: its first lines, its pages, and the one HTML file that holds them and every figure."""

from snakemake import __version__ as snakemake_version


rule opening:  # the report's first lines
    input:
        scores="<results>/tables/scores.csv",
        course="<results>/timecourse.npz",
    output:
        "<results>/report/opening.rst",
    log:
        "<logs>/report/opening.log",
    benchmark:
        "<benchmarks>/report/opening.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=growing(megabytes(TEST_IMAGES, TEST_IMAGES)),
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
        responses=expand("<results>/{neuron}/tau-{tau}/seed-{seed}/test.npz", neuron=NEURONS, tau=TAUS, seed=SEEDS[0]),
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
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=growing(megabytes(TEST_IMAGES, 3 * TEST_IMAGES)),
        runtime=growing(15),
    params:
        code=digest("explorer.py", "csnn/page.html.jinja"),
        show_images=config["report"]["show_images"],
    script:
        "../scripts/explorer.py"


rule provenance:
    input:
        files=[DATASET, "<results>/cnn/model.h5"],
        networks=(
            expand(rules.compile_network.output, neuron=NEURONS, seed=SEEDS) if SIMULATION["engine"] == "event" else []
        ),
        certificates=(
            expand(rules.verify.output, neuron=NEURONS, seed=SEEDS) if SIMULATION["engine"] == "event" else []
        ),
        responses=f"<results>/{FIRST}/tau-{next(iter(TAUS))}/seed-{SEEDS[0]}/test.npz",
        scores="<results>/tables/scores.csv",  # when it is there, so are the benchmarks of all simulations
    output:
        shown("<results>/report/provenance.html", "Provenance", "Where the numbers come from", "provenance"),
    log:
        "<logs>/report/provenance.log",
    benchmark:
        "<benchmarks>/report/provenance.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=growing(megabytes(TEST_IMAGES, TEST_IMAGES)),
        runtime=10,
    params:
        code=digest("provenance.py", "csnn/page.html.jinja"),
        training_seed=CNN["training"]["seed"] if CNN["weights"] is None else f"unknown: weights of {CNN['weights']}",
        seeds=SEEDS,
        versions={"snakemake": snakemake_version},
        benchmarks=f"results/{config['experiment']}/benchmarks",
        configuration=config,
    script:
        "../scripts/provenance.py"


TABLES = "Accuracy and loss (the paper's Tables 1 and 2)"


rule table1_page:
    input:
        table="<results>/tables/table1.csv",
        scores="<results>/tables/scores.csv",
    output:
        shown("<results>/report/table1.html", "Results", TABLES, "table1", part="Tables", **of_networks(FIRST)),
    log:
        "<logs>/report/table1.log",
    benchmark:
        "<benchmarks>/report/table1.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=digest("table_page.py", "csnn/page.html.jinja"),
        title=f"Table 1: the CNN and {FIRST}",
    script:
        "../scripts/table_page.py"


use rule table1_page as table2_page with:
    input:
        table="<results>/tables/table2.csv",
        scores="<results>/tables/scores.csv",
    output:
        shown("<results>/report/table2.html", "Results", TABLES, "table2", part="Tables", **of_networks()),
    log:
        "<logs>/report/table2.log",
    benchmark:
        "<benchmarks>/report/table2.tsv"
    params:
        code=digest("table_page.py", "csnn/page.html.jinja"),
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
            code=digest("table_page.py", "csnn/page.html.jinja"),
            title="The paper's Table 2 beside this experiment",


rule report:
    input:
        opening=rules.opening.output,
        shown=[
            *rules.figures.input,
            *rules.decision_figures.input,
            *rules.explorer.output,
            *rules.provenance.output,
            *rules.table1_page.output,
            *rules.table2_page.output,
            *(rules.comparison_page.output if config["tables"]["compare_with_paper"] else []),
        ],
    output:
        "<results>/report.html",
    log:
        "<logs>/report.log",
    localrule: True
    params:
        configuration=config,
        words=hashlib.sha256(b"".join(path.read_bytes() for path in WORDS)).hexdigest()[:16],
    run:
        make_report(output[0], input.shown, log[0])
