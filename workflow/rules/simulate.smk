"""The spiking networks: one job for each shard of each configuration (network x time constant x seed)."""

# No table without proof that the engine gives NengoDL's own logits. Where the paper's tables show each seed by itself, each
# is proven; elsewhere the first stands for all, which differ in the membrane potentials at the start only.
CERTIFIED_SEEDS = None if "paper" in ANALYSES else 1
CERTIFICATES = of_event(each_network("<results>/verification/{network}-seed-{seed}.json", CERTIFIED_SEEDS))
COMPILED = of_event(each_network("<results>/{network}/networks/seed-{seed}.npz", CERTIFIED_SEEDS))

# what a shard is made with stands in its file, and `gather` compares it with what these say
ENGINE = {
    "event": {"code": digest("simulate_event.py")},
    "nengo-dl": {"code": digest("simulate_nengodl.py"), "minibatch": SIMULATION["minibatch"]},
}

if SIMULATION["engine"] == "event":

    rule compile_network:
        input:
            model=model_of_network,
        output:
            "<results>/{network}/networks/seed-{seed}.npz",
        log:
            "<logs>/compile_network/{network}/seed-{seed}.log",
        benchmark:
            "<benchmarks>/compile_network/{network}/seed-{seed}.tsv"
        priority: 2  # what takes longest, and what much waits for, starts first
        conda:
            "../../envs/tensorflow.yaml"
        threads: 1
        resources:
            mem_mb=growing(3000),
            runtime=growing(20),
        params:
            code=digest("compile_network.py"),
            cnn=settings_of_networks_cnn,
            neuron=setting("neuron"),
            neuron_parameters=setting("neuron_parameters"),
            max_rate_hz=setting("max_rate_hz"),
            initial_voltage=setting("initial_voltage"),
        script:
            "../scripts/compile_network.py"

    rule verify:
        input:
            model=model_of_network,
            images="<results>/images/test.npz",
            network="<results>/{network}/networks/seed-{seed}.npz",
        output:
            "<results>/verification/{network}-seed-{seed}.json",
        log:
            "<logs>/verify/{network}/seed-{seed}.log",
        benchmark:
            "<benchmarks>/verify/{network}/seed-{seed}.tsv"
        priority: 1
        conda:
            "../../envs/tensorflow.yaml"
        threads: 1
        resources:
            mem_mb=growing(4000),
            runtime=growing(len(TAUS) * minutes(config["verification"]["images"], "nengo-dl")),
        params:
            code=digest("verify.py"),
            cnn=settings_of_networks_cnn,
            neuron=setting("neuron"),
            neuron_parameters=setting("neuron_parameters"),
            max_rate_hz=setting("max_rate_hz"),
            initial_voltage=setting("initial_voltage"),
            # all time constants in one job: starting TensorFlow takes longer than their simulation
            tau_syn_s=setting("tau_syn_s"),
            dt_s=SNN["dt_s"],
            steps=SNN["steps"],
            images=min(config["verification"]["images"], TEST_IMAGES),
            tolerance=config["verification"]["tolerance"],
        script:
            "../scripts/verify.py"

    rule simulate:
        input:
            images="<results>/images/{images}.npz",
            network="<results>/{network}/networks/seed-{seed}.npz",
        output:
            "<results>/{network}/tau-{tau}/seed-{seed}/{images}-{scatteritem}.npz",
        log:
            "<logs>/simulate/{network}/tau-{tau}/seed-{seed}/{images}-{scatteritem}.log",
        benchmark:
            "<benchmarks>/simulate/{network}/tau-{tau}/seed-{seed}/{images}-{scatteritem}.tsv"
        conda:
            "../../envs/simulate.yaml"
        threads: 1
        resources:
            mem_mb=growing(megabytes(TEST_IMAGES, SHARD)),
            runtime=growing(minutes(SHARD, "event")),
        params:
            code=digest("simulate_event.py"),
            cnn=settings_of_networks_cnn,
            neuron=setting("neuron"),
            neuron_parameters=setting("neuron_parameters"),
            max_rate_hz=setting("max_rate_hz"),
            initial_voltage=setting("initial_voltage"),
            tau_syn_s=tau_syn_s,
            dt_s=SNN["dt_s"],
            steps=SNN["steps"],
            precision=SIMULATION["precision"],
            positions=positions,
        script:
            "../scripts/simulate_event.py"

else:

    rule simulate:
        input:
            images="<results>/images/{images}.npz",
            network=model_of_network,  # which NengoDL converts itself
        output:
            "<results>/{network}/tau-{tau}/seed-{seed}/{images}-{scatteritem}.npz",
        log:
            "<logs>/simulate/{network}/tau-{tau}/seed-{seed}/{images}-{scatteritem}.log",
        benchmark:
            "<benchmarks>/simulate/{network}/tau-{tau}/seed-{seed}/{images}-{scatteritem}.tsv"
        conda:
            "../../envs/tensorflow.yaml"
        threads: 1
        resources:
            mem_mb=growing(4000),
            runtime=growing(minutes(SHARD, "nengo-dl")),
        params:
            code=digest("simulate_nengodl.py"),
            cnn=settings_of_networks_cnn,
            neuron=setting("neuron"),
            neuron_parameters=setting("neuron_parameters"),
            max_rate_hz=setting("max_rate_hz"),
            initial_voltage=setting("initial_voltage"),
            tau_syn_s=tau_syn_s,
            dt_s=SNN["dt_s"],
            steps=SNN["steps"],
            precision=SIMULATION["precision"],
            minibatch=SIMULATION["minibatch"],
            positions=positions,
        script:
            "../scripts/simulate_nengodl.py"


use rule simulate as show with:  # the image whose logits are shown, at every time constant: one start for all
    input:
        images="<results>/images/logit_image.npz",
        network=simulated_from,
    output:
        "<results>/{network}/logit_image/seed-{seed}.npz",
    log:
        "<logs>/show/{network}/seed-{seed}.log",
    benchmark:
        "<benchmarks>/show/{network}/seed-{seed}.tsv"


rule gather:
    input:
        images="<results>/images/test.npz",
        network=simulated_from,
        shards=gather.test("<results>/{{network}}/tau-{{tau}}/seed-{{seed}}/test-{scatteritem}.npz"),
    output:
        responses="<results>/{network}/tau-{tau}/seed-{seed}/test.npz",
        scores="<results>/{network}/tau-{tau}/seed-{seed}/scores.json",
    log:
        "<logs>/gather/{network}/tau-{tau}/seed-{seed}.log",
    benchmark:
        "<benchmarks>/gather/{network}/tau-{tau}/seed-{seed}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=growing(megabytes(TEST_IMAGES, TEST_IMAGES)),
        runtime=growing(10 + TEST_IMAGES / 1000),
    params:
        code=digest("gather.py"),
        settings=simulation_settings,
        seed_matters=seed_matters,
    script:
        "../scripts/gather.py"


use rule gather as gather_validation with:
    input:
        images="<results>/images/validation.npz",
        network=simulated_from,
        shards=gather.validation("<results>/{{network}}/tau-{{tau}}/seed-{{seed}}/validation-{scatteritem}.npz"),
    output:
        responses="<results>/{network}/tau-{tau}/seed-{seed}/validation.npz",
        scores="<results>/{network}/tau-{tau}/seed-{seed}/validation-scores.json",
    log:
        "<logs>/gather_validation/{network}/tau-{tau}/seed-{seed}.log",
    benchmark:
        "<benchmarks>/gather_validation/{network}/tau-{tau}/seed-{seed}.tsv"
