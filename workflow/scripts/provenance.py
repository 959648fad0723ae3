"""Set on one page where the numbers come from."""

from csnn.job import logged

with logged(snakemake.log[0]):
    import pandas as pd
    import yaml

    from csnn import pages, provenance, responses
    from csnn.files import read_json, sha256, write_text

    given, params = snakemake.input, snakemake.params
    certificates = [read_json(path) for path in given.certificates]
    about = responses.read(given.responses).provenance
    engine = (
        "Each network's logits were compared with NengoDL's own, in double precision, at all steps of the first test "
        "images, before any table was made. Rounding alone explains differences of some 1e-15."
        if certificates
        else "Simulated by NengoDL itself."
    )
    seeds = pd.DataFrame(
        {
            "of": ["the CNN's initial weights and the order of its images", "the initial membrane potentials"],
            "seeds": [params.training_seed, ", ".join(map(str, params.seeds))],
        }
    )
    hashes = pd.DataFrame(
        {"file": [*given.files, *given.networks], "SHA-256": [sha256(path) for path in [*given.files, *given.networks]]}
    )
    versions = provenance.versions([about["versions"], *(one["versions"] for one in certificates), params.versions])
    sections = [
        pages.Section("The engine", engine, pages.table(provenance.certificates(certificates)) if certificates else ""),
        pages.Section("Seeds", "", pages.table(seeds, words=True)),
        pages.Section("Versions", "", pages.table(versions, words=True)),
        pages.Section("Files", "", pages.table(hashes, words=True)),
        pages.Section(
            "Run times",
            "Of the jobs whose results are here, as Snakemake measured them; jobs that ran side by side add up.",
            pages.table(provenance.run_times(params.benchmarks)),
        ),
        pages.Section(
            "Configuration",
            "Complete, with all defaults; saved as a file it makes this experiment again (--configfile).",
            pages.preformatted(yaml.safe_dump(params.configuration, sort_keys=False, allow_unicode=True)),
        ),
    ]
    write_text(snakemake.output[0], pages.page("Where the numbers come from", sections))
