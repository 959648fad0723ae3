"""Write where the numbers come from: as JSON for programs, and as a page of the report."""

from csnn.job import logged

with logged(snakemake):
    import pandas as pd
    import yaml

    from csnn.report import pages
    from csnn.report import provenance
    from csnn.evaluation import decisions
    from csnn.files import check_contents, read_json, write_json, write_text

    inputs, params = snakemake.input, snakemake.params
    certificates = [read_json(path) for path in inputs.certificates]
    cnn_certificates = [read_json(path) for path in inputs.cnn_certificates]
    decided = decisions.read_all([*inputs.decisions, *inputs.validation])
    simulations = [configuration.configuration["versions"] for configuration in decided]
    simulations += [read_json(path)["versions"] for path in inputs.activity]
    verifications = [certificate["versions"] for certificate in [*certificates, *cnn_certificates]]
    check_contents(params.files, params.files.values())
    record = {
        "configuration": params.configuration,
        "engine": params.configuration["simulation"]["engine"],
        "largest_difference_from_nengo_dl": max(
            (certificate["largest_difference"] for certificate in certificates), default=None
        ),
        "certificates": {
            path: {key: certificate[key] for key in ("largest_difference", "tolerance", "images", "steps")}
            for path, certificate in zip(inputs.certificates, certificates, strict=True)
        },
        "cnn_certificates": {
            path: {key: certificate[key] for key in ("largest_difference", "tolerance", "images", "rates_hz")}
            for path, certificate in zip(inputs.cnn_certificates, cnn_certificates, strict=True)
        },
        "sha256": {
            "images": provenance.hashes([inputs.images]),
            "files": {path: content.removeprefix("sha256:") for path, content in params.files.items()},
            "weights": provenance.hashes(inputs.models),
            "networks": provenance.hashes(inputs.networks),
            "tables": provenance.hashes_of_tables(inputs.tables),
        },
        "code": provenance.code(),
        "machine": provenance.machine(),
        "versions": {
            "snakemake": params.versions["snakemake"],
            "simulation": provenance.versions(simulations),
            "verification": provenance.versions(verifications),
        },
        "packages": provenance.packages(),
    }
    write_json(snakemake.output.record, record)

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
    files = [(path, checksum) for kind in record["sha256"].values() for path, checksum in kind.items()]
    made_by = {key: str(value) for key, value in (record["code"] | record["machine"]).items()}
    versions = provenance.versions([*simulations, *verifications, params.versions])
    versions = pd.DataFrame(versions.items(), columns=["package", "version"])
    sections = [
        pages.Section(
            "The conversion",
            "Before anything was simulated, each CNN was converted to rectified linear rate neurons without filters, "
            "and the logits compared with the CNN's own in Keras, with average pooling in place of max pooling. "
            "Keras computes in single precision, which alone explains differences of some 1e-6 of the largest logit.",
            pages.table(provenance.cnn_certificates(cnn_certificates)),
        ),
        pages.Section("The engine", engine, pages.table(provenance.certificates(certificates)) if certificates else ""),
        pages.Section("Seeds", "", pages.table(seeds, words=True)),
        pages.Section("Code and machine", "", pages.table(pd.DataFrame(made_by.items(), columns=["", ""]), words=True)),
        pages.Section("Versions", "", pages.table(versions, words=True)),
        pages.Section("Files", "", pages.table(pd.DataFrame(files, columns=["file", "SHA-256"]), words=True)),
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
    write_text(snakemake.output.page, pages.page("Where the numbers come from", sections))
