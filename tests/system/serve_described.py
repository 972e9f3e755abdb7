# SPDX-License-Identifier: MIT
"""The API's own description as a judge of its answers, for tests that have python3-jsonschema."""
import copy

import jsonschema

def closed(schema):
    """The same in JSON Schema's words, where no key may be that is not described."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items() if key not in ("nullable", "description", "example")}
    if "properties" in made and isinstance(made["properties"], dict) and "additionalProperties" not in made and made.get("type") == "object":
        made["additionalProperties"] = False
    if schema.get("nullable") is True and "type" in made:
        made["type"] = [made["type"], "null"]
    return made


class Description:
    def __init__(self, document):
        self.document = document
        # Names of properties are no keywords: they are kept as they are.
        self.schemas = {name: self.close(schema) for name, schema in document["components"]["schemas"].items()}

    def close(self, schema):
        made = closed({key: value for key, value in copy.deepcopy(schema).items() if key != "properties"})
        if "properties" in schema:
            made["properties"] = {name: self.close(part) for name, part in schema["properties"].items()}
            if "additionalProperties" not in schema:
                made["additionalProperties"] = False
        if isinstance(schema.get("items"), dict):
            made["items"] = self.close(schema["items"])
        if isinstance(schema.get("additionalProperties"), dict):
            made["additionalProperties"] = self.close(schema["additionalProperties"])
        return made

    def check(self, name, value):
        schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": self.schemas}}
        jsonschema.Draft7Validator(schema).validate(value)

    def answers(self, path, status, value):
        """The value is what the description says that the path answers with."""
        said = self.document["paths"][path]["get"]["responses"]
        assert str(status) in said, f"{path}: status {status} is not described"
        self.check(said[str(status)]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1], value)


def json_paths(described):
    """Those that answer with an object of a schema."""
    return [path for path, item in described.document["paths"].items()
            if "$ref" in item["get"]["responses"]["200"]["content"].get("application/json", {}).get("schema", {})]


def description_of(server):
    return Description(server.get("/api/v1/openapi.json"))
