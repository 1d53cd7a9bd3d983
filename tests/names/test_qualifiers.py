from collections.abc import Mapping

import pytest

from naflora_etl.names.parse import parse_name

READ: Mapping[str, tuple[str | None, str | None]] = {
    # behind `Poa alba`: (authors, qualifier)
    "agg.": (None, "agg."),
    "L. agg.": ("L.", "agg."),
    "agg. L.": ("L.", "agg."),
    "species complex": (None, "agg."),
    "group": (None, "agg."),
    "coll.": (None, "agg."),
    "L. s.l.": ("L.", "s.l."),
    "L., s. l.": ("L.", "s.l."),
    "s.lat.": (None, "s.l."),
    "(s.l.)": (None, "s.l."),
    "sensu lato": (None, "s.l."),
    "s. l. (Schultes) Boiss.": ("(Schultes) Boiss.", "s.l."),
    "S.L. Welsh": ("S.L. Welsh", None),
    "S.L.Welsh": ("S.L.Welsh", None),
    "L. s.str.": ("L.", None),
    "sensu stricto": (None, None),
    "(L.) Mill. (s.s.)": ("(L.) Mill.", None),
    "Auct.": (None, "auct."),
    "auct. amer. non L.": (None, "auct."),
    "sensu auct., non (Blanco)Kosterm.": (None, "auct."),
    "sensu Samp., non Lange": (None, "auct."),
    "(L.) Mill., sensu Small": ("(L.) Mill.", "auct."),
    "(auct.) Baker": ("(auct.) Baker", None),
    "sec. Rchb.": (None, "sec."),
    "Stokes,pro parte": ("Stokes", "p.p."),
    "(Jack) Kosterm., P. P.": ("(Jack) Kosterm.", "p.p."),
    "R.Vig., p.p.B": ("R.Vig.", "p.p."),
    "P.P.Sw.": ("P.P.Sw.", None),
    "L. excl. var.": ("L.", "p.p."),
    "Hort.": ("hort.", "hort."),
    "hort. non L.": ("hort.", "hort."),
    "ht.Bull.; Gard.Chr.": ("hort.", "hort."),
    "Hort. ex Steud.": ("Hort. ex Steud.", None),
    "(hort.) Baker": ("(hort.) Baker", None),
    "nom. nud.": (None, "nom."),
    "L., nomen dubium": ("L.", None),
    "W. D. J. Koch (nom. ambig.)": ("W. D. J. Koch", None),
    "nom. cons.": (None, None),
    "L. comb. nov.": ("L.", None),
    "Canu, 1911 non Hincks, 1882": ("Canu, 1911", None),
    "Spring ined.": ("Spring", None),
}


@pytest.mark.parametrize(("behind", "read"), READ.items(), ids=READ)
def test_what_stands_behind_a_name(behind: str, read: tuple[str | None, str | None]) -> None:
    parsed = parse_name(f"Poa alba {behind}")
    assert (parsed.canonical, parsed.authorship, parsed.qualifier) == ("Poa alba", *read)


@pytest.mark.parametrize(("behind", "read"), READ.items(), ids=READ)
def test_it_reads_the_same_in_a_column_of_authors(behind: str, read: tuple[str | None, str | None]) -> None:
    parsed = parse_name("Poa alba", behind)
    assert (parsed.canonical, parsed.authorship, parsed.qualifier) == ("Poa alba", *read)


def test_initials_in_capitals_are_no_sense() -> None:
    parsed = parse_name("ASTRAGALUS LENTIGINOSUS S.L. WELSH")
    assert (parsed.authorship, parsed.qualifier) == ("s.l. welsh", None)
    assert parse_name("RUBUS FRUTICOSUS AGG.").qualifier == "agg."


def test_what_stands_before_a_variety_is_not_about_it() -> None:
    parsed = parse_name("Achillea millefolium auct. var. lanulosa (Nutt.) Piper")
    assert (parsed.canonical, parsed.qualifier) == ("Achillea millefolium var. lanulosa", None)
