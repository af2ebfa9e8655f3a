"""The main job on MovieLens 100K, whole."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

import factorec as fr
from factorec import cli


@pytest.fixture(scope="module")
def quickstart(movielens_ua, tmp_path_factory):
    """Run once: the folder, and what it printed."""
    folder = tmp_path_factory.mktemp("quickstart")
    with pytest.MonkeyPatch.context() as patch, open(folder / "printed.txt", "w") as out:
        patch.setattr(sys, "argv", ["factorec", "quickstart", "--out", str(folder / "run"), "--top", "100"])
        patch.setattr(sys, "stdout", out)
        with pytest.raises(SystemExit) as stop:
            cli.main()
    assert not stop.value.code
    return folder / "run", (folder / "printed.txt").read_text()


def test_prints_sizes_progress_and_figures(quickstart):
    folder, text = quickstart
    for figure in ("90,570", "9,430", "49,906", "5,469", "0.7159", "0.5811", "0.7456", "about 0.697"):
        assert figure in text
    words = ("service, as published", "service, unpadded", "popularity", "FMRanker", "FMOrdinal", "NDCG@10", "log loss")
    for word in (*words, str(folder)[-20:]):
        assert word in text.replace("\n", "")


def test_lists_are_complete_exact_and_unseen(quickstart, movielens_ua):
    folder, _ = quickstart
    lines = [json.loads(line) for line in (folder / "top100.jsonl").read_text().splitlines()]
    assert len(lines) == 943 * 100
    assert list(lines[0]) == ["user_id", "rank", "item_id", "title", "score"]
    train = movielens_ua.train
    seen = set(zip(train["user_id"], train["item_id"], strict=True))
    assert not any((line["user_id"], line["item_id"]) in seen for line in lines)
    titles = dict(zip(movielens_ua.items["item_id"], movielens_ua.items["title"], strict=True))
    assert all(line["title"] == titles[line["item_id"]] for line in lines)
    rec = fr.load(folder / "model.factorec")
    pairs = {name: np.array([line[name] for line in lines]) for name in ("user_id", "item_id", "score")}
    scores = rec.decision_function(pairs)
    assert (np.abs(scores - pairs["score"]) <= 1e-5 * np.maximum(1, np.abs(scores))).all()  # promise 2


def test_explanations_are_pictures_and_one_page(quickstart):
    folder, text = quickstart
    pictures = sorted(folder.glob("*.png"))
    assert len(pictures) == 3
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)
    page = (folder / "explanations.html").read_text()
    assert page.count("Three Colors: Blue") >= 2
    assert "http" not in page.replace("http-equiv", "")  # needs nothing else
    assert "films not rated" in page
    assert "Three Colors: Blue" in text


def test_beats_popularity_and_the_service(movielens_ua):
    """Not the bars of the benchmarks: what must hold for the printed story to be true."""
    like = fr.Recommender(fr.FMClassifier(n_factors=64, random_state=0), like_threshold=4)
    judged = like.fit(movielens_ua.train).evaluate(movielens_ua.test)
    assert judged.points["log_loss"] < 0.5811
    assert judged.points["accuracy"] > 0.697
    lists = fr.Recommender(fr.FMRanker(random_state=0), like_threshold=4)
    ranked = lists.fit(movielens_ua.train).evaluate(movielens_ua.test)
    assert ranked.popularity["ndcg@10"] == pytest.approx(0.127, abs=5e-4)  # the known figure
    assert judged.ranking["ndcg@10"] < ranked.popularity["ndcg@10"] < ranked.ranking["ndcg@10"]
    assert (judged.n_users, judged.n_cold_items) == (934, 2)
