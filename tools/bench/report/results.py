"""The committed results of GPUs, under the names of today's gpu-bench.py."""

import json
import pathlib

BENCH = pathlib.Path(__file__).resolve().parents[1]
# Up to the last of these, `sparsek_forward` was a whole call with its selection.
WHOLE_CALLS = ("20cb90a52a", "280a137d98")
RENAMED = {"M": "m", "N": "n", "E": "d", "Hq": "heads", "H": "kv_heads", "K": "k", "W": "w"}
# A measurement with one of these parameters is found by that parameter only.
SPECIAL = ("library", "tf32", "checkpoint")


class Run:
    """One file with measurements."""

    def __init__(self, path):
        found = json.loads(path.read_text())
        self.file, self.commit, self.date, self.device = path.name, found["commit"], found["date"], found["device"]
        self.measurements = [self._today(m) for m in found.get("measurements", [])]
        self.repeats = "only" in found  # some of what an earlier file has
        self.later = []  # runs whose measurements took the places of those here

    def repeat(self, later):
        """Takes the measurements of a later run instead of the same ones here."""
        self.later.append(later)
        places = {(m["name"], json.dumps(m["params"], sort_keys=True)): i for i, m in enumerate(self.measurements)}
        for m in later.measurements:
            place = places.get((m["name"], json.dumps(m["params"], sort_keys=True)))
            if place is None:
                self.measurements.append(m)
            else:
                self.measurements[place] = m

    def _today(self, m):
        names = {"rms_norm_gradient": "rms_norm_backward"}
        if self.commit in WHOLE_CALLS:
            names["sparsek_forward"] = "sparsek_forward_selection"
        params = {RENAMED.get(key, key): value for key, value in m["params"].items()}
        if m["name"] == "sparsek_selection":
            params.setdefault("scores", "normal")
        return m | {"name": names.get(m["name"], m["name"]), "params": params}

    def all(self, name, **params):
        """The measurements of this name whose parameters have these values."""
        return [m for m in self.measurements if m["name"] == name and all(m["params"].get(k) == v for k, v in params.items())
                and not any(key in m["params"] and key not in params for key in SPECIAL)]

    def one(self, name, **params):
        """The first such measurement, or None."""
        return next(iter(self.all(name, **params)), None)

    def get(self, key, name, **params):
        """A figure of the first such measurement, or None."""
        return (self.one(name, **params) or {}).get(key)

    def ms(self, name, **params):
        return self.get("median_ms", name, **params)


def runs():
    """All files of GPUs with measurements, oldest first."""
    found = [Run(path) for path in (BENCH / "results").glob("*-nvidia-*.json")]
    history = []
    for run in sorted((run for run in found if run.measurements), key=lambda run: run.date):
        before = [earlier for earlier in history if earlier.device == run.device]
        if run.repeats and before:
            before[-1].repeat(run)
        else:
            history.append(run)
    return history


# What most measurements of attention have in common.
USUAL = dict(n=32768, d=128, kv_heads=16)
LENGTHS = (4096, 8192, 16384, 32768, 65536, 131072, 262144)


def pass_of(run, direction, **sizes):
    """A pass of attention alone, keys selected already: `forward` or `backward`."""
    return run.one(f"sparsek_{direction}", **USUAL | sizes)
