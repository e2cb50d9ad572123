"""The walk: ten steps through the app, in the order of the paper, as data.

A step is one screen, what to look at there, one question, and what the paper claims. What this app
found about a claim is computed by the function of findings.py that the claim names.
"""

from __future__ import annotations

from dataclasses import dataclass

from mnist_core import paper, wording
from mnist_core.findings import SECONDS, TEST_IMAGES
from mnist_core.presets import preset

FIRST, LAST = paper.EPOCHS.iloc[0], paper.EPOCHS.iloc[-1]
# The view each page of the walk shows first.
FIRST_VIEWS = {
    "browse": "digits",
    "train": "Studio",
    "evaluate": "Confusion",
    "explain": "One digit",
}
EQUATION = "An equation: the screen of this step fills in the numbers of your own run."


@dataclass(frozen=True)
class Claim:
    """What the paper says, and the name of the function that says what was found here, or ""."""

    says: str
    finding: str = ""


@dataclass(frozen=True)
class Stop:
    """A step: `section` is what the paper treats there, `query` says which view of `page` it is."""

    number: int
    title: str
    section: str
    page: str
    query: tuple[str, str]  # name in the address, and its value
    look: str
    question: str
    answer: str
    claims: tuple[Claim, ...]


STOPS = (
    Stop(
        1, "The digits", "data", "browse", ("show", "digits"),
        "The training images, in their order. Click one: its pixels appear large beside the grid.",
        "Find two different digits that one could confuse. Which pixels decide?",
        "Often very few: a closed top makes a 9 of a 4, a bar makes a 7 of a 1. The network has to "
        "learn that these few weigh more than all the others.",
        (Claim("MNIST has 60,000 training and 10,000 test images, 28×28 gray pixels, labels 0 to "
               "9.", "images"),),
    ),
    Stop(
        2, "Normalization and one-hot", "preprocessing", "explain", ("explain", "One digit"),
        "Chapters 1 and 2: pixels divided by 255, then laid out as 784 numbers. In chapter 7 the "
        "label stands as ten numbers, one of them 1.",
        "A pixel is 51. What does the network get? And how is the label 3 written?",
        "51 / 255 = 0.2. The label is 0 0 0 1 0 0 0 0 0 0: the 1 is in the fourth place, as "
        "counting begins at 0.",
        (Claim("Pixels are divided by 255, which makes them 0 to 1. Labels are one-hot encoded, in "
               "10 classes.", "scaling"),),
    ),
    Stop(
        3, "The network 784-128-10", "network", "train", ("train", "Studio"),
        "Scroll the form to **Network** and open it. Where its title does not say 101,770 "
        "parameters, choose **As in the paper** under **Start from**.",
        "Where do the 101,770 parameters come from?",
        "784 × 128 weights and 128 biases are 100,480; 128 × 10 weights and 10 biases are 1,290. "
        "Together 101,770.",
        (Claim(f"784 inputs, 128 hidden units with ReLU, 10 outputs with softmax: "
               f"{wording.count(preset('paper').parameters, 'parameter')}.", "parameters"),),
    ),
    Stop(
        4, "Dense layer and ReLU", "network", "explain", ("explain", "One digit"),
        "Chapter 3: one unit's sum with its own numbers. Chapter 4: what ReLU lets through. "
        "It takes a run with a hidden dense layer, as the paper's.",
        "A unit's sum is −1.7. What does it pass on? And what if all 128 sums were negative?",
        "0: ReLU cuts off what is below zero. With all units at 0 only the biases of the output "
        "layer would decide, and every such image would get the same answer.",
        (Claim("A unit computes a = f(Σ w·x + b), with ReLU(z) = max(0, z)."),),
    ),
    Stop(
        5, "Softmax and cross-entropy", "network and loss", "explain", ("explain", "One digit"),
        "Chapter 6 makes probabilities of ten numbers, chapter 7 makes the loss of the "
        "probability of the true digit.",
        "Add 10 to each of the ten outputs. What happens to the probabilities?",
        "Nothing: the factor e^10 stands above and below the fraction line. Only the differences "
        "between outputs count.",
        (Claim("Softmax: e^z of a digit over the sum of all ten. The loss is categorical "
               "cross-entropy, L = −Σ y·log p.", "first_loss"),),
    ),
    Stop(
        6, "Backpropagation and Adam", "compile and training", "explain", ("explain", "One step"),
        "Follow the error from the output back to one weight by the chain rule; then see what the "
        "optimizer makes of that gradient.",
        "In its very first step, does Adam move a weight with a large gradient further than one "
        "with a small?",
        "No: the first step divides the gradient by its own size, so both move by about the "
        "learning rate, 0.001. Only the direction differs.",
        (Claim("Adam with its default settings, batches of 32, 1,875 steps an epoch.", "steps"),),
    ),
    Stop(
        7, "Five epochs", "training", "train", ("train", "Studio"),
        "The curves of the run played: training thin, validation thick, the paper gray and dashed "
        "where the run is like the paper's.",
        "After epoch 1 the paper's validation accuracy is above its training accuracy. Why?",
        "The training figure is a mean over the whole epoch, its poor beginning included. "
        "Validation is measured once, at the epoch's end.",
        (
            Claim(f"Five epochs take {' + '.join(map(str, SECONDS))} = {sum(SECONDS)} s.",
                  "duration"),
            Claim(f"Accuracy on training images rises from {wording.percent(FIRST['accuracy'])} to "
                  f"{wording.percent(LAST['accuracy'])}, their loss falls from "
                  f"{wording.loss(FIRST['loss'])} to {wording.loss(LAST['loss'])}.",
                  "training_curve"),
            Claim("The network does not overfit.", "no_overfitting"),
        ),
    ),
    Stop(
        8, "One seed, and the test set", "figure 2", "train", ("train", "The paper"),
        "The band: the same training with other first weights and another order of the images. "
        "The verdict stands at the right.",
        "Two trainings differ by 0.3 points. Is the better one a better network?",
        "Not necessarily: another seed alone, or another 10,000 test images, move the accuracy "
        "about as far. Several seeds tell, or both networks on the same images.",
        (
            Claim(f"After one training, accuracy {wording.percent(LAST['val_accuracy'])}.",
                  "one_seed"),
            Claim("The test images are also the validation data.", "validation"),
        ),
    ),
    Stop(
        9, "Evaluation", "evaluation", "evaluate", ("evaluate", "Confusion"),
        "Rows are true digits, columns answers. A click on a cell shows its images; the "
        "page **Mistakes** has them all.",
        "Which confusion is the most frequent, and is its mirror image as frequent?",
        "The matrix's title names it. Compare the cell on the other side of the diagonal: a "
        "network may take many 4s for 9s and few 9s for 4s.",
        (
            Claim(f"On the test set: loss {wording.loss(LAST['val_loss'])}, accuracy "
                  f"{wording.percent(LAST['val_accuracy'])}.", "on_the_test_set"),
            Claim(f"That is {paper.ERRORS} errors in {TEST_IMAGES:,}, given without an interval.",
                  "accuracy_interval"),
        ),
    ),
    Stop(
        10, "What comes next", "future work", "explain", ("explain", "Convolution"),
        "A small filter slides over the image and answers where it finds its pattern. Where the "
        "run played has none, the screen offers one.",
        "Why does a convolutional layer need so few parameters?",
        "It uses the same weights at every place. A 5×5 filter on a gray image has 25 weights and "
        "one bias, wherever it looks.",
        (Claim("Future work: more layers, other activations, convolutional networks.",
               "future_work"),),
    ),
)  # fmt: skip


def stop(number: int | str | None) -> Stop | None:
    """Return the step of this number, also as text of an address; None where there is none."""
    text = str(number)
    if not (text.isascii() and text.isdecimal() and len(text) < 4):
        return None
    return next((each for each in STOPS if each.number == int(text)), None)
