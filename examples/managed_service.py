"""The managed service's notebooks as one script, without the service.

MovieLens 100K, one-hot, in record files; factorization machines trained as the service trains them, or loaded from an
artifact that it trained; the top 100 of every user from k-nearest neighbours by batch transform; lists in a database;
and why user 846 was scored as they were for film 60.

Usage: python examples/managed_service.py [--out FOLDER] [--epochs 200] [--artifact model.tar.gz] [--database URI]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

import factorec as fr
from factorec.formats.recordio import read_recordio, write_recordio
from factorec.sagemaker import KNN, estimator, load_artifact, transform
from factorec.sinks import open_sink

N_USERS, N_ITEMS = 943, 1682  # ids start at 1
N_FEATURES = N_USERS + N_ITEMS
USER, ITEM = 846, 60


def one_hot(user_ids: Any, item_ids: Any) -> sparse.csr_array:
    """One row a rating: a 1 for the user, a 1 for the film."""
    n = len(user_ids)
    columns = np.column_stack([np.asarray(user_ids) - 1, N_USERS + np.asarray(item_ids) - 1])
    return sparse.csr_array((np.ones(2 * n, np.float32), columns.ravel(), 2 * np.arange(n + 1)), (n, N_FEATURES))


def write_ratings(path: Path, ratings: Any, order: Any) -> None:
    """A channel's file. The label is 1 for ratings of 4 and 5; the others are kept, with label 0."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = {name: np.asarray(ratings[name])[order] for name in ("user_id", "item_id", "rating")}
    write_recordio(path, one_hot(rows["user_id"], rows["item_id"]), np.float32(rows["rating"] >= 4))


def train(folder: Path, epochs: int) -> Any:
    """As the service trains: lazy Adam over mini-batches in file order."""
    train, test = (read_recordio(folder / f"fm/{name}/{name}.protobuf") for name in ("train", "test"))
    fm = estimator(
        {
            "feature_dim": str(N_FEATURES),
            "num_factors": "64",
            "predictor_type": "binary_classifier",
            "mini_batch_size": "1000",
            "epochs": str(epochs),
        },
        random_state=0,
    )
    fm.fit(train.features, train.y, eval_set={"test": (test.features, test.y)})
    print({name: round(float(values[-1]), 4) for name, values in fm.history_["test"].items()})
    return fm


def repackage(fm: Any) -> tuple[Any, Any]:
    """User and item matrices whose inner products rank: (v_u, 1) and (v_i, w_i), float32."""
    ones = np.ones((N_USERS, 1), np.float32)
    users = np.concatenate([fm.factors_[:N_USERS], ones], axis=1)
    items = np.concatenate([fm.factors_[N_USERS:], fm.linear_[N_USERS:, None]], axis=1)
    return users, items


def recommend(folder: Path, users: Any, items: Any) -> Path:
    """The 100 films of every user, by k-NN and batch transform. Queries have a folder of their own."""
    knn = KNN(
        {
            "feature_dim": str(items.shape[1]),
            "k": "100",
            "index_metric": "INNER_PRODUCT",
            "predictor_type": "classifier",
            "sample_size": str(N_ITEMS),
        }
    )
    (folder / "knn/queries").mkdir(parents=True, exist_ok=True)
    knn.fit(items, np.arange(1, N_ITEMS + 1)).save_artifact(folder / "knn/model.tar.gz")
    write_recordio(folder / "knn/queries/users.protobuf", users)
    done = transform(
        folder / "knn/model.tar.gz",
        folder / "knn/queries",
        folder / "knn/output",
        content_type="application/x-recordio-protobuf",
        accept="application/jsonlines; verbose=true",
        split_type="RecordIO",
    )
    return Path(done.outputs[0])


def neighbours(out: Path) -> Iterator[tuple[Any, Any]]:
    """Item ids and inner products of user 1, 2, ..., best first: the file has them ascending, the best one last."""
    with out.open() as lines:
        for line in lines:
            found = json.loads(line)
            yield np.array(found["labels"], np.int64)[::-1], np.array(found["distances"], np.float32)[::-1]


