"""The glossary's texts, its search, and what it recognizes in a sentence."""

import re
from dataclasses import fields

import pytest

from mnist_core import config, glossary, layers, presets
from mnist_core.config import TrainConfig
from mnist_core.glossary import GLOSSARY, OF_VIEW
from mnist_core.optimizers import OPTIMIZERS, SCHEDULES

SLUGS = sorted(GLOSSARY)
# What the forms call their values in words that need no entry.
PLAIN = {
    "Size", "Share", "Zoom", "Shift (pixels)", "Rotate (degrees)", "At the end", "last weights",
    "Drop every … epochs", "constant", "same", "valid", "back", "last", "Best in two minutes",
    "As in the paper",
}  # fmt: skip


def slugs(entries):
    return [entry.slug for entry in entries]


# The texts


def test_the_terms_a_first_year_student_meets_all_have_an_entry():
    wanted = (
        "pixel label training-set validation-set test-set batch epoch step learning-rate schedule "
        "cosine warm-up optimizer sgd momentum nesterov rmsprop adam adamw weight bias unit layer "
        "hidden-layer dense-layer convolution filter kernel stride padding feature-map pooling "
        "flatten dropout batch-normalization l2 activation relu tanh sigmoid elu gelu linear "
        "softmax logit log-odds probability one-hot cross-entropy sparse-cross-entropy "
        "mean-squared-error loss accuracy top-2 confusion-matrix precision recall f1 confidence "
        "calibration-error reliability coverage confidence-interval prediction-interval mcnemar "
        "seed overfitting early-stopping patience augmentation wrong-labels gradient "
        "backpropagation chain-rule moment bias-correction saliency integrated-gradients occlusion "
        "pca t-sne nearest-neighbours robustness parameter initializer glorot he-normal "
        "lecun-normal normalization distribution diverged hyperparameter preset"
    )
    assert set(wanted.split()) <= set(GLOSSARY)


@pytest.mark.parametrize("slug", SLUGS)
def test_an_entry_is_complete(slug):
    entry = GLOSSARY[slug]
    assert re.fullmatch("[a-z0-9-]+", slug) and entry.slug == slug
    assert set(entry.related) <= set(GLOSSARY) - {slug}
    ends = re.findall(r"(?<!et al)[.?](?=\s|$)", entry.text)
    assert 2 <= len(ends) <= 4 and len(entry.sentences) == len(ends), "two to four sentences"
    assert len(entry.text.split()) <= 85 and len(entry.sentences[0]) <= 180, "short ones"
    assert entry.text.count("$") % 2 == 0 and "!" not in entry.text
    assert entry.text.endswith((".", "?"))
    assert not re.search(r"\b(we|our|us)\b", entry.text, re.IGNORECASE)


def test_no_text_and_no_name_comes_twice():
    texts = [entry.text for entry in GLOSSARY.values()]
    starts = [" ".join(text.split()[:12]) for text in texts]
    names = [name.casefold() for entry in GLOSSARY.values() for name in set(entry.names)]
    for found in (texts, starts, names):
        assert len(found) == len(set(found))


def test_every_entry_leads_on_and_is_met_somewhere():
    for slug, entry in GLOSSARY.items():
        assert entry.related, slug
        assert glossary.places(slug), slug


@pytest.mark.parametrize(
    ("slug", "holds"),
    [
        ("normalization", r"\text{pixel} / 255"),
        ("unit", r"f(\sum_i w_i x_i + b)"),
        ("relu", r"\max(0, z)"),
        ("softmax", r"e^{z_i} / \sum_j e^{z_j}"),
        ("cross-entropy", r"-\sum_c y_c \ln p_c"),
        ("adam", "moving averages of the gradient and of its square"),
        ("backpropagation", "the chain rule"),
        ("parameter", "101{,}770"),
        ("step", "1,875"),
    ],
)
def test_the_papers_terms_are_explained_by_the_papers_equations(slug, holds):
    assert holds in GLOSSARY[slug].text


def test_a_text_that_is_no_glossary_is_refused():
    good = "# Part\n\n## unit: Unit\nalso: neuron, cell\nrelated: layer\n\nIt adds.\nThen bends.\n"
    (entry,) = glossary.read(good).values()
    assert (entry.term, entry.spellings, entry.related) == ("Unit", ("neuron", "cell"), ("layer",))
    assert entry.text == "It adds. Then bends." and entry.sentences == ["It adds.", "Then bends."]
    for bad in (good + good, good.replace("unit: Unit", "Unit"), good.replace("also", "as"),
                "## unit: Unit\nalso: neuron\n"):  # fmt: skip
        with pytest.raises(ValueError, match="Expected a new entry"):
            glossary.read(bad)


