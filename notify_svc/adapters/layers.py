"""Where templates come from: the shop's own folder over ours, a language over the default one, file by file."""

from collections.abc import Callable, Iterable
from functools import cache, cached_property
from pathlib import Path

from jinja2 import BaseLoader, Environment, StrictUndefined, Template, TemplateNotFound
from jinja2.sandbox import ImmutableSandboxedEnvironment

OURS = Path(__file__).with_name("templates")

_SUFFIXES = frozenset({".jinja", ".html", ".txt"})


class Folder:
    """The templates of one folder, read once: what was checked is what is used.

    Args:
        path: It has files for all languages, and a folder for each language.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        files = [*path.glob("*"), *path.glob("*/*")]
        self._sources = {
            file.relative_to(path).as_posix(): file.read_text("utf-8")
            for file in sorted(files)
            if file.suffix in _SUFFIXES and file.is_file()
        }

    @property
    def languages(self) -> set[str]:
        """The languages that it has anything for."""
        return {language for language, slash, _ in (name.partition("/") for name in self._sources) if slash}

    def get(self, language: str, name: str) -> tuple[str, str] | None:
        """Return the source and the place of a file; language "" means a file for all languages."""
        path = f"{language}/{name}" if language else name
        source = self._sources.get(path)
        return None if source is None else (source, str(self.path / path))


class _Layers(BaseLoader):
    """Finds a file in the first layer that has it."""

    def __init__(self, layers: Iterable[tuple[Folder, str]]) -> None:
        self._layers = tuple(layers)

    def first(self, names: tuple[str, ...]) -> str:
        """Return the name that the first layer has which has any of them."""
        for folder, language in self._layers:
            for name in names:
                if folder.get(language, name):
                    return name
        raise TemplateNotFound(names[-1])

    def get_source(self, environment: Environment, template: str) -> tuple[str, str | None, Callable[[], bool] | None]:
        """Return what jinja asks for: the source, its place, and whether that is still so, which it always is."""
        for folder, language in self._layers:
            if found := folder.get(language, template):
                return *found, lambda: True
        raise TemplateNotFound(template)


class Voice:
    """The templates of one language, over the folders given.

    Args:
        folders: Whoever comes first wins.
        language: Its folder.
        default: The folder of the language that helps out where a file is missing.
    """

    def __init__(self, folders: tuple[Folder, ...], language: str, default: str) -> None:
        languages = dict.fromkeys((language, default, "en", ""))
        self._layers = _Layers((folder, each) for each in languages for folder in folders)
        # Ours are as good as our code, and are filled in by half the work.
        self._make = Environment if all(each.path == OURS for each in folders) else ImmutableSandboxedEnvironment

    @cache  # noqa: B019  (there are as many voices as languages, and they live as long as the service)
    def text(self, kind: str) -> Template:
        """Return the template of the plain part, which also has the subject."""
        return self._plain.get_template(self._layers.first((f"{kind}.txt", f"{kind}.jinja")))

    @cache  # noqa: B019  (likewise)
    def page(self, kind: str) -> Template:
        """Return the template of the part for eyes."""
        return self._escaping.get_template(self._layers.first((f"{kind}.html", f"{kind}.jinja")))

    @cached_property
    def text_words(self) -> dict[str, object]:
        """The words that all kinds share."""
        return _exported(self._plain.get_template("words.jinja"))

    @cached_property
    def page_words(self) -> dict[str, object]:
        """The same, for the part for eyes."""
        return _exported(self._escaping.get_template("words.jinja"))

    def block(self, template: Template, name: str, facts: dict[str, object]) -> str:
        """Return one block of a template, filled in; empty when it has none of that name."""
        block = template.blocks.get(name)
        if block is None:
            return ""
        try:
            return "".join(block(template.new_context(facts)))
        except Exception:  # noqa: BLE001  (raised again, with the template's own lines in its trace)
            self._plain.handle_exception()

    @cached_property
    def _plain(self) -> Environment:
        return _environment(self._make, self._layers, escapes=False)

    @cached_property
    def _escaping(self) -> Environment:
        return _environment(self._make, self._layers, escapes=True)


def _exported(template: Template) -> dict[str, object]:
    """Return what a template defines; a dictionary, because the sandbox judges each look into anything else."""
    try:
        return {name: value for name, value in vars(template.module).items() if not name.startswith("_")}
    except Exception:  # noqa: BLE001  (raised again, with the template's own lines in its trace)
        template.environment.handle_exception()


def _environment(make: type[Environment], layers: BaseLoader, *, escapes: bool) -> Environment:
    """Return an environment in which what is not there is an error, rather than a hole in a mail."""
    return make(
        loader=layers,
        undefined=StrictUndefined,
        autoescape=escapes,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
