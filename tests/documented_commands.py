"""Code blocks, commands and names in the documents, for `test_documentation`."""

import ast
import dataclasses
import functools
import pathlib
import re
import shlex

from kaleido_tf.files.text_files import read_lines
from tests.end_to_end.commands import ROOT, run

DOCUMENTS = ["README.md", "CONTRIBUTING.md"] + [f"docs/{p.name}" for p in ROOT.glob("docs/*.md")]
SCRIPTS = ("pretrain_main.py", "finetune_main.py")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_SPAN = re.compile(r"`([^`]+)`")


@dataclasses.dataclass(frozen=True)
class Block:
    document: str
    number: int
    language: str
    text: str

    @property
    def name(self):
        return f"{self.document}, block {self.number}"

    @property
    def commands(self):
        """The commands of a shell block."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [Command(self.document, part.strip()) for x in lines for part in x.split("&&")]


@dataclasses.dataclass(frozen=True)
class Command:
    document: str
    text: str

    @property
    def words(self):
        """Without variables of the environment in front."""
        words = shlex.split(self.text)
        return [word for n, word in enumerate(words) if n or not re.match(r"[A-Z_]+=", word)]

    @property
    def program(self):
        """A script's name or a module's; None for what is not ours."""
        words = self.words
        if words[0] != "python":
            return None
        name = words[2] if words[1] == "-m" else words[1]
        return name if name in SCRIPTS or is_ours(name) else None

    @property
    def arguments(self):
        return self.words[3:] if self.words[1] == "-m" else self.words[2:]


def is_ours(module):
    return module.startswith(("data_prep.", "kaleido_tf.", "benchmarks.", "docs.vector_stores."))


def text_of(document):
    return (ROOT / document).read_text(encoding="utf-8")


def blocks():
    return [
        Block(document, number, *match.groups())
        for document in DOCUMENTS
        for number, match in enumerate(_FENCE.finditer(text_of(document)), start=1)
    ]


def spans(document):
    """What stands in backticks outside of blocks, each on one line."""
    prose = _FENCE.sub("", text_of(document))
    return [" ".join(span.split()) for span in _SPAN.findall(prose)]


def inline_commands():
    """Commands in backticks."""
    return [
        Command(document, span)
        for document in DOCUMENTS
        for span in spans(document)
        if re.match(r"python (-m [\w.]+|\w+_main\.py)", span)
    ]


def start(program):
    """What an interpreter is given to run a program."""
    return [ROOT / program] if program in SCRIPTS else ["-m", program]


@functools.cache
def flags_of(program):
    """Names of the flags that a program takes."""
    help_text = run(*start(program), "--helpfull", cwd=ROOT, status=1)  # absl's status of help
    return set(re.findall(r"^  --(?:\[no\])?(\w+):", help_text, re.M)) | {"flagfile", "help"}


def flag_names(arguments):
    """Names of the flags in arguments, those of flag files of the repository too."""
    return set(flag_values(arguments))


def flag_values(arguments):
    """Name -> value (None without any), as `flag_names`; later ones win."""
    values = {}
    for argument in arguments:
        match = re.match(r"--(\w+)(?:=(.*))?$", argument, re.S)
        if match:
            values[match[1]] = match[2]
        if match and match[1] == "flagfile" and (match[2] or "").startswith("run_configs/"):
            values |= flag_values(read_lines(ROOT / match[2]))
    return values


@functools.cache
def messages():
    """All text that the sources hold in strings; what is computed within a string is a gap."""
    texts = []
    for folder in ("kaleido_tf", "data_prep"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = (getattr(part, "value", "\0") for part in node.values)
                    texts.append("".join(p if isinstance(p, str) else "\0" for p in parts))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.append(node.value)
    return "\n".join(texts)


def exists(name):
    """Whether a path of the repository, or a module or what one defines, is there."""
    if "/" in name or name.endswith(".py"):
        return any(ROOT.glob(name.rstrip("/")))
    parts = name.split(".")
    place = pathlib.Path(*parts)
    if any((ROOT / p).exists() for p in (place, place.with_suffix(".py"))):
        return True
    source = (ROOT / place.parent).with_suffix(".py")
    return source.is_file() and parts[-1] in source.read_text(encoding="utf-8")
