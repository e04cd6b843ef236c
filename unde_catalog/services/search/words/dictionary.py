"""The dictionary of garment words: what means the same, and what includes what.

`dictionary.txt` says how it is written.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from unde_catalog.services.search.words.normalise import stem, words_of

OWN: Final = Path(__file__).with_name("dictionary.txt")
KINDS: Final = ("garments", "colours", "materials", "styles", "occasions", "people", "ignored")
_MAX_BYTES, _MAX_PHRASE = 1_000_000, 5

Phrase = tuple[str, ...]


class DictionaryError(ValueError):
    """The file cannot be used; the message says where and why."""


@dataclass(slots=True)
class Meaning:
    """Phrases of one kind that mean the same, in the order of the file, and the meanings that this one includes."""

    kind: str
    phrases: list[Phrase] = field(default_factory=list)
    includes: list["Meaning"] = field(default_factory=list)

    def narrower(self) -> list[Phrase]:
        """The phrases of all meanings that this one includes, also by way of others."""
        found: dict[Phrase, None] = {}
        seen, waiting = {id(self)}, list(self.includes)
        while waiting:
            meaning = waiting.pop(0)
            if id(meaning) not in seen:
                seen.add(id(meaning))
                found.update(dict.fromkeys(meaning.phrases))
                waiting.extend(meaning.includes)
        return [phrase for phrase in found if phrase not in self.phrases]


class Dictionary:
    """Finds the meanings of phrases, whatever form their words have."""

    def __init__(self, text: str, name: str) -> None:
        self._meanings: dict[Phrase, list[Meaning]] = {}  # by the stems of a phrase
        self._exact: dict[str, list[Meaning]] = {}  # by the one form of a word that counts
        self.words: set[str] = set()
        lines = [(n, line.split("#")[0].strip()) for n, line in enumerate(text.splitlines(), 1)]
        kind = ""
        inclusions: list[tuple[int, str]] = []
        for n, line in lines:
            try:
                if line.startswith("["):
                    kind = line.strip("[]")
                    if kind not in KINDS:
                        raise DictionaryError(f"unknown section {line}: the sections are {', '.join(KINDS)}")
                elif ">" in line:
                    inclusions.append((n, line))
                elif line:
                    if not kind:
                        raise DictionaryError("words stand before the first [section]")
                    self._add(
                        Meaning(kind, list(_phrases(line))), {one.strip()[1:] for one in line.split(",") if "=" in one}
                    )
            except DictionaryError as error:
                raise DictionaryError(f"{name}, line {n}: {error}") from error
        for n, line in inclusions:
            wide, _, narrow = line.partition(">")
            try:
                meaning = self._one(wide, None)
                meaning.includes += [self._one(phrase, meaning.kind) for phrase in narrow.split(",") if phrase.strip()]
            except DictionaryError as error:
                raise DictionaryError(f"{name}, line {n}: {error}") from error

    def longest(self, words: Sequence[str]) -> tuple[int, list[Meaning]]:
        """The meanings of the longest phrase at the beginning of `words`, and how many words it has (0: none)."""
        stems = [stem(word) for word in words[:_MAX_PHRASE]]
        for length in range(len(stems), 1, -1):
            if meanings := self._meanings.get(tuple(stems[:length])):
                return length, meanings
        meanings = (self._exact.get(words[0]) or self._meanings.get((stems[0],))) if stems else None
        return (1, meanings) if meanings else (0, [])

    def _add(self, meaning: Meaning, exact: Collection[str] = ()) -> None:
        for phrase in meaning.phrases:
            self.words.update(phrase)
            is_exact = phrase[0] in exact
            known = self._exact.setdefault(phrase[0], []) if is_exact else self._meanings.setdefault(_stems(phrase), [])
            if meaning not in known:
                known.append(meaning)

    def _one(self, text: str, kind: str | None) -> Meaning:
        """The first meaning of a phrase in a line with `>`; a new one of this kind, if no other line has the phrase."""
        phrases = list(_phrases(text))
        if len(phrases) != 1:
            raise DictionaryError("write `one > several, others`")
        length, meanings = self.longest(phrases[0])
        if length == len(phrases[0]):
            return meanings[0]
        if kind is None:
            raise DictionaryError(f"`{text.strip()}` stands in no other line: give it one of its own")
        meaning = Meaning(kind, phrases)
        self._add(meaning)
        return meaning


def load(path: Path | None = None) -> Dictionary:
    """Read a dictionary, by default the project's own. Raises `DictionaryError`."""
    file = path or OWN
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise DictionaryError(f"{file} is larger than {_MAX_BYTES:,} bytes")
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DictionaryError(f"{file} is not UTF-8 text") from error
    except OSError as error:
        raise DictionaryError(f"{file} can't be read: {error.strerror}") from error
    return Dictionary(text, file.name)


def _phrases(text: str) -> Iterator[Phrase]:
    for part in text.split(","):
        words = tuple(words_of(part))
        if len(words) > _MAX_PHRASE:
            raise DictionaryError(f"`{part.strip()}` has more than {_MAX_PHRASE} words")
        if words:
            yield words


def _stems(phrase: Phrase) -> Phrase:
    return tuple(stem(word) for word in phrase)
