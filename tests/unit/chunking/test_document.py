"""`MDocument`: the way in, its options, and the chunks that come out."""

import pickle
from dataclasses import FrozenInstanceError

import pytest

import chunking
from chunking import ChunkingError, InvalidOption, MDocument, NotChunked, UnknownStrategy

LONG = "word " * 300


def test_a_document_is_chunked_in_one_expression() -> None:
    (chunk,) = MDocument.from_markdown("# A\n\ntext", {"source_url": "u", "title": "T"}).chunk().get_docs()
    assert (chunk.text, chunk.position, chunk.span) == ("# A\n\ntext", 0, (0, 9))
    assert chunk.metadata == {"source_url": "u", "title": "T"}


def test_chunking_returns_a_new_document_and_leaves_the_old_one() -> None:
    document = MDocument.from_markdown(LONG)
    small, large = document.chunk(max_size=64), document.chunk()
    assert len(small.get_docs()) > len(large.get_docs()) == 1
    with pytest.raises(NotChunked, match="chunk"):
        document.get_docs()


def test_chunks_are_frozen_and_can_be_pickled() -> None:
    chunks = MDocument.from_markdown("# A\n\n```py\nx\n```", {"title": "T"}).chunk().get_docs()
    assert pickle.loads(pickle.dumps(chunks)) == chunks
    with pytest.raises(FrozenInstanceError):
        setattr(chunks[0], "text", "")  # noqa: B010


def test_each_chunk_has_a_copy_of_the_metadata() -> None:
    metadata = {"k": 1}
    first, second = MDocument.from_markdown(LONG, metadata).chunk(max_size=200).get_docs()
    metadata["k"] = 2
    assert first.metadata == second.metadata == {"k": 1}
    assert first.metadata is not second.metadata


def test_positions_count_the_chunks() -> None:
    chunks = MDocument.from_markdown(LONG).chunk(max_size=64).get_docs()
    assert [chunk.position for chunk in chunks] == list(range(len(chunks)))


def test_a_title_that_is_no_text_is_no_title() -> None:
    (chunk,) = MDocument.from_markdown("x", {"title": None}).chunk().get_docs()
    assert chunk.embed_text == "x"


def test_plain_text_is_cut_between_paragraphs_and_read_as_it_is() -> None:
    document = MDocument.from_text("# one *two*\n\n" + LONG + "\n\n```\nthree", {"title": "T"})
    chunks = document.chunk(max_size=400, target_size=100).get_docs()
    assert chunks[0].embed_text == "T\n\n# one *two*"
    assert chunks[0].headings == ()
    assert chunks[-1].text == "```\nthree"


@pytest.mark.promise("K1")
@pytest.mark.parametrize("cap", [63, 0, -1])
def test_a_cap_below_64_is_an_error(cap: int) -> None:
    with pytest.raises(InvalidOption, match=f"max_size is {cap}.*64"):
        MDocument.from_markdown("x").chunk(max_size=cap)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target_size": 0}, "target_size is 0"),
        ({"target_size": 9000}, "target_size is 9000.*8190"),
        ({"min_size": -1}, "min_size is -1"),
        ({"target_size": 100, "min_size": 101}, "min_size is 101.*100"),
        ({"maxsize": 100}, "no option 'maxsize'; did you mean 'max_size'"),
        ({"zzz": 1}, "no option 'zzz'; there is max_size, include_breadcrumb"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(options: dict[str, object], message: str) -> None:
    document = MDocument.from_markdown("x")
    with pytest.raises(InvalidOption, match=message):
        document.chunk("markdown", **options)


def test_an_unknown_strategy_names_the_nearest() -> None:
    with pytest.raises(UnknownStrategy, match="'markdwon'; did you mean 'markdown'"):
        MDocument.from_markdown("x").chunk("markdwon")


def test_every_error_is_a_chunking_error_and_wrong_options_are_value_errors() -> None:
    assert issubclass(InvalidOption, ChunkingError)
    assert issubclass(InvalidOption, ValueError)
    assert issubclass(UnknownStrategy, InvalidOption)


def test_every_public_name_is_there() -> None:
    assert [name for name in chunking.__all__ if not hasattr(chunking, name)] == []
