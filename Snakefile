"""Lets `snakemake` find the workflow from the top folder: it is workflow/Snakefile."""


include: "workflow/Snakefile"


workflow.default_target = rules.all.rule.name  # that of an included file does not count
