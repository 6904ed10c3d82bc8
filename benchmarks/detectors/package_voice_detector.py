"""Copy a calibrated detector of voices into the package, with its scope and licence.

    python -m benchmarks.detectors.package_voice_detector BUNDLE --data-root data --measured CORPUS

writes `deepfake/detectors/packaged_voice/` and `tests/golden/packaged_voice.json`, the logits of
fixed sounds that a test compares with. Corpora that are `--measured` are counted in what the bundle
says of kinds that it did not learn, and move no threshold.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks import ROOT
from deepfake.corpora.shards import Snapshot, open_snapshot
from deepfake.detectors.voice.detector import load_voice_detector
from deepfake.detectors.voice_bundle import load_voice_bundle, save_voice_bundle
from deepfake.evaluation.voice import evaluate_voice
from deepfake.storage import DataRoot, engine_cache, write_json
from deepfake.training.calibrate.unseen_kinds import count_verdicts
from deepfake.verdicts.base_judgement import UnseenCorpus
from tests.golden.sounds import golden_windows

__all__ = ["main"]

PACKAGED = ROOT / "deepfake" / "detectors" / "packaged_voice"
GOLDEN = ROOT / "tests" / "golden" / "packaged_voice.json"

_SCOPE = (
    "Learnt: English speech made by espeak-ng, flite, festival, Piper and Kokoro, voices converted "
    "by WORLD, and copies of recordings by simple vocoders. Not learnt: neural voice conversion, "
    "cloning and other languages: a hint at most. Singing, music and phone calls were not measured."
)
_LICENCE = (
    "MIT for the weights as far as this project can give it. Trained on recordings of Picovoice's "
    "speech-to-intent benchmark (Apache-2.0), of GRID's speaker s1 (Cooke et al. 2006, CC BY 4.0) "
    "and of Asterisk's English and Spanish prompts (CC BY-SA 3.0, read as allowing this, since no "
    "recording can be had from the weights), and on speech made with Kokoro-82M (Apache-2.0), the "
    "Piper voice en_US-joe (MIT), festival, flite, espeak-ng and WORLD."
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the package's detector of voices and its golden logits."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detectors.package_voice_detector")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    parser.add_argument("--measured", nargs="*", default=[])
    given = parser.parse_args(arguments)
    bundle = load_voice_bundle(given.bundle)
    root = DataRoot(given.data_root.resolve())
    counts = [_count(open_snapshot(root, name), given.bundle) for name in given.measured]
    spec = bundle.spec.model_copy(
        update={
            "name": "deepfake-packaged-voice",
            "scope": _SCOPE,
            "licence": _LICENCE,
            "judgement": bundle.spec.judgement.model_copy(
                update={"unseen": (*bundle.spec.judgement.unseen, *counts)}
            ),
        }
    )
    save_voice_bundle(PACKAGED, state_dict=bundle.state_dict(), spec=spec, overwrite=True)
    for path in PACKAGED.iterdir():
        path.chmod(0o644)
    outputs = load_voice_detector(PACKAGED, device="cpu").head_outputs(golden_windows())
    write_json(GOLDEN, {name: [float(v) for v in values] for name, values in outputs.items()})
    print(f"{PACKAGED}: digest {load_voice_bundle(PACKAGED).digest}; {GOLDEN}")


def _count(snapshot: Snapshot, bundle: Path) -> UnseenCorpus:
    table = evaluate_voice(snapshot, bundle, "all", cache=engine_cache()).table
    return count_verdicts(
        snapshot.corpus,
        table["verdict"].astype(str).to_numpy(),
        is_fake=(table["label"].astype(str) == "fake").to_numpy(),
        digest=snapshot.digest,
    )


if __name__ == "__main__":
    main()
