"""``factorec quickstart``: the whole way on MovieLens 100K, from ratings to explained lists."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.markup import escape

from .. import Recommender, datasets
from ..explain import Explanation
from ..fm import BaseFM, FMClassifier, FMOrdinal, FMRanker
from ._console import console, epochs, note, print_table, step
from ._page import write_page

__all__ = ["quickstart"]

LIKE = 4  # stars
USER, FILM = 846, 60  # the example of the published notebook: "Three Colors: Blue"

# Test figures of the same split and model size as published for the managed service, after 50 epochs. It trains and
# measures batches of 1,000 rows: the last batch of the 9,430 test rows was filled with 570 rows, and sums were
# divided by 10,000. The second set is a re-implementation of it, without that filling.
PUBLISHED = {"accuracy": "0.7159", "log_loss": "0.5811", "f1": "0.7456"}
UNPADDED = {"accuracy": "about 0.697", "log_loss": "about 0.589", "f1": "about 0.738"}
METRICS = {"accuracy": "accuracy", "log_loss": "log loss", "f1": "F1", "auc": "AUC"}


def quickstart(out: Path, top: int, model: Path | None, seed: int = 0) -> None:
    """Run the main job and write its results to the folder `out`."""
    began = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    model = model or out / "model.factorec"
    console.print("[bold]factorec quickstart[/bold]  MovieLens 100K: from ratings to explained recommendations")

    step("1  Data: split ua, 10 ratings of every user held out")
    data = datasets.load_movielens("100k", split="ua")
    print_table(
        ["split", "ratings", "users", "films", f"likes (rating ≥ {LIKE})"],
        [_split_row("train", data.train), _split_row("test", data.test)],
    )

    step("2  Predict likes of rated films, by ids alone")
    likes, took = _fit(data, FMClassifier(n_factors=64, random_state=seed), watch=True)
    epochs(likes.estimator_.history_)
    levels, took_levels = _fit(data, FMOrdinal(random_state=seed))
    judged, by_levels = likes.evaluate(data.test), levels.evaluate(data.test)
    figures = [
        [
            label,
            f"{judged.points[name]:.4f}",
            f"{by_levels.points[name]:.4f}",
            PUBLISHED.get(name, "-"),
            UNPADDED.get(name, "-"),
        ]
        for name, label in METRICS.items()
    ]
    head = ["test figures", "FMClassifier", "FMOrdinal", "service, as published", "service, unpadded"]
    print_table(head, figures, bold=1)
    note(
        f"Fitted in {took:.2f} s and {took_levels:.2f} s. FMClassifier learns likes and dislikes, FMOrdinal the stars, "
        "from which it reads how probable a like is. The published figures are sums over 9,430 test rows and 570 rows "
        "of padding, divided by 10,000; unpadded is what the same model gives without them."
    )

    step("3  Rank films: FMRanker")
    ranker, took = _fit(data, FMRanker(random_state=seed))
    ranked = ranker.evaluate(data.test)
    ndcg = [
        ["popularity", f"{ranked.popularity['ndcg@10']:.4f}"],
        ["FMClassifier, likes and dislikes", f"{judged.ranking['ndcg@10']:.4f}"],
        ["FMRanker", f"{ranked.ranking['ndcg@10']:.4f}"],
    ]
    print_table(["test lists of unseen films", "NDCG@10"], ndcg, bold=1)
    note(
        f"Fitted in {took:.2f} s. Means over {ranked.n_users:,} users with a liked film in the test rows. A model "
        "that saw only rated films knows which of them people like, not which films they would pick: it must not rank. "
        "FMRanker learns to put the films that a user picked above all others."
    )

    step(f"4  Top {top} unseen films of every user")
    lists = out / f"top{top}.jsonl"
    began_search = time.perf_counter()
    best = ranker.recommend(n=top)
    took = time.perf_counter() - began_search
    best.write(lists)
    ranker.save(model)
    first = best[USER]
    print_table(
        ["rank", "film", "score"],
        [[rank + 1, line["title"], f"{line['score']:.3f}"] for rank, line in enumerate(first[:5])],
        text=(1,),
    )
    note(f"User {USER}'s first five; {len(best):,} lists searched exactly in {took:.3f} s.")

    step(f"5  Why, for user {USER}")
    whys = _explain(likes, ranker, first[0]["item_id"])
    _write_explanations(out, whys, figures, head, ndcg)
    for _, heading, _, why in whys:
        console.print(f"Why {escape(why.title or '')}? [dim]{escape(heading)}[/dim]")
        if why.parts is not None:
            terms = [f"{v:+.2f} {name}" for name, v in zip(why.parts.names, why.parts.values, strict=True) if v]
            console.print(f"  [dim]score {why.score:+.2f} = {escape(', '.join(terms))}[/dim]")
        for line in why.contributions[:3]:
            console.print(f"  {line['impact']:+.3f}  {escape(line['title'])} [dim](rated {line['rating']:g})[/dim]")

    step(f"Done in {time.perf_counter() - began:.1f} s. Everything lies in {out.resolve()}")
    print_table(
        ["file", ""],
        [
            [lists.name, f"{len(best):,} users × {top} films: user_id, rank, item_id, title, score"],
            *([name, f"why {why.title}: {heading}"] for name, heading, _, why in whys),
            ["explanations.html", "the figures and all explanations on one page"],
            [model.name if model.parent == out else model, "the ranking model, for factorec.load"],
        ],
        text=(0, 1),
    )


def _split_row(name: str, table: Any) -> list[str]:
    likes, n = int((table["rating"] >= LIKE).sum()), len(table["rating"])
    users, films = (len(np.unique(table[column])) for column in ("user_id", "item_id"))
    return [name, f"{n:,}", f"{users:,}", f"{films:,}", f"{likes:,} ({likes / n:.1%})"]


def _fit(data: Any, estimator: BaseFM, *, watch: bool = False) -> tuple[Recommender, float]:
    rec = Recommender(estimator, like_threshold=LIKE)
    began = time.perf_counter()
    rec.fit(data.train, items=data.items, users=data.users, eval_set={"test": data.test} if watch else None)
    return rec, time.perf_counter() - began


def _explain(likes: Recommender, ranker: Recommender, first: Any) -> list[tuple[str, str, str, Explanation]]:
    """(file name, heading, text, explanation) of each."""
    return [
        (
            f"why-{USER}-{FILM}-ridge.png",
            "re-solved exactly",
            "By the model of likes and dislikes. The user's vector is solved again from the user's own ratings; "
            "the impacts add up to the score.",
            likes.explain(USER, FILM, noun="film"),
        ),
        (
            f"why-{USER}-{FILM}-paper.png",
            "by the published formula",
            "The same score by Rastegarpanah et al. 2017: least squares without a penalty, from liked and "
            "disliked films alike.",
            likes.explain(USER, FILM, method="paper", noun="film"),
        ),
        (
            f"why-{USER}-first.png",
            "the first recommendation, by the ranking model",
            "By the model that made the list; what the films not rated say together is one line. Its loss is one of "
            "whole lists: a squared loss stands for it, and the gap is what that leaves unexplained.",
            ranker.explain(USER, first, noun="film"),
        ),
    ]


def _write_explanations(
    out: Path,
    whys: list[tuple[str, str, str, Explanation]],
    figures: list[list[str]],
    head: list[str],
    ndcg: list[list[str]],
) -> None:
    for name, _, _, why in whys:
        why.save(out / name)
    write_page(
        out / "explanations.html",
        "Why these films?",
        "MovieLens 100K, split ua: factorization machines with 64 factors, learned from 90,570 ratings.",
        [(head, figures), (["test lists of unseen films", "NDCG@10"], ndcg)],
        [(heading[0].upper() + heading[1:], words, why) for _, heading, words, why in whys],
    )
