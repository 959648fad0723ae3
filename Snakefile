"""Lets `snakemake` find the workflow from the top folder: it is workflow/Snakefile."""


include: "workflow/Snakefile"


# that of an included file does not count
workflow.default_target = workflow.default_target or rules.all.rule.name
