"""Scoring a submission: both spellings of the header, and a sentence for each fault."""

from pathlib import Path

import pytest

from naflora_etl.engine.faults import Fault
from naflora_etl.learning.releases import open_release
from naflora_etl.learning.score import score_submission


@pytest.fixture(scope="module")
def truth(release: Path) -> list[tuple[str, int]]:
    part = open_release(release).part("test")
    return list(zip(part.image_ids, part.class_ids.tolist(), strict=True))


def write(path: Path, rows: list[tuple[str, object]], header: str = "Id,Predicted") -> Path:
    path.write_text("\n".join([header, *(f"{key},{answer}" for key, answer in rows)]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("header", ["Id,Predicted", "Id,predicted", "\ufeffId,Predicted", "Id, Predicted"])
def test_the_truth_itself_is_perfect_in_any_order(header: str, truth: list, release: Path, tmp_path: Path):
    score = score_submission(write(tmp_path / "sub.csv", truth[::-1], header), release)
    assert score.top1 == 1 and [row.macro_f1 for row in score.ranks] == [1, 1, 1]


def test_one_class_for_all(truth: list, release: Path, tmp_path: Path):
    score = score_submission(write(tmp_path / "sub.csv", [(key, 0) for key, _ in truth]), release)
    assert score.top1 == score.chance == pytest.approx(1 / 6)
    # F1 of the one class is 2 x 3 / (3 + 18), of the other five 0
    assert score.ranks[0].macro_f1 == pytest.approx(2 * 3 / 21 / 6)


def test_missing_doubled_unknown_and_senseless_rows_are_told_together(truth: list, release: Path, tmp_path: Path):
    rows = [*truth[2:], truth[3], ("feed", 1)]
    rows[0] = (rows[0][0], "Acer")
    rows[2] = (rows[2][0], 6)
    path = write(tmp_path / "sub.csv", rows)
    with pytest.raises(Fault) as refusal:
        score_submission(path, release)
    missing = sorted([truth[0][0], truth[1][0]])
    assert str(refusal.value) == (
        f"{path}: 2 Ids missing (first {missing[0]}, {missing[1]}); 1 Id given more than once (first {truth[3][0]}); "
        f'1 Id unknown (first feed); 2 answers are no class_id (first "Acer"). A submission holds each of the 18 test '
        f"images of {release} once, with a class_id of 0 to 5."
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", 'must begin with the header "Id,Predicted"; found ""', id="empty"),
        pytest.param(b"Id;Predicted\n1;2\n", 'found "id;predicted"', id="wrong delimiter"),
        pytest.param(b"image,label\n1,2\n", 'found "image,label"', id="other header"),
        pytest.param(b"Id,Predicted\nab,1,2\n", "row 2 has 3 values", id="a row too long"),
        pytest.param(b"\x89PNG\r\n\x1a\n\x00\xff\xfe", "cannot be read as a CSV file", id="binary"),
    ],
)
def test_what_is_no_submission_is_told(content: bytes, message: str, release: Path, tmp_path: Path):
    path = tmp_path / "sub.csv"
    path.write_bytes(content)
    with pytest.raises(Fault) as refusal:
        score_submission(path, release)
    assert message in str(refusal.value)


@pytest.mark.parametrize("answer", ["-1", "6", "1.0", "1e0", "²", "", "9" * 5000])
def test_what_is_no_class_id_is_told(answer: str, truth: list, release: Path, tmp_path: Path):
    path = write(tmp_path / "sub.csv", [(truth[0][0], answer), *truth[1:]])
    with pytest.raises(Fault, match=r"sub\.csv: 1 answers are no class_id \(first"):
        score_submission(path, release)


def test_a_spreadsheets_quotes_and_line_ends_are_taken(truth: list, release: Path, tmp_path: Path):
    rows = ['"Id","Predicted"', *(f'"{key}","{answer}"' for key, answer in truth), ""]
    (tmp_path / "sub.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(rows).encode())
    assert score_submission(tmp_path / "sub.csv", release).top1 == 1


def test_a_missing_file_and_a_folder_are_told(release: Path, tmp_path: Path):
    with pytest.raises(Fault, match=r"no such submission; the release's sample_submission\.csv shows how one looks"):
        score_submission(tmp_path / "sub.csv", release)
    with pytest.raises(Fault, match="is a folder; give the submission file in it"):
        score_submission(tmp_path, release)


def test_a_folder_that_is_no_release_is_told(tmp_path: Path):
    with pytest.raises(Fault, match=r"has no classes\.parquet, so it is no release folder"):
        score_submission(write(tmp_path / "sub.csv", []), tmp_path)


class TestHalves:
    def test_a_release_is_halved_class_by_class_and_says_so(self, truth: list, release: Path, tmp_path: Path):
        score = score_submission(write(tmp_path / "sub.csv", truth), release)
        assert [(row.half, row.images, row.macro_f1) for row in score.halves] == [("Public", 9, 1), ("Private", 9, 1)]
        assert str(score).endswith("halves: a half of each class, drawn by seed 1")

    def test_a_file_of_answers_brings_its_own(self, truth: list, release: Path, tmp_path: Path):
        rows = [f"{key},{answer},{'Public' if answer < 2 else 'Private'}" for key, answer in truth]
        (tmp_path / "solution.csv").write_text("\n".join(["Id,Predicted,Usage", *rows]) + "\n")
        wrong = [(key, 0 if answer < 2 else answer) for key, answer in truth]
        score = score_submission(write(tmp_path / "sub.csv", wrong), tmp_path / "solution.csv", release=release)
        assert [(row.half, row.images, row.top1) for row in score.halves] == [("Public", 6, 0.5), ("Private", 12, 1)]
        assert [row.rank for row in score.ranks] == ["species", "genus", "family"]
        assert score.halves_from == "the column Usage of the truth"
        alone = score_submission(tmp_path / "sub.csv", tmp_path / "solution.csv")
        assert [row.rank for row in alone.ranks] == ["species"]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            pytest.param(None, "no such truth; give a release folder or a file Id,Predicted,Usage", id="missing"),
            pytest.param("a,b\n1,2\n", "needs a column Id and a column Predicted; found a, b", id="other columns"),
            pytest.param("Id,Predicted\n", "holds no answers", id="empty"),
            pytest.param("Id,Predicted\n1,2\n1,3\n", "1 stands in it twice", id="doubled"),
            pytest.param("Id,Predicted\n1,Acer\n", 'row 2 has no class number but "Acer"', id="no number"),
            pytest.param("Id,Predicted\n1,-1\n", "an answer is a class_id, 0 or more; found -1", id="below 0"),
            pytest.param("Id,Predicted\n1,3152871004\n", "0 or more; found 3152871004", id="an identifier"),
            pytest.param("Id,Predicted,Usage\n1,2,Secret\n", 'Usage is Public or Private; found "Secret"', id="usage"),
        ],
    )
    def test_a_truth_that_will_not_do_is_told(self, content: str | None, message: str, tmp_path: Path):
        path = tmp_path / "solution.csv"
        if content is not None:
            path.write_text(content)
        with pytest.raises(Fault, match=message):
            score_submission(write(tmp_path / "sub.csv", [("1", 2)]), path)
