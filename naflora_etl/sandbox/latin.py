"""The words that invented plants are called by: parts of genera, epithets, authors, places of publication."""

from __future__ import annotations

HEADS = (
    "Al", "Bar", "Cal", "Dor", "El", "Fer", "Gal", "Hel", "Il", "Jun", "Kal", "Lin", "Mar", "Nor", "Or", "Pel",
    "Quer", "Ros", "Sal", "Tan", "Ul", "Ver", "Wal", "Xan", "Yr", "Zel",
)  # fmt: skip
MIDDLES = (
    "an", "bel", "cor", "dim", "en", "fol", "gon", "hir", "iv", "lo", "mend", "nic", "op", "phor", "rub", "sil",
    "then", "uv", "vest", "yl",
)  # fmt: skip
TAILS = (
    "aria", "ella", "onia", "andra", "ium", "eum", "odon", "anthus", "opsis", "ora", "idium", "ostemon", "ina",
    "ula",
)  # fmt: skip
EPITHETS = (
    "acutifoli", "alpestr", "arenari", "borealis", "campestr", "canescens", "ciliat", "collin", "cordat",
    "crass", "decumbens", "dens", "divers", "elat", "falcat", "flexuos", "glabr", "gracil", "grandiflor",
    "hirsut", "humil", "incan", "insular", "lacustr", "lanceolat", "latifoli", "litoral", "longip", "luxurians",
    "macrophyll", "maritim", "montan", "multiflor", "nitens", "nutans", "oblong", "obtus", "occidental",
    "oreophil", "ovalifoli", "palustr", "parvifoli", "pauciflor", "patens", "peregrin", "pubescens", "punctat",
    "repens", "rigid", "rivular", "rupestr", "saxatil", "scabr", "septentrional", "serice", "silvestr",
    "spathulat", "splendens", "strict", "sylvatic", "tenuifoli", "tomentos", "trinerv", "umbros", "uliginos",
    "variabil", "verticillat", "vestit", "villos", "viscid", "vulgar", "xerophil",
)  # fmt: skip
# endings of an epithet by the gender of its genus: masculine, feminine, neuter
ENDINGS_US = ("us", "a", "um")
ENDINGS_IS = ("is", "is", "e")
STEMS_IS = (
    "alpestr", "campestr", "gracil", "humil", "insular", "lacustr", "litoral", "occidental", "palustr",
    "rivular", "rupestr", "saxatil", "septentrional", "silvestr", "variabil", "vulgar",
)  # fmt: skip
AUTHORS = (
    "Arlen", "Bekk.", "Corv.", "Dahlm.", "Estev.", "F.Orr", "Grünw.", "Hask.", "Ilves", "J.Lund", "Kerr.",
    "Lafont", "Morav.", "Nygård", "Ó Dál.", "Petr.", "Quill.", "Rosk.", "Sørl.", "Tamm", "Ueda", "Vancel.",
    "Wrobl.", "Yates", "Zell.", "Bekk. & Tamm", "Hask. ex Petr.", "A.Rosk. & J.Lund", "Ueda, Kerr. & Yates",
)  # fmt: skip
PLACES = ("Fl. Insul. Arlen.", "Sp. Nov. Bor.", "J. Loopb. Bot.", 'Mem. Soc. "Flora Viva", Ser. B, Bot.', "Enum. Herb.")