# What a sentence mentions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Cross-entropy: the mean of −ln(probability)", ["cross-entropy", "probability"]),
        ("**PCA** looks at digits", ["pca"]),
        ("sparse categorical cross-entropy", ["sparse-cross-entropy"]),
        ("SGD with momentum", ["momentum"]),
        ("Nesterov momentum, then momentum", ["nesterov", "momentum"]),
        ("LEARNING RATES and Biases of 128 Hidden Units", ["learning-rate", "bias", "unit"]),
        ("batches, classes, probabilities", ["batch", "class", "probability"]),
        ("3 epochs; an epoch", ["epoch"]),
        ("a held-out share, held out of training", ["validation-set"]),
        ("confusion matrices?", ["confusion-matrix"]),
        ("warm up, then a warm-up", ["warm-up"]),
        ("He normal, not he", ["he-normal"]),
        ("non-linear unity, a labelmaker's test_loss and epoch.json", []),
        ("Top-2 accuracy", ["top-2"]),
        ("the training\n   images", ["training-set"]),
        ("L2 0.001", ["l2"]),
        ("", []),
    ],
)
def test_mentioned_by_hand(text, expected):
    assert glossary.mentioned(text) == expected


def test_each_name_of_each_entry_is_recognized_as_that_entry():
    for slug, entry in GLOSSARY.items():
        for name in (re.sub(r" \(L2\)$", "", entry.term), *entry.spellings):
            assert glossary.mentioned(f"See {name}, here.") == [slug], name


def named_in_forms():
    """Yield what the forms write: labels and choices of all hyperparameters, layers, presets."""
    for kind in (TrainConfig, *layers.LAYERS.values()):
        for each in fields(kind):
            if each.metadata:
                names = each.metadata.get("names", {})
                options = [names.get(x, x) for x in each.metadata.get("options", ())]
                yield from (each.metadata["label"], *options)
    yield from (each.title for each in layers.LAYERS.values())
    yield from (each.title for each in OPTIMIZERS.values())
    yield from (*layers.ACTIVATIONS, *SCHEDULES, *config.LOSS_NAMES.values())
    yield from (each.title for each in presets.PRESETS.values())


def test_each_technical_word_of_the_forms_has_an_entry():
    words = set(named_in_forms())
    assert {"Padding", "gelu", "Stop by", "validation loss", "RMSprop", "LeNet-5"} <= words
    unknown = {word for word in words if not glossary.mentioned(word)}
    assert unknown <= PLAIN
    assert {"Size", "constant"} <= unknown  # else the list of plain words is stale


# Search, letters, places


def test_a_search_puts_the_best_first():
    assert slugs(glossary.find("adam"))[:2] == ["adam", "adamw"]
    assert slugs(glossary.find("  NEURONS ")) == ["unit"]
    assert slugs(glossary.find("MSE"))[0] == "mean-squared-error"
    assert slugs(glossary.find("rate"))[0] == "learning-rate"
    assert slugs(glossary.find("entropy"))[:2] == ["cross-entropy", "sparse-cross-entropy"]
    assert slugs(glossary.find("coin falls")) == ["mcnemar"]
    assert "dropout" in slugs(glossary.find("overfit"))
    assert glossary.find("") == glossary.find("   ") == glossary.find("zebra (") == []


def test_letters_hold_every_entry_once_from_a_to_z():
    letters = glossary.by_letter()
    assert list(letters) == sorted(letters) and letters["R"][0].term == "Recall"
    assert [entry.term for entry in letters["T"]][:2] == ["t-SNE", "tanh"]
    assert sorted(slugs(entry for each in letters.values() for entry in each)) == SLUGS


def test_places_are_the_views_that_use_a_term_and_the_bar_is_everywhere():
    assert ("evaluate", "Two runs") in glossary.places("mcnemar")
    assert ("evaluate", "Weights") not in glossary.places("mcnemar")
    assert ("draw", "Why?") not in glossary.places("epoch")
    assert glossary.is_everywhere("epoch") and not glossary.is_everywhere("mcnemar")
    assert all("epoch" in found for found in OF_VIEW.values())


def test_terms_of_a_view_are_known_and_named_once():
    for place, found in OF_VIEW.items():
        assert set(found) <= set(GLOSSARY), place
        assert len(found) == len(set(found)), place
