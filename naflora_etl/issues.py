"""Every reason why a row is set aside, a sentence each.

A row whose `issue` is null is clean. A row is never dropped: it keeps its key and carries one of these names.
"""

from __future__ import annotations

ISSUES: dict[str, str] = {
    # checklist, taxa
    "CHECKLIST_ROW_UNREADABLE": "The row has no name, or not the columns its header promises.",
    "CHECKLIST_ROW_IS_HEADING": "The row repeats the headings, or stands above them, and holds no name.",
    "CHECKLIST_NAME_REPEATED": "An earlier row has the same name, authors and all; that one stands for both.",
    "NOT_VASCULAR": "The list says by its groups or families that this is a moss, liverwort, alga, fungus or lichen.",
    "NAME_OUTSIDE_REGION": "The list does not have the name in a region that the recipe asks for.",
    "NAME_NOT_PRESENT": "The list says that the plant is absent or excluded there.",
    "ESTABLISHMENT_NOT_WANTED": "The plant is not established there in a way that the recipe asks for.",
    "BACKBONE_ROW_UNREADABLE": "The row has not the columns its header promises, or lacks its id, genus or status.",
    "BACKBONE_ROW_REPEATED": "An earlier row of the backbone has the same identifier.",
    "BACKBONE_ACCEPTED_MISSING": "The row's accepted name is not in the backbone, so it leads nowhere.",
    "BACKBONE_ACCEPTED_CYCLIC": "The row's accepted names lead back to each other, so none is accepted.",
    "RANK_NOT_WANTED": "The name is not at a rank that the recipe asks for (a genus, a family, a variety).",
    "FAMILY_NOT_WANTED": "The name's family is not one that the recipe asks for.",
    "NAME_UNPARSABLE": "The name could not be read as a botanical name.",
    "NAME_DOUBTFUL": "The name is qualified (cf., aff., ?, agg., s.l., p.p., hort.), so no taxon is sure.",
    "NAME_NOT_FOUND": "No name of the backbone is like it.",
    "NAME_AMBIGUOUS": "Several names of the backbone fit and lead to different accepted taxa.",
    "NAME_UNPLACED": "The name is in the backbone, which gives it no accepted taxon.",
    "NAME_ILLEGITIMATE": "The name is illegitimate, and the backbone gives it no accepted taxon.",
    "NAME_INVALID": "The name was not validly published, and the backbone gives it no accepted taxon.",
    "NAME_MISAPPLIED": "The list (auct., sensu) or the backbone has the name only as misapplied to another taxon.",
    "NAME_NEEDS_REVIEW": "A name of the backbone is like it, but not enough to be taken without a person's eye.",
    "NAME_DROPPED": "A person dropped the name, in the file of overrides.",
    "NAME_IS_HYBRID_FORMULA": "The name is a formula of parents, which no single taxon answers.",
    # harvest, records
    "SOURCE_UNREACHABLE": "The aggregator gave no usable answer after every retry.",
    "SOURCE_UNREADABLE": "The aggregator's answer, or the archive, could not be read.",
    "SOURCE_CEILING": "Paging ended at the aggregator's ceiling or the recipe's; what lies beyond was not read.",
    "NAME_NOT_IN_SOURCE": "The aggregator's taxonomy has no exact match of the name, so no records were asked for.",
    "DATASET_NOT_NAMED": "The aggregator did not say what this dataset is called; its key stands in its place.",
    "NO_RECORDS": "No aggregator has a record of this taxon.",
    "NO_IMAGE": "The record has no image, or only a web page where one should be.",
    "IMAGE_WITHOUT_RECORD": "The specimen record of the image is not there, so its label is unknown.",
    "IMAGE_IS_WEB_PAGE": "The medium says to be a picture, and its address or format is a web page's.",
    "IMAGE_IS_MANIFEST": "The medium is a IIIF manifest or description, which tells of pictures and is none.",
    "NOT_A_SPECIMEN": "The record is not a preserved specimen, nor any other kind that is known.",
    "RECORD_IS_OBSERVATION": "The record is an observation: somebody saw a plant and kept none.",
    "RECORD_IS_FOSSIL": "The record is a fossil.",
    "RECORD_IS_LIVING": "The record is a living plant, in a garden or a collection of cultures.",
    "RECORD_IS_SAMPLE": "The record is a sample (DNA, tissue, wood, seeds, spirit), not a sheet.",
    "RECORD_IS_SLIDE": "The record is a microscope slide.",
    "NAME_NOT_ON_CHECKLIST": "The record's name does not lead to a taxon of the checklist.",
    "OUTSIDE_REGION": "The record comes from a country that the recipe does not ask for.",
    "URL_UNUSABLE": "The image's address is not an http(s) URL.",
    "LICENSE_UNKNOWN": "The licence is missing or could not be understood.",
    "LICENSE_NOT_ALLOWED": "The licence is not one that the recipe allows.",
    "DUPLICATE_RECORD": "Another row holds the same image of the same taxon.",
    "IMAGE_OF_SEVERAL_TAXA": "Records of different taxa share this image, so its label is unsure.",
    "WITHDRAWN": "An earlier release held the image, and no source has it any more.",
    # selection
    "HOST_NOT_CHOSEN": "The image lies on a server that was not chosen.",
    "OVER_CAP": "Its species has enough images and spares without it.",
    # a list of URLs
    "KEY_UNUSABLE": "The key is missing, or not 1 to 90 letters, digits, _ and -, as a WebDataset's must be.",
    "KEY_REPEATED": "An earlier row of the list has the same key.",
    # images
    "SPARE_NOT_NEEDED": "A spare that no failure called for.",
    "ADDRESS_REFUSED": "The address leads to a private or loopback network that the recipe does not name.",
    "ROBOTS_DISALLOWED": "The server asks machines to stay away: by robots.txt, tdmrep.json, or a header.",
    "HTTP_BLOCKED": "The server refused us (401, 403, 451): ask its owner, do not evade.",
    "HTTP_GONE": "The server has no such image (404, 410).",
    "HTTP_ERROR": "The server answered with another error that trying again will not mend.",
    "HOST_TROUBLE": "The server was overloaded or out of reach at every try; another build will ask again.",
    "NOT_AN_IMAGE": "The answer was not an image (HTML, SVG, text, or nothing).",
    "IMAGE_DAMAGED": "The image is cut short or cannot be decoded.",
    "IMAGE_TOO_LARGE": "The image has more bytes or pixels than the recipe allows.",
    "IMAGE_TOO_SMALL": "The image is smaller than the recipe allows.",
    "TEXT_SURVIVES": "An independent reader could still read words on the image after the redaction.",
    "NOT_A_SHEET": "The picture does not look like a pressed sheet, and the recipe asks for nothing else.",
    # split, shards
    "TOO_FEW_IMAGES": "Its species has fewer images than the recipe's minimum.",
    "CANNOT_BE_SPLIT": "Its species' images hang together (one gathering, say), so none can be tested on unleaked.",
    "EMBARGOED": "It is bound to both sides of an earlier release, or was trained on and is bound to a tested one now.",
    "DUPLICATE_IMAGE": "Another image has the very same bytes.",
    "IMAGE_IN_SEVERAL_CLASSES": "Images with the very same bytes stand in different classes.",
    "PACK_DAMAGED": "The stored image is missing or does not have the bytes it was stored with.",
}

# Another build asks again for these, and for these alone.
TRANSIENT: frozenset[str] = frozenset({"SOURCE_UNREACHABLE", "SOURCE_UNREADABLE", "HOST_TROUBLE"})
ASKED_ANEW: frozenset[str] = TRANSIENT | {"ADDRESS_REFUSED"}
"""Of aggregators, and of lists that are fetched: what may pass, and what no server was asked for, as a recipe may allow
the address since."""
