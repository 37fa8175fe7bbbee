"""Bytes to text by the WHATWG encoding standard: byte order mark, header, `meta`, then the content."""

import re

import webencodings

__all__ = ["decode_text", "media_type", "sniff_encoding"]

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xfe\xff", "utf-16be"), (b"\xff\xfe", "utf-16le"))
# Python codecs that hold what the standard's index of that name holds; its own namesakes hold less.
_CODECS = (("gbk", "gb18030"), ("shift_jis", "cp932"), ("euc-kr", "cp949"), ("big5", "big5hkscs"))
_PRESCAN_BYTES = 1024

_CHARSET = re.compile(r"charset\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s;\"']+))", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([^\"'>]*)[\"']")
_TAG = re.compile(rb"<(?:(!--)|([Mm][Ee][Tt][Aa])(?=[\s/])|/?[A-Za-z][^\s>]*|([!/?]))")
_ATTRIBUTE = re.compile(rb"[\s/]*(?:>|([^\s/>][^\s/>=]*)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|(?![\"'])([^\s>]*)))?)")


def media_type(content_type: str) -> str:
    """The media type of a Content-Type header, lower case and without parameters; "" if there is none."""
    essence = content_type.partition(";")[0].partition(",")[0].strip().lower()
    return essence if re.fullmatch(r"[^\s/]+/[^\s/]+", essence) else ""


def sniff_encoding(body: bytes, content_type: str = "") -> str:
    """The standard's name, in lower case, of the encoding of an HTML or text document.

    Byte order mark, then the charset of the Content-Type header, then a `meta` or XML declaration in the
    first 1,024 bytes (HTML standard, "prescan a byte stream"), then UTF-8 if the bytes are valid, else
    windows-1252.
    """
    for mark, name in _BOMS:
        if body.startswith(mark):
            return name
    declared = _label(_charset_of(content_type)) or _prescan(body[:_PRESCAN_BYTES])
    if declared is not None:
        return declared
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return "windows-1252"
    return "utf-8"


def decode_text(body: bytes, content_type: str = "") -> str:
    """The text of a document, without its byte order mark; what cannot be decoded becomes U+FFFD."""
    name = sniff_encoding(body, content_type)
    for mark, marked in _BOMS:
        if marked == name and body.startswith(mark):
            body = body[len(mark) :]
    if name == "replacement":
        return "\N{REPLACEMENT CHARACTER}" if body else ""
    codec = dict(_CODECS).get(name)
    if codec is not None:
        return body.decode(codec, "replace")
    return str(webencodings.lookup(name).codec_info.decode(body, "replace")[0])


def _label(label: str) -> str | None:
    encoding = webencodings.lookup(label)
    return None if encoding is None else str(encoding.name).lower()


def _charset_of(value: str) -> str:
    match = _CHARSET.search(value)
    return next((group for group in match.groups() if group), "") if match else ""


def _prescan(head: bytes) -> str | None:
    if head.startswith((b"<\x00?\x00x\x00", b"\x00<\x00?\x00x")):
        return "utf-16le" if head.startswith(b"<\x00") else "utf-16be"
    return _meta_encoding(head) or _xml_encoding(head)


def _xml_encoding(head: bytes) -> str | None:
    match = _XML_ENCODING.match(head)
    return _as_declared(match[1].decode("latin-1")) if match else None


def _meta_encoding(head: bytes) -> str | None:
    position = 0
    while (tag := _TAG.search(head, position)) is not None:
        comment, meta, markup = tag.groups()
        if comment:
            end = head.find(b"-->", tag.start() + 2)
            if end < 0:
                return None
            position = end + 3
        elif markup:
            end = head.find(b">", tag.end())
            if end < 0:
                return None
            position = end + 1
        else:
            attributes, position = _attributes(head, tag.end())
            found = _declared_by(attributes) if meta else None
            if found is not None:
                return found
    return None


def _attributes(head: bytes, position: int) -> tuple[dict[str, str], int]:
    """The attributes of the tag whose name ends at `position`, and where the tag ends."""
    found: dict[str, str] = {}
    while (match := _ATTRIBUTE.match(head, position)) is not None:
        position = match.end()
        if match[1] is None:
            break
        value = next((group for group in match.groups()[1:] if group is not None), b"")
        found.setdefault(match[1].decode("latin-1").lower(), value.decode("latin-1"))
    return found, position


def _declared_by(attributes: dict[str, str]) -> str | None:
    if "charset" in attributes:
        return _as_declared(attributes["charset"])
    if attributes.get("http-equiv", "").lower() == "content-type":
        return _as_declared(_charset_of(attributes.get("content", "")))
    return None


def _as_declared(label: str) -> str | None:
    # A declaration that could be read is not in UTF-16, and x-user-defined is the standard's alias here.
    name = _label(label)
    return {"utf-16le": "utf-8", "utf-16be": "utf-8", "x-user-defined": "windows-1252"}.get(name or "", name)
