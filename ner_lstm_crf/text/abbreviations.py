"""Words that tell whether a full stop ends a sentence, in English and the other languages of the corpora.

The abbreviations are written without their stop. Dotted ones (U.S., e.g., f.eks.) need no list: their form gives them
away.
"""

from __future__ import annotations

__all__ = ["ABBREVIATIONS", "AFTER_ORDINALS", "BEFORE_NAMES", "BEFORE_NUMBERS", "SENTENCE_OPENERS"]


def _words(words: str) -> frozenset[str]:
    """The words as listed, and with their first letter capitalised."""
    listed = words.split()
    return frozenset(listed) | {word[0].upper() + word[1:] for word in listed}


BEFORE_NAMES = _words(
    "Mr Mrs Ms Mx Dr Prof St Sts Ft Mt Drs Gen Gov Lt Col Sgt Capt Cpl Cmdr Adm Maj Rev Sen Sens Rep Reps Hon Messrs"
    " Mme Mlle Hr Sra Dra dr prof sr sra sv vs"
)
"""A name follows them, so they never end a sentence."""

BEFORE_NUMBERS = _words("no nos nr vol fig figs sec art ch p pp par ext tel kap kl sid pág Mar Sat Sun Wed")
"""Abbreviations where a number follows; otherwise ordinary words, or too rare to tell."""

ABBREVIATIONS = _words(
    "Inc Corp Co Cos Ltd Bros Jr Sr Assn Dept Dist Univ Ph Ave Blvd Rd Attn Calif Fla Ariz Conn Tenn Va Ala Ont Que"
    " Jan Feb Apr Jun Jul Aug Sep Sept Oct Nov Dec Mon Tue Tues Thu Thur Thurs Fri"
    " etc eg ie cf ca approx incl est esp lb lbs oz mins hrs yrs"
    " usw bzw Chr Str Mio Mrd evtl ggf dvs resp kr pr pct mill bl osv ang inkl hhv mia npr tj engl tzv dom kgl"
) | {"al"}
"""These stand in the middle of a sentence, or end it and lend it their stop."""

SENTENCE_OPENERS = _words(
    "The This That These Those There Then Thus It Its He She His Her They Their We Our You Your I My A An But And Or So"
    " Yet If In On At As For From With Without After Before While When Where Who Why How What Which However Also"
    " Although Because Since Some Many Most Each Both All Not No Yes Please Thanks Now Here Today Yesterday"
    " Der Die Das Ein Eine Er Sie Es Wir Ich Im Am Aber Und"
)
"""Capitalised, these begin a sentence far more often than a name."""

AFTER_ORDINALS = _words(
    "Januar Februar März April Mai Juni Juli August September Oktober November Dezember Jahrhundert Jahrhunderts Jh Chr"
)
"""Nouns that German capitalises after an ordinal: 3. Oktober, 16. Jahrhundert."""
