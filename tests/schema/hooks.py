"""What Schemathesis must be told of this contract: how lines of JSON are written and read."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    """A list is one line an item; anything else one line."""
    if isinstance(value, (str, bytes)):
        return value or "{}"
    items = value if isinstance(value, list) else [value]
    return "".join(json.dumps(item) + "\n" for item in items)


@schemathesis.deserializer("application/x-ndjson")
def read(context, response):
    """Where the contract describes a line, the first; else the text."""
    answer = context.operation.definition.raw["responses"].get("200", {})
    described = "$ref" in answer["content"]["application/x-ndjson"]["schema"]
    return json.loads(response.text.splitlines()[0]) if described else response.text
