"""Losses against values computed by hand, by another formula and by libraries that are well kept."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.distances import class_distances
from naflora_etl.learning.heads import SubCenters
from naflora_etl.learning.losses import Problem, add_margin, class_balanced_weights, make_loss, roll_up, seesaw_terms
from naflora_etl.learning.options import LossOptions
from naflora_etl.learning.releases import Classes

CPU = torch.device("cpu")
LOGITS, LABELS = torch.tensor([[2, 0.5, -1], [0.1, 0.2, 0.3]]), torch.tensor([0, 2])
THREE = Classes(("A a", "A b", "B a"), ("A", "A", "B"), ("X", "X", "X"))


@pytest.mark.parametrize(("smoothing", "expected"), [(0.1, 0.391311), (0.0, 0.241311)])
def test_label_smoothing(smoothing: float, expected: float):
    loss = make_loss(LossOptions(smoothing=smoothing), Problem(np.array([1, 1, 1])), CPU)
    assert loss(torch.tensor([[2, 0.5, -1]]), torch.tensor([0])).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("beta", "decimals", "expected"),
    [
        pytest.param(0.9, None, [1.417953, 0.842134, 0.739912], id="beta .9"),
        pytest.param(0.99, None, [2.005293, 0.748128, 0.246579], id="beta .99"),
        pytest.param(0.999, None, [2.078989, 0.732383, 0.188627], id="beta .999"),
        pytest.param(0.9, 2, [1.42, 0.84, 0.74], id="as the published script rounds"),
        pytest.param(0.0, None, [1.0, 1.0, 1.0], id="beta 0: no balancing"),
    ],
)
def test_class_balanced_weights(beta: float, decimals: int | None, expected: list[float]):
    assert class_balanced_weights(np.array([7, 20, 80]), beta, decimals) == pytest.approx(expected, abs=1e-6)


def test_class_balancing_weighs_samples_as_keras_does_not_as_torch_does():
    logits, labels = torch.tensor([[2, 0.5, -1], [0.1, 0.2, 0.3]]), torch.tensor([0, 2])
    counts, weights = np.array([7, 20, 80]), torch.tensor([1.42, 0.84, 0.74])
    loss = make_loss(LossOptions(name="class_balanced", weight_decimals=2), Problem(counts), CPU)(logits, labels)
    by_hand = 0.0
    for row, label in zip(logits.double(), labels.tolist(), strict=True):
        log_shares = row - row.exp().sum().log()
        targets = torch.full((3,), 0.1 / 3, dtype=torch.float64)
        targets[label] += 0.9
        by_hand += float(weights[label]) * -float((targets * log_shares).sum()) / 2
    torchs = torch.nn.functional.cross_entropy(logits, labels, weights, label_smoothing=0.1)
    assert loss.item() == pytest.approx(by_hand, abs=1e-6)
    assert abs(loss.item() - torchs.item()) > 0.01


def test_the_loss_is_float32_even_of_half_precision_logits():
    for name in ("ce", "class_balanced", "seesaw", "arcface"):
        loss = make_loss(LossOptions(name=name), Problem(np.array([3, 4])), CPU)
        assert loss(torch.zeros((2, 2), dtype=torch.bfloat16), torch.tensor([0, 1])).dtype == torch.float32


def test_weighing_targets_is_torchs_own():
    options = LossOptions(name="class_balanced", weight_decimals=2, weighting="target")
    loss = make_loss(options, Problem(np.array([7, 20, 80])), CPU)(LOGITS, LABELS)
    weights = torch.tensor([1.42, 0.84, 0.74])
    assert loss.item() == torch.nn.functional.cross_entropy(LOGITS, LABELS, weights, label_smoothing=0.1).item()


class TestSeesaw:
    PROBLEM = Problem(np.array([80, 20, 7]))

    def test_its_gold_values(self):
        loss = make_loss(LossOptions(name="seesaw", smoothing=0), self.PROBLEM, CPU)
        assert loss(LOGITS[:1], LABELS[:1]).item() == pytest.approx(0.077606, abs=1e-6)
        assert loss(LOGITS[1:], LABELS[1:]).item() == pytest.approx(1.001943, abs=1e-6)
        assert loss(LOGITS, LABELS).item() == pytest.approx(0.539774, abs=1e-6)

    def test_without_its_powers_it_is_cross_entropy(self):
        loss = make_loss(LossOptions(name="seesaw", smoothing=0, seesaw_p=0, seesaw_q=0), self.PROBLEM, CPU)
        assert loss(LOGITS, LABELS).item() == pytest.approx(0.621627, abs=1e-6)

    def test_it_is_the_papers_product_of_two_factors(self):
        terms = seesaw_terms(LOGITS, LABELS, torch.tensor([80.0, 20, 7]).log(), p=0.8, q=2)
        scores = LOGITS.softmax(1)
        factor = (7 / 80) ** 0.8 * 1  # of the rarest class, no likelier than the true one
        assert terms[0, 2].item() == pytest.approx(math.log(factor), abs=1e-6)
        # the commonest class is not spared, and is thought less likely than the truth: nothing changes
        assert terms[1, 0].item() == 0 and scores[1, 0] < scores[1, 2]

    def test_a_wrong_answer_that_is_sure_is_punished(self):
        sure = torch.tensor([[0.0, 9.0, 0.0]])
        assert seesaw_terms(sure, torch.tensor([0]), torch.zeros(3), p=0.8, q=2)[0, 1] > 0


def test_sub_center_arcface_is_that_of_metric_learning():
    """The value is pytorch-metric-learning's 2.9.0 (SubCenterArcFaceLoss, its defaults), and ours by the formula."""
    head = SubCenters(3, 2, centers=3, scale=64)
    head.weight.data = torch.sin(torch.arange(1, 19)).view(3, 6).T.contiguous()
    embeddings = torch.tensor([[1.0, 0, 0], [0.2, 0.9, 0.1]])
    loss = make_loss(LossOptions(name="arcface", smoothing=0), Problem(np.array([1, 1])), CPU)
    assert loss(head(embeddings), torch.tensor([0, 1])).item() == pytest.approx(54.636609398284875, rel=1e-5)


