"""The report: its first lines, its pages, and the one HTML file that holds them and every figure."""

from csnn.report.contents import make_report
from csnn.words import PAPER
from snakemake import __version__ as snakemake_version

AVERAGED = f"averaged over all {SNN['steps']} time steps{' as in the paper' if WITH_PAPER else ''}"
ELSEWHERE = (
    "Intervals of 95 %, and the values at the final step, are in the sortable table of the interactive page and in "
    "tables/scores.csv."
)
INTERVALS = "Intervals are of 95 % and over images. A click on a column's head sorts by it."


# Pages with a table of the same name, each an entry from which one loop makes the rules.
PAGES = {
    "table1": Item(
        heading="Results",
        part="Tables",
        title=f"Accuracy and loss of {sweep.first_network}{of_paper('Table 1')}",
        analyses={"paper"},
        caption=f"Accuracy and cross-entropy loss of the CNN and of its first network, {AVERAGED}, on {IMAGES}. {ELSEWHERE}",
    ),
    "table2": Item(
        heading="Results",
        part="Tables",
        title=f"Accuracy and loss of every network{of_paper('Table 2')}",
        analyses={"paper"},
        caption=f"Accuracy and cross-entropy loss of the CNN and of every network, {AVERAGED}, on {IMAGES}; with several "
        f"seeds, mean ± standard deviation over the seeds. {ELSEWHERE}",
    ),
    "confidence": Item(
        heading="Results",
        part="Tables",
        title="How far probabilities can be trusted",
        analyses={"paper"},
        caption=f"Accuracy, confidence and calibration of the CNN, and of each network at the final step, on {IMAGES}; "
        f"{OF_SEEDS[0].lower()}{OF_SEEDS[1:]}, their mean. {confidence.MEANING} A click on a column's head sorts by it.",
    ),
    "conformal": Item(
        heading="Results",
        part="Tables",
        title="Early decisions with a guarantee",
        analyses=EVERYWHERE if config["readouts"]["conformal"] else set(),
        caption="Split conformal prediction: at each step the classes are left whose logit is at most a threshold below "
        "the largest, and an image is decided at the first step at which one is left. Images that keep several end at "
        f"the final step. The threshold is calibrated on {VALIDATION_IMAGES} images held out of training, such that the "
        f"classes left at the end hold the true one with at least the wanted probability; covered is their share on "
        f"{IMAGES}, with its 95 % interval. The promise is for the average over calibration and test images drawn "
        "alike: not for the decided ones alone, nor for a class, nor for CNNs that have seen the validation images. "
        "A click on a column's head sorts by it.",
    ),
    "corruptions": Item(
        heading="Results",
        part="Tables",
        title="Accuracy with disturbed images and weights",
        analyses={"corruptions"},
        labels={"of": "first seed"},
        caption=f"On {DISTURBED}. {robustness.NOTE} {STRENGTHS} A click on a column's head sorts by it.",
    ),
    "scores": Item(
        heading="Results",
        part="Tables",
        title="Every configuration under every readout",
        analyses={"readouts", "claims"},
        caption=f"All are shown on {IMAGES}; picking the best row would be choosing on the test set. "
        f"{confidence.MEANING} {INTERVALS}",
    ),
    "gap": Item(
        heading="Results",
        part="Tables",
        title="The gap between the CNN and each network",
        analyses={"gap"},
        caption="Time constants and readouts were chosen on validation images and are reported here once, on "
        f"{IMAGES}; accuracies are means over seeds, whose spread is seed_sd_points. gap_points is the CNN's accuracy "
        "minus the network's; p is McNemar's exact test, first seed, adjusted by Holm's method. A non-significant "
        f"difference does not prove equality; the interval shows how large it could be. {INTERVALS}",
    ),
    "effort": Item(
        heading="Results",
        part="Tables",
        title="What was done to each CNN, and what it cost",
        analyses={"gap"},
        caption="Each CNN is made from the one in the column from. Seconds are those of its job, of which starting "
        "TensorFlow takes some, while other jobs may have run beside it; images with labels are those that it was "
        "trained or tuned with, images without labels those that set gains or calibrated it. Accuracies are those of "
        f"the networks made from it, at the final step, on {IMAGES}. {INTERVALS}",
    ),
    "validation": Item(
        heading="Results",
        part="Tables",
        title="What the choices were made from: validation images",
        analyses={"gap"},
        caption=f"Every configuration under every readout on {VALIDATION_IMAGES} images held out of training, first "
        f"seed. {INTERVALS}",
    ),
    "health": Item(
        heading="Results",
        part="Tables",
        title="Health check: what the layers of neurons do",
        analyses=set(TABLES) if HEALTH else set(),
        labels={"of": "first seed" if "gap" in ANALYSES else "first τ and seed"},
        caption=f"Each layer of neurons on {config['activity']['images']} of the test images, first seed, first "
        "synaptic time constant or the chosen one: the share of silent neurons, median and 99th percentile of the "
        "rates of active ones, the share of active neurons that fire at more than 80 % of the largest possible rate "
        "(one over the refractory period), and how their rates correlate with the CNN's activations. What of it can "
        "explain a loss of accuracy is said in the report's first lines. A click on a column's head sorts by it.",
    ),
    "neurobench": Item(
        heading="Activity and cost",
        part="Tables",
        title="NeuroBench's metrics",
        analyses={"paper", "activity"} if HEALTH else set(),
        labels={"of": "first seed" if "gap" in ANALYSES else "first τ and seed"},
        caption=f"Means over {config['activity']['images']} of the test images, each shown for {SNN['steps']} steps, first seed, first "
        "synaptic time constant or the chosen one: what NeuroBench's harness (version 2.3) would count of the converted "
        "network, from the recorded spikes. Footprint in bytes, at 4 bytes for each weight, bias, state variable and filter; "
        "MembraneUpdates and synaptic operations for each image. An input counts as spikes only where all of it is 0, 1 or −1: "
        "pooled, filtered or scaled spikes are MACs, at every step after the first spike; the image's synapses count at every step; two spikes in a "
        "step are one. The event-based counts beside them take each spike as accumulates, and the image once. Left out: "
        "biases, pooling, the filters' own arithmetic, NeuronOperations, and the CNN. A click on a column's head sorts by it.",
    ),
    "layers": Item(
        heading="Activity and cost",
        part="Tables",
        title="Firing rates, silent neurons and operations by layer",
        analyses={"activity"},
        labels={"of": "first seed"},
        caption=f"Counted on {config['activity']['images']} of the test images (activity.images), first seed, over all "
        "steps. A click on a column's head sorts by it.",
    ),
    "costs": Item(
        heading="Activity and cost",
        part="Tables",
        title="Synaptic operations, neuron updates and estimates of energy",
        analyses={"activity"},
        labels={"of": "first seed"},
        caption="Operations are NeuroBench's effective ones, per image over all steps, on "
        f"{config['activity']['images']} of the test images. Energy is an estimate under the assumptions that each row "
        "names. A click on a column's head sorts by it.",
    ),
    "energy": Item(
        heading="Activity and cost",
        part="Tables",
        title="Estimates of energy with memory access",
        analyses={"activity"},
        labels={"of": "first seed"},
        caption="Of each spiking network, and of its CNN with average pooling, for one image over all steps, after Lemaire et al. "
        f"2022, from spikes counted on {config['activity']['images']} of the test images: arithmetic, addressing, and access to "
        "weights, states of neurons and filters, and what layers send, in joules, at 45 nm with 32-bit integers in on-chip "
        "SRAM. Left out: routing of spikes, DRAM, caches and reuse, control, idle power, pooling; and rate neurons. A click "
        "on a column's head sorts by it.",
    ),
    "breakeven": Item(
        heading="Activity and cost",
        part="Tables",
        title="Break-even with the quantised CNN of equal bits",
        analyses={"activity"},
        labels={"of": "first seed"},
        caption=f"Spikes per neuron and step, counted on {config['activity']['images']} of the test images, beside the number "
        "at which the network takes the energy of the CNN with activations of as many bits as spike counts tell apart: by "
        "arithmetic alone (accumulates against multiply-accumulates on activations other than zero), and with memory "
        "access (in which the CNN leaves out no zero), where 0 says that it takes more without any spike. The ratio is the network's energy over the CNN's. Left "
        "out: the image's layer, the same in both; what the estimates of energy leave out; and rate neurons. A click on a "
        "column's head sorts by it.",
    ),
    "cost": Item(
        heading="Activity and cost",
        part="Tables",
        title="Accuracy, operations, energy and latency side by side",
        analyses={"cost"},
        labels={"of": "first seed"},
        caption=f"Accuracy on {IMAGES}; operations on {config['activity']['images']} of them. {cost_comparison.NOTE} Left out: "
        "what the estimates of energy leave out. A click on a column's head sorts by it.",
    ),
    "claims": Item(
        heading="Comparison with the paper",
        part="Tables",
        title="The paper's claims, tested",
        analyses={"claims"},
        caption=f"Paired tests on the same {IMAGES}; p is adjusted by Holm's method. A non-significant difference does "
        f"not prove equality; the interval shows how large it could be. {INTERVALS}",
    ),
    "comparison": Item(
        heading="Comparison with the paper",
        title="Published and here",
        analyses={"paper"} if config["tables"]["compare_with_paper"] else set(),
        caption=f"The numbers that {PAPER['author']}'s paper ({PAPER['year']}, {PAPER['link']}) prints beside those of this experiment, for each configuration that both "
        "have; accuracy in percent, loss in nats, both averaged over all time steps, which is how the paper's numbers "
        f"were made. Here: {IMAGES}. Differences are ours minus the paper's. The paper gives no intervals and set no "
        "seed; with 1000 images, an accuracy of 40 % is uncertain by ± 3 points.",
    ),
}
INTERACTIVE = Item(
    heading="Responses",
    title="Interactive: choose network, τ and image",
    analyses={"paper"},
    labels={"of": "first seed"},
    input={
        "images": "<results>/images/test.npz",
        "scores": SCORES,
        "decisions": sweep.each_configuration(DECISIONS, seeds=1),
        "responses": sweep.each_configuration(f"{CONFIGURATION}/test.npz", seeds=1),
    },
    caption="Choose a network, a synaptic time constant and an image: logits over time, the running decision, the "
    "CNN's decision and, where the licence of the images allows, the image itself. The images are a sample, the first "
    f"ones of each class. The table below has every configuration on all {IMAGES}, time-averaged and final-step "
    "accuracy with 95 % intervals over images; a click on a column sorts by it.",
)
ORIGINS = Item(
    heading="Provenance",
    title="Where the numbers come from",
    analyses=TABLES,
    input={
        "images": DATASET,
        "models": sweep.models,
        "networks": COMPILED,
        "certificates": CERTIFICATES,
        "cnn_certificates": sweep.cnn_certificates,
        # for the versions that they name
        "decisions": reported(DECISIONS) if set(ANALYSES) - {"activity"} else [],
        "validation": (
            sweep.each_configuration(f"{CONFIGURATION}/validation-decisions.npz", seeds=1) if "gap" in ANALYSES else []
        ),
        "activity": reported(ACTIVITY, seeds=1) if {"activity", "cost"} & set(ANALYSES) else [],
        # when they are there, so is every simulation's benchmark
        "tables": FINAL_TABLES,
    },
    caption="What made the numbers: how far the engine is from NengoDL (checked for each neuron, time constant and "
    "seed), versions, seeds, SHA-256 of images, CNN and compiled networks, run times, and the complete configuration.",
)
ITEMS = FIGURES | {f"{name}.html": item for name, item in PAGES.items()}
ITEMS |= {"explorer.html": INTERACTIVE, "provenance.html": ORIGINS}

