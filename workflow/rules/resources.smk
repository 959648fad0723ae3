"""What jobs need: memory and time by the size of the experiment, and more each time that a job is tried again."""


def growing(first):
    """A limit that grows with the attempt: `first`, then twice, then three times as much."""

    def limit(wildcards, attempt):
        return math.ceil(first * attempt)

    return limit


# Measured on one core for the paper's network in double precision (benchmarks/cost.py), rounded up. Jobs ask for ten times
# as long: for slower cores and larger networks, and because a job that ends early costs nothing.
SECONDS_PER_IMAGE_STEP = {"event": 2e-4, "nengo-dl": 6e-3}


def minutes(images, engine):
    """Minutes to ask for to simulate so many images, beside 10 for the start of a job on a busy cluster."""
    return 10 + 10 * images * SNN["steps"] * SECONDS_PER_IMAGE_STEP[engine] / 60


def megabytes(images_read, images_simulated):
    """Memory to ask for where no TensorFlow runs: of Python itself, pixels and logits, with the copies made of them."""
    return 700 + 0.04 * images_read + 5e-4 * SNN["steps"] * images_simulated
