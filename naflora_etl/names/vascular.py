"""Which rows of a list are no vascular plants: by what the list says of their group, else by their family."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from naflora_etl.names.headings import Headings

# Groups, phyla, classes and habits as lists word them. A word that a list uses for both is in neither.
_NOT_VASCULAR = re.compile(
    r"\b(?:moss(?:es)?|liverworts?|hornworts?|bryophyt\w+|lichen\w*|fung[ui]s?|mushrooms?|alga[el]?|seaweeds?|diatoms?|"
    r"stoneworts?|charophyte\w*|cyanobacteri\w+|bacteria|animalia|chromista|protozoa|bryopsida|sphagnopsida|"
    r"andreaeopsida|polytrichopsida|takakiopsida|tetraphidopsida|marchantio(?:phyta|psida)|jungermanniopsida|"
    r"haplomitriopsida|hepatic\w*|anthocero(?:tophyta|topsida|tae)|asco(?:mycota|mycetes)|basidio(?:mycota|mycetes)|"
    r"lecanoromycetes|rhodophyta|florideophyceae|chlorophyta|ulvophyceae|charophyta|charophyceae|phaeophyceae|"
    r"ochrophyta|heterokontophyta|bacillariophyta|cyanophyta|musci|nonvascular)\b",
    re.IGNORECASE,
)
_VASCULAR = re.compile(
    r"\b(?:tracheophyta|vascular plants?|dicots?|monocots?|angiosperm\w*|gymnosperm\w*|ferns?|fern all\w+|horsetails?|"
    r"lycopods?|lycopodio\w+|quillworts?|whisk-ferns?|magnolio(?:phyta|psida)|liliopsida|pinopsida|cycadopsida|"
    r"gnetopsida|ginkgoopsida|polypodiopsida|pteridophyt\w+|equisetopsida|psilotopsida|marattiopsida|clubmoss(?:es)?|"
    r"club mosses|spikemoss(?:es)?|spike mosses)\b",
    re.IGNORECASE,
)
_MEANINGS = ("group", "phylum", "class", "growthHabit", "higherClassification", "kingdom")
_OF_THE_PLANT_LIST = {"B": True, "A": False, "G": False, "P": False}  # bryophytes; angio-, gymnosperms, ferns

# Families of mosses, liverworts and hornworts (as Goffinet & Buck, Crandall-Stotler & al. and Renzaglia & al. have
# them), and those of the lichens and seaweeds that plant lists of North America carry along.
_MOSSES = """
Amblystegiaceae Andreaeaceae Andreaeobryaceae Anomodontaceae Archidiaceae Aulacomniaceae Bartramiaceae
Brachytheciaceae Bruchiaceae Bryaceae Bryobartramiaceae Bryoxiphiaceae Buxbaumiaceae Callicladiaceae Calliergonaceae
Calymperaceae Catagoniaceae Catoscopiaceae Cinclidotaceae Climaciaceae Cryphaeaceae Cyathodiaceae Daltoniaceae
Dicranaceae Dicranellaceae Diphysciaceae Disceliaceae Distichiaceae Ditrichaceae Drummondiaceae Encalyptaceae
Entodontaceae Ephemeraceae Erpodiaceae Eustichiaceae Fabroniaceae Fissidentaceae Flexitrichaceae Fontinalaceae
Funariaceae Gigaspermaceae Grimmiaceae Habrodontaceae Hedwigiaceae Helicophyllaceae Helodiaceae Heterocladiaceae
Hookeriaceae Hylocomiaceae Hypnaceae Hypnodendraceae Hypopterygiaceae Lembophyllaceae Leptodontaceae
Lepyrodontaceae Leskeaceae Leucobryaceae Leucodontaceae Leucomiaceae Meesiaceae Meteoriaceae Micromitriaceae
Mielichhoferiaceae Mniaceae Myriniaceae Myuriaceae Neckeraceae Octoblepharaceae Oedipodiaceae Oncophoraceae
Orthotrichaceae Phyllodrepaniaceae Phyllogoniaceae Pilotrichaceae Plagiotheciaceae Pleuroziopsidaceae
Pleurophascaceae Polytrichaceae Pottiaceae Prionodontaceae Pseudoditrichaceae Pterigynandraceae Pterobryaceae
Ptychomitriaceae Ptychomniaceae Pylaisiaceae Pylaisiadelphaceae Racopilaceae Regmatodontaceae Rhabdoweisiaceae
Rhachitheciaceae Rhacocarpaceae Rhizogoniaceae Rhytidiaceae Rigodiaceae Rutenbergiaceae Saelaniaceae Saulomataceae
Schistostegaceae Scorpidiaceae Scouleriaceae Seligeriaceae Sematophyllaceae Serpotortellaceae Sphagnaceae
Splachnaceae Splachnobryaceae Stereophyllaceae Symphyodontaceae Takakiaceae Tetraphidaceae Thamnobryaceae Theliaceae
Thuidiaceae Timmiaceae Trachylomataceae Viridivelleraceae Wardiaceae Aongstroemiaceae Ambuchananiaceae
Antitrichiaceae Echinodiaceae Miyabeaceae Orthodontiaceae Orthorrhynchiaceae Pulchrinodaceae Sorapillaceae
Taxiphyllaceae Entosthodontaceae Flatbergiaceae Hymenolomataceae Amphidiaceae Rhytidiadelphaceae
"""
_LIVERWORTS = """
Acrobolbaceae Adelanthaceae Allisoniaceae Anastrophyllaceae Aneuraceae Antheliaceae Arnelliaceae Aytoniaceae
Balantiopsaceae Blasiaceae Blepharidophyllaceae Blepharostomataceae Brevianthaceae Calypogeiaceae Cephaloziaceae
Cephaloziellaceae Chaetophyllopsaceae Chonecoleaceae Cleveaceae Conocephalaceae Corsiniaceae Delavayellaceae
Dumortieraceae Endogemmataceae Exormothecaceae Fossombroniaceae Frullaniaceae Geocalycaceae Goebeliellaceae
Grolleaceae Gymnomitriaceae Gyrothyraceae Haplomitriaceae Harpanthaceae Herbertaceae Herzogianthaceae
Hygrobiellaceae Hymenophytaceae Jackiellaceae Jamesoniellaceae Jubulaceae Jungermanniaceae Lejeuneaceae
Lepicoleaceae Lepidolaenaceae Lepidoziaceae Lophocoleaceae Lophoziaceae Lunulariaceae Makinoaceae Marchantiaceae
Marsupellaceae Mastigophoraceae Mesoptychiaceae Metzgeriaceae Mizutaniaceae Moerckiaceae Monocarpaceae
Monocleaceae Monosoleniaceae Myliaceae Neohodgsoniaceae Neotrichocoleaceae Notoscyphaceae Oxymitraceae
Pallaviciniaceae Pelliaceae Phycolepidoziaceae Phyllothalliaceae Plagiochilaceae Pleuroziaceae Porellaceae
Pseudolepicoleaceae Ptilidiaceae Radulaceae Ricciaceae Riellaceae Saccogynaceae Sandeothallaceae Scapaniaceae
Schistochilaceae Solenostomataceae Southbyaceae Sphaerocarpaceae Stephaniellaceae Targioniaceae Treubiaceae
Trichocoleaceae Trichotemnomataceae Vandiemeniaceae Vetaformaceae Wiesnerellaceae Anthocerotaceae
Dendrocerotaceae Leiosporocerotaceae Notothyladaceae Phymatocerotaceae Phaeocerotaceae
"""
_LICHENS_AND_SEAWEEDS = """
Acarosporaceae Arthoniaceae Arthopyreniaceae Bacidiaceae Baeomycetaceae Caliciaceae Candelariaceae Catillariaceae
Chrysotrichaceae Cladoniaceae Collemataceae Coniocybaceae Fuscideaceae Gomphillaceae Graphidaceae Gyalectaceae
Haematommataceae Hymeneliaceae Icmadophilaceae Lecanoraceae Lecideaceae Lichinaceae Lobariaceae Megasporaceae
Monoblastiaceae Mycoblastaceae Nephromataceae Ochrolechiaceae Ophioparmaceae Pannariaceae Parmeliaceae
Peltigeraceae Pertusariaceae Physciaceae Pilocarpaceae Placynthiaceae Porinaceae Porpidiaceae Psoraceae
Pyrenulaceae Ramalinaceae Rhizocarpaceae Roccellaceae Sphaerophoraceae Stereocaulaceae Teloschistaceae
Thelotremataceae Trapeliaceae Trypetheliaceae Umbilicariaceae Verrucariaceae Characeae Caulerpaceae Codiaceae
Cladophoraceae Ulvaceae Fucaceae Laminariaceae Sargassaceae Gracilariaceae Halymeniaceae Gigartinaceae Bangiaceae
Corallinaceae Ceramiaceae Rhodomelaceae Delesseriaceae
"""
FAMILIES = frozenset(f"{_MOSSES} {_LIVERWORTS} {_LICHENS_AND_SEAWEEDS}".lower().split())


def is_not_vascular(cells: Sequence[str], headings: Headings, constants: dict[str, str], family: str | None) -> bool:
    """Whether a row is known to be a moss, liverwort, alga, fungus or lichen; what is not told counts as vascular.

    What the list itself says goes before the family.
    """
    for meaning in _MEANINGS:
        place = headings.of(meaning)
        said = cells[place] if place is not None else constants.get(meaning, "")
        verdict = _judge(said) if said else None
        if verdict is not None:
            return verdict
    return family is not None and family.lower() in FAMILIES


@lru_cache(maxsize=10_000)
def _judge(said: str) -> bool | None:
    """Return whether these words speak of a plant without vessels; None where they tell nothing."""
    if said in _OF_THE_PLANT_LIST:
        return _OF_THE_PLANT_LIST[said]
    if _VASCULAR.search(said):
        return False
    return True if _NOT_VASCULAR.search(said) else None
