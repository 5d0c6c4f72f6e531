"""VisA's and Real-IAD's lists: rows, None for another file, or a sentence with file and line; never anything else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.errors import InspectorError
from inspector.jobs.evaluation import lists

CSV = b"""object,split,label,image,mask
pcb,train,normal,pcb/0.png,
pcb,test,normal,pcb/1.png,
pcb,test,anomaly,pcb/2.png,pcb/m2.png
"""
GOOD_ROW = {"category": "part", "anomaly_class": "OK", "image_path": "OK/0.png", "mask_path": None}
BAD_ROW = {"category": "part", "anomaly_class": "pit", "image_path": "NG/0.png", "mask_path": "NG/0_m.png"}
CONTENT = {
    "meta": {"normal_class": "OK", "prefix": "part/"},
    "train": [GOOD_ROW],
    "test": [GOOD_ROW, BAD_ROW],
}
JSON = json.dumps(CONTENT, indent=1).encode()


def with_row(change):
    return json.dumps({**CONTENT, "test": [GOOD_ROW, {**BAD_ROW, **change}]}, indent=1).encode()


LINE = (
    JSON.decode().split("\n").index('   "anomaly_class": "pit",')
)  # its row begins a line above, counted from 1
assert JSON.decode().split("\n")[LINE - 2].strip() == "{"


@pytest.mark.parametrize(
    ("data", "line", "said"),
    [
        (CSV + b"pcb,test,normal\n", 5, "no “image”"),
        (CSV + b"pcb\n", 5, "no “split”"),
        (CSV + b"pcb,test,normal,pcb/\0.png,\n", 5, ""),
        (CSV + "Prüf,test,normal,pcb/3.png,\n".encode("cp1252"), 5, "not UTF-8"),
        (CSV + b"pcb,valid,normal,pcb/3.png,\n", 5, "“valid”, not train or test"),
        (CSV + b"pcb,test,normal,../3.png,\n", 5, "outside its folder"),
        (CSV + b"pcb,te\x1b[2Jst,normal,3.png,\n", 5, "te␣[2Jst"),
        (CSV + b"pcb,test,bad,3.png,C:/m.png\n", 5, "outside its folder"),
        (CSV + b"p\x1b[2Jcb,test,normal,3.png,\n", 5, "can't be shown"),
        ((CSV + b"pcb\n").decode().encode("utf-16"), 5, "no “split”"),
        (CSV + b"pcb,test," + b"a" * 200_000 + b",3.png,\n", 5, "field larger"),
    ],
)
def test_a_mistake_in_a_table_is_named_with_file_and_line(data, line, said):
    with pytest.raises(InspectorError, match=f"Line {line} of the list 1cls.csv") as raised:
        lists.visa(data, "1cls.csv")
    assert said in raised.value.message
    assert raised.value.hint


@pytest.mark.parametrize(
    ("data", "line", "said"),
    [
        (with_row({"image_path": None}), LINE - 1, "no “image_path” (entry 2 of “test”)"),
        (with_row({"anomaly_class": 3}), LINE - 1, "no “anomaly_class”"),
        (with_row({"mask_path": "/etc/passwd"}), LINE - 1, "outside its folder"),
        (with_row({"category": ["part"]}), LINE - 1, "no text"),
        (json.dumps({**CONTENT, "meta": None}).encode(), 1, "no “meta”"),
        (json.dumps({**CONTENT, "test": [GOOD_ROW, None]}).encode(), 1, "is no object"),
        (json.dumps({**CONTENT, "train": {}}).encode(), 1, "no list under “train”"),
        (json.dumps({**CONTENT, "meta": {"prefix": "../.."}}).encode(), 1, "“prefix”"),
        (JSON[:-30], JSON[:-30].count(b"\n") + 1, "is no JSON"),
        (JSON.replace(b'"pit"', b'"p\xfct"'), LINE + 1, "not UTF-8"),
        (JSON.replace(b"null", b"[" * 100_000), 1, "nested too deeply"),
        (JSON.replace(b"null", b"9" * 5_000), 1, "too large a number"),
    ],
)
def test_a_mistake_in_a_json_is_named_with_file_and_line(data, line, said):
    with pytest.raises(InspectorError, match=f"Line {line} of the list part.json") as raised:
        lists.real_iad(data, "part.json")
    assert said in raised.value.message


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lists_are_read_in_every_encoding_that_tells_itself(encoding):
    plain = lists.visa(CSV, "1cls.csv")
    assert [(row.train, row.defect, str(row.mask)) for row in plain] == [
        (True, "good", "None"),
        (False, "good", "None"),
        (False, "anomaly", "pcb/m2.png"),
    ]
    assert lists.visa(CSV.decode().encode(encoding), "1cls.csv") == plain
    found = lists.real_iad(JSON, "part.json")
    assert found.prefix == "part"
    assert [row.defect for row in found.rows] == ["good", "good", "pit"]
    assert lists.real_iad(JSON.decode().encode(encoding), "part.json") == found


@pytest.mark.parametrize(
    "data", [b"", b"\0", "Gr\u00f6\u00dfe;Ma\u00df\n1;2\n".encode("cp1252"), b"{}", b"[1, 2]", b"\xff\xfe\0"]
)
def test_other_files_are_no_lists(data):
    assert [parse(data, "file") for parse in (lists.visa, lists.real_iad)] == [None, None]


WORDS = st.one_of(
    st.none(),
    st.text(max_size=6),
    st.integers(),
    st.sampled_from(["OK", "a/b.png", "..", "/a", "C:/a", "\ud800"]),
)
ROWS = st.lists(
    st.one_of(
        WORDS,
        st.dictionaries(
            st.sampled_from(["category", "anomaly_class", "image_path", "mask_path"]), WORDS, min_size=1
        ),
    ),
    max_size=4,
)


def tried(data):
    said = []
    for parse in (lists.visa, lists.real_iad):
        try:
            parse(data, "a list")
        except InspectorError as error:
            said.append(error)
    assert all("a list" in error.message and error.hint for error in said)


@given(st.binary(max_size=40), st.integers(0, len(CSV)), st.integers(0, len(JSON)))
def test_damaged_lists_raise_nothing_but_a_sentence(noise, at, further):
    tried(CSV[:at] + noise + CSV[at + len(noise) :])
    tried(JSON[:further] + noise + JSON[further + len(noise) :])


@given(
    st.lists(st.lists(st.text(max_size=8), max_size=7), max_size=5),
    st.sampled_from(["utf-8", "utf-16", "latin-1"]),
)
def test_tables_of_any_content_raise_nothing_but_a_sentence(rows, encoding):
    text = "object,split,label,image,mask\n" + "\n".join(",".join(row) for row in rows)
    tried(text.encode(encoding, "replace"))


@given(
    ROWS,
    st.one_of(WORDS, ROWS),
    st.one_of(WORDS, st.dictionaries(st.sampled_from(["prefix", "normal_class"]), WORDS)),
)
def test_jsons_of_any_content_raise_nothing_but_a_sentence(train, test, meta):
    tried(json.dumps({"train": train, "test": test, "meta": meta, "note": "anomaly_class"}).encode())
