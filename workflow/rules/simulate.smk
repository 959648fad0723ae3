"""The spiking networks: one job for each shard of each configuration (neuron x time constant x seed)."""

if SIMULATION["engine"] == "event":

    rule compile_network:
        input:
            model="<results>/cnn/model.h5",
        output:
            "<results>/{neuron}/networks/seed-{seed}.npz",
        log:
            "<logs>/compile_network/{neuron}/seed-{seed}.log",
        benchmark:
            "<benchmarks>/compile_network/{neuron}/seed-{seed}.tsv"
        priority: 2  # what takes longest, and what much waits for, starts first
        conda:
            "../../envs/tensorflow.yaml"
        threads: 1
        resources:
            mem_mb=growing(3000),
            runtime=growing(20),
        params:
            code=digest("compile_network.py"),
            neuron_parameters=neuron_parameters,
            max_rate_hz=SNN["max_rate_hz"],
        script:
            "../scripts/compile_network.py"

    rule verify:
        input:
            model="<results>/cnn/model.h5",
            images="<results>/images/test.npz",
            network="<results>/{neuron}/networks/seed-{seed}.npz",
        output:
            "<results>/verification/{neuron}-seed-{seed}.json",
        log:
            "<logs>/verify/{neuron}/seed-{seed}.log",
        benchmark:
            "<benchmarks>/verify/{neuron}/seed-{seed}.tsv"
        priority: 1
        conda:
            "../../envs/tensorflow.yaml"
        threads: 1
        resources:
            mem_mb=growing(4000),
            runtime=growing(len(TAUS) * minutes(config["verification"]["images"], "nengo-dl")),
        params:
            code=digest("verify.py"),
            neuron_parameters=neuron_parameters,
            max_rate_hz=SNN["max_rate_hz"],
            # all time constants in one job: starting TensorFlow takes longer than their simulation
            tau_syn_s=list(TAUS.values()),
            dt_s=SNN["dt_s"],
            steps=SNN["steps"],
            images=min(config["verification"]["images"], TEST_IMAGES),
            tolerance=config["verification"]["tolerance"],
        script:
            "../scripts/verify.py"

    rule simulate:
        input:
            images="<results>/images/{images}.npz",
            network="<results>/{neuron}/networks/seed-{seed}.npz",
        output:
            "<results>/{neuron}/tau-{tau}/seed-{seed}/{images}-{scatteritem}.npz",
        log:
            "<logs>/simulate/{neuron}/tau-{tau}/seed-{seed}/{images}-{scatteritem}.log",
        benchmark:
            "<benchmarks>/simulate/{neuron}/tau-{tau}/seed-{seed}/{images}-{scatteritem}.tsv"
        conda:
            "../../envs/simulate.yaml"
        threads: 1
        resources:
            mem_mb=growing(megabytes(TEST_IMAGES, SIMULATION["images_per_shard"])),
            runtime=growing(minutes(SIMULATION["images_per_shard"], "event")),
        params:
            code=digest("simulate_event.py"),
            neuron_parameters=neuron_parameters,
            max_rate_hz=SNN["max_rate_hz"],
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
            model="<results>/cnn/model.h5",
        output:
            "<results>/{neuron}/tau-{tau}/seed-{seed}/{images}-{scatteritem}.npz",
        log:
            "<logs>/simulate/{neuron}/tau-{tau}/seed-{seed}/{images}-{scatteritem}.log",
        benchmark:
            "<benchmarks>/simulate/{neuron}/tau-{tau}/seed-{seed}/{images}-{scatteritem}.tsv"
        conda:
            "../../envs/tensorflow.yaml"
        threads: 1
        resources:
            mem_mb=growing(4000),
            runtime=growing(minutes(SIMULATION["images_per_shard"], "nengo-dl")),
        params:
            code=digest("simulate_nengodl.py"),
            neuron_parameters=neuron_parameters,
            max_rate_hz=SNN["max_rate_hz"],
            tau_syn_s=tau_syn_s,
            dt_s=SNN["dt_s"],
            steps=SNN["steps"],
            precision=SIMULATION["precision"],
            minibatch=SIMULATION["minibatch"],
            positions=positions,
        script:
            "../scripts/simulate_nengodl.py"


rule gather:
    input:
        images="<results>/images/test.npz",
        shards=gather.test("<results>/{{neuron}}/tau-{{tau}}/seed-{{seed}}/test-{scatteritem}.npz"),
    output:
        responses="<results>/{neuron}/tau-{tau}/seed-{seed}/test.npz",
        scores="<results>/{neuron}/tau-{tau}/seed-{seed}/scores.json",
    log:
        "<logs>/gather/{neuron}/tau-{tau}/seed-{seed}.log",
    benchmark:
        "<benchmarks>/gather/{neuron}/tau-{tau}/seed-{seed}.tsv"
    conda:
        "../../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=growing(megabytes(TEST_IMAGES, TEST_IMAGES)),
        runtime=growing(10 + TEST_IMAGES / 1000),
    params:
        code=digest("gather.py"),
    script:
        "../scripts/gather.py"
