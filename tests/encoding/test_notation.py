"""Fields as text: what is read, and that every mistake is named with its place."""

from __future__ import annotations

import pytest

from factorec.encoding import Categorical, Datetime, History, MultiLabel, Numeric, Precomputed
from factorec.encoding.notation import fields_from_dict, fields_from_file, fields_from_text
from factorec.errors import DataError, FormatError


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("auto", "auto"),
        ("user: gender", {"user": ["gender"]}),
        (" user:gender ,'home town';item : maker ; ", {"user": ["gender", "home town"], "item": ["maker"]}),
        ("context: hour; user: numeric(age, bins=12)", {"context": ["hour"], "user": [Numeric("age", bins=12)]}),
        (
            "item: MultiLabel(genres, separator=|, weight='1', min_count=3), categorical('a maker', missing=category)",
            {
                "item": [
                    MultiLabel("genres", separator="|", weight="1", min_count=3),
                    Categorical("a maker", missing="category"),
                ]
            },
        ),
        (
            "item: multilabel(genres, separator=';', weight=1)",
            {"item": [MultiLabel("genres", separator=";", weight="1")]},
        ),
        ("item: precomputed(vector)", {"item": [Precomputed("vector")]}),
        ("item: 'numeric'", {"item": ["numeric"]}),
        (
            "user: age, history; item: history(name=fans); context: datetime(at, part=hour, unit=ms)",
            {
                "user": ["age", History()],
                "item": [History(name="fans")],
                "context": [Datetime("at", part="hour", unit="ms")],
            },
        ),
        ("user: 'history'; context: history", {"user": ["history"], "context": ["history"]}),
    ],
)
def test_what_is_written_is_what_is_declared(text, fields):
    assert repr(fields_from_text(text)) == repr(fields)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "nothing at position 1"),
        ("user", "no ':' after 'user' at position 5"),
        ("user: ", "no field at position 6"),
        ("film: genre", "'film', where one of user, context, item must stand, at position 1"),
        ("user: a; user: b", "'user', where one of context, item must stand, at position 10"),
        ("user: a b", "'b', where ',' or ';' must stand, at position 9"),
        ("user: 'a", "a quote that does not end at position 6"),
        ("user: odd(a)", "there is no kind of field 'odd', only categorical, multilabel, numeric, precomputed"),
        ("user: numeric(a, bin=3)", "numeric has no parameter 'bin', only bins, column"),
        ("user: numeric(bins=3)", "numeric needs a column at position 7"),
        ("user: history(title)", "history has no parameter 'column', only name"),
        ("context: datetime(part=hour)", "datetime needs a column at position 10"),
        ("user: numeric(a, 3)", "3 without '=' at position 18"),
        ("user: numeric(a", r"no '\)' at position 16"),
        ("user: numeric(a, bins=)", "no value at position 23"),
    ],
)
def test_mistakes_are_named_with_their_place(text, message):
    """Promise 6."""
    with pytest.raises(DataError, match=message):
        fields_from_text(text)


def test_files(tmp_path):
    fields = {"user": ["gender", Numeric("age", bins=12)], "context": ["hour"]}
    (tmp_path / "fields.toml").write_text('context = ["hour"]\n[[user]]\nkind = "numeric"\ncolumn = "age"\nbins = 12\n')
    (tmp_path / "fields.json").write_text(
        '{"user": ["gender", {"kind": "Numeric", "column": "age", "bins": 12}], "context": ["hour"]}'
    )
    assert repr(fields_from_file(tmp_path / "fields.json")) == repr(fields)
    assert repr(fields_from_file(tmp_path / "fields.toml")["user"]) == repr(fields["user"][1:])
    for content in ("user = [", "\xff"):
        (tmp_path / "bad.toml").write_bytes(content.encode("latin-1"))
        with pytest.raises(FormatError, match=r"bad\.toml: "):
            fields_from_file(tmp_path / "bad.toml")
    with pytest.raises(FileNotFoundError):
        fields_from_file(tmp_path / "nowhere.json")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1], "fields must be lists by user, context, item"),
        ({"films": []}, "fields stand under user, context, item, not under 'films'"),
        ({"user": "gender"}, "user must be a list of fields, got 'gender'"),
        ({"user": [3]}, "a field is the name of a column or has a kind, got 3"),
        ({"user": [{"column": "age"}]}, "has a kind"),
        ({"user": [{"kind": "numeric"}]}, "numeric needs a column"),
        ({"item": [{"kind": "precomputed", "columns": "x", "transformer": "y"}]}, "no parameter 'transformer'"),
    ],
)
def test_wrong_settings_are_named(given, message):
    with pytest.raises(DataError, match=message):
        fields_from_dict(given)