def store(out: Path, database: str, fm: Any, seen: Any) -> None:
    """Films that a user has not rated, best first. The score is the model's own: log-odds of a like."""
    n_seen = 0
    with open_sink(database, table="recommendations", model="managed-service") as sink:
        for user, (ids, products) in enumerate(neighbours(out), start=1):
            unseen = ~np.isin(ids, seen[user])
            n_seen += int(np.count_nonzero(~unseen))
            n = int(np.count_nonzero(unseen))
            scores = products[unseen] + fm.linear_[user - 1] + fm.bias_
            sink.write(
                {
                    "user_id": np.full(n, user),
                    "rank": np.arange(1, n + 1),
                    "item_id": ids[unseen],
                    "score": scores.astype(np.float32),
                }
            )
    print(f"{database}: of 100 films {n_seen / N_USERS:.0f} were rated before, in the mean; they are left out")


def explain(fm: Any, train: Any, titles: dict[int, str]) -> None:
    """Which of the user's ratings move the score of one film, and by how much: likes and dislikes, no n x n matrix."""
    of_user = np.flatnonzero(train.features[:, [USER - 1]].toarray())
    item_ids = train.features[of_user].indices.reshape(-1, 2)[:, 1] - N_USERS + 1
    rated = of_user[item_ids != ITEM]  # an item does not explain itself
    # Weight decay pulls at the user's factors once in each batch with a row of the user. An artifact does not say.
    batch = fm.hyperparameters_.mini_batch_size
    l2 = fm.hyperparameters_.factors_wd * batch * len(np.unique(of_user // batch))
    wanted = one_hot([USER], [ITEM])
    influence = fr.influence(
        fm.parameters_, train.features[rated], train.y[rated], wanted, feature=USER - 1, l2=l2, loss="logistic"
    )[0]
    print(f"User {USER}, {titles[ITEM]}: probability of a like {fm.predict_proba(wanted)[0, 1]:.3f}. Moved most by")
    for k in np.argsort(-np.abs(influence))[:5]:
        verb = "liked" if train.y[rated[k]] else "not liked"
        print(f"  {influence[k]:+.4f}  {titles[item_ids[item_ids != ITEM][k]]} ({verb})")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the whole pipeline."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("managed-service"), help="folder for all files")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--artifact", type=Path, help="model.tar.gz that the service trained; instead of training")
    parser.add_argument("--database", help="sqlite:///PATH or postgresql://...; default: lists.db in the folder")
    options = parser.parse_args(arguments)
    folder: Path = options.out

    data = fr.datasets.load_movielens("100k", split="ua")
    titles = dict(zip(data.items["item_id"], data.items["title"], strict=True))
    rng = np.random.default_rng(0)
    write_ratings(folder / "fm/train/train.protobuf", data.train, rng.permutation(len(data.train["rating"])))
    write_ratings(folder / "fm/test/test.protobuf", data.test, np.arange(len(data.test["rating"])))

    if options.artifact is None:
        train(folder, options.epochs).save_artifact(folder / "fm/model.tar.gz")
    fm = load_artifact(options.artifact or folder / "fm/model.tar.gz")

    users, items = repackage(fm)
    out = recommend(folder, users, items)
    ids, products = next(neighbours(out))
    print(
        f"{out}: best films of user 1:",
        [(titles[i], round(float(p), 3)) for i, p in zip(ids[:3], products, strict=False)],
    )

    user_ids, item_ids = np.asarray(data.train["user_id"]), np.asarray(data.train["item_id"])
    seen = {user: item_ids[user_ids == user] for user in range(1, N_USERS + 1)}
    store(out, options.database or f"sqlite:///{folder / 'lists.db'}", fm, seen)
    explain(fm, read_recordio(folder / "fm/train/train.protobuf"), titles)


if __name__ == "__main__":
    main()
