"""What the report shows, under which heading, and with which caption (workflow/report/*.rst)."""

import hashlib
import subprocess
import tempfile

WORDS = sorted((Path(workflow.basedir) / "workflow" / "report").glob("*.*"))
# The report sorts its headings by name; the numbers bring them into the order in which one asks. Only headings that hold
# something are numbered.
HEADINGS = ["Results", "Responses"]
HEADINGS += ["Comparison with the paper"] * config["tables"]["compare_with_paper"] + ["Provenance"]


def shown(path, heading, item, caption, part=None, **labels):
    """A file as the report shows it: under a heading, or a part of it, with a caption and labels.

    Where all items of one part share all labels but one, which has two values, the report offers these as a switch.
    """
    return report(
        path,
        category=f"{HEADINGS.index(heading) + 1} {heading}",
        subcategory=part,
        caption=f"../report/{caption}.rst",
        labels={"item": item} | labels,
    )


def of_networks(neurons="all", tau="all"):
    """Labels of an item: of which neurons, synaptic time constants and seeds it is."""
    return {"neurons": neurons, "tau": tau, "seeds": ", ".join(map(str, SEEDS))}


def in_formats(figure, *place, with_images=False, **labels):
    """A figure's files, one for each configured format.

    The report shows the first (see `shown`); one `with_images` of the data set only where that is wanted.
    """
    paths = [f"<results>/figures/{figure}.{format}" for format in FIGURES["formats"]]
    if with_images and not config["report"]["show_images"]:
        return paths
    return [shown(paths[0], *place, caption=figure, **labels), *paths[1:]]


def make_report(path, shown, log):
    """Make a report of files that are there: Snakemake itself, in a run of its own, with this run's configuration."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file, open(log, "w") as said:
        yaml.safe_dump(config, file)
        file.flush()
        command = [sys.executable, "-m", "snakemake", "--snakefile", workflow.main_snakefile, "--cores", "1"]
        command += ["--configfile", file.name, "--profile", "none", "--workflow-profile", "none", "--nolock"]
        command += ["--report", path, "--report-stylesheet", f"{workflow.basedir}/workflow/report/report.css"]
        subprocess.run([*command, "--", *shown], check=True, stdout=said, stderr=subprocess.STDOUT)