for name, item in PAGES.items():

    rule:
        name:
            f"{name}_page"
        input:
            f"<results>/tables/{name}.csv",
        output:
            in_report(f"<results>/report/{name}.html", item),
        log:
            f"<logs>/report/{name}.log",
        benchmark:
            f"<benchmarks>/report/{name}.tsv"
        localrule: True
        conda:
            "../../envs/analysis.yaml"
        resources:
            mem_mb=2000,
            runtime=10,
        params:
            code=digest("table_page.py"),
            title=item.title,
            caption=item.caption,
        script:
            "../scripts/table_page.py"


rule explorer:  # the interactive page
    input:
        **INTERACTIVE.input,
    output:
        in_report("<results>/report/explorer.html", INTERACTIVE),
    log:
        "<logs>/report/explorer.log",
    benchmark:
        "<benchmarks>/report/explorer.tsv"
    priority: 1  # what takes longest at the end starts first
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=scaled_by_attempt(megabytes(TEST_IMAGES, 3 * TEST_IMAGES, SNN["steps"])),
        runtime=scaled_by_attempt(15),
    params:
        code=digest("explorer.py"),
        caption=INTERACTIVE.caption,
        show_images=config["report"]["show_images"],
    script:
        "../scripts/explorer.py"


rule provenance:
    input:
        **ORIGINS.input,
    output:
        page=in_report("<results>/report/provenance.html", ORIGINS),
        record="<results>/provenance.json",
    log:
        "<logs>/report/provenance.log",
    benchmark:
        "<benchmarks>/report/provenance.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=scaled_by_attempt(megabytes(TEST_IMAGES, TEST_IMAGES, SNN["steps"])),
        runtime=10,
    params:
        code=digest("provenance.py"),
        caption=ORIGINS.caption,
        training_seed=CNN["training"]["seed"] if sweep.trains else f"unknown: weights of {', '.join(sweep.files(BASE))}",
        seeds=sweep.seeds,
        versions={"snakemake": snakemake_version},
        benchmarks=f"results/{config['experiment']}/benchmarks",
        configuration=config,
        files={path: content.digest(path) for _, path in configuration.named_files(config) if path},
    script:
        "../scripts/provenance.py"


