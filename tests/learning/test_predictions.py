"""Predictions on disk, several as one, weighed by rarity, and what one gains over another."""

import math
from pathlib import Path

import numpy as np
import pytest

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.compare import compare_predictions, read_support, write_gains
from naflora_etl.learning.ensemble import join_predictions, spread_odds, weigh_by_rarity
from naflora_etl.learning.predictions import Predictions, keep_likeliest, read_predictions
from naflora_etl.learning.releases import open_release

SPECIES = ("A a", "B b", "C c")
ODDS = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]], np.float32)


def predictions(odds: np.ndarray = ODDS, kept: int = 3, keys: tuple[str, ...] = ("k1", "k2")) -> Predictions:
    return Predictions(keys, *keep_likeliest(np.log(odds), kept), SPECIES, {"run": "r"})


def test_they_come_back_from_disk_as_they_were(tmp_path: Path):
    before = predictions(kept=2)
    before.write(tmp_path / "p.parquet")
    after = read_predictions(tmp_path / "p.parquet")
    assert (after.image_keys, after.classes, after.told) == (before.image_keys, before.classes, before.told)
    assert after.class_ids.tolist() == [[0, 1], [2, 1]]
    assert np.array_equal(after.log_odds, before.log_odds)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "no such file of predictions; `naflora predict` makes one", id="missing"),
        pytest.param(b"hello", "cannot be read as predictions", id="no Parquet"),
    ],
)
def test_what_is_none_is_told(content: bytes | None, message: str, tmp_path: Path):
    if content:
        (tmp_path / "p.parquet").write_bytes(content)
    with pytest.raises(Fault, match=message):
        read_predictions(tmp_path / "p.parquet")


def test_another_table_is_told(release: Path):
    with pytest.raises(Fault, match="holds no predictions of `naflora predict`"):
        read_predictions(release / "manifest.parquet")


def test_k_larger_than_the_list_is_the_list():
    assert keep_likeliest(np.log(ODDS), 50)[0].shape == (2, 3)


class TestEnsemble:
    def test_the_mean_of_odds(self):
        other = predictions(ODDS[:, ::-1].copy())
        joined = join_predictions([predictions(), other], weights=[3, 1])
        assert np.exp(joined.log_odds[0]).tolist() == pytest.approx([0.425, 0.3, 0.275])
        assert joined.class_ids[0].tolist() == [0, 1, 2]

    def test_the_mean_of_log_odds_is_their_product(self):
        other = predictions(ODDS[:, ::-1].copy())
        joined = join_predictions([predictions(), other], mean="log-odds")
        raw = np.sqrt(ODDS[0] * ODDS[0, ::-1])
        assert sorted(np.exp(joined.log_odds[0])) == pytest.approx(sorted(raw / raw.sum()))

    def test_one_alone_stays_as_it_is(self):
        joined = join_predictions([predictions()])
        assert np.allclose(joined.log_odds, predictions().log_odds, atol=1e-6)

    def test_the_order_of_sheets_in_a_file_does_not_matter(self):
        other = predictions(ODDS[::-1].copy(), keys=("k2", "k1"))
        assert np.allclose(join_predictions([predictions(), other]).log_odds, predictions().log_odds, atol=1e-6)

    def test_what_was_not_kept_shares_the_rest(self):
        assert spread_odds(predictions(kept=1), [0])[0].tolist() == pytest.approx([0.5, 0.25, 0.25])

    @pytest.mark.parametrize(
        ("weights", "keys", "message"),
        [
            pytest.param([1.0, float("nan")], ("k1", "k2"), "give one each, finite", id="a weight that is no number"),
            pytest.param([1.0, float("inf")], ("k1", "k2"), "give one each, finite", id="an endless weight"),
            pytest.param([1.0], ("k1", "k2"), "1 weights for 2 predictions; give one each", id="too few weights"),
            pytest.param([1, -1], ("k1", "k2"), "none below 0", id="a weight below nothing"),
            pytest.param(None, ("k1", "k3"), "are not of the same images", id="other sheets"),
        ],
    )
    def test_what_does_not_fit_together_is_told(self, weights: list[float], keys: tuple[str, ...], message: str):
        with pytest.raises(Fault, match=message):
            join_predictions([predictions(), predictions(keys=keys)], weights=weights)


class TestRarity:
    COUNTS = np.array([100, 10, 10])

    def test_a_power_of_nothing_changes_nothing(self):
        assert weigh_by_rarity(predictions(), self.COUNTS, 0).class_ids.tolist() == predictions().class_ids.tolist()

    def test_odds_are_divided_by_the_training_images(self):
        weighed = weigh_by_rarity(predictions(), self.COUNTS, 1)
        assert weighed.class_ids[0].tolist() == [1, 2, 0]
        expected = np.array([0.03, 0.02, 0.005])
        assert np.exp(weighed.log_odds[0]).tolist() == pytest.approx((expected / expected.sum()).tolist(), abs=1e-5)


@pytest.fixture
def two_models(release: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A is right on the first four species, B on all."""
    opened = open_release(release)
    part = opened.part("test")
    for name, right in (("a", part.class_ids < 4), ("b", np.ones(len(part), bool))):
        answers = np.where(right, part.class_ids, (part.class_ids + 1) % 6)
        odds = np.full((len(part), 6), math.log(0.02), np.float32)
        odds[np.arange(len(part)), answers] = math.log(0.9)
        ids, kept = keep_likeliest(odds, 3)
        Predictions(part.image_keys, ids, kept, opened.classes.species, {}).write(tmp_path / f"{name}.parquet")
    return tmp_path / "a.parquet", tmp_path / "b.parquet"


class TestCompare:
    def test_the_gain_of_each_family(self, two_models: tuple[Path, Path], release: Path, tmp_path: Path):
        result = compare_predictions(*two_models, open_release(release), by="family", rounds=100)
        assert {row.group: row.gain for row in result.gains} == {"Cyperaceae": 0, "Sapindaceae": 0, "Violaceae": 1}
        assert [row.measure for row in result.differences] == ["macro-F1", "top-1"]
        assert all(row.is_sure for row in result.differences)
        assert "+1.000 Violaceae (6 images, support 16: some)" in str(result)
        write_gains(result, tmp_path / "gains.csv")
        assert (tmp_path / "gains.csv").read_text().startswith("group,family,species,images,a,b,gain,support,mark\n")

    def test_support_is_what_the_pretraining_saw(self, two_models: tuple[Path, Path], release: Path, tmp_path: Path):
        (tmp_path / "seen.csv").write_text("taxon_name,images\nViola canina,45\nViola odorata,3\n")
        result = compare_predictions(
            *two_models, open_release(release), support=read_support(tmp_path / "seen.csv"), rounds=20
        )
        marks = {row.group: row.mark for row in result.gains}
        assert (marks["Acer rubrum"], marks["Viola canina"], marks["Viola odorata"]) == ("none", "many", "some")
        assert result.correlation > 0.5

    def test_a_run_that_was_not_evaluated_is_told(self, release: Path, tmp_path: Path):
        with pytest.raises(Fault, match=r"has no predictions yet; run `naflora evaluate .* RELEASE` first\.$"):
            compare_predictions(tmp_path, tmp_path, open_release(release))

    def test_a_table_of_support_that_will_not_do_is_told(self, tmp_path: Path):
        (tmp_path / "seen.csv").write_text("name,n\nx,1\n")
        with pytest.raises(Fault, match="cannot be read as a CSV taxon_name,images"):
            read_support(tmp_path / "seen.csv")
