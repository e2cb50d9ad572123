"""Read the app's filled-in equations back: what each side of them comes to, computed by Python."""

import math
import re

BRACES = r"\{((?:[^{}]|\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})*)\}"  # four deep


def sides(latex):
    """Return the text between the signs "=" and "≈", from the first to the last."""
    text = re.sub(r"\\(begin|end)\{aligned\}|&|\{\}", "", latex).replace(r"\\", " ")
    text = re.sub(r"\\(quad|[bB]ig)|\\,|\\mathbf", " ", text)
    return [part.strip() for part in re.split(r"=|\\approx", text)]


def value(text):
    """Return what a side with numbers alone comes to."""
    text = re.sub(rf"\\underbrace{BRACES}_{BRACES}", r"(\1)", text)
    while r"\frac" in text:
        text = re.sub(rf"\\frac{BRACES}\s*{BRACES}", r"((\1)/(\2))", text, count=1)
    text = re.sub(rf"\\sqrt{BRACES}", r"sqrt(\1)", text)
    text = re.sub(rf"\^{BRACES}", r"**(\1)", text)
    text = re.sub(r"\\(max|tanh|Phi)", r"\1", text)
    text = re.sub(r"\\log\s*(\([^()]*(?:\([^()]*\)[^()]*)*\)|[\d.]+)", r"log(\1)", text)
    text = text.replace(r"\cdot", "*").replace("{", "(").replace("}", ")")
    assert re.fullmatch(r"[\w\s.()+\-*/,]*", text), text
    names = {"exp": math.exp, "e": math.e, "max": max, "tanh": math.tanh, "sqrt": math.sqrt,
             "log": math.log, "Phi": lambda z: 0.5 * math.erfc(-z / math.sqrt(2))}  # fmt: skip
    return eval(text, {"__builtins__": {}}, names)


def number(text):
    """Read a number as tables write it: "−1.23·10⁻⁵"."""
    mantissa, _, power = text.replace("−", "-").partition("·10")
    raised = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    return float(mantissa) * 10.0 ** int(power.translate(raised) or 0)
