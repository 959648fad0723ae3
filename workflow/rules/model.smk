"""The CNN: trained, or built with given weights; variants made from it; and what they answer."""

CNN = config["cnn"]
if CNN["weights"] is None:

    rule train_cnn:
        input:
            dataset=DATASET,
            builder=sweep.builder_file,
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
            weights=CNN["weights"],
            builder=sweep.builder_file,
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
        script:
            "../scripts/load_cnn.py"


rule evaluate_cnn:
    input:
        dataset=DATASET,
        images="<results>/images/test.npz",
        model="<results>/cnn/model.h5",
    output:
        evaluation="<results>/cnn/evaluation.json",
        logits="<results>/cnn/logits.npz",
    log:
        "<logs>/evaluate_cnn.log",
    benchmark:
        "<benchmarks>/evaluate_cnn.tsv"
    conda:
        "../../envs/tensorflow.yaml"
    resources:
        mem_mb=scaled_by_attempt(4000),
        runtime=scaled_by_attempt(20),
    params:
        code=digest("evaluate_cnn.py"),
        cnn=sweep.cnn_settings(BASE),
    script:
        "../scripts/evaluate_cnn.py"


rule variant:
    input:
        dataset=DATASET,
        parent=sweep.parent_model,
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
        tune=sweep.variant_tuning,
        held_out=VALIDATION_IMAGES,
    script:
        "../scripts/variant.py"


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
