"""What `make precision` measures the energy model by."""

from types import SimpleNamespace

import numpy as np

from bentos.energy import data, scored


def test_truth_scores_one_and_what_is_off_scores_less(monkeypatch, simulated_csv):
    found = SimpleNamespace(simulated=True)
    monkeypatch.setattr(data, "find", lambda: (simulated_csv, found))
    made = scored.scored()
    truth = data.parse(simulated_csv).power_kw.astype(np.float32)
    assert len(made.x) == len(truth)
    assert min(made.measure(truth).values()) > 0.999999
    assert max(made.measure(truth * 1.1).values()) < 0.99
    assert "(simulated)" in made.items
    assert made.calibration is None
