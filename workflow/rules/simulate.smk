"""The spiking networks: one job for each shard and seed of each network, at several time constants together."""

# No table without proof that the engine gives NengoDL's own logits. Where the paper's tables show each seed by itself, each
# is proven; elsewhere the first stands for all, which differ in the membrane potentials at the start only.
CERTIFIED_SEEDS = None if "paper" in ANALYSES else 1
CERTIFICATES = sweep.certificates(Path("results", config["experiment"]), CERTIFIED_SEEDS)
COMPILED = sweep.of_event_engine("<results>/{network}/networks/seed-{seed}.npz", CERTIFIED_SEEDS)

if sweep.engine == "event":

    rule compile_network:
        input:
            model=sweep.model_of_network,
            certificate=sweep.cnn_certificate,
        output:
            "<results>/{network}/networks/seed-{seed}.npz",
        log:
            "<logs>/compile_network/{network}/seed-{seed}.log",
        benchmark:
            "<benchmarks>/compile_network/{network}/seed-{seed}.tsv"
        priority: 2  # what takes longest, and what much waits for, starts first
        conda:
            "../../envs/tensorflow.yaml"
        resources:
            mem_mb=scaled_by_attempt(3000),
            runtime=scaled_by_attempt(20),
        params:
            code=digest("compile_network.py"),
            conversion=sweep.conversion,
        script:
            "../scripts/compile_network.py"

    rule verify:
        input:
            model=sweep.model_of_network,
            certificate=sweep.cnn_certificate,
            images="<results>/images/test.npz",
            network="<results>/{network}/networks/seed-{seed}.npz",
        output:
            "<results>/verification/{network}/seed-{seed}/tau-{taus}.json",
        log:
            "<logs>/verify/{network}/seed-{seed}/tau-{taus}.log",
        benchmark:
            "<benchmarks>/verify/{network}/seed-{seed}/tau-{taus}.tsv"
        priority: 1
        conda:
            "../../envs/tensorflow.yaml"
        resources:
            mem_mb=scaled_by_attempt(4000),
            runtime=scaled_by_attempt(
                minutes(sweep.taus_per_job * config["verification"]["images"], SNN["steps"], "nengo-dl")
            ),
        params:
            code=digest("verify.py"),
            conversion=sweep.conversion,
            tau_syn_s=sweep.taus_syn_s,
            dt_s=SNN["dt_s"],
            steps=SNN["steps"],
            images=min(config["verification"]["images"], TEST_IMAGES),
            tolerance=config["verification"]["tolerance"],
        script:
            "../scripts/verify.py"


rule simulate:
    input:
        images="<results>/images/{images}.npz",
        network=sweep.simulated_from,
        # what the compiled network itself was made with
        certificate=sweep.cnn_certificate if sweep.engine == "nengo-dl" else [],
    output:
        "<results>/{network}/tau-{taus}/seed-{seed}/{images}-{shard}.npz",
    log:
        "<logs>/simulate/{network}/tau-{taus}/seed-{seed}/{images}-{shard}.log",
    benchmark:
        "<benchmarks>/simulate/{network}/tau-{taus}/seed-{seed}/{images}-{shard}.tsv"
    conda:
        "../../envs/simulate.yaml" if sweep.engine == "event" else "../../envs/tensorflow.yaml"
    resources:
        mem_mb=scaled_by_attempt(
            megabytes(MOST_IMAGES, sweep.shard * sweep.taus_per_job, SNN["steps"]) if sweep.engine == "event" else 4000
        ),
        runtime=scaled_by_attempt(minutes(sweep.shard * sweep.taus_per_job, SNN["steps"], sweep.engine)),
    params:
        code=sweep.code,
        settings=sweep.shard_settings,
        positions=sweep.positions,
    script:
        f"../scripts/{sweep.simulation_script}"


rule gather:
    input:
        images="<results>/images/{images}.npz",
        network=sweep.simulated_from,
        shards=sweep.shards,
    output:
        "<results>/{network}/tau-{tau}/seed-{seed}/{images}.npz",
    log:
        "<logs>/gather/{network}/tau-{tau}/seed-{seed}/{images}.log",
    benchmark:
        "<benchmarks>/gather/{network}/tau-{tau}/seed-{seed}/{images}.tsv"
    conda:
        "../../envs/analysis.yaml"
    resources:
        mem_mb=scaled_by_attempt(megabytes(MOST_IMAGES, MOST_IMAGES, SNN["steps"])),
        runtime=scaled_by_attempt(10 + MOST_IMAGES / 1000),
    params:
        code=digest("gather.py"),
        settings=sweep.simulation_settings,
    script:
        "../scripts/gather.py"
