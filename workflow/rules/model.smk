"""The CNN: trained, or built with given weights; variants made from it; and what they answer."""

CNN = config["cnn"]
BUILDER = CNN["architecture"]["builder"]
ARCHITECTURE = (
    {"builder": BUILDER} if BUILDER else {key: value for key, value in CNN["architecture"].items() if key != "builder"}
)
BUILDER_FILE = [BUILDER.rpartition(":")[0]] if BUILDER else []

if CNN["weights"] is None:

    rule train_cnn:
        input:
            dataset=DATASET,
            builder=BUILDER_FILE,
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
        threads: 1  # sums over threads would make the weights depend on their number
        resources:
            mem_mb=growing(4000),
            runtime=growing(20 + 5 * CNN["training"]["epochs"]),
        params:
            code=digest("train_cnn.py"),
            cnn=cnn_settings(sweep.BASE),
            architecture=ARCHITECTURE,
            training=CNN["training"],
            held_out=VALIDATION_IMAGES,
        script:
            "../scripts/train_cnn.py"

else:

    rule load_cnn:
        input:
            dataset=DATASET,
            weights=CNN["weights"],
            builder=BUILDER_FILE,
        output:
            model="<results>/cnn/model.h5",
            architecture="<results>/cnn/architecture.json",
        log:
            "<logs>/load_cnn.log",
        benchmark:
            "<benchmarks>/load_cnn.tsv"
        conda:
            "../../envs/tensorflow.yaml"
        threads: 1
        resources:
            mem_mb=growing(3000),
            runtime=growing(10),
        params:
            code=digest("load_cnn.py"),
            cnn=cnn_settings(sweep.BASE),
            architecture=ARCHITECTURE,
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
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(20),
    params:
        code=digest("evaluate_cnn.py"),
        cnn=cnn_settings(sweep.BASE),
    script:
        "../scripts/evaluate_cnn.py"


rule variant:
    input:
        dataset=DATASET,
        parent=parent,
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
    threads: 1  # sums over threads would make the weights depend on their number
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        code=digest("variant.py"),
        cnn=settings_of_variant,
        parent=settings_of_parent,
        architecture=changed_architecture,
        tune=tuning,
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
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(20),
    params:
        code=digest("cnn_outputs.py"),
        cnn=settings_of_cnn,
        rate_curve=own_rate_curve,
        activation_images=config["activity"]["images"],
    script:
        "../scripts/cnn_outputs.py"
