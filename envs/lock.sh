#!/usr/bin/env bash
# Pin every package: one lock with hashes for pip, and from it the conda environments of the rules.
set -euo pipefail
cd "$(dirname "$0")"
export UV_CUSTOM_COMPILE_COMMAND="make lock"
uv pip compile --quiet --python-version 3.11 --generate-hashes --no-annotate \
    requirements.in --output-file requirements.lock
for name in tensorflow simulate analysis; do
    {
        printf '# made by `make lock` from %s.in and requirements.lock\n' "$name"
        printf 'name: csnn-%s\nchannels:\n  - conda-forge\n  - nodefaults\ndependencies:\n' "$name"
        printf '  - python =3.11\n  - pip\n  - pip:\n'
        uv pip compile --quiet --python-version 3.11 --no-header --no-annotate \
            --constraint <(sed -n 's/^\([a-z0-9._-]*==[^ ;]*\).*/\1/p' requirements.lock) "$name.in" | sed 's/^/      - /'
    } > "$name.yaml"
done
