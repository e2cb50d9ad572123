"""Who may import whom: read from the source, and once more from a process like the server's."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
FILES = [*PROJECT.glob("*.py"), *PROJECT.glob("pages/*.py"), *PROJECT.glob("mnist_core/**/*.py")]
# From the bottom up; a module imports from the rows below its own, and the screens from their own.
ROWS = [
    "files download wording paper view fields keras_calls early_stopping training_set augmentation "
    "flipping photo shapes digit_link layer_maths update_rules equations "
    "glossary_places",
    "data layers optimizers distortions drawing glossary",
    "config image_layers step_equations",
    "models traits neighbours runs presets batches explain blocks layout",
    "selection evaluation recording marks weights driving watching",
    "exam robustness moment receptive",
    "same_step",
    "compiling inference figures maps slices export calibration comparison history label_faults "
    "neuron_cut",
    "neurons",
    "glimpses data_figures evaluation_figures confusion_figures script reproduction overfitting "
    "timing found neuron_figures",
    "convolution_equations recorder over_time_figures training_figures findings",
    "studio_figures draw_figures tour",
    "training analyses convolution_figures explain_figures",
    "workers",
    "__main__ ui",
    "pages",
    "app",
]
WITH_KERAS = ("models", "compiling", "glimpses", "recorder", "training", "inference", "same_step")


def module_of(file):
    """mnist_core/ui/frame.py -> mnist_core.ui.frame; pages/home.py -> pages.home; app.py -> app"""
    parts = file.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module):
    """mnist_core.ui.frame -> ui; mnist_core.runs -> runs; pages.home -> pages; app -> app"""
    parts = module.removeprefix("mnist_core").strip(".").split(".")
    return parts[0]


def row_of(module):
    return next(n for n, row in enumerate(ROWS) if layer_of(module) in row.split())


def imports(file, inside_functions=True):
    """Return the full names that a file imports: "from mnist_core import runs" is mnist_core.runs.

    A name imported from a module is given as module.name, as it may be a module itself.
    """
    tree = ast.parse(file.read_text())
    inner = {
        node
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    found = set()
    for node in ast.walk(tree):
        if node in inner and not inside_functions:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def our_imports(file, inside_functions=True):
    """Return the modules of this project that a file imports."""
    ours = {module_of(other) for other in FILES} - {"mnist_core"}
    found = set()
    for name in imports(file, inside_functions):
        found |= {name, name.rpartition(".")[0]} & ours
    return found


def packages(file):
    return {name.partition(".")[0] for name in imports(file)}


def importers(package):
    return {layer_of(module_of(file)) for file in FILES if package in packages(file)}


def test_the_reader_of_imports_sees_each_way_to_import(tmp_path):
    file = tmp_path / "example.py"
    file.write_text(
        "import a.b as c\nfrom d import e, f\nif True:\n    import g\n"
        "class K:\n    import h\ndef x():\n    from i.j import k\n    import l\n"
    )
    assert imports(file, inside_functions=False) == {"a.b", "d.e", "d.f", "g", "h"}
    assert imports(file) == {"a.b", "d.e", "d.f", "g", "h", "i.j.k", "l"}


def test_every_module_has_its_row():
    assert len(FILES) > 25
    for file in FILES:
        if module_of(file) != "mnist_core":
            row_of(module_of(file))


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_a_module_imports_only_from_below(file):
    module = module_of(file)
    if module == "mnist_core":
        assert imports(file) <= {"os"}  # whatever it imports, every process pays for
        return
    for other in our_imports(file):
        if layer_of(module) == layer_of(other) == "ui":
            continue
        lazily = other not in our_imports(file, inside_functions=False)
        if lazily and layer_of(module) == "workers" and layer_of(other) in WITH_KERAS:
            continue  # in the other process
        assert row_of(other) < row_of(module), f"{module} imports {other}"


def test_there_is_no_circle_of_imports():
    graph = {module_of(file): our_imports(file, inside_functions=False) for file in FILES}
    assert "mnist_core.ui.data_chip" in graph["mnist_core.ui.frame"]
    list(TopologicalSorter(graph).static_order())


def test_streamlit_is_known_to_the_screens_alone():
    assert importers("streamlit") == {"app", "pages", "ui"}


def test_keras_and_tensorflow_are_imported_where_networks_are():
    assert importers("keras") | importers("tensorflow") <= set(WITH_KERAS)
    assert importers("keras") >= {"models", "compiling", "training"}


def test_modules_with_keras_are_imported_by_each_other_and_by_the_workers_functions():
    for file in FILES:
        importer = layer_of(module_of(file))
        for_all = {layer_of(name) for name in our_imports(file, inside_functions=False)}
        lazily = {layer_of(name) for name in our_imports(file)} - for_all
        if importer not in WITH_KERAS:
            assert not for_all & set(WITH_KERAS), file
        if importer != "workers":
            assert not lazily & set(WITH_KERAS), file


def test_plotly_draws_in_figures_and_is_sent_by_the_chart():
    assert {module_of(file) for file in FILES if "plotly" in packages(file)} == {
        "mnist_core.figures", "mnist_core.data_figures", "mnist_core.evaluation_figures",
        "mnist_core.confusion_figures", "mnist_core.over_time_figures",
        "mnist_core.studio_figures", "mnist_core.training_figures", "mnist_core.draw_figures",
        "mnist_core.explain_figures",
        "mnist_core.convolution_figures",
        "mnist_core.neuron_figures", "mnist_core.ui.chart",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["config", "presets"])
def test_a_form_needs_the_standard_library_alone(name):
    needed, seen = {f"mnist_core.{name}"}, set()
    while needed - seen:
        [file, *_] = [file for file in FILES if module_of(file) in needed - seen]
        seen.add(module_of(file))
        needed |= our_imports(file)
        assert packages(file) - {"__future__", "mnist_core"} <= sys.stdlib_module_names, file
    assert {"mnist_core.fields", "mnist_core.layers", "mnist_core.optimizers"} <= seen


@pytest.mark.parametrize("name", ["training_set", "augmentation"])
def test_what_an_exported_script_holds_needs_numpy_alone(name):
    assert packages(PROJECT / f"mnist_core/{name}.py") == {"__future__", "numpy"}


@pytest.mark.parametrize("file", [*PROJECT.glob("pages/*.py")], ids=module_of)
def test_pages_ask_and_show_and_do_no_array_maths(file):
    assert packages(file) - sys.stdlib_module_names <= {"streamlit", "mnist_core"}


def test_nothing_the_server_imports_brings_tensorflow():
    modules = [
        module_of(file)
        for file in FILES
        if file.parts[-2] != "pages" and layer_of(module_of(file)) not in ("app", *WITH_KERAS)
    ]
    assert {"mnist_core.workers", "mnist_core.figures", "mnist_core.ui.frame"} <= set(modules)
    code = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "import loky\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert {"streamlit", "plotly", "mnist_core"} <= loaded
    assert not loaded & {"tensorflow", "keras", "jax", "torch"}
