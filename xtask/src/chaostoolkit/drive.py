"""What Chaos Toolkit says to a corpus: tolerances, substitutions, valid and invalid experiments, whole runs.

Called with the corpus, the fixtures of the parser and a scratch directory; prints one JSON document.
Everything goes through the installed packages: the runs through the `chaos` command itself.
"""

import json
import os
import pathlib
import sys

import yaml
from chaoslib import substitute
from chaoslib.exceptions import ChaosException
from chaoslib.experiment import ensure_experiment_is_valid
from chaoslib.hypothesis import within_tolerance
from chaostoolkit.cli import cli
from click.testing import CliRunner


def load(path):
    text = path.read_text()
    return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


def tolerance(case):
    try:
        met = within_tolerance(
            case["tolerance"], case["value"], case.get("configuration", {}), case.get("secrets", {})
        )
    except Exception as error:  # what is not caught breaks the run off
        return f"{type(error).__name__}"
    return bool(met)


def valid(path):
    try:
        ensure_experiment_is_valid(load(path))
    except ChaosException:
        return False
    except Exception as error:
        return f"{type(error).__name__}"
    return True


def run(path, scratch):
    here = scratch / path.stem
    here.mkdir(parents=True, exist_ok=True)
    (here / "flag").touch()
    os.chdir(here)
    # Settings of whoever runs this are none of the corpus.
    arguments = ["--settings", str(here / "settings.yaml"), "--no-version-check"]
    arguments += ["--log-file", str(here / "chaos.log"), "run", str(path)]
    result = CliRunner().invoke(cli, arguments)
    journal = here / "journal.json"
    if not journal.exists():
        return {"error": repr(result.exception), "exit": result.exit_code}
    return {"exit": result.exit_code, "journal": json.loads(journal.read_text())}


def main():
    corpus, fixtures, scratch = (pathlib.Path(argument).resolve() for argument in sys.argv[1:4])
    runs = sorted((corpus / "runs").iterdir())
    files = sorted((fixtures / "valid").iterdir()) + sorted((fixtures / "invalid").iterdir())
    answer = {
        "tolerances": [tolerance(case) for case in load(corpus / "tolerances.json")],
        "substitutions": [
            substitute(case["data"], case.get("configuration", {}), case.get("secrets", {}))
            for case in load(corpus / "substitutions.json")
        ],
        "valid": {f"{path.parent.name}/{path.name}": valid(path) for path in files},
        "runs": {path.name: run(path, scratch) for path in runs},
    }
    json.dump(answer, sys.__stdout__)


main()
