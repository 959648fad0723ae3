"""What the report shows, under which heading, and with which caption (workflow/report/*.rst)."""

import hashlib
import subprocess
import tempfile

WORDS = sorted((REPOSITORY / "workflow" / "report").glob("*.*"))
# The report sorts its headings by name; the numbers bring them into the order in which one asks. Only headings that hold
# something are numbered.
HELD = {
    "Results": {"paper", "readouts", "gap"},
    "Responses": {"paper"},
    "Activity and cost": {"activity"},
    "Comparison with the paper": {"claims"} | ({"paper"} if config["tables"]["compare_with_paper"] else set()),
    "Provenance": set(ANALYSES),
}
HEADINGS = [heading for heading, analyses in HELD.items() if analyses & set(ANALYSES)]

# tables of the analyses, as pages that can be sorted: heading, title, and what is to be known when reading them
TABLE_PAGES = {
    "gap": (
        "Results",
        "The gap between the CNN and each network",
        "Time constants and readouts were chosen on validation images and are reported here once, on the test images; "
        "accuracies are means over seeds, whose spread is seed_sd_points. gap_points is the CNN's accuracy minus the "
        "network's; p is McNemar's exact test, first seed, adjusted by Holm's method.",
    ),
    "readouts": (
        "Results",
        "Every configuration under every readout",
        "All are shown on the test images; picking the best row would be choosing on the test set.",
    ),
    "validation": (
        "Results",
        "What the choices were made from: validation images",
        "Every configuration under every readout on images held out of training, first seed.",
    ),
    "layers": (
        "Activity and cost",
        "Firing rates, silent neurons and operations by layer",
        "Counted on some of the test images (activity.images), first seed, over all steps.",
    ),
    "costs": (
        "Activity and cost",
        "Synaptic operations, neuron updates and estimates of energy",
        "Operations are NeuroBench's effective ones, per image over all steps. Energy is an estimate under the "
        "assumptions that each row names.",
    ),
    "claims": (
        "Comparison with the paper",
        "The paper's claims, tested",
        "Paired tests on the same images; p is adjusted by Holm's method. No difference shown is not no difference: the "
        "interval says how large it can be.",
    ),
}


def numbered(heading):
    """A heading with its number, if the report has it."""
    return f"{HEADINGS.index(heading) + 1} {heading}" if heading in HEADINGS else heading


def of(analysis, paths):
    """Paths, where the analysis that makes them is asked for."""
    return paths if analysis in ANALYSES else []


def heading_of_table(wildcards):
    """The heading of a table's page."""
    return numbered(TABLE_PAGES[wildcards.table][0])


def labels_of_table(wildcards):
    """The labels of a table's page."""
    return {"item": TABLE_PAGES[wildcards.table][1]} | of_networks()


def about_table(wildcards):
    """Title and words of a table's page."""
    _, title, words = TABLE_PAGES[wildcards.table]
    return {"title": title, "words": words}


def shown(path, heading, item, caption, part=None, **labels):
    """A file as the report shows it: under a heading, or a part of it, with a caption and labels.

    Where all items of one part share all labels but one, which has two values, the report offers these as a switch.
    """
    return report(
        path,
        category=numbered(heading),
        subcategory=part,
        caption=f"../report/{caption}.rst",
        labels={"item": item} | labels,
    )


def of_networks(neurons="all", tau="all"):
    """Labels of an item: of which neurons, synaptic time constants and seeds it is."""
    return {"neurons": neurons, "tau": tau, "seeds": ", ".join(map(str, sweep.seeds))}


def in_formats(figure, *place, with_images=False, **labels):
    """A figure's files, one for each configured format.

    The report shows the first (see `shown`); one `with_images` of the data set only where that is wanted.
    """
    paths = [f"<results>/figures/{figure}.{format}" for format in config["figures"]["formats"]]
    if with_images and not config["report"]["show_images"]:
        return paths
    return [shown(paths[0], *place, caption=figure, **labels), *paths[1:]]


def make_report(path, shown, log):
    """Make a report of files that are there: Snakemake itself, in a run of its own, with this run's configuration."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file, open(log, "w") as said:
        yaml.safe_dump(config, file, sort_keys=False)
        file.flush()
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile"), "--cores", "1"]
        command += ["--configfile", file.name, "--profile", "none", "--workflow-profile", "none", "--nolock"]
        command += ["--report", path, "--report-stylesheet", str(REPOSITORY / "workflow" / "report" / "report.css")]
        subprocess.run([*command, "--", *shown], check=True, stdout=said, stderr=subprocess.STDOUT)