rule opening:  # the report's first lines
    input:
        decisions=sweep.each_configuration(DECISIONS) if "paper" in ANALYSES else [],
        gap="<results>/tables/gap.csv" if "gap" in ANALYSES else [],
        claims="<results>/tables/claims.csv" if "claims" in ANALYSES else [],
        costs="<results>/tables/costs.csv" if "activity" in ANALYSES else [],
        findings=rules.health.output.findings if HEALTH else [],
    output:
        "<results>/report/opening.rst",
    log:
        "<logs>/report/opening.log",
    benchmark:
        "<benchmarks>/report/opening.tsv"
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=scaled_by_attempt(megabytes(TEST_IMAGES, TEST_IMAGES, SNN["steps"])),
        runtime=10,
    params:
        code=digest("opening.py"),
        paper=config["tables"]["compare_with_paper"] and "paper" in ANALYSES,
        made_by={cnn: how["made_by"] for cnn, how in sweep.making.items()},
    script:
        "../scripts/opening.py"


# every figure, in all its formats, and every page that the configured analyses show
REQUESTED = [
    (
        [f"<results>/report/{name}"]
        if name.endswith(".html")
        else [f"<results>/figures/{name}.{format}" for format in config["figures"]["formats"]]
    )
    for name, item in ITEMS.items()
    if item.requested(ANALYSES)
]


rule report:
    input:
        opening=rules.opening.output,
        shown=REQUESTED,
        tables=FINAL_TABLES,
        record="<results>/provenance.json",
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
        style=[content.digest(REPOSITORY / "workflow" / "report" / f"report.{kind}") for kind in ("css", "js")],
    run:
        make_report(input, output, params, log[0], REPOSITORY)


rule archive:  # for publication: snakemake --profile profiles/local archive
    input:
        record="<results>/provenance.json",
        report="<results>/report.html",
        results=[REQUESTED, rules.report.input.tables],
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
