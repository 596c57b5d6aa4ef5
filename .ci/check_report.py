"""Checks the output folder of `cargo xtask repro tldr`: files, the keys of report.json, and the bars of the run.

Usage: python3 .ci/check_report.py DIR
"""

import json
import pathlib
import sys

FILES = ["report.md", "report.html", "report.json", "metrics.jsonl", "config.toml"]
SYSTEMS = ["sft", "vanilla-dpo", "pdpo-individual", "pdpo-cluster"]
GROUPS = dict.fromkeys(["majority", "minority", "generic", "per_user"])
MEAN = {"mean": None, "se": None}
# Keys that tools rely on; the value is what must stand inside.
REPORT = {
    "experiment": None,
    "preset": None,
    "seed": None,
    "data": dict.fromkeys(["source", "train", "eval", "workers"]),
    "model": dict.fromkeys(["source", "parameters"]),
    "systems": None,
    "yardsticks": None,
    "verdicts": dict.fromkeys(["e1", "e2"]),
}
SYSTEM = {
    "name": None,
    "accuracy": {"top": None, "generic": None, "majority": MEAN, "minority": MEAN},
    "words": GROUPS,
    "empty_share": GROUPS,
    "trainable": dict.fromkeys(["llm", "users"]),
    "comparisons_per_second": None,
    "peak_rss_bytes": None,
}


def missing(value, keys, path):
    """Paths of `keys` that `value` lacks."""
    for key, inside in keys.items():
        here = f"{path}.{key}"
        if not isinstance(value, dict) or key not in value:
            yield here
        elif inside:
            yield from missing(value[key], inside, here)


def bars(report):
    """What the run must reach: (sentence, whether it does)."""
    accuracy = {system["name"]: system["accuracy"] for system in report["systems"]}
    vanilla = accuracy["vanilla-dpo"]
    at_most = lambda value, bar: value is not None and value <= bar
    at_least = lambda value, bar: value is not None and value >= bar
    yield (f"vanilla DPO: minority {vanilla['minority']['mean']} at most 0.15",
           at_most(vanilla["minority"]["mean"], 0.15))
    for name in ["pdpo-individual", "pdpo-cluster"]:
        ours = accuracy[name]
        yield f"{name}: top {ours['top']} at least 0.95", at_least(ours["top"], 0.95)
        for group in ["majority", "minority"]:
            mean = ours[group]["mean"]
            yield f"{name}: {group} {mean} at least 0.90", at_least(mean, 0.90)
        generic = [ours["generic"], vanilla["generic"]]
        yield (f"{name}: generic {generic[0]} within 0.05 of vanilla DPO's {generic[1]}",
               None not in generic and abs(generic[0] - generic[1]) <= 0.05 + 1e-9)
    for key, verdict in report["verdicts"].items():
        yield f"{key}: {verdict['text']}", verdict["holds"] is True


def main(folder):
    lacking = [name for name in FILES if not (folder / name).is_file()]
    if lacking:
        sys.exit(f"{folder} lacks {', '.join(lacking)}")
    report = json.loads((folder / "report.json").read_text("utf-8"))
    lacking = list(missing(report, REPORT, "report"))
    for number, system in enumerate(report.get("systems", [])):
        lacking += missing(system, SYSTEM, f"report.systems[{number}]")
    names = [system.get("name") for system in report.get("systems", [])]
    lacking += [f"system {name}" for name in SYSTEMS if name not in names]
    if lacking:
        sys.exit("report.json lacks " + ", ".join(lacking))
    lines = (folder / "metrics.jsonl").read_text("utf-8").splitlines()
    if not lines or not all(isinstance(json.loads(line), dict) for line in lines):
        sys.exit("metrics.jsonl does not hold one object a line")

    failed = 0
    for sentence, holds in bars(report):
        print("ok    " if holds else "FAILED", sentence)
        failed += not holds
    if failed:
        sys.exit(f"{failed} bars were missed")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]))
