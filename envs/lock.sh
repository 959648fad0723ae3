#!/usr/bin/env bash
# Pin every package: one lock with hashes for pip, and from it the conda environments of the rules.
set -euo pipefail
cd "$(dirname "$0")"
export UV_CUSTOM_COMPILE_COMMAND="make lock"
resolve() { uv pip compile --quiet --python-version "$1" --generate-hashes --no-annotate ./*.in "${@:2}"; }
resolve 3.11 --output-file requirements.lock
for version in 3.12 3.13; do # which the same packages must serve
    resolve $version --constraint requirements.lock | diff requirements.lock -
done
environment() { # NAME FILE.in...: the conda environment NAME.yaml of what the files ask for
    local name=$1
    shift
    {
        printf '# made by `make lock` from requirements.lock and %s\n' "$*"
        printf 'name: csnn-%s\nchannels:\n  - conda-forge\n  - nodefaults\ndependencies:\n' "$name"
        printf '  - python =3.11\n  - pip\n  - pip:\n'
        uv pip compile --quiet --python-version 3.11 --no-header --no-annotate \
            --constraint <(sed -n 's/^\([a-z0-9._-]*==[^ ;]*\).*/\1/p' requirements.lock) "$@" | sed 's/^/      - /'
    } > "$name.yaml"
}
environment tensorflow tensorflow.in simulate.in metrics.in
environment simulate simulate.in
environment analysis analysis.in metrics.in
