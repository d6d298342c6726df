"""The figure `batchsize`, driven in Chromium and compared with torch."""

import re

import pytest
import torch
import torch.nn.functional as F
from figures import FOLDER, load_generator, near, numbers, pick, root

PAGE = "norms"


@pytest.fixture(scope="module")
def generator():
    """The module that writes the data."""
    return load_generator("batchsize")


@pytest.fixture(scope="module")
def data(generator):
    """The data, made again."""
    return generator.make()


def answers(data, n, training):
    """The outputs of torch's layer for the example in each batch, (24,)."""
    layer, running = data["layer"], data["running"]
    found = []
    for batch in data["batches"]:
        x = torch.tensor([data["example"], *batch[1:n]], dtype=torch.float64)[:, None]
        weights = [torch.tensor([layer[name]], dtype=torch.float64) for name in ("gamma", "beta")]
        statistics = [torch.tensor([running[name]], dtype=torch.float64)
                      for name in ("mean", "variance")]
        if training and n == 1:
            with pytest.raises(ValueError, match="more than 1 value per channel"):
                F.batch_norm(x, *statistics, *weights, training=True)
            found.append(weights[1][0])
            continue
        found.append(F.batch_norm(x, *statistics, *weights, training=training,
                                  eps=layer["eps"])[0, 0])
    return torch.stack(found)


def scattering(data, n):
    """Batch means (24,) and their standard deviation."""
    means = torch.tensor(data["batches"], dtype=torch.float64)[:, :n].mean(1)
    return means, means.std(correction=0).item()


@pytest.mark.parametrize("training", [True, False])
def test_all_batch_sizes_agree_with_torch(tab, data, training):
    """Means, their scatter, sigma / sqrt(n), and the outputs, for n from 1 to 64."""
    for n in range(1, 65):
        found = tab.evaluate("a => byhand.batchsize.compute(...a)", [n, training])
        means, scatter = scattering(data, n)
        near(found["means"], means)
        near(found["outputs"], answers(data, n, training))
        assert found["scatter"] == pytest.approx(scatter, abs=1e-9)
        assert found["theory"] == pytest.approx(data["population"]["deviation"] / n ** 0.5)
        assert abs(scatter / found["theory"] - 1) < 0.18


def facts(tab):
    """The numbers in the table, row by row."""
    return [numbers(text) for text in
            root(tab, "batchsize").locator(".facts td").all_inner_texts()]


def check_facts(tab, data, n, training, batch):
    """Table, sentence and dots are those of a state."""
    outputs, (means, scatter) = answers(data, n, training), scattering(data, n)
    low, high = outputs.min().item(), outputs.max().item()
    table = facts(tab)
    assert table[0] == [pytest.approx(scatter, abs=0.0051)]
    assert table[1] == [pytest.approx(data["population"]["deviation"] / n ** 0.5, abs=0.0051)]
    ends = [low] if training and n == 1 or not training else [low, high]
    assert table[2] == pytest.approx(ends, abs=6e-4)
    x = torch.tensor([data["example"], *data["batches"][batch][1:n]], dtype=torch.float64)
    mean, variance = ((x.mean().item(), x.var(correction=0).item()) if training else
                      (data["running"]["mean"], data["running"]["variance"]))
    sums = [data["example"], mean, variance, 1e-5, 1, outputs[batch].item()]
    table[3][1] = abs(table[3][1])  # the minus before the mean is an operator
    assert table[3] == pytest.approx(sums, abs=0.0051)
    live = numbers(root(tab, "batchsize").locator(".live").inner_text())
    assert live[0] == n and live[-1] == pytest.approx(outputs[batch].item(), abs=6e-4)
    tops = root(tab, "batchsize").evaluate("""e => [...e.querySelectorAll("rect.paper")]
        .map((r) => Number(r.getAttribute("y")))""")
    for name, values, top in zip(("mean", "output"), (means, outputs), tops, strict=True):
        places = root(tab, "batchsize").evaluate("""(e, name) =>
            [...e.querySelectorAll("circle." + name)].map((c) => Number(c.getAttribute("cy")))""",
            name)
        assert len(places) == 24 and all(top <= y <= top + 150 for y in places)
        # a higher dot is a higher value, and equal steps are equal heights
        y, v = torch.tensor(places, dtype=torch.float64), torch.as_tensor(values)
        if v.std() > 1e-9:
            slope = (y[v.argmax()] - y[v.argmin()]) / (v.max() - v.min())
            assert slope < 0
            near((y - y[v.argmin()]).tolist(), slope * (v - v.min()), tolerance=1e-6)
        else:
            assert len(set(places)) == 1


