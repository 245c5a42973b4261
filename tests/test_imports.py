"""Which room may import which (CONTRIBUTING.md), read from the imports themselves, those inside of
functions too.
"""

import ast
import pathlib

ROOT = pathlib.Path(__file__).parents[1]
LEAVES = {"errors", "files", "progress"}
READING = LEAVES | {"data", "records", "text"}
PREPARING = READING | {"patches", "settings", "words", "training", "evaluation"}

ALLOWED = {
    # kaleido_tf, from the ground up
    "errors": set(),
    "patches": set(),
    "losses": set(),
    "layers": set(),
    "progress": set(),
    "settings": {"errors"},
    "files": {"errors"},
    "command": LEAVES,
    "data_service": LEAVES | {"command", "data"},
    "text": LEAVES,
    "words": {"text"},
    "records": LEAVES | {"patches"},
    "training": LEAVES | {"settings"},
    "data": LEAVES | {"records", "settings", "text"},
    "evaluation": READING | {"command", "words"},
    "models": {"errors", "layers", "losses"},
    "models/kaleido_bert": READING | {"layers", "losses", "models", "patches"},
    "models/fashion_bert": READING | {"layers", "losses", "models", "patches"},
    "models/mvlt": READING | {"layers", "losses", "models"},
    "models/fashion_vil": READING | {"layers", "losses", "models"},
    "families": READING | {"models", "models/*"},
    "objectives": READING
    | {"evaluation", "families", "layers", "losses", "models", "settings", "training"},
    "captioning": READING | {"layers", "settings"},
    "compat": READING | {"command", "families", "models", "objectives", "training"},
    "command_line": READING
    | {
        "captioning",
        "compat",
        "evaluation",
        "export",
        "families",
        "models",
        "objectives",
        "search",
        "settings",
        "training",
    },
    "search": LEAVES | {"evaluation"},
    "export": LEAVES | {"evaluation", "layers", "text"},
    "serving": READING
    | {
        "command",
        "command_line",
        "data_prep/catalogue",
        "data_prep/features",
        "data_prep/foreground",
        "data_prep/pictures",
        "evaluation",
        "search",
        "training",
    },
    # data_prep
    "data_prep/catalogue": LEAVES,
    "data_prep/attributes": PREPARING,
    "data_prep/onnx_graphs": LEAVES,
    "data_prep/features": LEAVES | {"patches", "records", "data_prep/onnx_graphs"},
    "data_prep/foreground": PREPARING | {"data_prep/features", "data_prep/onnx_graphs"},
    "data_prep/patch_tokens": PREPARING | {"models/fashion_vil"},
    "data_prep/record_writing": PREPARING
    | {"data_prep/catalogue", "data_prep/features", "data_prep/foreground"},
    "data_prep/photo_graphs": LEAVES | {"records", "data_prep/features", "data_prep/foreground"},
    "data_prep/sample": PREPARING
    | {"data_prep/catalogue", "data_prep/features", "data_prep/record_writing"},
    "data_prep/alignment": PREPARING
    | {
        "data_prep/catalogue",
        "data_prep/features",
        "data_prep/foreground",
        "data_prep/record_writing",
    },
    "data_prep/pictures": PREPARING
    | {
        "data_prep/alignment",
        "data_prep/features",
        "data_prep/foreground",
        "data_prep/record_writing",
        "families",
        "models/kaleido_bert",
    },
}
"""Room -> the rooms that it may import. Entry scripts, the commands of data_prep and benchmarks may
import all, but of `compat` see `test_compat_is_for_entry_scripts_and_converters`.
"""
CONVERTERS = {"data_prep/convert_easytransfer.py", "data_prep/write_easytransfer_rows.py"}


def sources():
    """Path -> syntax tree of every file that is no test."""
    folders = ("kaleido_tf", "data_prep", "benchmarks")
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    paths += sorted(ROOT.glob("*_main.py"))
    return {path.relative_to(ROOT): ast.parse(path.read_text()) for path in paths}


def name_of(path):
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def imports():
    """Path -> paths that it imports."""
    trees = sources()
    by_name = {name_of(path): path for path in trees}
    edges = {}
    for path, tree in trees.items():
        names = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
            elif isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
        edges[path] = {by_name[name] for name in names if name in by_name} - {path}
    return edges


def room(path):
    """The room of a file; None for what may import everything."""
    folder, *rest = path.with_suffix("").parts
    if folder == "kaleido_tf":
        if rest == ["__init__"]:
            return "errors"
        return "/".join(rest[:2]) if rest[0] == "models" and len(rest) > 2 else rest[0]
    if folder == "data_prep" and len(rest) > 1:
        return f"data_prep/{rest[0]}"
    return None


def test_rooms_import_only_what_stands_below_them():
    wrong = []
    for path, targets in imports().items():
        here = room(path)
        for target in targets:
            there = room(target)
            if here is None or there == here or target.name == "__init__.py":
                continue
            allowed = ALLOWED[here]
            family = there is not None and there.startswith("models/") and "models/*" in allowed
            if there not in allowed and not family:
                wrong.append(f"{path} -> {target}")
    assert not wrong, "\n".join(wrong)


def test_every_room_is_in_the_table():
    rooms = {room(path) for path in sources()} - {None}
    assert rooms == set(ALLOWED)


def test_no_import_runs_in_a_circle():
    edges, done = imports(), set()

    def visit(path, trail):
        assert path not in trail, " -> ".join(map(str, [*trail[trail.index(path) :], path]))
        if path not in done:
            for target in edges[path]:
                visit(target, [*trail, path])
            done.add(path)

    for path in edges:
        visit(path, [])


def test_compat_is_for_entry_scripts_and_converters():
    """The originals' forms are known at the doors alone."""
    users = {
        str(path)
        for path, targets in imports().items()
        if any(room(target) == "compat" for target in targets) and room(path) != "compat"
    }
    doors = {path for path in users if not path.startswith(("benchmarks/", "kaleido_tf/command_l"))}
    assert doors <= {"pretrain_main.py", "finetune_main.py", *CONVERTERS}


def test_no_file_asks_which_family_a_model_is_of():
    """Adding a family is a folder and a row of families.py: elsewhere no class or type name of one
    is looked at.
    """
    wrong = []
    for path, tree in sources().items():
        if path.parts[:2] == ("kaleido_tf", "models") or path.name == "families.py":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance":
                text = ast.unparse(node.args[1])
                if any(
                    name in text for name in ("BertConfig", "KaleidoBert", "FashionBert", "Mvlt")
                ):
                    wrong.append(f"{path} line {node.lineno}: {ast.unparse(node)}")
            if isinstance(node, ast.Constant) and node.value in (
                "kaleidobert",
                "imagebert",
                "mvlt",
            ):
                wrong.append(f"{path} line {node.lineno}: {node.value!r}")
            if isinstance(node, ast.Attribute) and node.attr == "MODEL_TYPE":
                wrong.append(f"{path} line {node.lineno}: {ast.unparse(node)}")
    assert not wrong, "\n".join(wrong)


def test_no_test_imports_another():
    """What several tests use stands beside them, in modules that are none."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            elif isinstance(node, ast.Import):
                names = [part for alias in node.names for part in alias.name.split(".")]
            else:
                continue
            tests = [name for name in names if name.startswith("test_") or name == "conftest"]
            assert not (names[0] == "tests" and tests), f"{path}:{node.lineno} imports {tests}"