def test_a_margin_of_nothing_changes_nothing_and_a_margin_never_helps():
    cosines = torch.linspace(-1, 1, 41)[:, None]
    labels = torch.zeros(41, dtype=torch.long)
    assert torch.allclose(add_margin(cosines, labels, 0.0), cosines, atol=1e-6)
    turned = add_margin(cosines, labels, 0.5).flatten()
    assert (turned < cosines.flatten()).all() and (turned.diff() > 0).all()


class TestRanks:
    def test_weights_of_nothing_are_cross_entropy(self):
        plain = make_loss(LossOptions(), Problem(np.array([1, 1, 1])), CPU)
        ranks = make_loss(LossOptions(genus_weight=0, family_weight=0), Problem(np.array([1, 1, 1]), THREE), CPU)
        assert plain(LOGITS, LABELS) == ranks(LOGITS, LABELS)

    def test_without_heads_the_odds_of_a_genus_are_the_sum_of_its_species(self):
        loss = make_loss(LossOptions(smoothing=0, genus_weight=2), Problem(np.array([1, 1, 1]), THREE), CPU)
        odds = LOGITS.softmax(1)
        by_hand = -(odds[0, 0].log() + odds[1, 2].log()) / 2
        by_hand += 2 * -((odds[0, 0] + odds[0, 1]).log() + odds[1, 2].log()) / 2
        assert loss(LOGITS, LABELS).item() == pytest.approx(by_hand.item(), abs=1e-6)

    def test_heads_of_their_own_are_looked_at(self):
        outputs = torch.cat([LOGITS, torch.tensor([[1.0, 0.0], [0.0, 3.0]]), torch.zeros(2, 1)], 1)
        loss = make_loss(
            LossOptions(smoothing=0, genus_weight=0.5, family_weight=9), Problem(np.array([1, 1, 1]), THREE), CPU
        )
        genus = torch.nn.functional.cross_entropy(outputs[:, 3:5], torch.tensor([0, 1])).item()
        assert loss(outputs, LABELS).item() == pytest.approx(0.621627 + 0.5 * genus, abs=1e-6)  # one family: sure

    def test_odds_that_are_rolled_up_still_sum_to_one(self):
        odds = torch.rand(5, 12).softmax(1)
        assert torch.allclose(roll_up(odds, torch.arange(12) % 4, 4).sum(1), torch.ones(5))


class TestDistances:
    def test_taxonomy_is_the_distance_where_there_is_no_tree(self):
        classes = Classes(("A a", "A b", "B a", "C a"), ("A", "A", "B", "C"), ("X", "X", "X", "Y"))
        assert class_distances("taxonomy", classes)[0].tolist() == [0, 0, 0.5, 1]

    def test_no_distance_is_cross_entropy_and_a_distance_is_weighed_by_the_odds(self):
        for table, more in ((np.zeros((3, 3)), 0.0), (np.array([[0, 0, 3.0], [0, 0, 3], [3, 3, 0]]), None)):
            problem = Problem(np.array([1, 1, 1]), THREE, table)
            loss = make_loss(LossOptions(smoothing=0, distance_weight=0.1), problem, CPU)(LOGITS, LABELS).item()
            odds = LOGITS.softmax(1)
            expected = more if more is not None else 0.1 * 3 * (odds[0, 2] + odds[1, 0] + odds[1, 1]).item() / 2
            assert loss == pytest.approx(0.621627 + expected, abs=1e-6)

    def test_a_file_names_each_pair_once(self, tmp_path: Path):
        (tmp_path / "tree.csv").write_text("genus_a,genus_b,distance\nB,A,12.5\nA,Zea,90\n")
        assert class_distances(str(tmp_path / "tree.csv"), THREE).tolist() == [
            [0, 0, 12.5],
            [0, 0, 12.5],
            [12.5, 12.5, 0],
        ]

    def test_so_does_the_metadata_of_a_release(self, tmp_path: Path):
        (tmp_path / "train_metadata.json").write_text(
            '{"genera": [{"genus_id": 0, "genus": "A"}, {"genus_id": 1, "genus": "B"}],'
            ' "distances": [{"genus_id_x": 0, "genus_id_y": 1, "distance": 7.5}]}'
        )
        assert class_distances(str(tmp_path / "train_metadata.json"), THREE)[0].tolist() == [0, 0, 7.5]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            pytest.param(None, "no such file; it may also be taxonomy", id="missing"),
            pytest.param("a,b\n", "must have the columns genus_a, genus_b, distance", id="other columns"),
            pytest.param(
                "genus_a,genus_b,distance\n", "lacks 1 pairs of genera, first A and B", id="a pair is missing"
            ),
            pytest.param("genus_a,genus_b,distance\nA,B,far\n", "cannot be read as a table", id="no number"),
            pytest.param("genus_a,genus_b,distance\nA,B,-1\n", "has distances below 0", id="below nothing"),
        ],
    )
    def test_a_table_that_will_not_do_is_told(self, content: str | None, message: str, tmp_path: Path):
        path = tmp_path / "tree.csv"
        if content is not None:
            path.write_text(content)
        with pytest.raises(Fault, match=message):
            class_distances(str(path), THREE)
