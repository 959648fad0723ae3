"""Figures: each is an entry of FIGURES, from which one loop makes the rules.

A further figure is a function in csnn/figures and an entry here: the names under `input` are the function's arguments
(scripts/figure.py reads the files).
"""

from csnn.evaluation import confidence, cost_comparison, robustness
from csnn.report.contents import Item, numbered
from csnn.words import MOST_CURVES, tau

IMAGES = f"{TEST_IMAGES} test images"
WITH_PAPER = config["tables"]["compare_with_paper"]
AS_PAPER = ", which is what the paper reports" if WITH_PAPER else ""
OF_SEEDS = f"With several seeds (here: {', '.join(map(str, sweep.seeds))})"
SHOWN_IMAGE = "image {index} of the {split} set".format(**config["figures"]["logit_image"])
FIRST_CNN = f", the first of several ({sweep.cnns[0]})" if len(sweep.cnns) > 1 else ""
DELAYS = (
    " Kinds of synapse differ in their lines and stand at their mean delay: τ of a lowpass, 2 τ of an alpha, τ and the "
    "rise together of a double exponential."
    if len({str(network["synapse"]) for network in sweep.networks.values()}) > 1
    else ""
)
TAUS = {tau_syn_s for network in sweep.networks.values() for tau_syn_s in network["tau_syn_s"]}
CONVERSIONS = {
    (network["variant"], str(network["max_rate_hz"]), network["initial_voltage"]) for network in sweep.networks.values()
}
MANY_TAUS = " Each time constant is a row of colours, without interval." * (len(TAUS) > MOST_CURVES)
MANY_NETWORKS = " Each network is a row of colours, without intervals." * (len(CONVERSIONS) > MOST_CURVES)
EVERYWHERE = {"paper", "readouts", "claims", "gap"}
DISTURBED = f"{config['corruptions']['images']} test images"
STRENGTHS = (
    "Strengths of the images' corruptions are levels, those of CIFAR-10-C but for pixel loss; docs/analyses.md has their "
    "formulas. Weight noise is in shares of the largest weight of a connection; bits are those of each weight."
)


def of_paper(part):
    """Name the part of the paper that an item repeats, where the paper's numbers stand beside these."""
    return f" (the paper's {part})" if WITH_PAPER else ""


def in_report(path, item):
    """A file as the report shows it; its caption is the parameter `caption` of its rule."""
    return report(
        path,
        category=lambda wildcards: numbered(item.heading, ITEMS.values(), ANALYSES),
        subcategory=item.part,
        caption="../report/item.rst",
        labels={"item": item.title, **item.labels},
    )


def in_formats(name, item):
    """A figure's files, one for each configured format. The report shows the first, where it may."""
    paths = [f"<results>/figures/{name}.{format}" for format in config["figures"]["formats"]]
    if item.with_images and not config["report"]["show_images"]:
        return paths
    return [in_report(paths[0], item), *paths[1:]]


