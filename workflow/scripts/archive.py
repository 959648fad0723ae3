"""Pack what a publication needs: tables, figures, report, provenance and configuration."""

from csnn.job import logged

with logged(snakemake):
    import zipfile
    from pathlib import Path

    import yaml

    from csnn.files import atomic_write, checksum_file, read_json, read_text

    # they show images of the data set, whose licence may not allow to pass them on (config key report.show_images)
    images = () if snakemake.params.with_images else ("figure1", "figure4")
    paths = [Path(path) for path in snakemake.input if Path(path).stem not in images]
    results = Path(snakemake.output[0]).parent
    configuration = read_json(snakemake.input.record)["configuration"]
    for path in [path for path in paths if path.suffix in (".csv", ".md")]:
        read_text(path)  # which checks it
        paths.append(checksum_file(path))
    with (
        atomic_write(snakemake.output[0]) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for path in dict.fromkeys(paths):
            archive.write(path, Path(results.name, path.relative_to(results)))
        archive.writestr(
            f"{results.name}/config.yaml", yaml.safe_dump(configuration, sort_keys=False, allow_unicode=True)
        )
