"""What is given to scheduled retraining is checked when it is set up."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepfake.corpora.shards import set_latest
from deepfake.errors import ConfigError
from deepfake.storage import DataRoot
from flows.server.retrain_inputs import resolve_retraining
from tests.voice_corpus import voice_files, write_voice_corpus


def test_a_corpus_of_speech_is_not_scheduled(tmp_path: Path) -> None:
    snapshot = write_voice_corpus(tmp_path, voice_files({"train": 1}))
    set_latest(snapshot.corpus_dir, snapshot.digest)
    with pytest.raises(ConfigError, match="voices is a corpus of speech") as caught:
        resolve_retraining(
            DataRoot(tmp_path), dataset=["voices"], held_out=None, name=None, kept={}
        )
    assert "retrain --modality voice --dataset voices" in str(caught.value.hint)
