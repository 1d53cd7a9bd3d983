"""Which citations name the same authors."""

import pytest

from naflora_etl.names.authors import AGREE, author_similarity, same_authors


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
        ("Nutt.ex S.Watson", "Nutt. ex S.Watson"),
        ("Schrank in Moll", "Schrank.in Moll"),
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


LIKENESS = {
    # case: (one, other, least, most)
    "the same": ("(L.) Mill.", "(L.) Mill.", 1, 1),
    "abbreviated": ("Cronq.", "Cronquist", AGREE, 0.99),
    "initials left out": ("Krecz. & Bobr.", "V.I.Krecz. & Bobr.", AGREE, 1),
    "another transcription": ("Jurtz.", "Jurtsev", AGREE, 0.99),
    "basionym author left out": ("(L.) Gray", "Gray", AGREE, 0.99),
    "who comes after ex left out": ("Dicks. ex With.", "Dicks.", AGREE, 0.99),
    "another order": ("B.L.Higinb. & N.L.Higinb.", "N.L.Higinb. & B.L.Higinb.", AGREE, 1),
    "others not told": ("Aiken et al.", "Aiken, Consaul & Lefk.", AGREE, 1),
    "a letter lost": ("D\ufffdniker", "Däniker", AGREE, 1),
    "a basionym author in common": ("(L.) Rydb.", "(L.) Prokh.", 0.3, 0.5),
    "the basionym's author for the name's": ("Pursh", "(Pursh) Scribn. & J.G.Sm.", 0.57, AGREE - 0.01),
    "the son": ("L.", "L.f.", 0.3, AGREE - 0.01),
    "another initial": ("A.Gray", "S.F.Gray", 0.3, AGREE - 0.01),
    "other people": ("Lam.", "Torr.", 0, 0),
    "an initial is no surname": ("L.", "Lam.", 0, 0),
}


@pytest.mark.parametrize(("one", "other", "least", "most"), LIKENESS.values(), ids=LIKENESS)
def test_how_alike_two_citations_are(one: str, other: str, least: float, most: float) -> None:
    found = author_similarity(one, other)
    assert found is not None
    assert least <= found <= most
    assert author_similarity(other, one) == found


def test_nobody_is_like_nobody() -> None:
    assert author_similarity("", "") is None
    assert author_similarity("L.", "") is None
    assert author_similarity("ined.", "L.") is None
