"""The rules of matching, in the order in which they are tried, and the verdicts that they end in: docs/names.md."""

from __future__ import annotations

RULES: dict[str, str] = {
    "override": "A person's decision for this very name, in the file of overrides; nothing else is asked.",
    "exact_with_authors": "The name and its authors, as they are written.",
    "exact_authors_normalised": "The name; authors the same but for spaces, dots, accents, years, `in`, and `ex`.",
    "exact_authors_alike": "The name; its authors abbreviated otherwise, or one left out (similarity 0.75 or more).",
    "exact_authors_differ": "The name under other authors: an error, or a homonym that the backbone lacks.",
    "exact_authors_absent": "The name; the list, or the backbone, tells no authors.",
    "other_rank": "The same epithets at another infraspecific rank, with one type: the same authors, or an autonym.",
    "autonym": "An autonym (Poa alba var. alba) that the backbone leaves out, which stands or falls with its species.",
    "orthographic": "The same Latin word: hyphen, accents, gender, -i/-ii/-ae, ae/oe/e, doubled letters, h.",
    "fuzzy_in_genus": "One slip in the epithet, authors not against it; more slips, if the authors are the same.",
    "fuzzy_genus": "A genus unknown, one letter from one that has the very epithets; authors agree, or are not told.",
    "species_of_infraspecific": "A variety that the backbone lacks falls back to its species. Flagged: look at it.",
    "none": "No rule led to one name.",
}
"""Rule -> what it says, the first that fires wins. Every name is told which it was."""

VERDICTS: dict[str, str] = {
    "accepted": "The matched name is the accepted one.",
    "synonym": "The matched name is a synonym (or an orthographic variant) and was followed to the accepted name.",
    "illegitimate": "The matched name is illegitimate; followed, if the backbone says whither.",
    "invalid": "The matched name was not validly published; followed, if the backbone says whither.",
    "misapplied": "The list (auct., sensu ...) or the backbone has the name only as misapplied; never followed.",
    "unplaced": "The backbone has the name and gives it no accepted taxon: unplaced, dangling, or in a ring.",
    "ambiguous": "Homonyms, or equally like names, that lead apart: all are listed, none is guessed.",
    "review": "A name is like it, not like enough to be taken unseen: listed for a person.",
    "unresolved": "No name of the backbone is like it.",
    "doubtful": "The name itself is qualified: cf., aff., ?, agg., s.l., p.p., hort., or nom. nud. without authors.",
    "formula": "A hybrid formula, which no single taxon answers.",
    "rank": "A rank that was not asked for (a family, a section, `sp.`).",
    "unreadable": "No botanical name.",
    "dropped": "A person dropped it, in the file of overrides.",
}
"""Verdict -> what became of the name."""

FLAGGED = frozenset({"exact_authors_differ", "other_rank", "fuzzy_in_genus", "fuzzy_genus", "species_of_infraspecific"})
"""Rules whose matches are taken and yet deserve a look: they stand in the file of reviews."""

STATUS_ORDER = (
    *("Accepted", "Artificial Hybrid", "Local Biotype", "Provisionally Accepted", "Synonym", "Orthographic"),
    *("Illegitimate", "Invalid", "Unplaced", "Misapplied"),
)
"""Among rows of one name that lead to the same taxon, the first status here is called the matched one."""
