"""Certificates must prove what was simulated."""

import pytest

from csnn.files import InputError, write_json
from csnn.verification import check_certificates


def test_a_certificate_must_prove_what_was_simulated(tmp_path):
    path = str(tmp_path / "LIF-seed-0.json")
    certificate = {"network": "LIF", "seed": 0, "largest_difference": 1e-15, "tolerance": 1e-9}
    certificate["compiled_network"] = "sha256:1"
    write_json(path, certificate)
    check_certificates([path], {("LIF", 0): "sha256:1", ("SRL", 0): "sha256:2"})
    with pytest.raises(InputError, match="is of another compiled network than the one that was simulated; delete it"):
        check_certificates([path], {("LIF", 0): "sha256:2"})
    write_json(path, certificate | {"largest_difference": 1e-8})
    with pytest.raises(InputError, match="shows a difference from NengoDL of 1e-08, more than its tolerance 1e-09"):
        check_certificates([path], {})
