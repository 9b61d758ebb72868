"""Configuration: composition, refusals, round trip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from components.models.heavy_ranker.load import dump, load_config, preset_names
from mixer.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_survives_a_round_trip(name: str, tmp_path: Path) -> None:
    config = load_config(name)
    (tmp_path / "saved.yaml").write_text(dump(config))
    assert load_config(tmp_path / "saved.yaml") == config


def test_overrides_apply_in_order_and_reach_into_heads() -> None:
    sets = ["model.blocks=3", "model.blocks=2", "heads.is_replied.dropout=0.25", "model.mlp=[8, 4]"]
    config = load_config("laptop", sets)
    assert (config.model.blocks, config.heads["is_replied"].dropout, config.model.mlp) == (2, 0.25, (8, 4))
    assert load_config("laptop").model.blocks == 2


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.blcks=2", r"unknown key model\.blcks; did you mean blocks\?"),
        ("heads.is_replied.droput=0", r"unknown key heads\.is_replied\.droput; did you mean dropout\?"),
        ("features.ids.author_id.sise=5", r"unknown key features\.ids\.author_id\.sise; did you mean size\?"),
        ("model.blocks=two", r"Expected `int`, got `str` - at `\$\.model\.blocks`"),
        ("model.blocks=0", "blocks"),
        ("model.kind=masknet", r"Invalid enum value 'masknet' - at `\$\.model\.kind`"),
        ("model.block.reduction=2.0", "one of aggregation and reduction"),
        ("optimizer.schedule.kind=linear_ramp_to_cosine", "final_step"),
        ("no_equals", "expected key.path=value"),
    ],
)
def test_a_wrong_override_is_refused_where_it_is_wrong(override: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_config("laptop", [override])


def test_all_unknown_keys_are_listed_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_config("laptop", ["model.blcks=2", "trainings.steps=1"])
    assert len(caught.value.problems) == 2


def test_a_file_extends_a_preset_key_by_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"extends": "laptop", "model": {"blocks": 5}}))
    config = load_config(path)
    assert config.model.blocks == 5
    assert config.model.mlp == load_config("laptop").model.mlp


def test_a_misspelt_preset_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="did you mean recap_2023"):
        load_config("recap_203")


def test_extending_in_circles_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "loop.yaml"
    path.write_text(yaml.safe_dump({"extends": str(path)}))
    with pytest.raises(ConfigurationError, match="circles"):
        load_config(path)


def test_published_sampling_rates_and_learning_rates() -> None:
    config = load_config("recap_2023_sampled")
    negative = {name: head.rates.negative for name, head in config.heads.items()}
    assert negative["is_report_tweet_clicked"] == 1.4e-5
    assert negative["is_favorited"] == 0.01
    assert config.heads["is_retweeted"].rates.positive == 0.9561
    schedule = config.heads["is_video_playback_50"].schedule
    assert schedule is not None
    assert (schedule.learning_rate, schedule.ramp_steps) == (3e-3, 1000)
    assert config.optimizer.betas == (0.95, 0.999)
