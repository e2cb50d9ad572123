"""Which terms each page and view uses, in the order in which a reader meets them.

Views are named as in the address; a page without views has "". A test collects what the pages write
and finds every term of it here.
"""

# Of the bar at the bottom, with the names of runs, and so everywhere.
FRAME = tuple(
    "run epoch mnist training-set test-set cnn mlp adam adamw sgd momentum nesterov rmsprop".split()
)
BROWSE = "training-set test-set label pixel seed centre-of-mass normalization"
SCORES = (
    "epoch accuracy confidence-interval loss cross-entropy probability top-2 test-set label "
    "confusion-matrix confidence weight"
)
ONE_DIGIT = "pixel probability confidence top-2 nearest-neighbours euclidean-distance"
DRAW = "pixel probability confidence flip robustness"
EXPLAIN = "step convolution unit"

_TERMS = {
    ("home", ""): "mnist run training-set test-set pixel unit hidden-layer accuracy",
    ("browse", "digits"): f"{BROWSE} nearest-neighbours euclidean-distance class",
    ("browse", "map"): f"pca t-sne {BROWSE} nearest-neighbours euclidean-distance class",
    ("browse", "classes"): (
        "class training-set test-set label standard-deviation euclidean-distance "
        "nearest-neighbours confusion-matrix pixel"
    ),
    ("browse", "copies"): "training-set test-set label pixel nearest-neighbours overfitting "
    "euclidean-distance class",
    ("train", "Studio"): (
        "run preset hyperparameter epoch learning-rate optimizer sgd momentum nesterov rmsprop "
        "adam adamw schedule cosine warm-up loss cross-entropy sparse-cross-entropy "
        "mean-squared-error batch step layer hidden-layer output-layer dense-layer unit "
        "activation relu tanh sigmoid elu gelu linear softmax convolution filter kernel stride "
        "padding pooling flatten dropout batch-normalization l2 initializer glorot he-normal "
        "lecun-normal weight bias parameter normalization pixel training-set validation-set "
        "test-set label one-hot wrong-labels augmentation distortion early-stopping patience "
        "seed overfitting accuracy diverged smoothing logarithmic-axis gradient distribution "
        "confusion-matrix cnn mlp"
    ),
    ("train", "The paper"): (
        "mnist run seed accuracy loss test-set training-set validation-set confidence-interval "
        "prediction-interval standard-deviation initializer"
    ),
    ("train", "Queue"): "run epoch",
    ("evaluate", "Confusion"): f"{SCORES} precision recall f1 macro-average doubtful-label",
    ("evaluate", "Over time"): f"{SCORES} doubtful-label",
    ("evaluate", "How sure"): f"{SCORES} threshold coverage reliability calibration-error "
    "distribution",
    ("evaluate", "Two runs"): f"{SCORES} mcnemar seed hyperparameter",
    ("evaluate", "Weights"): f"{SCORES} unit layer pixel",
    ("mistakes", "Mistakes"): (
        f"test-set label doubtful-label loss cross-entropy {ONE_DIGIT} confusion-matrix saliency "
        "occlusion training-set"
    ),
    ("mistakes", "Doubtful labels"): (
        f"label doubtful-label wrong-labels test-set accuracy {ONE_DIGIT} loss cross-entropy "
        "saliency occlusion training-set"
    ),
    ("draw", "Answer"): f"{DRAW} normalization centre-of-mass top-2",
    ("draw", "Side by side"): DRAW,
    ("draw", "Why?"): (
        f"{DRAW} gradient saliency log-odds integrated-gradients occlusion nearest-neighbours "
        "euclidean-distance training-set"
    ),
    ("draw", "Flip it"): f"{DRAW} gradient",
    ("draw", "Robustness"): f"{DRAW} distortion test-set accuracy augmentation",
    ("explain", "One digit"): (
        f"pixel normalization flatten layer hidden-layer dense-layer weight bias activation relu "
        f"tanh sigmoid elu gelu linear output-layer logit softmax probability confidence label "
        f"one-hot loss cross-entropy mean-squared-error parameter batch-normalization pooling "
        f"feature-map filter l2 distribution float32 test-set training-set {EXPLAIN}"
    ),
    ("explain", "One step"): (
        f"loss cross-entropy backpropagation chain-rule gradient weight bias logit softmax "
        f"probability one-hot label relu optimizer adam moment bias-correction sgd momentum "
        f"nesterov rmsprop adamw l2 learning-rate batch layer hidden-layer output-layer pixel "
        f"normalization parameter training-set test-set confidence filter float32 dropout "
        f"batch-normalization mean-squared-error feature-map pooling dense-layer {EXPLAIN}"
    ),
    ("explain", "Convolution"): (
        f"filter kernel stride padding feature-map pooling pixel normalization weight bias "
        f"layer activation relu tanh sigmoid elu gelu linear "
        f"batch-normalization cnn dense-layer output-layer test-set confidence {EXPLAIN}"
    ),
    ("explain", "Neurons"): (
        f"hidden-layer layer activation feature-map filter knock-out dead-unit weight accuracy "
        f"test-set class pixel relu bias output-layer dense-layer {EXPLAIN}"
    ),
    ("explain", "The walk"): (
        f"mnist training-set test-set label pixel normalization one-hot class flatten layer "
        f"hidden-layer output-layer dense-layer relu softmax parameter preset weight bias loss "
        f"cross-entropy probability backpropagation chain-rule gradient optimizer adam moment "
        f"bias-correction hyperparameter learning-rate batch accuracy validation-set overfitting "
        f"seed initializer confidence-interval prediction-interval standard-deviation linear "
        f"activation filter feature-map cnn mlp {EXPLAIN}"
    ),
    ("explain", "Glossary"): f"{EXPLAIN} softmax confidence",
}

# (page, view) -> slugs of the terms that the view itself uses.
OWN: dict[tuple[str, str], tuple[str, ...]] = {
    place: tuple(dict.fromkeys(slugs.split())) for place, slugs in _TERMS.items()
}