def test_the_sliders_and_the_switch_work_by_keyboard(tab, data):
    """From a batch of one to 64, in both modes; the table and the dots are torch's."""
    figure = root(tab, "batchsize")
    size, batch = figure.get_by_label("Batch size n"), figure.get_by_label("Look at batch")
    check_facts(tab, data, 4, True, 0)
    for key, n in (("ArrowRight", 5), ("End", 64), ("Home", 1), ("ArrowRight", 2)):
        size.press(key)
        check_facts(tab, data, n, True, 0)
    batch.press("End")
    check_facts(tab, data, 2, True, 23)
    figure.get_by_role("radio", name="training", exact=True).press("ArrowRight")
    check_facts(tab, data, 2, False, 23)
    assert figure.locator(".mean.unused").count() == 24
    before = facts(tab)[2:]
    size.press("PageUp")
    assert facts(tab)[2:] == before  # in evaluation mode the batch size does not matter


def test_the_mouse_does_the_same(tab, data):
    """Clicks on the slider, the switch and a batch's column."""
    figure = root(tab, "batchsize")
    slider = figure.get_by_label("Batch size n")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    tab.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    dot = figure.locator(".output").nth(16).bounding_box()
    tab.mouse.click(dot["x"] + dot["width"] / 2, dot["y"] - 20)
    check_facts(tab, data, 64, True, 16)
    assert figure.locator(".here").count() == 2
    pick(tab, "batchsize", "evaluation")
    check_facts(tab, data, 64, False, 16)


def test_a_batch_of_one_loses_everything(tab, data):
    """In training mode all outputs are beta, and the page says so; torch refuses the batch."""
    figure = root(tab, "batchsize")
    assert "lost" not in figure.locator(".remark").inner_text()
    figure.get_by_label("Batch size n").press("Home")
    assert facts(tab)[2] == [data["layer"]["beta"]]
    assert "each output is β = 1, whatever the picture was: all information is lost. " \
        "BatchNorm1d refuses" in figure.locator(".remark").inner_text()
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        torch.nn.BatchNorm1d(1)(torch.tensor([[154.0]]))
    check_facts(tab, data, 1, True, 0)
    pick(tab, "batchsize", "evaluation")
    assert "lost" not in figure.locator(".remark").inner_text()


def test_the_data_can_be_made_again(generator, data):
    """The files are what the generator writes; the running statistics are those of torch."""
    for name, text in (("data.js", generator.script(data)), ("example.txt",
                                                             generator.example(data))):
        assert (FOLDER / f"batchsize.{name}").read_text(encoding="utf-8") == text
    population, running = data["population"], data["running"]
    error = population["deviation"] / running["size"] ** 0.5
    assert abs(running["mean"] - population["mean"]) < error
    assert running["variance"] == pytest.approx(population["deviation"] ** 2, rel=0.1)


def test_the_example_is_true(data):
    """The answers of three batches, and the one in evaluation mode."""
    text = (FOLDER / "batchsize.example.txt").read_text(encoding="utf-8")
    results = [numbers(line)[-1] for line in text.splitlines() if re.match("batch|always", line)]
    right = [*answers(data, 4, True)[:3].tolist(), answers(data, 4, False)[0].item()]
    assert results == pytest.approx(right, abs=6e-4)
