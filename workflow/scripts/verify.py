"""Verify the event-driven engine against NengoDL in double precision, for each time constant of one neuron and seed."""

from csnn.job import logged

with logged(snakemake):
    from csnn.model import cnn
    from csnn import responses
    from csnn import spiking
    from csnn.data.images import read_selection
    from csnn.files import AGAIN, hash_of_file, InputError, write_json
    from csnn.nengodl_compat import use_threads
    from csnn.event.network import load_network

    params = snakemake.params
    use_threads(snakemake.threads)
    conversion, seed = params.conversion, int(snakemake.wildcards.seed)
    network = load_network(snakemake.input.network, conversion | {"seed": seed})
    origin = hash_of_file(snakemake.input.model)
    if network.provenance["model"] != origin:
        raise InputError(f"{snakemake.input.network} was made from another model than {snakemake.input.model}; {AGAIN}")
    images = read_selection(snakemake.input.images, conversion["cnn"]["dataset"])["images"][: params.images]
    time_s = {"dt_s": params.dt_s, "steps": params.steps}
    model = cnn.load(snakemake.input.model, conversion["cnn"])
    checks = []
    for tau_syn_s in params.tau_syn_s:
        checks.append({"tau_syn_s": tau_syn_s} | spiking.verify(model, network, images, tau_syn_s=tau_syn_s, **time_s))
        print(f"tau_syn_s {tau_syn_s}: largest difference {checks[-1]['largest_difference']:.1e}", flush=True)
        if not checks[-1]["largest_difference"] <= params.tolerance:
            raise InputError(
                f"the engine's logits for {snakemake.wildcards.network}, tau_syn_s {tau_syn_s}, seed {seed} differ by "
                f"{checks[-1]['largest_difference']:.1e} from NengoDL's, more than verification.tolerance "
                f"{params.tolerance:.1e}; set simulation.engine to nengo-dl and report it"
            )
    write_json(
        snakemake.output[0],
        {
            "network": snakemake.wildcards.network,
            "neuron": conversion["neuron"],
            "seed": seed,
            "largest_difference": max(check["largest_difference"] for check in checks),
            "tolerance": params.tolerance,
            "images": len(images),
            **time_s,
            "checks": checks,
            "compiled_network": hash_of_file(snakemake.input.network),
            "versions": responses.environment("numpy", "numba", "tensorflow", "nengo", "nengo-dl"),
        },
    )
