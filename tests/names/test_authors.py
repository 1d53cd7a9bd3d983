"""Which citations name the same authors."""

import pytest

from naflora_etl.names.authors import same_authors


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("J. Forbes", "J.Forbes"),
        ("(A. Gray) S.F. Blake & Sherff", "(A.Gray) S.F.Blake & Sherff"),
        ("Müll. Arg.", "Muell.Arg."),
        ("Martínez", "Martinez"),
        ("Bercht. et J. Presl", "Bercht. & J.Presl"),
        ("Al-Shehbaz, M. Koch & Jordon-Thaden", "Al-Shehbaz, M.Koch & Jordon-Thaden"),
        ("Nutt. ex Torr. & A. Gray", "Torr. & A.Gray"),
        ("(Nutt. ex Torr. & A. Gray) Greene", "(Torr. & A.Gray) Greene"),
        ("Douglas ex J. Forbes", "Douglas ex J.Forbes"),
        ("Hook. in Curtis", "Hook."),
        ("Thunb., 1784", "Thunb."),
        ("[Sm.] Hook.", "(Sm.) Hook."),
        ("Kenyon nom. illeg.", "Kenyon"),
    ],
)
def test_the_same(one: str, other: str) -> None:
    assert same_authors(one, other)
    assert same_authors(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("L.", "Mill."),
        ("(L.) Mill.", "Mill."),
        ("Torr. & A.Gray", "A.Gray"),
        ("Nutt. ex A.Gray", "Nutt."),
        ("Hook.", "Hook.f."),
        ("Mill.", ""),
    ],
)
def test_not_the_same(one: str, other: str) -> None:
    assert not same_authors(one, other)