FIGURES = {
    "accuracy_vs_tau": Item(
        heading="Results",
        part="Against τ",
        title="Against τ",
        analyses={"paper"},
        draw="accuracy.accuracy_vs_tau",
        input={"scores": SCORES},
        labels={"measure": "accuracy"},
        caption=f"Accuracy of every network against the synaptic time constant τ, on {IMAGES}. Left: time-averaged, "
        f"over all {SNN['steps']} time steps{AS_PAPER}. Right: at the final step. Bars, and the "
        "band of the CNN, are 95 % intervals over images: Wilson's where each image is right or wrong, otherwise the "
        f"bootstrap's. {OF_SEEDS}, values and bounds are means over them.{MANY_NETWORKS or DELAYS}",
    ),
    "loss_vs_tau": Item(
        heading="Results",
        part="Against τ",
        title="Against τ",
        analyses={"paper"},
        draw="accuracy.loss_vs_tau",
        input={"scores": SCORES},
        labels={"measure": "loss"},
        caption=f"Cross-entropy loss, in nats, of every network against the synaptic time constant τ, on {IMAGES}. "
        f"Left: time-averaged, over all {SNN['steps']} time steps{AS_PAPER}. Right: at the "
        "final step. Bars, and the band of the CNN, are 95 % bootstrap intervals over images. "
        f"{OF_SEEDS}, values and bounds are means over them.{MANY_NETWORKS or DELAYS}",
    ),
    "readouts_vs_tau": Item(
        heading="Results",
        part="Against τ",
        title="Accuracy of each readout against τ",
        analyses={"readouts", "claims", "gap"},
        draw="accuracy.readouts_vs_tau",
        input={"scores": f"<results>/tables/{'validation' if 'gap' in ANALYSES else 'scores'}.csv"},
        caption="Accuracy of each readout against the synaptic time constant; means over seeds, bars are 95 % "
        f"intervals over images, the dashed line is the CNN of each row.{DELAYS}",
    ),
    "by_cnn": Item(
        heading="Results",
        part="The gap",
        title="The same neurons on several CNNs",
        analyses={"paper"} if len(sweep.cnns) > 1 else set(),
        draw="accuracy.by_cnn",
        input={"scores": SCORES},
        caption="Accuracy at the final step of networks of the same neurons, made from different CNNs, each at its best "
        f"time constant, on {IMAGES}; black lines are the CNNs. Bars are 95 % intervals over images (Wilson's). "
        f"{OF_SEEDS}, values and bounds are means over them. The time constant was chosen on these same images.",
    ),
    "gap": Item(
        heading="Results",
        part="The gap",
        title="The gap to the CNN",
        analyses={"gap"},
        draw="accuracy.gap_to_cnn",
        input={"gap": "<results>/tables/gap.csv"},
        caption="How far each chosen network is behind the CNN that it was made from, in percentage points, by "
        f"readout; bars are 95 % intervals over {IMAGES}. Everything was chosen on validation images.",
    ),
    "accuracy_over_time": Item(
        heading="Results",
        part="Decisions",
        title="Accuracy over time",
        analyses=EVERYWHERE,
        draw="accuracy.accuracy_over_time",
        input={"decisions": reported(DECISIONS)},
        caption=f"Accuracy of the decision at each time step (the class of the largest logit), on {IMAGES}: the curve "
        "that a time average hides, and what a decision after fewer steps would be worth. Bands are 95 % intervals "
        "(Wilson's) over images at each step by itself; the dashed line is the CNN that the network was made from. "
        f"{OF_SEEDS}, their mean. Until spikes have passed every filter, the decision says nothing about the image."
        f"{MANY_TAUS}",
    ),
    "ece_over_time": Item(
        heading="Results",
        part="Confidence",
        title="Calibration over time",
        analyses={"readouts"},
        draw="confidence.ece_over_time",
        input={"decisions": reported(DECISIONS)},
        labels={"measure": "ECE"},
        caption=f"Expected calibration error of the decision at each time step, on {IMAGES}; the dashed line is the CNN "
        f"that the network was made from. {OF_SEEDS}, their mean. {confidence.MEANING}",
    ),
    "brier_over_time": Item(
        heading="Results",
        part="Confidence",
        title="Calibration over time",
        analyses={"readouts"},
        draw="confidence.brier_over_time",
        input={"decisions": reported(DECISIONS)},
        labels={"measure": "Brier score"},
        caption=f"Brier score at each time step, on {IMAGES}; the dashed line is the CNN that the network was made from. "
        f"{OF_SEEDS}, their mean. {confidence.MEANING}",
    ),
    "corruptions": Item(
        heading="Results",
        part="Robustness",
        title="Accuracy with disturbed images and weights",
        analyses={"corruptions"},
        draw="robustness.corruptions",
        input={"corruptions": "<results>/tables/corruptions.csv"},
        labels={"of": "first seed"},
        caption=f"Accuracy at the final step on {DISTURBED}, clean (0) and at each strength, one panel for each kind of "
        f"disturbance; bars are 95 % intervals over images (Wilson's). The dashed line is the CNN on the same images; "
        f"its weights are not disturbed. {STRENGTHS}",
    ),
    "settling_time": Item(
        heading="Results",
        part="Decisions",
        title="Settling time",
        analyses={"paper"},
        draw="agreement.settling_time",
        input={"decisions": reported(DECISIONS)},
        caption=f"How settling times are distributed: the share of {IMAGES} whose decision does not change any more "
        "until the end, whether it is right or wrong; all seeds together. A decision that changes at the final step "
        f"counts as settled there, since later steps were not simulated: it may not have settled at all.{MANY_TAUS}",
    ),
    "confusion_matrices": Item(
        heading="Results",
        part="Decisions",
        title="Confusion matrices",
        analyses={"paper"},
        draw="agreement.confusion_matrices",
        input={"decisions": reported(DECISIONS), "images": "<results>/images/test.npz"},
        labels={"of": "best τ"},
        caption="What is decided for the images of each class (rows; each row adds up to 100 %), by the CNN and, at "
        f"the final step, by each network at its most accurate time constant; {IMAGES}, all seeds together. Shares "
        "below 0.5 % are left blank. The time constant was chosen on these same images.",
    ),
    "agreement_with_cnn": Item(
        heading="Results",
        part="Decisions",
        title="Agreement with the CNN",
        analyses={"paper"},
        draw="agreement.agreement_with_cnn",
        input={"decisions": reported(DECISIONS)},
        caption="What a spiking network decides at the final step and what the CNN that it was made from decides about "
        f"the same {IMAGES}, all seeds together. The two lowest parts are agreement, with its sum written on them in "
        "percent; the others say who is right where they differ. Numbers of images, without intervals: as an accuracy "
        f"at {TEST_IMAGES} images, a share of 50 % is uncertain by ± {98 / TEST_IMAGES**0.5:.1f} points.",
    ),
    "figure3": Item(
        heading="Responses",
        title=f"Logits of {sweep.first_network}{of_paper('Figure 3')}",
        analyses={"paper"},
        draw="responses.logits_by_tau",
        input={"image": "<results>/images/logit_image.npz"},
        responses_of=[sweep.first_network],
        labels={"of": "first seed"},
        caption=f"Logits over time for {SHOWN_IMAGE}, one panel for each time constant, first seed; the true "
        "class in black. One image: it says how logits move, not how accurate a network is.",
    ),
    "figure4": Item(
        heading="Responses",
        title=f"The image shown{of_paper('Figure 4')}",
        analyses={"paper"},
        draw="images.labelled_image",
        input={"image": "<results>/images/logit_image.npz"},
        with_images=True,
        caption="The image for which logits and spikes are shown here.",
    ),
    "figure5": Item(
        heading="Responses",
        title=f"Logits of every neuron{of_paper('Figure 5')}",
        analyses={"paper"},
        labels={"of": "first seed"},
        draw="responses.logits_grid",
        input={"image": "<results>/images/logit_image.npz"},
        responses_of=list(sweep.networks),
        caption=f"Logits over time for {SHOWN_IMAGE}, of every neuron (rows) and time constant (columns), first seed; "
        "the true class in black. One image: it says how logits move, not how accurate a network is.",
    ),
    "spikes_and_voltages": Item(
        heading="Responses",
        title="Spikes and membrane potentials",
        analyses={"paper"} if sweep.engine == "event" else set(),
        draw="responses.spikes_and_voltages",
        input={"recording": "<results>/recording.npz"},
        labels={"of": f"{tau(parse_tau(sweep.first_tau))}, first seed"},
        caption=f"What single neurons do while {SHOWN_IMAGE} is shown, at the first configured time constant, "
        f"{tau(parse_tau(sweep.first_tau))}, first seed{FIRST_CNN}. Above: spikes of some neurons of every layer, the same ones in "
        "every column, drawn among those that fire at all; of rate neurons (RLR), in blue, the rate. Colours reach up to the "
        "largest number there is, on the scale of its square root. Below: one neuron of the "
        "first layer, which receives the same constant current in every column, with its membrane potential. One "
        "image; nothing is averaged.",
    ),
    "accuracy_vs_operations": Item(
        heading="Activity and cost",
        title="Accuracy against synaptic operations",
        analyses={"activity"},
        draw="accuracy.accuracy_vs_operations",
        input={
            "decisions": reported(DECISIONS, seeds=1),
            "activity": reported(ACTIVITY, seeds=1),
        },
        caption="Accuracy at each step against the effective synaptic operations spent up to that step, on a "
        "logarithmic scale: accumulates of spikes, multiply-accumulates of rates and of the image (NeuroBench's "
        f"definitions). Operations are counted on {config['activity']['images']} images, accuracy on {IMAGES}, first "
        "seed. One panel for each CNN and conversion, one curve for each neuron and time constant; stars are the CNNs, "
        "the grey line is the Pareto front of all panels.",
    ),
    "cost": Item(
        heading="Activity and cost",
        title="Accuracy against what it costs",
        analyses={"cost"},
        draw="cost.accuracy_against_cost",
        input={
            "cost": "<results>/tables/cost.csv",
            "decisions": reported(DECISIONS, seeds=1),
            "activity": reported(ACTIVITY, seeds=1),
        },
        labels={"of": "first seed"},
        caption=f"Accuracy on {IMAGES} against the energy of one image's arithmetic up to each step, against the energy with "
        "memory access at the final step, and against time. Curves are networks, whose last step has a marker; stars are CNNs, "
        f"open ones quantised. {cost_comparison.NOTE}",
    ),
    "figure1": Item(
        heading="Data and model",
        title="Images of every class",
        analyses={"paper"},
        draw="images.sample_images",
        input={"dataset": DATASET},
        with_images=True,
        caption="The first training images of every class, as the networks see them.",
    ),
    "figure2": Item(
        heading="Data and model",
        title="The CNN, layer by layer",
        analyses={"paper"},
        draw="images.architecture",
        input={"layers": f"<results>/{cnn_folder(sweep.cnns[0])}/architecture.json"},
        caption=f"The CNN that is converted{FIRST_CNN}, layer by layer; at each arrow the shape of what is passed on. The "
        "conversion replaces each ReLU by spiking neurons and max pooling by average pooling.",
    ),
}

for name, item in FIGURES.items():

    rule:
        name:
            name
        input:
            **item.input,
            **({"responses": sweep.shown_responses(item.responses_of)} if item.responses_of else {}),
        output:
            in_formats(name, item),
        log:
            f"<logs>/figures/{name}.log",
        benchmark:
            f"<benchmarks>/figures/{name}.tsv"
        localrule: True
        conda:
            "../../envs/analysis.yaml"
        resources:
            mem_mb=2000,
            runtime=10,
        params:
            code=digest("figure.py"),
            draw=item.draw,
            dataset=sweep.dataset if "dataset" in item.input else None,
            # files may hold responses at further time constants, which were asked for before
            taus_syn_s={network: sweep.networks[network]["tau_syn_s"] for network in item.responses_of},
            caption=item.caption,
        script:
            "../scripts/figure.py"
