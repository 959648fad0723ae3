"""The CNN: trained, or built with given weights; variants made from it; and what they answer."""

CNN = config["cnn"]


rule check_cnn:  # what cannot be converted, simulated or held in memory is refused before a CNN is trained
    input:
        dataset=DATASET,
        files=ancient(sweep.files_of_cnn),  # whose content counts
    output:
        "<results>/{cnn}/checked.json",
    log:
        "<logs>/check_cnn/{cnn}.log",
    benchmark:
        "<benchmarks>/check_cnn/{cnn}.tsv"
    priority: 4  # before any training
    conda:
        "../../envs/tensorflow.yaml"
    resources:
        mem_mb=scaled_by_attempt(4000),
        runtime=scaled_by_attempt(20),
    params:
        # not its code: no number depends on it, and what it checks is checked again before anything is simulated
        architecture=sweep.architecture_of_cnn,
        builder_code=sweep.builder_code,
        content=sweep.content_of_cnn,
        weights=sweep.weights_of_cnn,
        dataset=sweep.dataset,
        networks=sweep.networks_of_cnn,
        duration=sweep.duration,
        engine=sweep.engine,
    script:
        "../scripts/check_cnn.py"


if sweep.trains:

    rule train_cnn:
        input:
            dataset=DATASET,
            checked="<results>/cnn/checked.json",
        output:
            model="<results>/cnn/model.h5",
            architecture="<results>/cnn/architecture.json",
            history="<results>/cnn/history.json",
        log:
            "<logs>/train_cnn.log",
        benchmark:
            "<benchmarks>/train_cnn.tsv"
        conda:
            "../../envs/tensorflow.yaml"
        resources:
            mem_mb=scaled_by_attempt(4000),
            runtime=scaled_by_attempt(20 + 5 * CNN["training"]["epochs"]),
        params:
            code=digest("train_cnn.py"),
            cnn=sweep.cnn_settings(BASE),
            architecture=sweep.architecture,
            training=CNN["training"],
            held_out=VALIDATION_IMAGES,
        script:
            "../scripts/train_cnn.py"

else:

    rule load_cnn:
        input:
            dataset=DATASET,
            files=ancient(sweep.files(BASE)),  # whose content counts
            checked="<results>/cnn/checked.json",
        output:
            model="<results>/cnn/model.h5",
            architecture="<results>/cnn/architecture.json",
        log:
            "<logs>/load_cnn.log",
        benchmark:
            "<benchmarks>/load_cnn.tsv"
        conda:
            "../../envs/tensorflow.yaml"
        resources:
            mem_mb=scaled_by_attempt(3000),
            runtime=scaled_by_attempt(10),
        params:
            code=digest("load_cnn.py"),
            cnn=sweep.cnn_settings(BASE),
            architecture=sweep.architecture,
            weights=CNN["weights"],
        script:
            "../scripts/load_cnn.py"


rule variant:
    input:
        dataset=DATASET,
        parent=sweep.parent_model,
        files=ancient(sweep.variant_files),  # whose content counts
        checked="<results>/cnn/{variant}/checked.json",
    output:
        model="<results>/cnn/{variant}/model.h5",
        architecture="<results>/cnn/{variant}/architecture.json",
        history="<results>/cnn/{variant}/history.json",
    log:
        "<logs>/variant/{variant}.log",
    benchmark:
        "<benchmarks>/variant/{variant}.tsv"
    priority: 3  # what most others wait for
    conda:
        "../../envs/tensorflow.yaml"
    resources:
        mem_mb=scaled_by_attempt(4000),
        runtime=scaled_by_attempt(60),
    params:
        code=digest("variant.py"),
        cnn=sweep.variant_settings,
        parent=sweep.parent_settings,
        architecture=sweep.variant_architecture,
        weights=sweep.variant_weights,
        tune=sweep.variant_tuning,
        held_out=VALIDATION_IMAGES,
    script:
        "../scripts/variant.py"


rule verify_cnn:  # before anything is simulated
    input:
        dataset=DATASET,
        images="<results>/images/test.npz",
        model="<results>/{cnn}/model.h5",
    output:
        "<results>/verification/{cnn}-rate-{rates}.json",
    log:
        "<logs>/verify_cnn/{cnn}/rate-{rates}.log",
    benchmark:
        "<benchmarks>/verify_cnn/{cnn}/rate-{rates}.tsv"
    priority: 3
    conda:
        "../../envs/tensorflow.yaml"
    resources:
        mem_mb=scaled_by_attempt(4000),
        runtime=scaled_by_attempt(20),
    params:
        code=digest("verify_cnn.py"),
        cnn=sweep.settings_of_cnn,
        max_rate_hz=sweep.max_rate_hz,
        images=min(config["verification"]["images"], TEST_IMAGES),
        held_out=VALIDATION_IMAGES,
    script:
        "../scripts/verify_cnn.py"


rule quantise_cnn:
    input:
        dataset=DATASET,
        images="<results>/images/test.npz",
        model="<results>/{cnn}/model.h5",
    output:
        "<results>/{cnn}/quantised.npz",
    log:
        "<logs>/quantise_cnn/{cnn}.log",
    benchmark:
        "<benchmarks>/quantise_cnn/{cnn}.tsv"
    conda:
        "../../envs/tensorflow.yaml"
    resources:
        mem_mb=scaled_by_attempt(4000),
        runtime=scaled_by_attempt(20),
    params:
        code=digest("quantise_cnn.py"),
        cnn=sweep.settings_of_cnn,
        bits=config["cost"]["bits"],
        held_out=VALIDATION_IMAGES,
    script:
        "../scripts/quantise_cnn.py"


rule cnn_outputs:
    input:
        images="<results>/images/{images}.npz",
        model="<results>/{cnn}/model.h5",
    output:
        logits="<results>/{cnn}/{images}-logits.npz",
        activations="<results>/{cnn}/{images}-activations.npz",
    log:
        "<logs>/cnn_outputs/{cnn}/{images}.log",
    benchmark:
        "<benchmarks>/cnn_outputs/{cnn}/{images}.tsv"
    conda:
        "../../envs/tensorflow.yaml"
    resources:
        mem_mb=scaled_by_attempt(4000),
        runtime=scaled_by_attempt(20),
    params:
        code=digest("cnn_outputs.py"),
        cnn=sweep.settings_of_cnn,
        rate_curve=sweep.rate_curve_of_cnn,
        activation_images=config["activity"]["images"],
    script:
        "../scripts/cnn_outputs.py"
