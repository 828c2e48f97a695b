"""Talks to the language server of ``test_interop`` as an editor does, with pygls."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcMethodNotFound
from pygls.lsp.client import LanguageClient

URI = "file:///notes.txt"


async def main(port: int) -> dict[str, Any]:
    editor = LanguageClient("editor", "1.0")
    await editor.start_tcp("127.0.0.1", port)
    begun = await editor.initialize_async(
        types.InitializeParams(capabilities=types.ClientCapabilities(), process_id=1)
    )
    editor.initialized(types.InitializedParams())
    text = types.TextDocumentItem(uri=URI, language_id="text", version=1, text="one\nGrüße, two")
    editor.text_document_did_open(types.DidOpenTextDocumentParams(text_document=text))
    document, position = types.TextDocumentIdentifier(uri=URI), types.Position(1, 2)
    hover = await editor.text_document_hover_async(types.HoverParams(document, position))
    assert hover is not None
    assert isinstance(hover.contents, types.MarkupContent)
    seen: dict[str, Any] = {
        "hovers": begun.capabilities.hover_provider,
        "hover": hover.contents.value,
    }
    try:
        await editor.text_document_definition_async(types.DefinitionParams(document, position))
    except JsonRpcMethodNotFound as error:
        seen["definition"] = error.code
    await editor.shutdown_async(None)
    editor.exit(None)
    assert editor.protocol.writer is not None
    editor.protocol.writer.close()
    await editor.stop()
    return seen


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(int(sys.argv[1])))))
