"""The science of the workflow: data, CNN, conversion to spiking networks, simulation, metrics, tables and figures.

Nothing here knows of Snakemake; the scripts beside this package connect it to the rules.
"""
